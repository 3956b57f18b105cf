"""Batches of readings into InfluxDB: idempotent, the highest revision wins, and refusals cost the refused alone."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import groupby
from typing import Any

from dt.data.database.influx_lines import LineWriter, UnkeepableError, field_names
from dt.data.database.influx_rollups import HOUR_MS, Rollups
from dt.data.database.influx_rows import Row, reading_of
from dt.data.database.influx_server import InfluxServer, LinesRefusedError, quoted
from dt.data.database.storage import PartlyRefusedError
from dt.utils.clock import Clock
from dt.utils.dataclasses import SensorData
from dt.utils.exceptions import StorageError
from dt.utils.quantities import Quantity

SOURCES = ", ".join(f'"{quantity}"' for quantity in Quantity)
OLD_AFTER_MS = 60_000  # tasks roll up three minutes anew: what is younger comes in time for them

_AHEAD_AT_MOST_MS = 3_600_000  # later ones were made under a wrong clock, and must not make all that follows look old
_APART_MS = 3_600_000
_SENSORS_AT_ONCE = 100
_REQUESTS_AT_ONCE = 2

Numbered = tuple[int, int, SensorData]  # place in the batch, time in milliseconds


class Keeper:
    """Writes batches; one at a time. `rollups` gives the lines that remember which hours must be rolled up anew."""

    def __init__(self, server: InfluxServer, clock: Clock, rollups: Rollups) -> None:
        self._server = server
        self._clock = clock
        self._rollups = rollups
        self._marked: list[int] = []  # hours of the batch in hand
        self._lines = LineWriter()
        self._lock = threading.Lock()
        self._requests = ThreadPoolExecutor(_REQUESTS_AT_ONCE, "influx write")
        self._newest_ms: dict[str, dict[str, int]] | None = None  # by quantity and sensor

    @property
    def beginnings(self) -> int:
        """Return a number that grows whenever a series may be new."""
        return self._lines.made

    def insert(self, pieces: Iterable[Sequence[SensorData]]) -> None:
        """Keep the pieces of a batch durably; raises PartlyRefusedError for what cannot be kept, the rest is."""
        with self._lock:
            refused: dict[int, str] = {}
            try:
                self._keep(pieces, refused)
            except StorageError:
                self._newest_ms = None  # a server that was away may have missed runs of its tasks
                raise
            finally:
                marked, self._marked = self._marked, []
                self._rollups.arrived(marked)
            if refused:
                raise PartlyRefusedError(refused)

    def close(self) -> None:
        """Let the last request end."""
        self._requests.shutdown()

    def _keep(self, pieces: Iterable[Sequence[SensorData]], refused: dict[int, str]) -> None:
        """Write piece after piece; while the server has one in hand, the lines of the next are made."""
        under_way: list[Future[None]] = []
        first = 0
        try:
            for piece in pieces:
                new, earlier = self._split(piece, first, refused)
                _finish(under_way, all_but=_REQUESTS_AT_ONCE - 1)
                under_way.append(self._send(new, refused))
                if earlier:
                    _finish(under_way)  # what is kept of them is read
                    self._write(self._winners(earlier, refused), refused)
                first += len(piece)
            _finish(under_way)
        finally:
            wait(under_way)

    def _send(self, lines: Mapping[int, str], refused: dict[int, str]) -> Future[None]:
        try:
            return self._requests.submit(self._write, lines, refused)
        except RuntimeError as error:
            raise StorageError(f"{self._server.url}: the connection is closed") from error

    def _split(
        self, batch: Sequence[SensorData], first: int, refused: dict[int, str]
    ) -> tuple[dict[int, str], list[Numbered]]:
        """Return the lines of readings newer than all that is kept of their series, by place; and the others.

        The others may be repetitions or revisions: what is kept there has to be read first.
        """
        newest_ms, times_ms = self._known(), []
        bound_ms = round(self._clock.wall() * 1000) + _AHEAD_AT_MOST_MS
        line, new, earlier = self._lines.line, {}, []
        for place, reading in enumerate(batch, first):
            at_ms = round(reading.timestamp * 1000.0)
            series, sensor_id = newest_ms[reading.data_type._value_], reading.sensor_id
            if series.get(sensor_id, -1) < at_ms <= bound_ms:
                try:
                    new[place] = line(reading, at_ms)
                except UnkeepableError as error:
                    refused[place] = str(error)
                else:
                    series[sensor_id] = at_ms
                    times_ms.append(at_ms)
            else:
                earlier.append((place, at_ms, reading))
        if new:
            self._note_hours(times_ms, bound_ms - _AHEAD_AT_MOST_MS, new)
        return new, earlier

    def _note_hours(self, times_ms: Sequence[int], now_ms: int, lines: dict[int, str]) -> None:
        """Add marks for hours that no task will look at again: in the same request, so that none is forgotten."""
        if min(times_ms) < now_ms - OLD_AFTER_MS:
            for number, mark in enumerate(self._marks({at_ms // HOUR_MS for at_ms in times_ms}), 1):
                lines[-number] = mark

    def _marks(self, hours: set[int]) -> list[str]:
        self._marked += sorted(hours)
        return self._rollups.marks_ahead(sorted(hours))

    def _known(self) -> Mapping[str, dict[str, int]]:
        if self._newest_ms is None:
            found: dict[str, dict[str, int]] = {quantity.value: {} for quantity in Quantity}
            bound = {"bound": (round(self._clock.wall() * 1000) + _AHEAD_AT_MOST_MS) * 1_000_000}
            query = f"SELECT last(sequence) FROM {SOURCES} WHERE time <= $bound GROUP BY sensor_id"  # noqa: S608
            for table in self._server.select(query, bound):
                found[table.name][table.tags["sensor_id"]] = table.values[0][0]
            self._note_last_hours([at_ms for series in found.values() for at_ms in series.values()])
            self._newest_ms = found
        return self._newest_ms

    def _note_last_hours(self, newest_ms: Sequence[int]) -> None:
        """Have the last hours rolled up: the server makes up for no run of a task that it was off for."""
        if newest_ms:
            last = max(newest_ms) // HOUR_MS
            self._server.write(self._marks({last - 1, last}))

    def _write(self, lines: Mapping[int, str], refused: dict[int, str]) -> None:
        """Write lines; those that the server refuses are found by halving."""
        if not lines:
            return
        try:
            self._server.write(list(lines.values()))
        except LinesRefusedError as error:
            if len(lines) == 1:
                [place] = lines
                refused[place] = str(error)
                return
            items = list(lines.items())
            middle = len(items) // 2
            self._write(dict(items[:middle]), refused)
            self._write(dict(items[middle:]), refused)

    def _winners(self, earlier: Sequence[Numbered], refused: dict[int, str]) -> dict[int, str]:
        """Return the lines of readings that win over what is kept; points of another form are removed first."""
        kept = self._kept(earlier)
        chosen: dict[tuple[str, str, int], Numbered] = {}
        for one in earlier:
            key = _key(one)
            before = chosen[key][2] if key in chosen else kept.get(key)
            if before is None or before.revision <= one[2].revision:
                chosen[key] = one
        lines = {}
        changed = []
        for key, (place, at_ms, reading) in chosen.items():
            try:
                line = self._lines.line(reading, at_ms)
            except UnkeepableError as error:
                refused[place] = str(error)
                continue
            before = kept.get(key)
            line_before = None if before is None else self._lines.line(before, at_ms)
            if line == line_before:
                continue
            lines[place] = line
            changed.append(at_ms)
            if line_before is not None and not field_names(line_before) <= field_names(line):
                self._remove(reading, at_ms)
        if changed:
            self._note_hours(changed, 2**62, lines)
        return lines

    def _remove(self, reading: SensorData, at_ms: int) -> None:
        # Writing a point again leaves fields that only the older one had.
        names = {"_measurement": reading.data_type, "sensor_id": reading.sensor_id}
        predicate = " AND ".join(f"{name}={quoted(value)}" for name, value in names.items())
        self._server.delete(at_ms, at_ms + 1, predicate)

    def _kept(self, wanted: Sequence[Numbered]) -> dict[tuple[str, str, int], SensorData]:
        """Return what is kept under the names of these readings."""
        names = {_key(one) for one in wanted}
        found = {}
        for quantity, of_quantity in groupby(sorted(names), key=lambda key: key[0]):
            for sensors, since_ms, until_ms in _spans([(key[2], key[1]) for key in of_quantity]):
                for row in self._rows(quantity, sensors, since_ms, until_ms):
                    key = (quantity, row["sensor_id"], row["time"])
                    if key in names:
                        found[key] = reading_of(Quantity(quantity), row)
        return found

    def _rows(self, quantity: str, sensors: Sequence[str], since_ms: int, until_ms: int) -> list[Row]:
        params: dict[str, Any] = {f"s{number}": sensor_id for number, sensor_id in enumerate(sensors)}
        any_of = " OR ".join(f"sensor_id = ${name}" for name in params)
        query = f'SELECT * FROM "{quantity}" WHERE time >= $since AND time <= $until AND ({any_of})'  # noqa: S608
        params |= {"since": since_ms * 1_000_000, "until": until_ms * 1_000_000}
        return [row for table in self._server.select(query, params) for row in table.rows()]


def _finish(under_way: list[Future[None]], all_but: int = 0) -> None:
    """Wait for the oldest requests; raises what they raised."""
    while len(under_way) > all_but:
        under_way.pop(0).result()


def _key(one: Numbered) -> tuple[str, str, int]:
    return one[2].data_type.value, one[2].sensor_id, one[1]


def _spans(wanted: Sequence[tuple[int, str]]) -> list[tuple[list[str], int, int]]:
    """Return few sensors and few hours at a time: (sensors, first and last time).

    >>> _spans([(1, "a"), (5, "b"), (9_000_000, "a")])
    [(['a', 'b'], 1, 5), (['a'], 9000000, 9000000)]
    """
    found: list[tuple[set[str], int, int]] = []
    for at_ms, sensor_id in sorted(wanted):
        last = found[-1] if found else None
        if last is None or at_ms - last[2] > _APART_MS or len(last[0] | {sensor_id}) > _SENSORS_AT_ONCE:
            found.append(({sensor_id}, at_ms, at_ms))
        else:
            found[-1] = (last[0] | {sensor_id}, last[1], at_ms)
    return [(sorted(sensors), since_ms, until_ms) for sensors, since_ms, until_ms in found]
