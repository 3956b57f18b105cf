"""What thinning asks of plants and pictures as columns, filled from their bodies."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_BATCH = 1000


def upgrade() -> None:
    """Add the columns and fill them."""
    for table, column in (("plants", "archived"), ("frames", "flagged")):
        op.add_column(table, sa.Column(column, sa.Boolean, nullable=False, server_default=sa.text("false")))
    _fill("plants", "plant_id", "archived", "archived")
    _fill("frames", "row_id", "flagged", "flags")


def downgrade() -> None:
    """Remove the columns; the bodies have it all."""
    op.drop_column("frames", "flagged")
    op.drop_column("plants", "archived")


def _fill(table: str, key: str, column: str, name: str) -> None:
    """Set a column where the body's member is true or not empty."""
    rows = op.get_bind().execute(sa.text(f"SELECT {key}, body FROM {table}"))  # noqa: S608 - names of our own
    wanted = [found for found, body in rows if json.loads(body).get(name)]
    change = sa.text(f"UPDATE {table} SET {column} = true WHERE {key} = :key")  # noqa: S608 - names of our own
    for first in range(0, len(wanted), _BATCH):
        op.get_bind().execute(change, [{"key": found} for found in wanted[first : first + _BATCH]])
