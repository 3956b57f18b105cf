-- What the version that kept readings and records in one SQLite file wrote, dumped by sqlite3.
BEGIN TRANSACTION;
CREATE TABLE actions (
    row_id         INTEGER PRIMARY KEY,
    action_id      TEXT NOT NULL,
    outcome        TEXT NOT NULL,
    timestamp_ms   INTEGER NOT NULL,
    actuator_id    TEXT NOT NULL,
    plant_id       TEXT,
    correlation_id TEXT NOT NULL,
    body           TEXT NOT NULL,
    UNIQUE (action_id, outcome, timestamp_ms)
) STRICT;
INSERT INTO "actions" VALUES(1,'x0','done',1800000000000,'pump','basil','c','{"action_id":"x0","actuator_id":"pump","outcome":"done","timestamp":1800000000.0,"correlation_id":"c","delivered_ml":null,"on_s":null,"refusal":null,"command":{"action_id":"x0","actuator_id":"pump","command":"dose","issuer":"policy","timestamp":1800000000.0,"correlation_id":"c","plant_id":"basil","dose_ml":50.0,"duration_s":null,"level":null,"reason":"","caused_by":[],"schema":1,"origin":"live"},"plant_id":null,"caused_by":[],"schema":1,"origin":"live"}');
CREATE TABLE alert_events ( -- every step of each
    row_id         INTEGER PRIMARY KEY,
    alert_id       TEXT NOT NULL,
    timestamp_ms   INTEGER NOT NULL,
    state          TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    body           TEXT NOT NULL,
    UNIQUE (alert_id, timestamp_ms, state)
) STRICT;
INSERT INTO "alert_events" VALUES(1,'a1',1800000001000,'open','r1','{"alert_id":"a1","key":"a1","severity":"warning","description":"dry","active":true,"state":"open","by":"rule","timestamp":1800000001.0,"correlation_id":"r1","plant_id":null,"zone_id":null,"advice":"","recommended_dose_ml":null,"caused_by":[],"schema":1,"origin":"live"}');
INSERT INTO "alert_events" VALUES(2,'a2',1799999940000,'open','v2','{"alert_id":"a2","key":"a2","severity":"warning","description":"dry","active":true,"state":"open","by":"rule","timestamp":1799999940.0,"correlation_id":"v2","plant_id":null,"zone_id":null,"advice":"","recommended_dose_ml":null,"caused_by":["v1"],"schema":1,"origin":"live"}');
INSERT INTO "alert_events" VALUES(3,'a2',1799999950000,'resolved','v2','{"alert_id":"a2","key":"a2","severity":"warning","description":"dry","active":false,"state":"resolved","by":"rule","timestamp":1799999950.0,"correlation_id":"v2","plant_id":null,"zone_id":null,"advice":"","recommended_dose_ml":null,"caused_by":["v1"],"schema":1,"origin":"live"}');
CREATE TABLE alerts ( -- as each stands now
    row_id         INTEGER PRIMARY KEY,
    alert_id       TEXT NOT NULL UNIQUE,
    timestamp_ms   INTEGER NOT NULL,
    plant_id       TEXT,
    zone_id        TEXT,
    state          TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    body           TEXT NOT NULL
) STRICT;
INSERT INTO "alerts" VALUES(1,'a1',1800000001000,NULL,NULL,'open','r1','{"alert_id":"a1","key":"a1","severity":"warning","description":"dry","active":true,"state":"open","by":"rule","timestamp":1800000001.0,"correlation_id":"r1","plant_id":null,"zone_id":null,"advice":"","recommended_dose_ml":null,"caused_by":[],"schema":1,"origin":"live"}');
INSERT INTO "alerts" VALUES(2,'a2',1799999950000,NULL,NULL,'resolved','v2','{"alert_id":"a2","key":"a2","severity":"warning","description":"dry","active":false,"state":"resolved","by":"rule","timestamp":1799999950.0,"correlation_id":"v2","plant_id":null,"zone_id":null,"advice":"","recommended_dose_ml":null,"caused_by":["v1"],"schema":1,"origin":"live"}');
CREATE TABLE cadence_changes (
    sensor_id      TEXT NOT NULL,
    boot_id        TEXT NOT NULL,
    first_sequence INTEGER NOT NULL,
    since_ms       INTEGER NOT NULL,
    step_s         REAL NOT NULL,
    PRIMARY KEY (sensor_id, boot_id, first_sequence)
) STRICT, WITHOUT ROWID;
INSERT INTO "cadence_changes" VALUES('air-t','b',7,1800000000000,10.0);
CREATE TABLE cadences (
    sensor_id     TEXT NOT NULL,
    read_interval REAL NOT NULL, -- s
    PRIMARY KEY (sensor_id, read_interval)
) STRICT, WITHOUT ROWID;
INSERT INTO "cadences" VALUES('air-t',5.0);
INSERT INTO "cadences" VALUES('air-t',10.0);
INSERT INTO "cadences" VALUES('soil',5.0);
CREATE TABLE causes (
    parent_hash INTEGER NOT NULL, -- CRC-32 of the parent's correlation id
    child       TEXT NOT NULL,
    PRIMARY KEY (parent_hash, child)
) STRICT, WITHOUT ROWID;
INSERT INTO "causes" VALUES(1532276279,'v1');
INSERT INTO "causes" VALUES(1768082613,'v2');
INSERT INTO "causes" VALUES(3173249898,'v1');
CREATE TABLE contexts (
    context_id   INTEGER PRIMARY KEY,
    series_id    INTEGER NOT NULL REFERENCES series,
    unit         TEXT NOT NULL,
    zone_id      TEXT NOT NULL,
    plant_id     TEXT,
    boot_id      TEXT NOT NULL,
    clock_synced INTEGER NOT NULL,
    verdict      TEXT,
    check_name   TEXT,
    calibration  INTEGER,
    late         INTEGER NOT NULL,
    schema       INTEGER NOT NULL,
    origin       TEXT NOT NULL
) STRICT;
INSERT INTO "contexts" VALUES(1,1,'m3/m3','box',NULL,'',1,NULL,NULL,NULL,0,1,'live');
INSERT INTO "contexts" VALUES(2,2,'kPa','box',NULL,'',1,NULL,NULL,NULL,0,1,'live');
CREATE TABLE dead_letters (
    row_id       INTEGER PRIMARY KEY,
    topic        TEXT NOT NULL,
    partition    INTEGER NOT NULL,
    offset       INTEGER NOT NULL,
    sha256       TEXT NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    reason       TEXT NOT NULL,
    body         TEXT NOT NULL,
    UNIQUE (topic, partition, offset, sha256)
) STRICT;
INSERT INTO "dead_letters" VALUES(1,'t',0,0,'0',1800000000000,'undecodable','{"reason":"undecodable","why":"x","topic":"t","partition":0,"offset":0,"size_bytes":1,"head_base64":"","sha256":"0","timestamp":1800000000.0,"key":null,"schema":1,"origin":"live"}');
CREATE TABLE frame_files_to_remove ( -- the last record of each is gone, its file goes next
    sha256 TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
INSERT INTO "frame_files_to_remove" VALUES('cd');
CREATE TABLE frames (
    row_id         INTEGER PRIMARY KEY,
    sensor_id      TEXT NOT NULL,
    timestamp_ms   INTEGER NOT NULL,
    zone_id        TEXT NOT NULL,
    plant_id       TEXT,
    sha256         TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    body           TEXT NOT NULL,
    UNIQUE (sensor_id, timestamp_ms)
) STRICT;
INSERT INTO "frames" VALUES(1,'cam',1800000000000,'box',NULL,'','c','{"sensor_id":"cam","zone_id":"box","timestamp":1800000000.0,"correlation_id":"c","width":1,"height":1,"plant_id":null,"flags":[],"url":null,"sha256":null,"canopy_cover":null,"size_bytes":null,"boot_id":"","sequence":0,"schema":1,"origin":"live"}');
INSERT INTO "frames" VALUES(2,'cam',1800000009000,'box',NULL,'ab','c','{"sensor_id":"cam","zone_id":"box","timestamp":1800000009.0,"correlation_id":"c","width":1,"height":1,"plant_id":null,"flags":["dark"],"url":null,"sha256":"ab","canopy_cover":null,"size_bytes":null,"boot_id":"","sequence":0,"schema":1,"origin":"live"}');
CREATE TABLE gap_notices (
    row_id         INTEGER PRIMARY KEY,
    sensor_id      TEXT NOT NULL,
    boot_id        TEXT NOT NULL,
    cause          TEXT NOT NULL,
    first_sequence INTEGER,
    last_sequence  INTEGER,
    since_ms       INTEGER NOT NULL,
    until_ms       INTEGER NOT NULL,
    why            TEXT NOT NULL
) STRICT;
INSERT INTO "gap_notices" VALUES(1,'air-t','b','sensor',3,4,1800000000000,1800000005000,'no answer');
INSERT INTO "gap_notices" VALUES(2,'air-t','b','killed',NULL,NULL,1800000000000,1800000005000,'no answer');
CREATE TABLE plants (
    plant_id   TEXT PRIMARY KEY,
    body       TEXT NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "plants" VALUES('basil','{"plant_id":"basil","zone_id":"box","name":"","species":"","pot_volume_l":1.0,"limits":{"soil_moisture_low":0.25,"soil_moisture_target":0.35,"soil_moisture_high":0.45},"archived":false,"schema":1,"origin":"live"}',1800000000000);
INSERT INTO "plants" VALUES('old','{"plant_id":"old","zone_id":"file","name":"","species":"","pot_volume_l":1.0,"limits":{"soil_moisture_low":0.25,"soil_moisture_target":0.35,"soil_moisture_high":0.45},"archived":true,"schema":1,"origin":"live"}',1800000000000);
CREATE TABLE predictions (
    row_id         INTEGER PRIMARY KEY,
    prediction_id  TEXT NOT NULL UNIQUE,
    timestamp_ms   INTEGER NOT NULL,
    plant_id       TEXT NOT NULL,
    quantity       TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    body           TEXT NOT NULL
) STRICT;
INSERT INTO "predictions" VALUES(1,'p0',1800000000000,'basil','soil_moisture','c','{"prediction_id":"p0","plant_id":"basil","model":"rule","version":"1","quantity":"soil_moisture","made_at":1800000000.0,"times":[1800000000.0],"mean":[0.3],"bands":{"50":[[0.2,0.4]]},"correlation_id":"c","caused_by":[],"schema":1,"origin":"live"}');
CREATE TABLE readings (
    series_id        INTEGER NOT NULL REFERENCES series,
    timestamp_ms     INTEGER NOT NULL,
    value            REAL NOT NULL,
    raw_value        REAL,
    sequence         INTEGER NOT NULL,
    revision         INTEGER NOT NULL,
    context_id       INTEGER NOT NULL REFERENCES contexts,
    correlation_id   TEXT NOT NULL,
    correlation_hash INTEGER NOT NULL, -- CRC-32: random ids make the largest index, and a short one costs half the writing
    why              TEXT,
    caused_by        TEXT, -- JSON array of correlation ids
    PRIMARY KEY (series_id, timestamp_ms)
) STRICT, WITHOUT ROWID;
INSERT INTO "readings" VALUES(1,1800000000000,0.1,NULL,0,0,1,'r1',219023793,NULL,NULL);
INSERT INTO "readings" VALUES(2,1800000000000,1.9,NULL,0,0,2,'v1',1768082613,NULL,'["t1","h1"]');
CREATE TABLE sensors (
    sensor_id  TEXT PRIMARY KEY,
    bound      TEXT NOT NULL, -- the descriptor as the collector gave it
    body       TEXT NOT NULL, -- the descriptor as it stands, after people's changes
    updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "sensors" VALUES('air-t','{"sensor_id":"air-t","zone_id":"box","data_type":"temperature","kind":"dht22","read_interval":5.0,"plant_id":null,"name":"","pin":null,"address":null,"calibration":null,"options":{},"schema":1,"origin":"live"}','{"sensor_id":"air-t","zone_id":"box","data_type":"temperature","kind":"dht22","read_interval":10.0,"plant_id":null,"name":"","pin":null,"address":null,"calibration":null,"options":{},"schema":1,"origin":"live"}',1800000005000);
INSERT INTO "sensors" VALUES('soil','{"sensor_id":"soil","zone_id":"box","data_type":"soil_moisture","kind":"dht22","read_interval":5.0,"plant_id":"basil","name":"","pin":null,"address":null,"calibration":{"version":3,"points":[[300,0.0],[900,0.6]]},"options":{},"schema":1,"origin":"live"}','{"sensor_id":"soil","zone_id":"box","data_type":"soil_moisture","kind":"dht22","read_interval":5.0,"plant_id":"basil","name":"","pin":null,"address":null,"calibration":{"version":3,"points":[[300,0.0],[900,0.6]]},"options":{},"schema":1,"origin":"live"}',1800000000000);
CREATE TABLE series (
    series_id INTEGER PRIMARY KEY,
    sensor_id TEXT NOT NULL,
    data_type TEXT NOT NULL,
    UNIQUE (sensor_id, data_type)
) STRICT;
INSERT INTO "series" VALUES(1,'soil','soil_moisture');
INSERT INTO "series" VALUES(2,'box/vpd','vpd');
CREATE INDEX contexts_by_series ON contexts (series_id);
CREATE INDEX readings_by_correlation ON readings (correlation_hash);
CREATE INDEX alerts_by_time ON alerts (timestamp_ms);
CREATE INDEX alert_events_by_correlation ON alert_events (correlation_id);
CREATE INDEX actions_by_time ON actions (timestamp_ms);
CREATE INDEX actions_by_correlation ON actions (correlation_id);
CREATE INDEX predictions_by_time ON predictions (timestamp_ms);
CREATE INDEX predictions_by_correlation ON predictions (correlation_id);
CREATE INDEX dead_letters_by_time ON dead_letters (timestamp_ms);
CREATE INDEX frames_by_time ON frames (timestamp_ms);
CREATE INDEX frames_by_correlation ON frames (correlation_id);
CREATE INDEX frames_by_sha256 ON frames (sha256);
CREATE UNIQUE INDEX gap_notices_once
    ON gap_notices (sensor_id, boot_id, cause, coalesce(first_sequence, -since_ms));
CREATE TRIGGER cadence_of_new_sensor AFTER INSERT ON sensors BEGIN
    INSERT OR IGNORE INTO cadences VALUES (new.sensor_id, new.body ->> '$.read_interval');
END;
CREATE TRIGGER cadence_of_changed_sensor AFTER UPDATE ON sensors BEGIN
    INSERT OR IGNORE INTO cadences VALUES (new.sensor_id, new.body ->> '$.read_interval');
END;
CREATE VIEW readings_readable AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%fZ', r.timestamp_ms / 1000.0, 'unixepoch') AS time,
    s.sensor_id, s.data_type, r.value, c.unit, c.verdict, c.check_name, r.why, r.raw_value,
    c.zone_id, c.plant_id, c.origin, c.late, c.calibration, r.correlation_id
FROM readings AS r
JOIN series AS s USING (series_id)
JOIN contexts AS c USING (context_id);
COMMIT;
PRAGMA user_version = 1;
