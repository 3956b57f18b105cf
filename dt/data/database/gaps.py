"""Which readings are missing: sequence numbers count a sensor's slots, and between two boots its cadence does."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from dt.data.database.storage import Run
from dt.utils.codec import Message, Timestamp, require_text
from dt.utils.dataclasses import GapCause
from dt.utils.exceptions import MessageError

LONGEST_S = 366 * 86_400.0
MOST_INTERVALS = 10_000
_ON_ITS_WAY_S = 5.0  # after its slot is over, a reading is given this long to arrive
_TOLERANCE = 0.1  # of a slot: readings are taken a moment after it begins
_SAME_CADENCE = 0.15  # relative: retries move single readings within their slots
_SHORT_RUN = 10  # too few readings to show another cadence than the known ones
_GRID_RUNS = 50

_KEPT = "-kept-"  # of the boot under which a device's retained values come: they belong to no slot

_UNSAID = "nobody said why"
_BETWEEN = "nothing came between two starts of the collector"
_NOT_LIVE = "some readings are backfilled or replayed: nothing is counted as lost beside them, for none was due"
_NEVER = "no reading has ever come"
_SHORTEST_S = 0.001  # of a step, where a clock was set back
_AT_THE_END = "nothing has arrived since"


@dataclass(frozen=True, slots=True, kw_only=True)
class GapQuery(Message):
    """Which sensor, and which slots: since <= begin < until."""

    sensor_id: str
    since: Timestamp
    until: Timestamp

    def ensure_consistent(self) -> None:
        """Refuse an empty range and one of more than a year."""
        require_text(self, "sensor_id")
        if self.until <= self.since:
            raise MessageError("until", f"must be after since ({self.since}), and is {self.until}")
        if self.until - self.since > LONGEST_S:
            raise MessageError(
                "until", f"must be at most {LONGEST_S:.0f} s after since, not {self.until - self.since:.0f}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptNotice:
    """A gap notice as the store has it; numbers within a boot, none between two."""

    boot_id: str
    cause: GapCause
    first: int | None
    last: int | None
    since: float
    until: float
    why: str


@dataclass(frozen=True, slots=True)
class Change:
    """From the number `first` of a boot on, which was due at `at`, readings are `step_s` apart."""

    boot_id: str
    first: int
    at: float
    step_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a sensor beside its readings; `changes` in the order of their numbers."""

    notices: Sequence[KeptNotice] = ()
    cadences_s: Sequence[float] = ()
    changes: Sequence[Change] = ()
    bound: tuple[float, float] | None = None  # since when the registry has it as it stands, and its cadence in s
    late: int = 0

    def changes_of(self, boot_id: str, first: int, last: float) -> list[Change]:
        """Return the changes of a boot whose number is from first to last."""
        return [change for change in self.changes if change.boot_id == boot_id and first <= change.first <= last]


@dataclass(frozen=True, slots=True)
class Interval:
    """Slots without a reading, one after the other."""

    since: float
    until: float
    lost: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GapReport:
    """What was due, came, came late and is lost; `more` intervals are left out of a list that would be too long.

    `note` says what the account cannot tell.
    """

    expected: int
    received: int
    late: int
    lost: int
    intervals: list[Interval]
    more: int = 0
    note: str = ""


def gap_report(runs: Sequence[Run], known: Known, query: GapQuery, now: float) -> GapReport:
    """Return the account of a range; `runs` as `Storage.runs` gives them."""
    inside = [run for run in runs if query.since <= run.first_at < query.until]
    received = sum(run.count for run in inside)
    numbered = [run for run in runs if _KEPT not in run.boot_id]
    holes = list(_holes(numbered, known, now) if numbered else _never_heard(known, now))
    told = _told(known.notices)
    intervals = [
        cut for hole in holes for part in _said(hole, told.get(hole.boot_id)) if (cut := _cut(part, query)) is not None
    ]
    lost = sum(interval.lost for interval in intervals)
    return GapReport(
        expected=received + lost,
        received=received,
        late=known.late,
        lost=lost,
        intervals=intervals[:MOST_INTERVALS],
        more=max(0, len(intervals) - MOST_INTERVALS),
        note="" if all(run.is_live for run in runs) else _NOT_LIVE,
    )


