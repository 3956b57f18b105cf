"""Time for the ledger: seconds that no clock setting and no restart can make run faster than they do."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from pathlib import Path

from dt.controller.guard_types import GuardClock

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_TIMEX_BYTES = 512  # struct timex has 208 bytes on 64-bit Linux; all zero means "only tell"


class SystemGuardClock:
    """The machine's own clocks."""

    def wall(self) -> float:
        """Return UTC epoch seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds since the machine started."""
        return time.monotonic()


def kernel_clock_is_synchronised() -> bool:
    """Return what the kernel says of its wall clock; False where it cannot be asked."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return False
    return 0 <= int(adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))) < _TIME_ERROR


def machine_boot_id() -> str:
    """Return the kernel's name of this boot; empty where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeMark:
    """One instant: ledger seconds, and what the machine's clocks said then."""

    ledger_s: float
    boot_id: str
    monotonic_s: float
    wall_s: float
    synced: bool


class LedgerTime:
    """Elapsed seconds since the ledger was made, never more than have truly passed.

    Within one boot they follow the monotonic clock alone. Over a reboot they go on by the new boot's uptime, and by the
    wall clock's difference only when the kernel called it synchronised at both ends (S12).
    """

    def __init__(self, clock: GuardClock, *, boot_id: str, synced: bool, mark: TimeMark | None) -> None:
        self._clock = clock
        self._boot_id = boot_id
        self._opened_s = clock.monotonic()
        self._base_s = mark.ledger_s + self._passed_since(mark) if mark is not None else 0.0
        self._gap_from = mark if mark is not None and mark.synced and mark.boot_id != boot_id else None
        self.note_sync(synced=synced)

    def now(self) -> float:
        """Return the ledger's seconds now."""
        return self._base_s + max(0.0, self._clock.monotonic() - self._opened_s)

    def note_sync(self, *, synced: bool) -> None:
        """Credit the time that the machine was off, once, when the wall clock can be believed."""
        if not synced or self._gap_from is None:
            return
        by_wall_s = self._gap_from.ledger_s + (self._clock.wall() - self._gap_from.wall_s)
        self._base_s += max(0.0, by_wall_s - self.now())
        self._gap_from = None

    def mark(self, *, synced: bool) -> TimeMark:
        """Return this instant for the next start."""
        return TimeMark(
            ledger_s=self.now(),
            boot_id=self._boot_id,
            monotonic_s=self._clock.monotonic(),
            wall_s=self._clock.wall(),
            synced=synced,
        )

    def _passed_since(self, mark: TimeMark) -> float:
        if mark.boot_id == self._boot_id:
            return max(0.0, self._opened_s - mark.monotonic_s)
        return max(0.0, self._opened_s)
