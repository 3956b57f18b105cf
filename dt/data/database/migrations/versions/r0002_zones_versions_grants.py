"""Zones, versions of calibrations and policies, grants, models, notes; calibrations begin with those in use."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TABLES = ("zones", "models", "calibrations", "policies", "grants", "notes", "imports")


def upgrade() -> None:
    """Make the tables, and take calibrations out of the sensors."""
    op.create_table("zones", _key("zone_id"), _text("body"), _number("updated_ms"))
    op.create_table(
        "models", _key("name"), _key("version"),
        sa.Column("promoted", sa.Boolean, nullable=False, server_default=sa.text("false")),
        _number("updated_ms"), _text("body"),
    )  # fmt: skip
    calibrations = _versions("calibrations", "sensor_id", _text("body", null=True))
    _versions("policies", "plant_id", _text("body"))
    op.create_table(
        "grants", _row_id(), _text("actuator_id"), _number("since_ms"), _number("until_ms", null=True),
        _number("revoked_ms", null=True), _text("revoked_by", null=True), _text("body"),
        sa.UniqueConstraint("actuator_id", "since_ms"),
    )  # fmt: skip
    op.create_table(
        "notes", _row_id(), _text("note_id"), _number("timestamp_ms"), _text("plant_id", null=True),
        _text("zone_id", null=True), _text("body"), sa.UniqueConstraint("note_id"),
    )  # fmt: skip
    op.create_index("notes_by_time", "notes", ["timestamp_ms"])
    op.create_table("imports", _key("name"), _number("at_ms"))
    if rows := _calibrations_in_use():
        op.bulk_insert(calibrations, rows)


def downgrade() -> None:
    """Remove the tables; calibrations in use stay in the sensors."""
    for name in reversed(_TABLES):
        op.drop_table(name)


def _versions(name: str, key: str, body: sa.Column[str]) -> sa.Table:
    version = sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False)
    return op.create_table(name, _key(key), version, _number("since_ms"), _text("changed_by"), body)


def _calibrations_in_use() -> list[dict[str, Any]]:
    found = []
    for sensor_id, body, at_ms in op.get_bind().execute(sa.text("SELECT sensor_id, body, updated_ms FROM sensors")):
        calibration = json.loads(body).get("calibration")
        if isinstance(calibration, dict):
            version = calibration.get("version", 1)
            number = version if isinstance(version, int) else 1
            row = {"sensor_id": sensor_id, "version": number, "since_ms": at_ms, "changed_by": ""}
            found.append({**row, "body": json.dumps(calibration)})
    return found


def _row_id() -> sa.Column[int]:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("row_id", number, sa.Identity(always=False), primary_key=True)


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null)


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=null)
