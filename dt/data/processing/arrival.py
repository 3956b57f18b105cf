"""Where a reading stands among those of its series that came before, and which numbers were taken."""

from __future__ import annotations

from enum import Enum

_MOST_SPANS = 16


class Arrival(Enum):
    """In order, or how it is not."""

    NEXT = "newer than all before"
    SAME = "of the same instant as the last"
    REPEATED = "taken already"
    LATE = "older than the last, and new"
    BACK = "older than the last, though taken after it"


def is_taken(spans: list[tuple[int, int]], sequence: int) -> bool:
    """Return whether a sequence number is in one of the spans (first and last of each)."""
    return any(first <= sequence <= last for first, last in reversed(spans))


def take(spans: list[tuple[int, int]], sequence: int) -> None:
    """Add a sequence number; the oldest of too many spans are forgotten, so that what they held counts as new.

    >>> spans = [(1, 3)]
    >>> for number in (4, 7, 6, 2):
    ...     take(spans, number)
    >>> spans
    [(1, 4), (6, 7)]
    """
    if spans and sequence == spans[-1][1] + 1:
        spans[-1] = (spans[-1][0], sequence)
        return
    if is_taken(spans, sequence):
        return
    spans.append((sequence, sequence))
    spans.sort()
    merged = [spans[0]]
    for first, last in spans[1:]:
        if first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    spans[:] = merged[-_MOST_SPANS:]
