DROP TABLE witnessed;
DROP TABLE members;
DROP TABLE leadership;
