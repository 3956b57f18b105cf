"""The mark of a restore that a server's database or bucket holds until all of the restore is in place.

What has the mark is all the restore's: the next one begins by removing it, and no service starts on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, select

from dt.data.database.tables import IMPORTS, METADATA
from dt.utils.exceptions import ConfigError

if TYPE_CHECKING:
    from dt.data.database.influx_server import InfluxServer

_NAME = "restore that has not ended"
_POINT = "restore_unfinished"  # one of them, at 1970, with the field `here`


def mark_records(connection: Connection, now: float) -> None:
    """Say that a database holds what is being restored; in the transaction that writes it."""
    connection.execute(IMPORTS.insert().values(name=_NAME, at_ms=round(now * 1000)))


def is_marked(connection: Connection) -> bool:
    """Return whether a database holds what a restore left unfinished."""
    return connection.scalar(select(IMPORTS.c.name).filter_by(name=_NAME)) is not None


def unmark_records(connection: Connection) -> None:
    """Say that the restore has ended."""
    connection.execute(delete(IMPORTS).where(IMPORTS.c.name == _NAME))


def empty_records(connection: Connection) -> None:
    """Remove every record, the mark too."""
    for table in reversed(METADATA.sorted_tables):
        connection.execute(delete(table))


def require_finished(connection: Connection, where: str) -> None:
    """Refuse a database with the mark; raises ConfigError."""
    if is_marked(connection):
        raise ConfigError(f"DATABASE_URL: {_word(where)}")


def mark_bucket(server: InfluxServer) -> None:
    """Say that a bucket holds what is being restored; before the first of it."""
    server.write([f"{_POINT} here=1i 0"])


def is_bucket_marked(server: InfluxServer) -> bool:
    """Return whether a bucket holds what a restore left unfinished."""
    return bool(server.select(f"SELECT here FROM {_POINT} LIMIT 1"))  # noqa: S608 - a constant


def unmark_bucket(server: InfluxServer) -> None:
    """Say that the restore has ended."""
    server.delete(0, 1000, f'_measurement="{_POINT}"')


def require_finished_bucket(server: InfluxServer) -> None:
    """Refuse a bucket with the mark; raises ConfigError."""
    if is_bucket_marked(server):
        raise ConfigError(f"INFLUX_BUCKET: {_word(server.bucket)}")


def _word(where: str) -> str:
    return f"{where} holds part of a backup, for a restore of it did not come to its end: run dt restore again"