@dataclass(frozen=True, slots=True)
class _Hole:
    """Missing numbers of one boot: `first` to `last`, the first of them at `at`, then every `step_s`."""

    boot_id: str
    first: int
    last: int
    at: float
    step_s: float
    why: str


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where a boot's slots begin: number n at `zero + n * step_s`."""

    zero: float
    step_s: float

    def begin_of(self, number: int) -> float:
        return self.zero + number * self.step_s


def _holes(runs: Sequence[Run], known: Known, now: float) -> Iterator[_Hole]:
    yield from _before_first(runs, known)
    for index, (run, following) in enumerate(pairwise(runs), 1):
        if not (run.is_live and following.is_live):
            continue
        if run.boot_id == following.boot_id:
            yield from _within(runs[max(0, index - _GRID_RUNS) : index], following, known)
        else:
            before, after = runs[max(0, index - _GRID_RUNS) : index], runs[index : index + _GRID_RUNS]
            yield from _between(before, after, known)
    yield from _running_end(runs, known, now)


def _never_heard(known: Known, now: float) -> Iterator[_Hole]:
    """Yield the slots of a sensor that never gave a reading, since it was bound or first told to be silent."""
    told = [n for n in known.notices if n.first is not None]
    if known.bound is None:
        return
    bound_at, step_s = known.bound
    begin = min([bound_at, *(n.since for n in told)])
    removed = _removed_at(known.notices, max([begin, *(n.until for n in told)]), now)
    end = now - _ON_ITS_WAY_S if removed is None else removed
    boot = max(told, key=lambda n: n.since, default=None)
    if boot is not None:
        own = min((n for n in told if n.boot_id == boot.boot_id), key=lambda n: n.since)
        zero = own.since - (own.first or 0) * step_s
        count = math.floor((end - zero) / step_s)
        if count > 0:
            yield _Hole(boot.boot_id, 0, count - 1, zero, step_s, _NEVER)
        end = zero
    count = math.floor((end - begin) / step_s)
    if count > 0:
        yield _Hole("", 0, count - 1, begin, step_s, _NEVER)


def _within(before: Sequence[Run], following: Run, known: Known) -> Iterator[_Hole]:
    """Yield the numbers that are missing between two runs of a boot."""
    run = before[-1]
    first, last = run.last_sequence + 1, following.first_sequence - 1
    if last < first:
        return
    changes = known.changes_of(run.boot_id, first, following.first_sequence)
    grid = _grid(before[::-1], known) if changes else None
    if grid is None:
        step_s = max(_SHORTEST_S, (following.first_at - run.last_at) / (last - run.last_sequence + 1))
        grid = _Grid(run.last_at - run.last_sequence * step_s, step_s)
    yield from _parts((run.boot_id, first, last), grid, known, _UNSAID)


def _parts(numbers: tuple[str, int, int], grid: _Grid, known: Known, why: str) -> Iterator[_Hole]:
    """Yield missing numbers (boot, first, last), each stretch by the cadence that held for it."""
    boot_id, first, last = numbers
    for change in known.changes_of(boot_id, first, last):
        if change.first > first:
            yield _Hole(boot_id, first, change.first - 1, grid.begin_of(first), grid.step_s, why)
        first, grid = change.first, _changed(change)
    yield _Hole(boot_id, first, last, grid.begin_of(first), grid.step_s, why)


def _changed(change: Change) -> _Grid:
    return _Grid(change.at - change.first * change.step_s, change.step_s)


def _after(last: Run, grid: _Grid, known: Known) -> tuple[_Grid, int]:
    """Return by which slots a boot ended, and the number before the first of them that is not told to be due."""
    later = known.changes_of(last.boot_id, last.last_sequence + 1, math.inf)
    return (_changed(later[-1]), later[-1].first - 1) if later else (grid, last.last_sequence)


