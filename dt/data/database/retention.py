"""Removes raw readings that are older than is asked for; their roll-ups stay for ever.

Nothing goes before the roll-ups of its hour are proven to be what the raw readings give. An hour whose raw readings
are gone is sealed: what comes for it later is kept as a reading until the next run, and counted no more.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass

import msgspec

from dt.data.database.reading_rows import cause_rows
from dt.data.database.rollups import HOUR_S, WIDTHS_S, is_equal, joined, kept_parts, raw_parts, recompute
from dt.data.database.sqlite_file import SQLiteFile
from dt.data.database.steadiness import Steadiness
from dt.utils.clock import Clock
from dt.utils.exceptions import StorageError
from dt.utils.kernel_clock import is_clock_synced
from dt.utils.logger import get_logger

EVERY_S = 86_400.0
_AGAIN_S = 3600.0  # after a failure, or a clock that jumped
_ROWS_AT_ONCE = 4000  # some 20 ms: recording waits no longer for a piece
_PAGES_AT_ONCE = 500  # 2 MB
_PAGES_KEPT = 2000  # 8 MB of free pages: the next readings go there

_SERIES = "SELECT series_id, sensor_id, data_type FROM series ORDER BY series_id"
_EXEMPT = """
SELECT 1 FROM lines WHERE series_id = :series AND coalesce(plant_id, zone_id) IN (SELECT value FROM json_each(:plants))
"""
_OLDEST = "SELECT min(timestamp_ms) FROM readings WHERE series_id = ? AND timestamp_ms >= ?"
_IS_SEALED = "SELECT 1 FROM sealed_hours WHERE series_id = ? AND begin_s = ?"
_SEAL = "INSERT OR IGNORE INTO sealed_hours (series_id, begin_s) VALUES (?, ?)"
_SLICE_END = """
SELECT timestamp_ms FROM readings WHERE series_id = ? AND timestamp_ms >= ? AND timestamp_ms < ?
ORDER BY timestamp_ms LIMIT 1 OFFSET ?
"""
_DERIVED = """
SELECT correlation_id, caused_by FROM readings
WHERE series_id = ? AND timestamp_ms >= ? AND timestamp_ms < ? AND caused_by IS NOT NULL
"""
_FORGET_CAUSE = "DELETE FROM causes WHERE parent_hash = ? AND child = ?"
_DELETE = "DELETE FROM readings WHERE series_id = ? AND timestamp_ms >= ? AND timestamp_ms < ?"
_NEWEST_BEFORE = """
SELECT max((SELECT max(timestamp_ms) FROM readings WHERE readings.series_id = series.series_id AND timestamp_ms < ?))
FROM series
"""
_RAW_SUMS = """
SELECT line_id, count(*), min(value), max(value) FROM readings CROSS JOIN contexts USING (context_id)
WHERE readings.series_id = ? AND timestamp_ms >= ? AND timestamp_ms < ? AND verdict IS NOT 'bad'
GROUP BY 1
"""

log = get_logger(__name__)

_Series = tuple[int, str, str]  # id, sensor, quantity


@dataclass(frozen=True, slots=True)
class Removed:
    """What a run did: raw readings removed, and hours whose roll-ups were wrong and are right now."""

    readings: int = 0
    repaired: int = 0


class Retention:
    """Runs once a day in a thread of its own, in pieces between which readings are recorded."""

    def __init__(
        self,
        file: SQLiteFile,
        clock: Clock,
        raw_days: float,
        archived: Callable[[], Collection[str]] = tuple,
        is_synced: Callable[[], bool] = is_clock_synced,
    ) -> None:
        self._file = file
        self._clock = clock
        self._raw_days = raw_days
        self._archived = archived
        self._stop = threading.Event()
        self._steadiness = Steadiness(clock, "old readings are removed", self._newest_before, is_synced)

    def start(self) -> Callable[[], None]:
        """Remove now and once a day; what is returned ends that."""
        thread = threading.Thread(target=self._run, name="retention", daemon=True)
        thread.start()

        def stop() -> None:
            self._stop.set()
            thread.join(2.0)

        return stop

    def remove(self) -> Removed:
        """Remove what is older than asked for, archived plants' readings left out; raises `StorageError`."""
        if self._raw_days <= 0.0:
            return Removed()
        before_s = int(self._clock.wall() - self._raw_days * 86_400.0) // HOUR_S * HOUR_S
        plants = msgspec.json.encode(sorted(self._archived())).decode()
        with self._file.read() as db:
            series: list[_Series] = db.execute(_SERIES).fetchall()
            exempt = {one[0] for one in series if db.execute(_EXEMPT, {"series": one[0], "plants": plants}).fetchone()}
        done = [self._of_series(one, before_s) for one in series if one[0] not in exempt]
        removed = Removed(sum(one.readings for one in done), sum(one.repaired for one in done))
        if removed.readings:
            log.info(
                "%d readings older than %g days were removed; their roll-ups stay", removed.readings, self._raw_days
            )
            self._give_back()
        return removed

    def _run(self) -> None:
        while not self._stop.is_set():
            wait_s = _AGAIN_S
            try:
                if self._steadiness.is_steady():
                    self.remove()
                    wait_s = EVERY_S
            except StorageError as error:
                log.warning("old readings could not be removed: %s", error)
            self._clock.wait(self._stop, wait_s)

    def _newest_before(self, at: float) -> float | None:
        with self._file.read() as db:
            [newest_ms] = db.execute(_NEWEST_BEFORE, (round(at * 1000),)).fetchone()
            return None if newest_ms is None else newest_ms / 1000

    def _of_series(self, series: _Series, before_s: int) -> Removed:
        readings = repaired = 0
        after_ms = 0
        while not self._stop.is_set():
            with self._file.read() as db:
                [oldest_ms] = db.execute(_OLDEST, (series[0], after_ms)).fetchone()
                hour_s = before_s if oldest_ms is None else oldest_ms // 1000 // HOUR_S * HOUR_S
                if hour_s >= before_s:
                    break
                is_proven = _is_sealed(db, series[0], hour_s) or is_hour_right(db, series[0], hour_s)
            after_ms = (hour_s + HOUR_S) * 1000
            if is_proven:
                readings += self._remove_hour(series[0], hour_s)
            else:
                self._repair(series, hour_s)
                repaired += 1
        return Removed(readings, repaired)

    def _remove_hour(self, series_id: int, hour_s: int) -> int:
        """Remove an hour's raw readings in slices; none when one came since its roll-ups were proven."""
        removed = 0
        is_more = True
        while is_more and not self._stop.is_set():
            with self._file.write() as db:
                if not _is_sealed(db, series_id, hour_s) and not _do_sums_agree(db, series_id, hour_s):
                    return removed
                db.execute(_SEAL, (series_id, hour_s))
                gone, is_more = _remove_slice(db, series_id, hour_s)
            removed += gone
        return removed

    def _repair(self, series: _Series, hour_s: int) -> None:
        """Make the roll-ups of an hour anew; its raw readings stay until a later run finds both equal."""
        log.warning(
            "the roll-ups of %s (%s) for the hour from %d s were not what its readings give: made anew,"
            " and the readings stay",
            series[1],
            series[2],
            hour_s,
        )
        with self._file.write() as db:
            recompute(db, series[0], hour_s, hour_s + HOUR_S)

    def _give_back(self) -> None:
        """Return free pages to the disk, a few at a time."""
        left = self._file.free_pages()
        while left > _PAGES_KEPT and not self._stop.is_set():
            before, left = left, self._file.give_back(min(_PAGES_AT_ONCE, left - _PAGES_KEPT))
            if left >= before:
                return


