"""How much an outbox holds, and what goes first when that is not enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dt.communication.messaging import Outgoing
from dt.communication.topics import Topics

_BULKY_BYTES = 32 * 1024  # no reading is as large; pictures are


class Drop(StrEnum):
    """What goes first when the outbox is full."""

    OLDEST = "oldest"
    NEWEST = "newest"
    PICTURES = "pictures"  # the oldest of them, then the oldest of all


class Loss(StrEnum):
    """Why a record will never arrive."""

    FULL = "full"
    REFUSED = "refused"


def is_large(record: Outgoing) -> bool:
    """Return whether a record is of the bulky kind that pictures are."""
    return len(record.value or b"") > _BULKY_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may wait, on disk, and in memory while the disk is ill; what goes first, and what counts as bulky."""

    records: int = 1_000_000
    bytes: int = 512 * 1024 * 1024
    memory_bytes: int = 8 * 1024 * 1024
    drop: Drop = Drop.PICTURES
    is_bulky: Callable[[Outgoing], bool] = is_large


OnLoss = Callable[[Sequence[Outgoing], Loss], None]
Change = Callable[[Outgoing, str], Outgoing | None]

NOTICES = (Topics.GAPS, Topics.HEALTH)  # they say why others are missing: nothing else goes after them

_OTHERS = f"AND topic NOT IN ({', '.join(repr(str(topic)) for topic in NOTICES)})"
ORDERS = {
    Drop.OLDEST: (f"{_OTHERS} ORDER BY id", "ORDER BY id"),
    Drop.NEWEST: (f"{_OTHERS} ORDER BY id DESC", "ORDER BY id DESC"),
    Drop.PICTURES: ("AND bulky ORDER BY id", f"{_OTHERS} ORDER BY id", "ORDER BY id"),
}
