"""Readings of a sensor in InfluxDB as runs of unbroken sequence numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from dt.data.database.influx_keeping import SOURCES
from dt.data.database.influx_rollups import Rollups
from dt.data.database.influx_server import InfluxServer
from dt.data.database.reading_runs import MOST_RUNS, NEIGHBOURS, Row, run_of, runs_in_order
from dt.data.database.storage import Run
from dt.utils.dataclasses import Origin
from dt.utils.exceptions import MessageError

_ROWS_AT_ONCE = 50_000
_END_OF_TIME_MS = 2**63 // 1_000_000 - 1


class InfluxRuns:
    """Reads numbers and boots alone, a page at a time."""

    def __init__(self, server: InfluxServer, rollups: Rollups) -> None:
        self._server = server
        self._rollups = rollups

    def runs(self, sensor_id: str, since_ms: int, until_ms: int, cuts: Sequence[int]) -> list[Run]:
        """Return the runs of a range, cut at its ends and before the numbers `cuts`.

        With them come the last ones before it and the first reading after it. Raises MessageError for too many of them,
        and for a range whose readings were removed: what is gone by intention must not be taken for lost.
        """
        removed_ms = self._rollups.removed_until_ms(sensor_id)
        if since_ms < removed_ms:
            kept = datetime.fromtimestamp(removed_ms / 1000, UTC)
            raise MessageError(
                "since", f"must not be before {kept:%Y-%m-%dT%H:%M:%SZ}: older raw readings were removed"
            )
        before = self._some(sensor_id, 0, since_ms, f"ORDER BY time DESC LIMIT {NEIGHBOURS:d}")
        after = self._some(sensor_id, until_ms, _END_OF_TIME_MS, "LIMIT 1")
        begin = min([row[0] for row in before[-NEIGHBOURS:]], default=since_ms)
        end = after[0][0] + 1 if after else until_ms
        places = {since_ms, until_ms}
        found: list[Run] = []
        first: Row | None = None
        last: Row | None = None
        is_in_order = True
        for row in self._rows(sensor_id, begin, end):
            if first is not None and last is not None and _breaks(last, row, places, cuts):
                found.append(run_of(first, last))
                is_in_order = is_in_order and not (row[1] == last[1] and row[2] <= last[2])
                first = row
                if len(found) >= MOST_RUNS:
                    raise MessageError(
                        "since", f"has more than {MOST_RUNS} runs of readings after it; ask for a shorter range"
                    )
            first, last = first or row, row
        if first is not None and last is not None:
            found.append(run_of(first, last))
        return found if is_in_order else runs_in_order(found, (since_ms / 1000, until_ms / 1000), set(cuts))

    def _rows(self, sensor_id: str, begin_ms: int, end_ms: int) -> Iterator[Row]:
        while begin_ms < end_ms:
            page = self._some(sensor_id, begin_ms, end_ms, f"LIMIT {_ROWS_AT_ONCE:d}")
            full = len(page) >= _ROWS_AT_ONCE
            # One chip may measure two quantities at an instant: the last one of a page is read again.
            last_ms = page[-1][0] if full else end_ms
            yield from (row for row in page if row[0] < last_ms)
            begin_ms = last_ms

    def _some(self, sensor_id: str, begin_ms: int, end_ms: int, which: str) -> list[Row]:
        """Return rows by time; of several quantities only up to where all of them have been read."""
        query = (
            f"SELECT sequence, boot_id, origin FROM {SOURCES}"  # noqa: S608 - names of quantities
            f" WHERE sensor_id = $sensor AND time >= $since AND time < $until {which}"
        )
        params = {"sensor": sensor_id, "since": begin_ms * 1_000_000, "until": end_ms * 1_000_000}
        tables = self._server.select(query, params)
        rows: list[Row] = [
            (at_ms, boot_id or "", sequence or 0, origin or Origin.LIVE)
            for table in tables
            for at_ms, sequence, boot_id, origin in table.values
        ]
        full = [table.values[-1][0] for table in tables if len(table.values) >= _ROWS_AT_ONCE]
        rows.sort(key=lambda row: row[0])
        return [row for row in rows if row[0] <= min(full)] if full else rows


def _breaks(last: Row, row: Row, places: set[int], cuts: Sequence[int]) -> bool:
    if row[1] != last[1] or row[2] != last[2] + 1 or row[2] in cuts:
        return True
    return any(last[0] < place <= row[0] for place in places)
