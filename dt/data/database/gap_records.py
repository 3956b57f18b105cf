"""What the SQLite file knows of a sensor's gaps beside its readings: notices and cadences."""

from __future__ import annotations

import msgspec

from dt.data.database.gaps import Change, GapQuery, GapReport, KeptNotice, Known, gap_report
from dt.data.database.sqlite_file import SQLiteFile
from dt.data.database.storage import Run, Storage
from dt.utils.dataclasses import GapCause

_NOTICES = """
SELECT boot_id, cause, first_sequence, last_sequence, since_ms, until_ms, why FROM gap_notices
WHERE sensor_id = ? AND (boot_id IN (SELECT value FROM json_each(?)) OR (until_ms >= ? AND since_ms < ?))
ORDER BY since_ms
"""
_CADENCES = "SELECT read_interval FROM cadences WHERE sensor_id = ?"
_CHANGES = """
SELECT boot_id, first_sequence, since_ms / 1000.0, step_s FROM cadence_changes
WHERE sensor_id = ? AND boot_id IN (SELECT value FROM json_each(?)) ORDER BY boot_id, first_sequence
"""
_BOUND = "SELECT updated_ms / 1000.0, body ->> '$.read_interval' FROM sensors WHERE sensor_id = ?"


class Gaps:
    """Answers what is missing of a sensor."""

    def __init__(self, file: SQLiteFile, storage: Storage) -> None:
        self._file = file
        self._storage = storage

    def report(self, query: GapQuery, now: float) -> GapReport:
        """Return the account of a range as it stands now."""
        runs = self._storage.runs(query.sensor_id, query.since, query.until)
        return gap_report(runs, self._known(query, runs), query, now)

    def _known(self, query: GapQuery, runs: list[Run]) -> Known:
        begin = min([query.since, *(run.first_at for run in runs)])
        boots = sorted({run.boot_id for run in runs})
        with self._file.read() as db:
            places = (query.sensor_id, _json(boots), round(begin * 1000), round(query.until * 1000))
            notices = [_notice(*row) for row in db.execute(_NOTICES, places)]
            cadences = [interval_s for (interval_s,) in db.execute(_CADENCES, (query.sensor_id,))]
            changes = [Change(*row) for row in db.execute(_CHANGES, (query.sensor_id, _json(boots)))]
            bound = db.execute(_BOUND, (query.sensor_id,)).fetchone()
        late = self._storage.late(query.sensor_id, query.since, query.until)
        return Known(notices=notices, cadences_s=cadences, changes=changes, bound=bound, late=late)


def _notice(
    boot_id: str, cause: str, first: int | None, last: int | None, since_ms: int, until_ms: int, why: str
) -> KeptNotice:
    return KeptNotice(
        boot_id=boot_id,
        cause=GapCause(cause),
        first=first,
        last=last,
        since=since_ms / 1000,
        until=until_ms / 1000,
        why=why,
    )


def _json(names: list[str]) -> str:
    return msgspec.json.encode(names).decode()
