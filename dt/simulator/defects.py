"""What may be wrong with a device of the box: physics obeys it, faults set it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NoDefect:
    """What a switch without a load may have: nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpDefect:
    """What may be wrong with a pump and its relay (F13); shares are of the flow, from 0 to 1."""

    welded: bool = False  # flows while its pin is low
    never_closes: bool = False
    dry: bool = False  # draws air
    blocked: float = 0.0
    siphon: float = 0.0  # flows on after a stop, until the can is empty or this is 0 again
    leak: float = 0.0  # misses the pot

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        _require_shares(self, "blocked", "siphon", "leak")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaterDefect:
    """What may be wrong with a heater (F14)."""

    stuck_on: bool = False
    dead: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FanDefect:
    """What may be wrong with a fan (F14): the share of its air that is blocked."""

    blocked: float = 0.0

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        _require_shares(self, "blocked")


@dataclass(frozen=True, slots=True, kw_only=True)
class LampDefect:
    """What may be wrong with a lamp (F14)."""

    dead: bool = False


def _require_shares(defect: object, *names: str) -> None:
    for name in names:
        value = getattr(defect, name)
        if not 0.0 <= value <= 1.0:
            msg = f"{name} must be from 0 to 1, not {value:g}"
            raise ValueError(msg)
