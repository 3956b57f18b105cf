"""Pictures' records as thinning needs them, and the list of files whose last record is gone."""

from __future__ import annotations

from collections.abc import Sequence

from dt.data.database.frame_thinning import FrameRow
from dt.data.database.sqlite_file import SQLiteFile

_OLD = """
SELECT row_id, sensor_id, timestamp_ms / 1000.0, sha256, json_array_length(body, '$.flags') > 0 FROM frames
WHERE timestamp_ms < ? AND (plant_id IS NULL OR plant_id NOT IN (
    SELECT plant_id FROM plants WHERE json_extract(body, '$.archived')
)) ORDER BY sensor_id, timestamp_ms
"""
# A file that a record still names stays; the list outlives a crash between record and file.
_LIST_UNNAMED = """
INSERT OR IGNORE INTO frame_files_to_remove (sha256)
SELECT ?1 WHERE ?1 <> '' AND NOT EXISTS (SELECT 1 FROM frames WHERE sha256 = ?1)
"""


class FrameRecords:
    """The table of pictures in the SQLite file."""

    def __init__(self, file: SQLiteFile) -> None:
        self._file = file

    def older_than(self, timestamp: float) -> list[FrameRow]:
        """Return the pictures before an instant, without those of archived plants."""
        with self._file.read() as db:
            rows = db.execute(_OLD, (round(timestamp * 1000),)).fetchall()
        return [FrameRow(row_id, sensor, at, sha256, bool(flagged)) for row_id, sensor, at, sha256, flagged in rows]

    def remove(self, rows: Sequence[FrameRow]) -> None:
        """Remove records, and list the files that no record names any more, in one transaction."""
        with self._file.write() as db:
            db.executemany("DELETE FROM frames WHERE row_id = ?", [(row.row_id,) for row in rows])
            db.executemany(_LIST_UNNAMED, [(sha256,) for sha256 in {row.sha256 for row in rows}])

    def files_to_remove(self) -> list[str]:
        """Return the listed files."""
        with self._file.read() as db:
            return [sha256 for (sha256,) in db.execute("SELECT sha256 FROM frame_files_to_remove")]

    def is_needed(self, sha256: str) -> bool:
        """Return whether a record names a file, or it is no longer listed."""
        with self._file.read() as db:
            [is_named] = db.execute("SELECT EXISTS (SELECT 1 FROM frames WHERE sha256 = ?)", (sha256,)).fetchone()
            [is_listed] = db.execute(
                "SELECT EXISTS (SELECT 1 FROM frame_files_to_remove WHERE sha256 = ?)", (sha256,)
            ).fetchone()
        return bool(is_named or not is_listed)

    def spare(self, sha256: str) -> None:
        """Strike a file from the list: it is gone, or the same picture was taken again and its record is on its way."""
        with self._file.read() as db:
            [is_listed] = db.execute(
                "SELECT EXISTS (SELECT 1 FROM frame_files_to_remove WHERE sha256 = ?)", (sha256,)
            ).fetchone()
        if is_listed:
            self.strike([sha256])

    def strike(self, names: Sequence[str]) -> None:
        """Strike files from the list."""
        with self._file.write() as db:
            db.executemany("DELETE FROM frame_files_to_remove WHERE sha256 = ?", [(name,) for name in names])
