DROP TABLE beat_watermark;
