-- Schema of the records. Loading it again changes nothing. Times are UTC epoch milliseconds in `*_ms`.

CREATE TABLE IF NOT EXISTS sensors (
    sensor_id  TEXT PRIMARY KEY,
    bound      TEXT NOT NULL, -- the descriptor as the collector gave it
    body       TEXT NOT NULL, -- the descriptor as it stands, after people's changes
    updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS plants (
    plant_id   TEXT PRIMARY KEY,
    body       TEXT NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Records below: `body` is the message's own JSON; the other columns are what it is looked up by.
CREATE TABLE IF NOT EXISTS alerts ( -- as each stands now
    row_id         INTEGER PRIMARY KEY,
    alert_id       TEXT NOT NULL UNIQUE,
    timestamp_ms   INTEGER NOT NULL,
    plant_id       TEXT,
    zone_id        TEXT,
    state          TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    body           TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS alerts_by_time ON alerts (timestamp_ms);

CREATE TABLE IF NOT EXISTS alert_events ( -- every step of each
    row_id         INTEGER PRIMARY KEY,
    alert_id       TEXT NOT NULL,
    timestamp_ms   INTEGER NOT NULL,
    state          TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    body           TEXT NOT NULL,
    UNIQUE (alert_id, timestamp_ms, state)
) STRICT;
CREATE INDEX IF NOT EXISTS alert_events_by_correlation ON alert_events (correlation_id);

CREATE TABLE IF NOT EXISTS actions (
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
CREATE INDEX IF NOT EXISTS actions_by_time ON actions (timestamp_ms);
CREATE INDEX IF NOT EXISTS actions_by_correlation ON actions (correlation_id);

CREATE TABLE IF NOT EXISTS predictions (
    row_id         INTEGER PRIMARY KEY,
    prediction_id  TEXT NOT NULL UNIQUE,
    timestamp_ms   INTEGER NOT NULL,
    plant_id       TEXT NOT NULL,
    quantity       TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    body           TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS predictions_by_time ON predictions (timestamp_ms);
CREATE INDEX IF NOT EXISTS predictions_by_correlation ON predictions (correlation_id);

CREATE TABLE IF NOT EXISTS dead_letters (
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
CREATE INDEX IF NOT EXISTS dead_letters_by_time ON dead_letters (timestamp_ms);

CREATE TABLE IF NOT EXISTS frames (
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
CREATE INDEX IF NOT EXISTS frames_by_time ON frames (timestamp_ms);
CREATE INDEX IF NOT EXISTS frames_by_correlation ON frames (correlation_id);
CREATE INDEX IF NOT EXISTS frames_by_sha256 ON frames (sha256);

CREATE TABLE IF NOT EXISTS frame_files_to_remove ( -- the last record of each is gone, its file goes next
    sha256 TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Why readings are missing: within a boot by sequence numbers, between two boots (both null) by time.
CREATE TABLE IF NOT EXISTS gap_notices (
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
CREATE UNIQUE INDEX IF NOT EXISTS gap_notices_once
    ON gap_notices (sensor_id, boot_id, cause, coalesce(first_sequence, -since_ms));

-- Where within a boot a sensor's cadence changed: numbers from there on are step_s apart.
CREATE TABLE IF NOT EXISTS cadence_changes (
    sensor_id      TEXT NOT NULL,
    boot_id        TEXT NOT NULL,
    first_sequence INTEGER NOT NULL,
    since_ms       INTEGER NOT NULL,
    step_s         REAL NOT NULL,
    PRIMARY KEY (sensor_id, boot_id, first_sequence)
) STRICT, WITHOUT ROWID;

-- Which cadences a sensor has had: between two boots they alone say how many readings were due.
CREATE TABLE IF NOT EXISTS cadences (
    sensor_id     TEXT NOT NULL,
    read_interval REAL NOT NULL, -- s
    PRIMARY KEY (sensor_id, read_interval)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO cadences SELECT sensor_id, body ->> '$.read_interval' FROM sensors;
CREATE TRIGGER IF NOT EXISTS cadence_of_new_sensor AFTER INSERT ON sensors BEGIN
    INSERT OR IGNORE INTO cadences VALUES (new.sensor_id, new.body ->> '$.read_interval');
END;
CREATE TRIGGER IF NOT EXISTS cadence_of_changed_sensor AFTER UPDATE ON sensors BEGIN
    INSERT OR IGNORE INTO cadences VALUES (new.sensor_id, new.body ->> '$.read_interval');
END;
