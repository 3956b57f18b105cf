"""The ledger's tables and statements; `?` in the order in which `ledger.py` gives them."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    action_id    TEXT PRIMARY KEY,
    actuator_id  TEXT NOT NULL,
    plant_id     TEXT,
    reservoir    TEXT,
    on_s         REAL NOT NULL,
    charged_ml   REAL NOT NULL,
    kept_ml      REAL NOT NULL,
    began_s      REAL NOT NULL,
    ended_s      REAL,
    measured_s   REAL,
    was_on       INTEGER NOT NULL DEFAULT 1,
    outcome      TEXT,
    why          TEXT NOT NULL DEFAULT '',
    wall         REAL NOT NULL,
    ended_wall   REAL,
    note         TEXT NOT NULL DEFAULT '',
    reported     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS entries_by_end ON entries (ended_s);
CREATE TABLE IF NOT EXISTS refills (
    reservoir TEXT NOT NULL, at_s REAL NOT NULL, wall REAL NOT NULL, by TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS flows (
    actuator_id TEXT PRIMARY KEY, flow_ml_s REAL NOT NULL, by TEXT NOT NULL, wall REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS stops (wall REAL NOT NULL, by TEXT NOT NULL, kind TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS mark (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    ledger_s REAL NOT NULL, boot_id TEXT NOT NULL, monotonic_s REAL NOT NULL, wall_s REAL NOT NULL,
    synced INTEGER NOT NULL
) STRICT;
"""

WRITE_AHEAD = "PRAGMA journal_mode=WAL"
SYNC_EVERY_COMMIT = "PRAGMA synchronous=FULL"
VERSION = "PRAGMA user_version"
SET_VERSION = "PRAGMA user_version = 1"
BEGIN = "BEGIN IMMEDIATE"

CHARGE = """
INSERT INTO entries (action_id, actuator_id, plant_id, reservoir, on_s, charged_ml, kept_ml, began_s, wall, note)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
SETTLE = """
UPDATE entries SET kept_ml = coalesce(?, charged_ml), ended_s = ?, measured_s = ?, outcome = ?, why = ?, ended_wall = ?,
    was_on = ?
WHERE action_id = ? AND outcome IS NULL
"""
REFUSE = """
INSERT OR IGNORE INTO entries (action_id, actuator_id, plant_id, on_s, charged_ml, kept_ml, began_s, ended_s,
    measured_s, outcome, why, wall, ended_wall, note, was_on)
VALUES (?, ?, ?, ?, 0, 0, ?, ?, 0, ?, ?, ?, ?, ?, 0)
"""
RECOVER = """
UPDATE entries SET ended_s = :now_s, ended_wall = :wall, outcome = 'failed', why = 'S10: the guard died while it ran',
    measured_s = CASE WHEN charged_ml > 0 THEN NULL ELSE min(on_s, max(0.0, :now_s - began_s) + :unseen_s) END
WHERE outcome IS NULL
"""
DISTRUST = """
INSERT INTO entries (action_id, actuator_id, plant_id, reservoir, on_s, charged_ml, kept_ml, began_s, ended_s,
    measured_s, outcome, why, wall, ended_wall, was_on, reported)
VALUES (?, 'backup', ?, ?, 0, ?, ?, ?, ?, 0, 'completed', 'restored from a backup', ?, ?, 0, 1)
"""
MARK_REPORTED = "UPDATE entries SET reported = 1 WHERE action_id = ?"
FORGET = "DELETE FROM entries WHERE ended_s < ? AND reported = 1 AND reservoir IS NULL"

ENTRY = "SELECT * FROM entries WHERE action_id = ?"
LATEST = "SELECT * FROM entries ORDER BY rowid DESC LIMIT ?"
LATEST_OF = "SELECT * FROM entries WHERE actuator_id = ? ORDER BY rowid DESC LIMIT ?"
UNREPORTED = "SELECT * FROM entries WHERE reported = 0 AND outcome IS NOT NULL ORDER BY ended_s LIMIT 1000"
SPENT = "SELECT coalesce(sum(kept_ml), 0) FROM entries WHERE plant_id = ? AND (ended_s IS NULL OR ended_s > ?)"
DRAWN = """
SELECT coalesce(sum(kept_ml), 0) FROM entries WHERE reservoir = ?
AND coalesce(ended_s, 9e99) >= coalesce((SELECT max(at_s) FROM refills WHERE reservoir = ?), 0)
"""
ON_INTERVALS = """
SELECT coalesce(ended_s, ?), coalesce(measured_s, on_s) FROM entries
WHERE actuator_id = ? AND (ended_s IS NULL OR ended_s > ?)
"""
LAST_ENDS = """
SELECT actuator_id, max(ended_s) FROM entries WHERE was_on = 1 AND ended_s IS NOT NULL GROUP BY actuator_id
"""

REFILL = "INSERT INTO refills VALUES (?, ?, ?, ?)"
SET_FLOW = "INSERT OR REPLACE INTO flows VALUES (?, ?, ?, ?)"
FLOWS = "SELECT actuator_id, flow_ml_s FROM flows"
NOTE_STOP = "INSERT INTO stops VALUES (?, ?, ?)"
LAST_STOP = "SELECT by, kind FROM stops ORDER BY rowid DESC LIMIT 1"
WRITE_MARK = "INSERT OR REPLACE INTO mark VALUES (1, :ledger_s, :boot_id, :monotonic_s, :wall_s, :synced)"
MARK = "SELECT ledger_s, boot_id, monotonic_s, wall_s, synced FROM mark"
