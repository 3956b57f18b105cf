"""Seconds on in rolling 24 h (S1): how many there were, and how many are left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dt.controller.guard_types import BUDGET_WINDOW_S

_HALVINGS = 40  # of a day: below a microsecond


def on_time_s(intervals: Iterable[tuple[float, float]], since: float, until: float) -> float:
    """Return the seconds of intervals within a window.

    >>> on_time_s([(0.0, 10.0), (20.0, 30.0)], 5.0, 22.0)
    7.0
    """
    return sum(max(0.0, min(end, until) - max(begin, since)) for begin, end in intervals)


def on_left_s(intervals: Sequence[tuple[float, float]], limit_s: float, now: float) -> float:
    """Return how long an output may be on from now, so that no 24 h have more than `limit_s` of it.

    The 24 h that end with a run have the most of it: the older runs leave the window no faster than the new one grows.

    >>> round(on_left_s([(0.0, 57_600.0)], 64_800.0, 57_600.0))  # 16 h on: 2 h more
    7200
    >>> round(on_left_s([(0.0, 57_600.0)], 64_800.0, 86_400.0))  # 8 h later: it may follow what leaves the window
    64800
    """
    least, most = 0.0, limit_s
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        if middle + on_time_s(intervals, now + middle - BUDGET_WINDOW_S, now) <= limit_s:
            least = middle
        else:
            most = middle
    return most if most - least < 1e-3 and most == limit_s else least
