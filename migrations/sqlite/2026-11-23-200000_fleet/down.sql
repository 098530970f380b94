DROP TABLE metrics;
DROP TABLE last_beats;
DROP TABLE incidents;
DROP TABLE events;
DROP TABLE placements;
DROP TABLE streams;
DROP TABLE instances;
DROP TABLE fleet_state;
