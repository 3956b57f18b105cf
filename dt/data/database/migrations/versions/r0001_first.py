"""The records as the first version kept them beside the readings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TABLES = (
    "plants", "sensors", "alerts", "alert_events", "actions", "predictions", "dead_letters", "frames",
    "frame_files_to_remove", "gap_notices", "cadence_changes", "cadences", "causes",
)  # fmt: skip


def upgrade() -> None:
    """Make the tables."""
    op.create_table("plants", _key("plant_id"), _text("body"), _number("updated_ms"))
    op.create_table("sensors", _key("sensor_id"), _text("bound"), _text("body"), _number("updated_ms"))
    _alerts()
    _actions_and_predictions()
    _letters_and_frames()
    _gaps()
    op.create_table("causes", _key("parent"), _key("child"))


def downgrade() -> None:
    """Remove the tables."""
    for name in reversed(_TABLES):
        op.drop_table(name)


def _alerts() -> None:
    op.create_table(
        "alerts", _row_id(), _text("alert_id"), _number("timestamp_ms"), _text("plant_id", null=True),
        _text("zone_id", null=True), _text("state"), _text("correlation_id"), _text("body"),
        sa.UniqueConstraint("alert_id"),
    )  # fmt: skip
    op.create_index("alerts_by_time", "alerts", ["timestamp_ms"])
    op.create_table(
        "alert_events", _row_id(), _text("alert_id"), _number("timestamp_ms"), _text("state"),
        _text("correlation_id"), _text("body"), sa.UniqueConstraint("alert_id", "timestamp_ms", "state"),
    )  # fmt: skip
    op.create_index("alert_events_by_correlation", "alert_events", ["correlation_id"])


def _actions_and_predictions() -> None:
    op.create_table(
        "actions", _row_id(), _text("action_id"), _text("outcome"), _number("timestamp_ms"), _text("actuator_id"),
        _text("plant_id", null=True), _text("correlation_id"), _text("body"),
        sa.UniqueConstraint("action_id", "outcome", "timestamp_ms"),
    )  # fmt: skip
    op.create_table(
        "predictions", _row_id(), _text("prediction_id"), _number("timestamp_ms"), _text("plant_id"),
        _text("quantity"), _text("correlation_id"), _text("body"), sa.UniqueConstraint("prediction_id"),
    )  # fmt: skip
    for table in ("actions", "predictions"):
        op.create_index(f"{table}_by_time", table, ["timestamp_ms"])
        op.create_index(f"{table}_by_correlation", table, ["correlation_id"])


def _letters_and_frames() -> None:
    op.create_table(
        "dead_letters", _row_id(), _text("topic"), _number("partition"), _number("offset"), _text("sha256"),
        _number("timestamp_ms"), _text("reason"), _text("body"),
        sa.UniqueConstraint("topic", "partition", "offset", "sha256"),
    )  # fmt: skip
    op.create_index("dead_letters_by_time", "dead_letters", ["timestamp_ms"])
    op.create_table(
        "frames", _row_id(), _text("sensor_id"), _number("timestamp_ms"), _text("zone_id"),
        _text("plant_id", null=True), _text("sha256"), _text("correlation_id"), _text("body"),
        sa.UniqueConstraint("sensor_id", "timestamp_ms"),
    )  # fmt: skip
    op.create_index("frames_by_time", "frames", ["timestamp_ms"])
    op.create_index("frames_by_correlation", "frames", ["correlation_id"])
    op.create_index("frames_by_sha256", "frames", ["sha256"])
    op.create_table("frame_files_to_remove", _key("sha256"))


def _gaps() -> None:
    op.create_table(
        "gap_notices", _row_id(), _text("sensor_id"), _text("boot_id"), _text("cause"), _number("place"),
        _number("first_sequence", null=True), _number("last_sequence", null=True), _number("since_ms"),
        _number("until_ms"), _text("why"), sa.UniqueConstraint("sensor_id", "boot_id", "cause", "place"),
    )  # fmt: skip
    op.create_table(
        "cadence_changes", _key("sensor_id"), _key("boot_id"),
        sa.Column("first_sequence", sa.BigInteger, primary_key=True, autoincrement=False), _number("since_ms"),
        sa.Column("step_s", sa.DOUBLE_PRECISION, nullable=False),
    )  # fmt: skip
    op.create_table("cadences", _key("sensor_id"), sa.Column("read_interval", sa.DOUBLE_PRECISION, primary_key=True))


def _row_id() -> sa.Column[int]:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("row_id", number, sa.Identity(always=False), primary_key=True)


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null)


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=null)
