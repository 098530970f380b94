DROP TABLE rolls;
