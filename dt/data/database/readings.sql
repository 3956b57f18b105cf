-- Schema of the readings in SQLite. Loading it again changes nothing. Times are UTC epoch milliseconds in `*_ms`.
-- For people: the view `readings_readable` shows readings with names and dates.

CREATE TABLE IF NOT EXISTS series (
    series_id INTEGER PRIMARY KEY,
    sensor_id TEXT NOT NULL,
    data_type TEXT NOT NULL,
    UNIQUE (sensor_id, data_type)
) STRICT;

-- What many readings of a series share, kept once.
CREATE TABLE IF NOT EXISTS contexts (
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
CREATE INDEX IF NOT EXISTS contexts_by_series ON contexts (series_id);

-- A reading is (sensor, quantity, instant); writing it again replaces it, unless the kept revision is higher.
CREATE TABLE IF NOT EXISTS readings (
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
CREATE INDEX IF NOT EXISTS readings_by_correlation ON readings (correlation_hash);

-- Downwards: which correlation ids a parent led to. Upwards every record names its own parents.
CREATE TABLE IF NOT EXISTS causes (
    parent_hash INTEGER NOT NULL, -- CRC-32 of the parent's correlation id
    child       TEXT NOT NULL,
    PRIMARY KEY (parent_hash, child)
) STRICT, WITHOUT ROWID;

CREATE VIEW IF NOT EXISTS readings_readable AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%fZ', r.timestamp_ms / 1000.0, 'unixepoch') AS time,
    s.sensor_id, s.data_type, r.value, c.unit, c.verdict, c.check_name, r.why, r.raw_value,
    c.zone_id, c.plant_id, c.origin, c.late, c.calibration, r.correlation_id
FROM readings AS r
JOIN series AS s USING (series_id)
JOIN contexts AS c USING (context_id);
