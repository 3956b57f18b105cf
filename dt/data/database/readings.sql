-- Schema of the readings in SQLite, version 2. Loading it again changes nothing. Times are UTC epoch milliseconds in
-- `*_ms`, seconds in `*_s`. For people: the view `readings_readable` shows readings with names and dates.

CREATE TABLE IF NOT EXISTS series (
    series_id INTEGER PRIMARY KEY,
    sensor_id TEXT NOT NULL,
    data_type TEXT NOT NULL,
    UNIQUE (sensor_id, data_type)
) STRICT;

-- What is summarised together: the readings of a series in one unit, zone and plant.
CREATE TABLE IF NOT EXISTS lines (
    line_id   INTEGER PRIMARY KEY,
    series_id INTEGER NOT NULL REFERENCES series,
    unit      TEXT NOT NULL,
    zone_id   TEXT NOT NULL,
    plant_id  TEXT
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS lines_once ON lines (series_id, unit, zone_id, coalesce(plant_id, ''));

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
    origin       TEXT NOT NULL,
    line_id      INTEGER NOT NULL DEFAULT 0 REFERENCES lines
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
    correlation_hash INTEGER NOT NULL, -- 0: the id tells timestamp_ms, which finds it; else the id's first bytes or CRC-32
    why              TEXT,
    caused_by        TEXT, -- JSON array of correlation ids
    PRIMARY KEY (series_id, timestamp_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS readings_by_hash ON readings (correlation_hash) WHERE correlation_hash <> 0;

-- Downwards: which correlation ids a parent led to. Upwards every record names its own parents.
CREATE TABLE IF NOT EXISTS causes (
    parent_hash INTEGER NOT NULL, -- first 8 bytes of the parent's correlation id, or its CRC-32
    child       TEXT NOT NULL,
    PRIMARY KEY (parent_hash, child)
) STRICT, WITHOUT ROWID;

-- Summaries by width (60, 300, 3600 s) and beginning (a multiple of it); bad readings are not counted, empty ones left out.
CREATE TABLE IF NOT EXISTS rollups (
    line_id  INTEGER NOT NULL REFERENCES lines,
    width_s  INTEGER NOT NULL,
    begin_s  INTEGER NOT NULL,
    count    INTEGER NOT NULL,
    min      REAL NOT NULL,
    max      REAL NOT NULL,
    total    REAL NOT NULL, -- the sum of the values, rounded once
    residue  REAL NOT NULL, -- what the rounding took away: sums of sums stay exact
    suspects INTEGER NOT NULL,
    PRIMARY KEY (line_id, width_s, begin_s)
) STRICT, WITHOUT ROWID;

-- Hours whose raw readings were removed after their roll-ups were proven complete: these change no more.
CREATE TABLE IF NOT EXISTS sealed_hours (
    series_id INTEGER NOT NULL REFERENCES series,
    begin_s   INTEGER NOT NULL,
    PRIMARY KEY (series_id, begin_s)
) STRICT, WITHOUT ROWID;

-- Series of an older file whose roll-ups are still to be made, from an instant on.
CREATE TABLE IF NOT EXISTS rollups_due (
    series_id INTEGER PRIMARY KEY REFERENCES series,
    from_ms   INTEGER NOT NULL
) STRICT;

CREATE VIEW IF NOT EXISTS readings_readable AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%fZ', r.timestamp_ms / 1000.0, 'unixepoch') AS time,
    s.sensor_id, s.data_type, r.value, c.unit, c.verdict, c.check_name, r.why, r.raw_value,
    c.zone_id, c.plant_id, c.origin, c.late, c.calibration, r.correlation_id
FROM readings AS r
JOIN series AS s USING (series_id)
JOIN contexts AS c USING (context_id);

CREATE VIEW IF NOT EXISTS rollups_readable AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%SZ', p.begin_s, 'unixepoch') AS time, p.width_s,
    s.sensor_id, s.data_type, l.unit, l.zone_id, l.plant_id,
    p.count, p.min, (p.total + p.residue) / p.count AS mean, p.max, p.suspects
FROM rollups AS p
JOIN lines AS l USING (line_id)
JOIN series AS s USING (series_id);
