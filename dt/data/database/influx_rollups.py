"""Roll-ups in InfluxDB: buckets `<bucket>_1m`, `_5m`, `_1h`, filled by tasks there, and anew for what came late.

A roll-up point has the tags of its readings and the fields `n`, `min`, `max`, `mean`, `total` (the sum) of what is no
bad reading, and `suspect` and `bad`, the numbers of those.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from dt.data.database.influx_lines import LATEST_MS, tag
from dt.data.database.influx_server import InfluxServer
from dt.utils.clock import Clock
from dt.utils.exceptions import StorageError
from dt.utils.logger import get_logger
from dt.utils.quantities import Quantity

HOUR_MS = 3_600_000
DUE = "rollup_due"  # a point at the beginning of each hour that waits to be rolled up anew

REMOVED = "raw_removed"  # one point of each sensor, at 1970: until when its raw readings were removed

_EVERY_S = 5.0
_WAITS_AT_MOST_S = 300.0  # an hour into which readings go on coming is rolled up every so often all the same
_HOURS_AT_ONCE = 24
_SETTLED_AFTER_MS = 600_000  # by then the tasks of the widest bucket have run

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Level:
    """One width: `again` is how much of the past each run of its task rolls up anew."""

    name: str
    width_ms: int
    again: str
    offset: str


LEVELS = (
    Level("1h", HOUR_MS, "2h", "120s"),
    Level("5m", 300_000, "15m", "40s"),
    Level("1m", 60_000, "3m", "20s"),
)

_SOURCES = " or ".join(f'r._measurement == "{quantity}"' for quantity in Quantity)
# Each aggregate begins at a `from` of its own: only then does the store compute it, instead of handing out every point.
_BODY = f"""
field = (name) =>
    from(bucket: source)
        |> range(start: start, stop: stop)
        |> filter(fn: (r) => {_SOURCES})
        |> filter(fn: (r) => r._field == name)
roll = (tables=<-, fn, name) =>
    tables
        |> aggregateWindow(every: every, fn: fn, createEmpty: false, timeSrc: "_start")
        |> set(key: "_field", value: name)
        |> to(bucket: target)
        |> group()
        |> count()
        |> yield(name: name)
