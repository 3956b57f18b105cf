"""How wide the buckets of a chart are."""

from __future__ import annotations

import math

_DAY_MS = 86_400_000
_WIDTHS_MS = (
    *(1000, 2000, 5000, 10_000, 15_000, 30_000),
    *(60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000),
    *(3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000, _DAY_MS),
)


def bucket_width_ms(since_ms: int, until_ms: int, points: int) -> int:
    """Return the narrowest round width that gives at most `points` buckets, each beginning at a multiple of it.

    >>> bucket_width_ms(0, 14 * 86_400_000, 500) // 60_000
    60
    """
    for width_ms in _WIDTHS_MS:
        if _count(since_ms, until_ms, width_ms) <= points:
            return width_ms
    days = max(1, math.ceil((until_ms - since_ms) / points / _DAY_MS))
    while _count(since_ms, until_ms, days * _DAY_MS) > points:
        days += 1 + days // 8
    return days * _DAY_MS


def _count(since_ms: int, until_ms: int, width_ms: int) -> int:
    return (until_ms - 1) // width_ms - since_ms // width_ms + 1
