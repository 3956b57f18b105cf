"""Pictures' records as thinning needs them, and the list of files whose last record is gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, func, select

from dt.data.database.frame_thinning import FrameRow
from dt.data.database.record_keepers import ms
from dt.data.database.records_db import RecordsDB, insert_into
from dt.data.database.tables import FRAME_FILES_TO_REMOVE, FRAMES, PLANTS


class FrameRecords:
    """The table of pictures."""

    def __init__(self, db: RecordsDB) -> None:
        self._db = db

    def older_than(self, timestamp: float) -> list[FrameRow]:
        """Return the pictures before an instant, without those of archived plants."""
        archived = select(PLANTS.c.plant_id).where(PLANTS.c.archived)
        columns = (FRAMES.c.row_id, FRAMES.c.sensor_id, FRAMES.c.timestamp_ms, FRAMES.c.sha256, FRAMES.c.flagged)
        old = select(*columns).where(
            FRAMES.c.timestamp_ms < ms(timestamp), FRAMES.c.plant_id.is_(None) | FRAMES.c.plant_id.not_in(archived)
        )
        with self._db.read() as connection:
            rows = connection.execute(old.order_by(FRAMES.c.sensor_id, FRAMES.c.timestamp_ms)).fetchall()
        return [FrameRow(row_id, sensor, at / 1000, sha256, flagged) for row_id, sensor, at, sha256, flagged in rows]

    def newest_before(self, timestamp: float) -> float | None:
        """Return when the newest picture before an instant was taken."""
        with self._db.read() as connection:
            newest_ms = connection.scalar(
                select(func.max(FRAMES.c.timestamp_ms)).where(FRAMES.c.timestamp_ms < ms(timestamp))
            )
        return None if newest_ms is None else newest_ms / 1000

    def remove(self, rows: Sequence[FrameRow]) -> None:
        """Remove records, and list the files that no record names any more, in one transaction.

        A file that a record still names stays; the list outlives a crash between record and file.
        """
        with self._db.write() as connection:
            connection.execute(delete(FRAMES).where(FRAMES.c.row_id.in_([row.row_id for row in rows])))
            gone = {row.sha256 for row in rows if row.sha256}
            unnamed = sorted(gone - set(_named(connection, gone)))
            if unnamed:
                listed = insert_into(connection, FRAME_FILES_TO_REMOVE).on_conflict_do_nothing()
                connection.execute(listed, [{"sha256": sha256} for sha256 in unnamed])

    def files_to_remove(self) -> list[str]:
        """Return the listed files."""
        with self._db.read() as connection:
            return list(connection.scalars(select(FRAME_FILES_TO_REMOVE.c.sha256)))

    def is_needed(self, sha256: str) -> bool:
        """Return whether a record names a file, or it is no longer listed."""
        with self._db.read() as connection:
            return bool(_named(connection, [sha256])) or not _is_listed(connection, sha256)

    def spare(self, sha256: str) -> None:
        """Strike a file from the list: it is gone, or the same picture was taken again and its record is on its way."""
        with self._db.read() as connection:
            is_listed = _is_listed(connection, sha256)
        if is_listed:
            self.strike([sha256])

    def strike(self, names: Sequence[str]) -> None:
        """Strike files from the list."""
        with self._db.write() as connection:
            for name in names:
                connection.execute(delete(FRAME_FILES_TO_REMOVE).where(FRAME_FILES_TO_REMOVE.c.sha256 == name))


def _named(connection: Connection, files: Iterable[str]) -> list[str]:
    """Return those files that a record names."""
    wanted = select(FRAMES.c.sha256).where(FRAMES.c.sha256.in_(list(files))).distinct()
    return list(connection.scalars(wanted))


def _is_listed(connection: Connection, sha256: str) -> bool:
    return connection.scalar(select(FRAME_FILES_TO_REMOVE.c.sha256).filter_by(sha256=sha256)) is not None