field(name: "value") |> roll(fn: count, name: "n")
field(name: "value") |> roll(fn: min, name: "min")
field(name: "value") |> roll(fn: max, name: "max")
field(name: "value") |> roll(fn: mean, name: "mean")
field(name: "value") |> roll(fn: sum, name: "total")
field(name: "suspect") |> roll(fn: count, name: "suspect")
field(name: "bad_value") |> roll(fn: count, name: "bad")
"""
_HOURLY = "FROM {sources} WHERE time >= $since AND time < $until GROUP BY time(1h), sensor_id fill(none)"
_RAW = f"SELECT count(sequence) {_HOURLY}"
_ROLLED = f"SELECT sum(n), sum(bad) {_HOURLY}"

Counts = Counter[tuple[str, str, int]]  # readings by quantity, sensor and hour


class Rollups:
    """Knows which hours wait, in the store as in memory, and rolls them up; tasks see to what comes in time."""

    def __init__(self, server: InfluxServer, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._lock = threading.Lock()
        self._due: Counter[int] = Counter()  # by hour; a higher number means that more came since
        self._on_their_way: Counter[int] = Counter()  # readings that the store may not have yet, by hour
        self._looked: dict[int, tuple[int, float]] = {}  # by hour: its number at the last look, and since when it waits
        self._is_known = False
        self._removed_any_ms: int | None = None  # retention alone changes it, and runs in this process
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def bucket(self, level: Level) -> str:
        """Return the bucket of a width."""
        return f"{self._server.bucket}_{level.name}"

    def set_up(self) -> None:
        """Make buckets and tasks, or bring them up to date; the same again changes nothing."""
        for level in LEVELS:
            self._server.make_bucket(self.bucket(level), f"Plant Twin: roll-ups of {level.name}, kept for ever")
            name = f"plant-twin {self._server.bucket} {level.name}"
            self._server.put_task(name, self._task(level, name))

    def empty(self) -> None:
        """Remove every roll-up, and all that is kept in mind beside the readings."""
        for name in (DUE, REMOVED):
            self._server.delete(0, LATEST_MS, f'_measurement="{name}"')
        for level in LEVELS:
            self._server.delete(0, LATEST_MS, "", bucket=self.bucket(level))

    def start(self) -> None:
        """Roll up what waits, again and again, in a thread."""
        self._thread = threading.Thread(target=self._run, name="roll-ups", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread after what it has in hand."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def marks(self, hours: Sequence[int]) -> list[str]:
        """Return the lines that keep in mind which hours wait; hours since 1970."""
        self._know()
        with self._lock:
            self._due.update(hours)
        return [f"{DUE} due=1i {hour * HOUR_MS}" for hour in hours]

    def marks_ahead(self, hours: Sequence[int]) -> list[str]:
        """Return the same for readings that are still to be written: their hours wait until `arrived` at least."""
        with self._lock:
            self._on_their_way.update(hours)
        return self.marks(hours)

    def arrived(self, hours: Sequence[int]) -> None:
        """Let hours be done with once they are rolled up again: what was made meanwhile may have missed readings."""
        with self._lock:
            self._on_their_way -= Counter(hours)
            self._due.update(hours)

    def due(self) -> set[int]:
        """Return the hours that wait."""
        self._know()
        with self._lock:
            return set(self._due)

    def settled_ms(self) -> int:
        """Return until when roll-ups are whole, but for the hours that wait."""
        return round(self._clock.wall() * 1000) - _SETTLED_AFTER_MS

    def removed_until_ms(self, sensor_id: str | None = None) -> int:
        """Return until when raw readings of a sensor, or of any, may have been removed; their roll-ups stay."""
        if sensor_id is not None:
            return self._ask_removed_ms(sensor_id)
        if self._removed_any_ms is None:
            self._removed_any_ms = self._ask_removed_ms(None)
        return self._removed_any_ms

    def _ask_removed_ms(self, sensor_id: str | None) -> int:
        among = "" if sensor_id is None else " WHERE sensor_id = $sensor"
        query = f"SELECT last(until) FROM {REMOVED}{among} GROUP BY sensor_id"  # noqa: S608 - constants
        tables = self._server.select(query, {} if sensor_id is None else {"sensor": sensor_id})
        return max((int(values[1]) for table in tables for values in table.values), default=0)

    def removals(self) -> dict[str, int]:
        """Return for each sensor until when raw readings were removed."""
        tables = self._server.select(f"SELECT last(until) FROM {REMOVED} GROUP BY sensor_id")  # noqa: S608 - a constant
        return {table.tags.get("sensor_id", ""): int(table.values[0][1]) for table in tables}

    def removed_until(self, sensor_id: str, until_ms: int) -> None:
        """Keep in mind until when raw readings of a sensor are removed."""
        if until_ms > self.removed_until_ms(sensor_id):
            self._server.write([f"{REMOVED},sensor_id={tag('sensor_id', sensor_id)} until={until_ms}i 0"])
            self._removed_any_ms = None

    def roll_due(self) -> int:
        """Roll up the hours that wait, and return how many those were."""
        self._know()
        with self._lock:
            waiting = dict(self._due)
        self._roll_up(waiting)
        return len(waiting)

    def roll_quiet(self) -> int:
        """Do so with the hours into which nothing came since the last call: a backlog is rolled up once it is over.

        What waits for five minutes is rolled up all the same.
        """
        self._know()
        now_s = self._clock.monotonic()
        with self._lock:
            waiting = dict(self._due)
        before, self._looked = self._looked, {}
        quiet = {}
        for hour, number in waiting.items():
            last_number, since_s = before.get(hour, (-1, now_s))
            if number == last_number or now_s - since_s >= _WAITS_AT_MOST_S:
                quiet[hour] = number
            else:
                self._looked[hour] = (number, since_s)
        self._roll_up(quiet)
        return len(quiet)

    def recompute(self, since_ms: int, until_ms: int) -> None:
        """Make the roll-ups of a range of whole hours anew from raw."""
        for level in LEVELS:
            self._server.delete(since_ms, until_ms, "", bucket=self.bucket(level))
            self._server.run(self._script(level, since_ms, until_ms))

    def _run(self) -> None:
        while not self._clock.wait(self._stop, _EVERY_S):
            try:
                self.roll_quiet()
            except StorageError as error:
                log.info("roll-ups wait: %s", error)

    def _roll_up(self, waiting: Mapping[int, int]) -> None:
        for first, last in runs_of(sorted(waiting), _HOURS_AT_ONCE):
            self._roll(first, last + 1)
            self._forget({hour: waiting[hour] for hour in range(first, last + 1)})

    def _know(self) -> None:
        if not self._is_known:
            tables = self._server.select(f"SELECT due FROM {DUE}")  # noqa: S608 - a constant
            with self._lock:
                self._due.update(values[0] // HOUR_MS for table in tables for values in table.values)
                self._is_known = True

    def _forget(self, rolled: dict[int, int]) -> None:
        # Who adds a mark takes the lock first, and writes it after: a mark of what came meanwhile is never removed.
        with self._lock:
            settled = sorted(
                hour for hour, number in rolled.items() if self._due[hour] == number and hour not in self._on_their_way
            )
            for first, last in runs_of(settled, _HOURS_AT_ONCE):
                self._server.delete(first * HOUR_MS, (last + 1) * HOUR_MS, f'_measurement="{DUE}"')
            for hour in settled:
                del self._due[hour]

    def _roll(self, first: int, end: int) -> None:
        """Roll up hours anew, but never from fewer readings than before: those were removed after their time."""
        since_ms, until_ms = first * HOUR_MS, end * HOUR_MS
        held = self.hours_with_less(since_ms, until_ms)
        if held:
            log.warning("%d hours are not rolled up anew: raw readings of them were removed", len(held))
        for start, last in runs_of([hour for hour in range(first, end) if hour not in held], _HOURS_AT_ONCE):
            self.recompute(start * HOUR_MS, (last + 1) * HOUR_MS)

    def hours_with_less(self, since_ms: int, until_ms: int) -> set[int]:
        """Return the hours of which there are fewer raw readings of some sensor than were rolled up."""
        raw, rolled = self.raw_counts(since_ms, until_ms), self.rolled_counts(since_ms, until_ms)
        return {key[2] for key, number in rolled.items() if number > raw[key]}

    def raw_counts(self, since_ms: int, until_ms: int) -> Counts:
        """Return how many readings are kept, by quantity, sensor and hour."""
        return self._counts(_RAW, since_ms, until_ms, self._server.bucket)

    def rolled_counts(self, since_ms: int, until_ms: int) -> Counts:
        """Return how many readings the hours' roll-ups were made of, likewise."""
        return self._counts(_ROLLED, since_ms, until_ms, self.bucket(LEVELS[0]))

    def _counts(self, query: str, since_ms: int, until_ms: int, bucket: str) -> Counts:
        sources = ", ".join(f'"{quantity}"' for quantity in Quantity)
        params = {"since": since_ms * 1_000_000, "until": until_ms * 1_000_000}
        found: Counts = Counter()
        for table in self._server.select(query.format(sources=sources), params, bucket=bucket):
            for at_ms, *numbers in table.values:
                found[(table.name, table.tags["sensor_id"], at_ms // HOUR_MS)] += sum(number or 0 for number in numbers)
        return found

    def _task(self, level: Level, name: str) -> str:
        bounds = f"stop = date.truncate(t: now(), unit: {level.name})\nstart = date.sub(d: {level.again}, from: stop)"
        options = f"{{name: {_string(name)}, every: {level.name}, offset: {level.offset}}}"
        return f'import "date"\n\noption task = {options}\n\n{bounds}\n{self._places(level)}{_BODY}'

    def _script(self, level: Level, since_ms: int, until_ms: int) -> str:
        bounds = f"start = time(v: {since_ms * 1_000_000})\nstop = time(v: {until_ms * 1_000_000})"
        return f"{bounds}\n{self._places(level)}{_BODY}"

    def _places(self, level: Level) -> str:
        source, target = _string(self._server.bucket), _string(self.bucket(level))
        return f"source = {source}\ntarget = {target}\nevery = {level.name}"


def runs_of(numbers: Iterable[int], most: int) -> list[tuple[int, int]]:
    """Return sorted numbers as runs (first, last) without a hole, of at most so many each.

    >>> runs_of([1, 2, 3, 7], 2)
    [(1, 2), (3, 3), (7, 7)]
    """
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] + 1 == number and number - found[-1][0] < most:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _string(text: str) -> str:
    # Flux knows the escapes of JSON, and ${} besides.
    return msgspec.json.encode(text).decode().replace("${", "\\${")
