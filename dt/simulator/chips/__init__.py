"""Chips of the box, register by register, as the unmodified drivers expect them.

A chip on the bus is one file and one row of this table: what it makes of a place, the clock of its conversions, its
address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from dt.simulator.chip_memory import Shift
from dt.simulator.chips.bh1750 import Bh1750Chip
from dt.simulator.chips.seesaw import SeesawChip
from dt.simulator.chips.sht31 import Sht31Chip
from dt.simulator.sensing import Senses
from dt.utils.clock import Clock


class I2cChip(Protocol):
    """A chip on the bus."""

    def transfer(self, out: bytes, count: int) -> bytes:
        """Take bytes and give `count` back; raises `NoAcknowledgeError` while it is deaf."""
        ...

    def snapshot(self) -> Any:
        """Return its registers and senses as plain JSON."""
        ...

    def restoring(self, kept: object, shift: Shift) -> Callable[[], None]:
        """Check what `snapshot` returned, and return what takes it up; ValueError when it cannot be."""
        ...


I2C_CHIPS: Mapping[str, Callable[[Senses, Clock, int], I2cChip]] = {
    "seesaw": SeesawChip,
    "bh1750": Bh1750Chip,
    "sht31": Sht31Chip,
}
