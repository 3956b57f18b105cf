"""What chips remember from run to run, as plain JSON: registers, what is under way, and the dice of their noise."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

_WORDS = struct.Struct(">625I")  # the state of a Mersenne twister and where it stands in it
_TWISTER = 3
_MOST_AHEAD_S = 10.0  # no chip is busy for longer
_Memory = TypeVar("_Memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiceMemory:
    """Where dice stand."""

    words: bytes
    gauss: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """From the chip clock of a snapshot (`clock_s`) to that of now, `later_s` after it."""

    clock_s: float
    later_s: float

    def moment(self, kept_s: float | None, none: float) -> float:
        """Return an instant of the snapshot on the clock of now; `none` where there was none. ValueError if too far."""
        if kept_s is None:
            return none
        if kept_s > self.clock_s + _MOST_AHEAD_S:
            msg = f"a chip is busy for at most {_MOST_AHEAD_S:g} s, not {kept_s - self.clock_s:g}"
            raise ValueError(msg)
        return kept_s + self.later_s


def finite(moment_s: float) -> float | None:
    """Return an instant as JSON can have it: None when it never was or never comes.

    >>> finite(2.5), finite(float("inf"))
    (2.5, None)
    """
    return moment_s if abs(moment_s) != float("inf") else None


def plain(memory: object) -> Any:
    """Return a memory as plain JSON."""
    return msgspec.to_builtins(memory)


def checked(kept: object, kind: type[_Memory]) -> _Memory:
    """Return a memory from plain JSON; ValueError with the part that is wrong."""
    try:
        return msgspec.convert(kept, kind)
    except msgspec.ValidationError as error:
        msg = f"chips: {error}"
        raise ValueError(msg) from error


def dice_memory(dice: random.Random) -> DiceMemory:
    """Return where dice stand."""
    _version, words, gauss = dice.getstate()
    return DiceMemory(words=_WORDS.pack(*words), gauss=gauss)


def dice_state(memory: DiceMemory) -> tuple[Any, ...]:
    """Return what `Random.setstate` takes; ValueError when no dice can stand so."""
    try:
        state = (_TWISTER, _WORDS.unpack(memory.words), memory.gauss)
        random.Random().setstate(state)  # noqa: S311 - noise of a simulation, no secret
    except (struct.error, OverflowError) as error:
        msg = f"chips: no dice stand so: {error}"
        raise ValueError(msg) from error
    return state