def _start_grid(run: Run, grid: _Grid, known: Known, step_s: float) -> _Grid:
    """Return the slots by which the boot of its first run began."""
    changes = known.changes_of(run.boot_id, 0, run.first_sequence)
    return _Grid(changes[0].at - changes[0].first * step_s, step_s) if changes else grid


def _before_first(runs: Sequence[Run], known: Known) -> Iterator[_Hole]:
    """Yield the slots before a sensor's very first reading."""
    first = runs[0]
    grid = _grid(runs, known)
    if first.is_live and first.first_sequence > 0 and grid is not None:
        start = _start_grid(first, grid, known, grid.step_s)
        yield from _parts((first.boot_id, 0, first.first_sequence - 1), start, known, _UNSAID)


def _between(before: Sequence[Run], after: Sequence[Run], known: Known) -> Iterator[_Hole]:
    """Yield what an old boot's cadence still had due when a new boot began, and what that one missed at first."""
    old, new = before[-1], after[0]
    old_grid = _grid(before[::-1], known)
    new_grid = _grid(after, known) or old_grid
    if new_grid is None:
        return
    old_grid = old_grid or _Grid(old.last_at - old.last_sequence * new_grid.step_s, new_grid.step_s)
    if new_grid is old_grid or not _fits(new, new_grid):
        new_grid = _Grid(new.first_at - new.first_sequence * new_grid.step_s, new_grid.step_s)
    new_grid = _start_grid(new, new_grid, known, old_grid.step_s)
    begin = new_grid.begin_of(0)
    end_grid, told = _after(old, old_grid, known)
    removed = _removed_at(known.notices, max(old.last_at, end_grid.begin_of(told)), begin)
    end = begin if removed is None else min(begin, removed)
    last = told + _slots_before(end, end_grid, told)
    if last > old.last_sequence:
        why = _between_why(known.notices, new.boot_id)
        yield from _parts((old.boot_id, old.last_sequence + 1, last), old_grid, known, why)
    if new.first_sequence > 0:
        yield from _parts((new.boot_id, 0, new.first_sequence - 1), new_grid, known, _UNSAID)


def _running_end(runs: Sequence[Run], known: Known, now: float) -> Iterator[_Hole]:
    """Yield slots after the last reading that are over; the one that runs, and what may be on its way, is not lost."""
    last = runs[-1]
    grid = _grid(runs[::-1], known)
    if grid is None or not last.is_live or last.last_at >= now:
        return
    end_grid, told = _after(last, grid, known)
    removed = _removed_at(known.notices, max(last.last_at, end_grid.begin_of(told)), now)
    over = now - _ON_ITS_WAY_S - end_grid.step_s if removed is None else removed
    end = told + math.floor((over - end_grid.begin_of(told)) / end_grid.step_s)
    if end > last.last_sequence:
        yield from _parts((last.boot_id, last.last_sequence + 1, end), grid, known, _AT_THE_END)


def _slots_before(end: float, grid: _Grid, last: int) -> int:
    return math.ceil((end - grid.begin_of(last)) / grid.step_s - _TOLERANCE) - 1


def _grid(runs: Sequence[Run], known: Known) -> _Grid | None:
    """Return the slots of the boot and cadence that the first of these runs has, by it and the nearest of the same.

    A reading is taken at or after its slot's begin, never before: the earliest shows where that is.
    """
    change = _change_before(runs[0], known)
    own = [
        run
        for run in runs[:_GRID_RUNS]
        if run.boot_id == runs[0].boot_id and (not known.changes or _change_before(run, known) == change)
    ]
    step_s = _cadence(own, known.cadences_s) if change is None else change.step_s
    if step_s is None:
        return None
    zeros: list[float] = []
    for run in own:
        here = [run.first_at - run.first_sequence * step_s, run.last_at - run.last_sequence * step_s]
        if zeros and any(abs(zero - zeros[0]) >= step_s for zero in here):
            break  # another cadence, or the clock was set
        zeros += here
    return _Grid(min(zeros), step_s)


