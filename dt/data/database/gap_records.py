"""What the records know of a sensor's gaps beside its readings: notices and cadences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, select

from dt.data.database.frame_runs import frame_runs
from dt.data.database.gaps import Change, GapQuery, GapReport, KeptNotice, Known, gap_report
from dt.data.database.record_keepers import ms
from dt.data.database.records_db import RecordsDB
from dt.data.database.sensor_texts import descriptor_of, within_limits
from dt.data.database.storage import Run, Storage
from dt.data.database.tables import CADENCE_CHANGES, CADENCES, GAP_NOTICES, SENSORS
from dt.utils.dataclasses import GapCause
from dt.utils.exceptions import MessageError

_BOOTS_AT_ONCE = 500  # SQLite takes 32,766 values in a statement, PostgreSQL 65,535


class Gaps:
    """Answers what is missing of a sensor; pictures are thinned once they are `pictures_whole_s` old."""

    def __init__(self, db: RecordsDB, storage: Storage, pictures_whole_s: float = 86_400.0) -> None:
        self._db = db
        self._storage = storage
        self._pictures_whole_s = pictures_whole_s

    def report(self, query: GapQuery, now: float) -> GapReport:
        """Return the account of a range as it stands now."""
        late = self._storage.late(query.sensor_id, query.since, query.until)
        with self._db.read() as connection:
            runs = self._runs(connection, query, now)
            return gap_report(runs, _known(connection, query, runs, late), query, now)

    def _runs(self, connection: Connection, query: GapQuery, now: float) -> list[Run]:
        """Return the runs of readings, or those of pictures."""
        wanted = select(CADENCE_CHANGES.c.first_sequence).filter_by(sensor_id=query.sensor_id).distinct()
        cuts = list(connection.scalars(wanted))
        runs = self._storage.runs(query.sensor_id, query.since, query.until, cuts)
        return runs or self._pictures(connection, query, cuts, now)

    def _pictures(self, connection: Connection, query: GapQuery, cuts: Sequence[int], now: float) -> list[Run]:
        """Return the runs of pictures; raises MessageError where some were removed by intention."""
        runs = frame_runs(connection, query.sensor_id, query.since, query.until, cuts)
        whole_since = (now - self._pictures_whole_s) // 3600.0 * 3600.0
        if query.since < whole_since and any(run.is_live for run in runs):
            kept = datetime.fromtimestamp(whole_since, UTC)
            raise MessageError("since", f"must not be before {kept:%Y-%m-%dT%H:%M:%SZ}: older pictures were thinned")
        return runs


def _known(connection: Connection, query: GapQuery, runs: Sequence[Run], late: int) -> Known:
    boots = sorted({run.boot_id for run in runs})
    begin = min([query.since, *(run.first_at for run in runs)])
    cadences = select(CADENCES.c.read_interval).filter_by(sensor_id=query.sensor_id)
    return Known(
        notices=_notices(connection, query, boots, begin),
        cadences_s=sorted({within_limits(seconds) for seconds in connection.scalars(cadences)}),
        changes=_changes(connection, query.sensor_id, set(boots)),
        bound=_bound(connection, query.sensor_id),
        late=late,
    )


def _notices(connection: Connection, query: GapQuery, boots: Sequence[str], begin: float) -> list[KeptNotice]:
    """Return the notices of the range and those of the boots in it, by their beginnings."""
    kept = GAP_NOTICES.c
    of_sensor = select(GAP_NOTICES).where(kept.sensor_id == query.sensor_id)
    inside = of_sensor.where(kept.until_ms >= ms(begin), kept.since_ms < ms(query.until))
    rows = {row.row_id: row for row in connection.execute(inside)}
    for first in range(0, len(boots), _BOOTS_AT_ONCE):
        of_boots = of_sensor.where(kept.boot_id.in_(boots[first : first + _BOOTS_AT_ONCE]))
        rows.update((row.row_id, row) for row in connection.execute(of_boots))
    return [
        KeptNotice(
            boot_id=row.boot_id,
            cause=GapCause(row.cause),
            first=row.first_sequence,
            last=row.last_sequence,
            since=row.since_ms / 1000,
            until=row.until_ms / 1000,
            why=row.why,
        )
        for row in sorted(rows.values(), key=lambda row: (row.since_ms, row.row_id))
    ]


def _changes(connection: Connection, sensor_id: str, boots: set[str]) -> list[Change]:
    kept = CADENCE_CHANGES.c
    wanted = select(CADENCE_CHANGES).where(kept.sensor_id == sensor_id).order_by(kept.boot_id, kept.first_sequence)
    rows = connection.execute(wanted)
    return [Change(r.boot_id, r.first_sequence, r.since_ms / 1000, r.step_s) for r in rows if r.boot_id in boots]


def _bound(connection: Connection, sensor_id: str) -> tuple[float, float] | None:
    row = connection.execute(select(SENSORS.c.updated_ms, SENSORS.c.body).filter_by(sensor_id=sensor_id)).first()
    return None if row is None else (row[0] / 1000, descriptor_of(row[1]).read_interval)
