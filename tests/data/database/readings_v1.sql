-- The readings as version 1 kept them; user_version 1.
CREATE TABLE IF NOT EXISTS series (
    series_id INTEGER PRIMARY KEY,
    sensor_id TEXT NOT NULL,
    data_type TEXT NOT NULL,
    UNIQUE (sensor_id, data_type)
) STRICT;

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

CREATE TABLE IF NOT EXISTS readings (
    series_id        INTEGER NOT NULL REFERENCES series,
    timestamp_ms     INTEGER NOT NULL,
    value            REAL NOT NULL,
    raw_value        REAL,
    sequence         INTEGER NOT NULL,
    revision         INTEGER NOT NULL,
    context_id       INTEGER NOT NULL REFERENCES contexts,
    correlation_id   TEXT NOT NULL,
    correlation_hash INTEGER NOT NULL,
    why              TEXT,
    caused_by        TEXT,
    PRIMARY KEY (series_id, timestamp_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS readings_by_correlation ON readings (correlation_hash);

CREATE TABLE IF NOT EXISTS causes (
    parent_hash INTEGER NOT NULL,
    child       TEXT NOT NULL,
    PRIMARY KEY (parent_hash, child)
) STRICT, WITHOUT ROWID;
