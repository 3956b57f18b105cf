"""Buckets of charts that were worked out before; what is written takes those away that it may have changed.

A chart that follows the present needs two new buckets of some hundred each time. A bucket is kept only where all of it
was asked for, so it is the same in every answer until a reading of its time comes.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

Columns = tuple[list[int], list[float], list[float], list[float], list[int]]  # bucket, min, mean, max, number
Key = tuple[Hashable, int]  # what is drawn, width in ms

_MOST_BUCKETS = 50_000  # some 10 MB
_MOST_SPANS = 500
_FINEST_KEPT_MS = 60_000  # the narrowest roll-up


@dataclass(frozen=True, slots=True)
class Stretch:
    """Buckets of one width from `origin_ms` on, counted from `first`; only what is within since and until counts."""

    origin_ms: int
    width_ms: int
    first: int
    since_ms: int
    until_ms: int

    @property
    def begin_ms(self) -> int:
        """Return where the bucket begins that `since_ms` is in."""
        return self.since_ms - (self.since_ms - self.origin_ms) % self.width_ms


@dataclass(frozen=True, slots=True)
class Span:
    """All buckets from `first` to before `end`, empty ones left out."""

    first: int
    end: int
    columns: Columns

    def within(self, first: int, end: int) -> Span:
        """Return the part of a range, which may be empty."""
        first, end = max(first, self.first), min(end, self.end)
        begin, stop = (bisect_left(self.columns[0], place) for place in (first, max(first, end)))
        return Span(first, end, _cut(self.columns, begin, stop))


class Reading:
    """One look into the store; hears of what is written meanwhile, which it may not have seen."""

    def __init__(self, cache: ChartCache) -> None:
        self._cache = cache
        self.changed: dict[Hashable, int] = {}
        self.is_all_changed = False

    def kept(self, key: Key) -> Span | None:
        """Return what is known of a line."""
        return self._cache.find(key)

    def keep(self, key: Key, series: Collection[Hashable], span: Span) -> None:
        """Keep what was found, but for what has changed since the look began."""
        self._cache.keep(self, key, series, span)


class ChartCache:
    """Used by many threads; bounded, and the lines that were not asked for longest go first."""

    def __init__(self, most_buckets: int = _MOST_BUCKETS) -> None:
        self._most = most_buckets
        self._lock = threading.Lock()
        self._spans: OrderedDict[Key, tuple[frozenset[Hashable], Span]] = OrderedDict()
        self._size = 0
        self._readings: set[Reading] = set()

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is known nor being found out."""
        return not self._spans and not self._readings

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Give a look, to be begun before the transaction that it is of."""
        look = Reading(self)
        with self._lock:
            self._readings.add(look)
        try:
            yield look
        finally:
            with self._lock:
                self._readings.discard(look)

    def find(self, key: Key) -> Span | None:
        """Return what is known of a line."""
        with self._lock:
            found = self._spans.get(key)
            if found is None:
                return None
            self._spans.move_to_end(key)
            return found[1]

    def keep(self, look: Reading, key: Key, series: Collection[Hashable], span: Span) -> None:
        """Keep a span that a look found."""
        with self._lock:
            if look.is_all_changed:
                return
            changed_ms = min((look.changed[one] for one in series if one in look.changed), default=None)
            if changed_ms is not None:
                span = span.within(span.first, changed_ms // key[1])
            self._put(key, frozenset(series), span)
            while self._size > self._most or len(self._spans) > _MOST_SPANS:
                _key, (_series, oldest) = self._spans.popitem(last=False)
                self._size -= len(oldest.columns[0])

    def forget(self, changed_ms: Mapping[Any, int] | None) -> None:
        """Forget what was written: by series from which instant on, in ms; None for who knows what."""
        with self._lock:
            for look in self._readings:
                if changed_ms is None:
                    look.is_all_changed = True
                else:
                    for series_id, from_ms in changed_ms.items():
                        look.changed[series_id] = min(from_ms, look.changed.get(series_id, from_ms))
            if changed_ms is None:
                self._spans.clear()
                self._size = 0
                return
            for key, (series, span) in list(self._spans.items()):
                first_ms = min((changed_ms[one] for one in series if one in changed_ms), default=None)
                if first_ms is not None and first_ms < span.end * key[1]:
                    self._put(key, series, span.within(span.first, first_ms // key[1]))

    def _put(self, key: Key, series: frozenset[Hashable], span: Span) -> None:
        before = self._spans.pop(key, None)
        if before is not None:
            self._size -= len(before[1].columns[0])
        if span.first < span.end:
            self._spans[key] = (series, span)
            self._size += len(span.columns[0])


def completed(
    whole: Stretch,
    line: Hashable,
    series: Collection[Hashable],
    look: Reading,
    answer: Callable[[Sequence[Stretch]], Columns],
) -> Columns:
    """Return the buckets of a stretch: those that are known, and what `answer` gives of its ends.

    What is made of raw readings alone is not kept: those may be removed.
    """
    width_ms = whole.width_ms
    if width_ms < _FINEST_KEPT_MS:
        return answer([whole])
    first, end = -(-whole.since_ms // width_ms), whole.until_ms // width_ms  # of the buckets that are asked for whole
    kept = look.kept((line, width_ms))
    known = None if kept is None else kept.within(first, end)
    if known is None or known.first >= known.end:
        found = answer([whole])
    else:
        head = replace(whole, until_ms=known.first * width_ms)
        tail = replace(whole, since_ms=known.end * width_ms)
        ends = answer([one for one in (head, tail) if one.since_ms < one.until_ms])
        middle = bisect_left(ends[0], known.first)
        found = _joined(_cut(ends, 0, middle), known.columns, _cut(ends, middle, len(ends[0])))
    if first < end:
        look.keep((line, width_ms), series, Span(first, end, found).within(first, end))
    return found


def _cut(columns: Columns, begin: int, end: int) -> Columns:
    buckets, lowest, means, highest, numbers = columns
    return buckets[begin:end], lowest[begin:end], means[begin:end], highest[begin:end], numbers[begin:end]


def _joined(*parts: Columns) -> Columns:
    """Return columns one behind the other.

    >>> _joined(([1], [0.0], [0.5], [1.0], [2]), ([3], [4.0], [4.0], [4.0], [1]))
    ([1, 3], [0.0, 4.0], [0.5, 4.0], [1.0, 4.0], [2, 1])
    """
    buckets, lowest, means, highest, numbers = ([*chain.from_iterable(column)] for column in zip(*parts, strict=True))
    return buckets, lowest, means, highest, numbers
