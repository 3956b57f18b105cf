"""What can be called over the wire, and how it can fail."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from dt.utils.exceptions import WireError


class Direction(StrEnum):
    """Which way a pin works."""

    IN = "in"
    OUT = "out"


class Pull(StrEnum):
    """The resistor of an input pin."""

    NONE = "none"
    UP = "up"
    DOWN = "down"


class WireRefusedError(WireError):
    """The box refuses the call: an unknown pin or camera, a wrong argument."""

    retriable = False


class NoAcknowledgeError(WireError, OSError):
    """No chip answers at this I2C address; `errno` is 121 as on Linux."""

    retriable = True

    def __init__(self, address: int) -> None:
        super().__init__(errno.EREMOTEIO, f"no acknowledge from I2C address {address:#04x}")
        self.address = address


class BusTimeoutError(WireError, OSError):
    """The I2C bus was held low for too long; `errno` is 110 as on Linux."""

    retriable = True

    def __init__(self, address: int) -> None:
        super().__init__(errno.ETIMEDOUT, f"the I2C bus hung in a transaction with address {address:#04x}")
        self.address = address


class WireAwayError(WireError, ConnectionError):
    """Nothing answers at the other end of the wire; the same call may work later."""

    retriable = True


class WireVersionError(WireError, ConnectionError):
    """The two ends speak different versions of the protocol."""

    retriable = False


EdgeCallback = Callable[[bool], None]


class Link(StrEnum):
    """How a way through the network is."""

    UP = "up"
    SLOW = "slow"
    HALF_OPEN = "half_open"
    AWAY = "away"


class Disk(StrEnum):
    """How the machine's disk is."""

    FINE = "fine"
    FULL = "full"
    READ_ONLY = "read_only"


class Ending(StrEnum):
    """How the asking process ends."""

    NONE = "none"
    KILL = "kill"
    POWER_CUT = "power_cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """What befalls the machine at the software's end of a simulated rig; by default nothing. Shares are 0..1."""

    broker: Link = Link.UP
    database: Link = Link.UP
    delay_s: float = 0.0
    clock_shift_s: float = 0.0
    duplicates: float = 0.0
    out_of_order: float = 0.0
    disk: Disk = Disk.FINE
    ending: Ending = Ending.NONE
    ends_after_s: float = 0.0


class Wire(Protocol):
    """The eight calls. Pins are BCM numbers; a pin keeps its level when the process that set it dies."""

    def i2c(self, address: int, out: bytes, count: int) -> bytes:
        """Write `out`, then read `count` bytes; raises `NoAcknowledgeError` or `BusTimeoutError`."""
        ...

    def pin_setup(self, pin: int, direction: Direction, pull: Pull) -> None:
        """Make a pin an input or an output; what is made an input is no longer driven."""
        ...

    def pin_write(self, pin: int, level: bool) -> None:  # noqa: FBT001 - a level, as every pin library passes it
        """Drive an output pin; ends PWM on it."""
        ...

    def pwm(self, pin: int, duty: float, frequency_hz: float) -> None:
        """Drive an output pin with a duty of 0..1."""
        ...

    def pin_read(self, pin: int) -> bool:
        """Return a pin's level."""
        ...

    def pin_edges(self, pin: int, callback: EdgeCallback) -> Callable[[], None]:
        """Call back with the new level at every change; what is returned ends that."""
        ...

    def pulses(self, pin: int, trigger_us: int, max_pulses: int) -> list[int]:
        """Pull a pin low for `trigger_us`; return the last pulses of the answer in microseconds, oldest first."""
        ...

    def capture(self, camera: int) -> bytes:
        """Take a picture and return it as JPEG."""
        ...

    def host(self) -> HostState:
        """Return what befalls the machine that asks; an ending is told once."""
        ...
