"""Clocks of a lockstep run: the box lives by the true time, the machine by what its clock says."""

from __future__ import annotations

import threading

from dt.utils.clock import ManualClock


class TrueClock(ManualClock):
    """The box's time; read by one thread, so without a lock."""

    def wall(self) -> float:
        """Return the true UTC epoch seconds."""
        return self._wall

    def monotonic(self) -> float:
        """Return the true monotonic seconds."""
        return self._monotonic


class MachineClock:
    """The machine's clock over the true one; its wall time may be wrong by `shift_s`, its monotonic time never is."""

    def __init__(self, true: ManualClock) -> None:
        self._true = true
        self.shift_s = 0.0

    def wall(self) -> float:
        """Return UTC epoch seconds as the machine believes them."""
        return self._true.wall() + self.shift_s

    def monotonic(self) -> float:
        """Return the true monotonic seconds."""
        return self._true.monotonic()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Raise RuntimeError: on one thread nobody can wait for another."""
        del event
        msg = f"something waits {timeout_s:g} s in a lockstep run"
        raise RuntimeError(msg)


class ChipClock:
    """A clock for chips whose drivers do not wait: at every look their conversions are done."""

    _LEAP_S = 2.5  # longer than any chip of the box takes; a DHT22 wants 2 s

    def __init__(self, true: ManualClock) -> None:
        self._true = true
        self._at_s = true.monotonic()

    def wall(self) -> float:
        """Return the true wall time."""
        return self._true.wall()

    def monotonic(self) -> float:
        """Return seconds that leap ahead at every look."""
        self._at_s = max(self._at_s + self._LEAP_S, self._true.monotonic())
        return self._at_s

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Return at once: a bus that hangs costs no time here."""
        del timeout_s
        return event.is_set()
