"""The records' schema: the same as `db_init.sql` and as the head of `migrations`. Times are UTC epoch ms in `*_ms`."""

from __future__ import annotations

from sqlalchemy import (
    DOUBLE_PRECISION,
    BigInteger,
    Boolean,
    Column,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

METADATA = MetaData()

# SQLite counts rows by itself in a column of exactly this type.
_ROW = BigInteger().with_variant(Integer(), "sqlite")
_FALSE = text("false")


def _row_id() -> Column[int]:
    return Column("row_id", _ROW, Identity(always=False), primary_key=True)


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _text_or_null(name: str) -> Column[str]:
    return Column(name, Text)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


# -- as they stand ---------------------------------------------------------------------------------------------------

PLANTS = Table(
    "plants",
    METADATA,
    _key("plant_id"),
    _text("body"),
    _number("updated_ms"),
    Column("archived", Boolean, nullable=False, server_default=_FALSE),
)
ZONES = Table("zones", METADATA, _key("zone_id"), _text("body"), _number("updated_ms"))
# `bound` is the descriptor as the collector gave it, `body` as it stands after people's changes.
SENSORS = Table("sensors", METADATA, _key("sensor_id"), _text("bound"), _text("body"), _number("updated_ms"))
MODELS = Table(
    "models",
    METADATA,
    _key("name"),
    _key("version"),
    Column("promoted", Boolean, nullable=False, server_default=_FALSE),
    _number("updated_ms"),
    _text("body"),
)

# -- versions, of which every one is kept ----------------------------------------------------------------------------

CALIBRATIONS = Table(
    "calibrations",
    METADATA,
    _key("sensor_id"),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    _number("since_ms"),
    _text("changed_by"),
    _text_or_null("body"),  # null: since then it has none
)
POLICIES = Table(
    "policies",
    METADATA,
    _key("plant_id"),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    _number("since_ms"),
    _text("changed_by"),
    _text("body"),
)
GRANTS = Table(
    "grants",
    METADATA,
    _row_id(),
    _text("actuator_id"),
    _number("since_ms"),
    Column("until_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    _text_or_null("revoked_by"),
    _text("body"),
    UniqueConstraint("actuator_id", "since_ms"),
)

# -- what happened: `body` is the message's own JSON, the other columns are what it is looked up by --------------------

ALERTS = Table(  # as each stands now
    "alerts",
    METADATA,
    _row_id(),
    _text("alert_id"),
    _number("timestamp_ms"),
    _text_or_null("plant_id"),
    _text_or_null("zone_id"),
    _text("state"),
    _text("correlation_id"),
    _text("body"),
    UniqueConstraint("alert_id"),
    Index("alerts_by_time", "timestamp_ms"),
)
ALERT_EVENTS = Table(  # every step of each
    "alert_events",
    METADATA,
    _row_id(),
    _text("alert_id"),
    _number("timestamp_ms"),
    _text("state"),
    _text("correlation_id"),
    _text("body"),
    UniqueConstraint("alert_id", "timestamp_ms", "state"),
    Index("alert_events_by_correlation", "correlation_id"),
)
ACTIONS = Table(
    "actions",
    METADATA,
    _row_id(),
    _text("action_id"),
    _text("outcome"),
    _number("timestamp_ms"),
    _text("actuator_id"),
    _text_or_null("plant_id"),
    _text("correlation_id"),
    _text("body"),
    UniqueConstraint("action_id", "outcome", "timestamp_ms"),
    Index("actions_by_time", "timestamp_ms"),
    Index("actions_by_correlation", "correlation_id"),
)
PREDICTIONS = Table(
    "predictions",
    METADATA,
    _row_id(),
    _text("prediction_id"),
    _number("timestamp_ms"),
    _text("plant_id"),
    _text("quantity"),
    _text("correlation_id"),
    _text("body"),
    UniqueConstraint("prediction_id"),
    Index("predictions_by_time", "timestamp_ms"),
    Index("predictions_by_correlation", "correlation_id"),
)
DEAD_LETTERS = Table(
    "dead_letters",
    METADATA,
    _row_id(),
    _text("topic"),
    _number("partition"),
    _number("offset"),
    _text("sha256"),
    _number("timestamp_ms"),
    _text("reason"),
    _text("body"),
    UniqueConstraint("topic", "partition", "offset", "sha256"),
    Index("dead_letters_by_time", "timestamp_ms"),
)
FRAMES = Table(
    "frames",
    METADATA,
    _row_id(),
    _text("sensor_id"),
    _number("timestamp_ms"),
    _text("zone_id"),
    _text_or_null("plant_id"),
    _text("sha256"),
    _text("correlation_id"),
    _text("body"),
    Column("flagged", Boolean, nullable=False, server_default=_FALSE),
    UniqueConstraint("sensor_id", "timestamp_ms"),
    Index("frames_by_time", "timestamp_ms"),
    Index("frames_by_correlation", "correlation_id"),
    Index("frames_by_sha256", "sha256"),
)
# The last record of each is gone, its file goes next.
FRAME_FILES_TO_REMOVE = Table("frame_files_to_remove", METADATA, _key("sha256"))
NOTES = Table(  # what people wrote
    "notes",
    METADATA,
    _row_id(),
    _text("note_id"),
    _number("timestamp_ms"),
    _text_or_null("plant_id"),
    _text_or_null("zone_id"),
    _text("body"),
    UniqueConstraint("note_id"),
    Index("notes_by_time", "timestamp_ms"),
)

# -- what the account of gaps knows beside the readings ----------------------------------------------------------------

# Why readings are missing: within a boot by sequence numbers, between two boots (both null) by time. `place` is the
# first number, or the negative instant where there is none.
GAP_NOTICES = Table(
    "gap_notices",
    METADATA,
    _row_id(),
    _text("sensor_id"),
    _text("boot_id"),
    _text("cause"),
    _number("place"),
    Column("first_sequence", BigInteger),
    Column("last_sequence", BigInteger),
    _number("since_ms"),
    _number("until_ms"),
    _text("why"),
    UniqueConstraint("sensor_id", "boot_id", "cause", "place"),
)
# Where within a boot a sensor's cadence changed: numbers from there on are step_s apart.
CADENCE_CHANGES = Table(
    "cadence_changes",
    METADATA,
    _key("sensor_id"),
    _key("boot_id"),
    Column("first_sequence", BigInteger, primary_key=True, autoincrement=False),
    _number("since_ms"),
    Column("step_s", DOUBLE_PRECISION, nullable=False),
)
# Which cadences a sensor has had: between two boots they alone say how many readings were due.
CADENCES = Table("cadences", METADATA, _key("sensor_id"), Column("read_interval", DOUBLE_PRECISION, primary_key=True))

# -- the rest ----------------------------------------------------------------------------------------------------------

# Downwards: which correlation ids a parent led to. Upwards every record names its own parents.
CAUSES = Table("causes", METADATA, _key("parent"), _key("child"))
# What was copied out of older files, so that it is done once.
IMPORTS = Table("imports", METADATA, _key("name"), _number("at_ms"))