def _change_before(run: Run, known: Known) -> Change | None:
    found = known.changes_of(run.boot_id, 0, run.first_sequence) if known.changes else ()
    return found[-1] if found else None


def _fits(run: Run, grid: _Grid) -> bool:
    return abs(run.first_at - grid.begin_of(run.first_sequence)) < grid.step_s


def _cadence(runs: Sequence[Run], cadences_s: Sequence[float]) -> float | None:
    """Return the known cadence that the readings show, or the one that they show."""
    longest = max(runs, key=lambda run: run.count)
    seen_s = (longest.last_at - longest.first_at) / max(1, longest.count - 1)
    if seen_s <= 0.0:
        return cadences_s[-1] if cadences_s else None
    nearest_s = min(cadences_s, key=lambda known_s: abs(math.log(known_s / seen_s)), default=seen_s)
    is_known = longest.count < _SHORT_RUN or abs(nearest_s / seen_s - 1.0) <= _SAME_CADENCE
    return nearest_s if is_known else seen_s


def _removed_at(notices: Iterable[KeptNotice], since: float, until: float) -> float | None:
    found = [n.since for n in notices if n.cause is GapCause.REMOVED and since <= n.since <= until]
    return min(found, default=None)


def _between_why(notices: Iterable[KeptNotice], boot_id: str) -> str:
    found = (n.why for n in notices if n.boot_id == boot_id and n.first is None and n.cause is not GapCause.REMOVED)
    return next(found, _BETWEEN)


class _Told:
    """The numbered notices of one boot, to be found by the numbers that they cover."""

    def __init__(self, notices: Sequence[KeptNotice]) -> None:
        self._notices = sorted(notices, key=lambda n: n.first or 0)
        self._firsts = [n.first or 0 for n in self._notices]
        self._reach = list(accumulate((n.last or 0 for n in self._notices), max))

    def of(self, hole: _Hole) -> Sequence[KeptNotice]:
        """Return those that may speak of a hole, by their first numbers."""
        return self._notices[bisect_left(self._reach, hole.first) : bisect_right(self._firsts, hole.last)]


def _told(notices: Iterable[KeptNotice]) -> dict[str, _Told]:
    by_boot: dict[str, list[KeptNotice]] = {}
    for notice in notices:
        if notice.first is not None and notice.last is not None:
            by_boot.setdefault(notice.boot_id, []).append(notice)
    return {boot_id: _Told(own) for boot_id, own in by_boot.items()}


def _said(hole: _Hole, told: _Told | None) -> Iterator[_Hole]:
    """Yield the parts of a hole by what notices say of them."""
    at = hole.first
    for notice in () if told is None else told.of(hole):
        first, last = max(at, notice.first or 0), min(hole.last, notice.last or 0)
        if last < first:
            continue
        if first > at:
            yield _part(hole, at, first - 1, hole.why)
        yield _part(hole, first, last, notice.why)
        at = last + 1
    if at <= hole.last:
        yield _part(hole, at, hole.last, hole.why)


def _part(hole: _Hole, first: int, last: int, why: str) -> _Hole:
    return _Hole(hole.boot_id, first, last, hole.at + (first - hole.first) * hole.step_s, hole.step_s, why)


def _cut(hole: _Hole, query: GapQuery) -> Interval | None:
    """Return the slots of a hole that begin within the query's range."""
    skip = max(0, math.ceil((query.since - hole.at) / hole.step_s - 1e-6))
    most = hole.last - hole.first + 1
    count = min(most, max(0, math.ceil((query.until - hole.at) / hole.step_s - 1e-6))) - skip
    if count <= 0:
        return None
    since = hole.at + skip * hole.step_s
    return Interval(round(since, 3), round(since + count * hole.step_s, 3), count, hole.why)