def is_hour_right(db: sqlite3.Connection, series_id: int, hour_s: int) -> bool:
    """Return whether an hour's roll-ups of every width are what its raw readings give."""
    minutes = raw_parts(db, series_id, hour_s, hour_s + HOUR_S)
    for width_s in WIDTHS_S:
        expected = joined(minutes, width_s)
        kept = kept_parts(db, series_id, width_s, hour_s, hour_s + HOUR_S)
        if not all(is_equal(kept.get(place), expected.get(place)) for place in kept.keys() | expected.keys()):
            return False
    return True


def _is_sealed(db: sqlite3.Connection, series_id: int, hour_s: int) -> bool:
    return db.execute(_IS_SEALED, (series_id, hour_s)).fetchone() is not None


def _do_sums_agree(db: sqlite3.Connection, series_id: int, hour_s: int) -> bool:
    """Return whether count, minimum and maximum of the hour are still those of its raw readings."""
    raw = {row[0]: row[1:] for row in db.execute(_RAW_SUMS, (series_id, hour_s * 1000, (hour_s + HOUR_S) * 1000))}
    kept = kept_parts(db, series_id, HOUR_S, hour_s, hour_s + HOUR_S)
    return raw == {line_id: part[:3] for (line_id, _begin), part in kept.items()}


def _remove_slice(db: sqlite3.Connection, series_id: int, hour_s: int) -> tuple[int, bool]:
    """Remove the first rows of an hour, and return how many, and whether more are left."""
    since_ms, until_ms = hour_s * 1000, (hour_s + HOUR_S) * 1000
    end = db.execute(_SLICE_END, (series_id, since_ms, until_ms, _ROWS_AT_ONCE)).fetchone()
    within = (series_id, since_ms, until_ms if end is None else end[0])
    for child, parents in db.execute(_DERIVED, within).fetchall():
        db.executemany(_FORGET_CAUSE, cause_rows(msgspec.json.decode(parents, type=list[str]), child))
    return db.execute(_DELETE, within).rowcount, end is not None
