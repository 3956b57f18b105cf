"""The guard proper: owns the pins while its parent hears its heartbeat and its parent's pipe stays open."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dt.controller.guard import Guard
from dt.controller.guard_button import StopWatch
from dt.controller.guard_clock import SystemGuardClock
from dt.controller.guard_desk import GuardDesk
from dt.controller.guard_pins import PinError, Pins
from dt.controller.guard_sockets import GuardDoors
from dt.controller.guard_types import GuardConfig
from dt.controller.ledger import Ledger

READY, BEAT, STOPPED_BEAT = b"R", b".", b"!"
GO, GO_STOPPED = b"G", b"S"
PARENT_SILENCE_S = 0.8  # eight of its words; with a tick of the pin thread it makes less than the second of S11
EXIT_PINS = 4
EXIT_LEDGER = 5
_READBACK_EVERY_S = 0.5

_log = logging.getLogger("dt.controller.guard")


@dataclass(slots=True, kw_only=True)
class _Pulse:
    """What the pin thread shares with the others."""

    beat_fd: int
    is_ending: bool = False  # a plain flag: a signal handler must take no lock
    reported: dict[str, float] = field(default_factory=dict)
    _begun: int = 0  # heartbeats that the pin thread began to make
    _sent: int = 0  # the newest that the parent's pipe has
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def beat(self, is_stopped: Callable[[], bool]) -> None:
        with self._changed:
            self._begun += 1
        with contextlib.suppress(BlockingIOError):
            os.write(self.beat_fd, STOPPED_BEAT if is_stopped() else BEAT)
            with self._changed:
                self._sent = self._begun
                self._changed.notify_all()

    def wait_until_told(self, within_s: float) -> bool:
        """Return whether the parent's pipe has, in time, a heartbeat that knows of all that was so at this call."""
        with self._changed:
            begun = self._begun
            return self._changed.wait_for(lambda: self._sent > begun, within_s)


def run_child(config: GuardConfig, folder: Path, beat_fd: int, orders_fd: int) -> int:
    """Claim the pins when the parent says go, serve until told to end, and return the exit code."""
    os.set_blocking(beat_fd, False)
    clock = SystemGuardClock()
    try:
        ledger = Ledger(Path(config.ledger_path), clock)
    except sqlite3.Error as error:
        _log.error("the ledger %s cannot be used, so nothing may start: %s", config.ledger_path, error)
        return EXIT_LEDGER
    os.write(beat_fd, READY)
    go = os.read(orders_fd, 1)
    if go not in (GO, GO_STOPPED):
        return 0
    try:
        pins = Pins(config.outputs, stop_input=config.stop_input)
    except PinError as error:
        _log.error("%s", error)
        return EXIT_PINS
    pulse = _Pulse(beat_fd=beat_fd)
    guard = Guard(
        config=config, set_pin=pins.set, clock=clock, stopped_by=ledger.stopped_by(), ended_ago_s=ledger.ended_ago_s()
    )
    desk = GuardDesk(config=config, guard=guard, ledger=ledger)
    if go == GO_STOPPED and guard.stopped_by is None:
        desk.emergency_stop("somebody, before the guard was started again")
    _end_on(pulse, orders_fd)
    keeper = threading.Thread(target=_keep_ledger, args=(desk, pulse), name="ledger", daemon=True)
    keeper.start()
    button = StopWatch(desk, clock, pins.is_button_pressed)
    with contextlib.suppress(PinError):  # the pin thread meets it again, and ends
        button.look()  # before anybody can order anything
    doors = GuardDoors(desk, folder, lambda: pulse.reported, pulse.wait_until_told)
    desk.heed_left_stop()
    try:
        return _own_pins(desk, pins, button, pulse)
    finally:
        doors.close()
        pins.close()
        desk.wake()
        keeper.join(1.0)
        desk.close()


def _own_pins(desk: GuardDesk, pins: Pins, button: StopWatch, pulse: _Pulse) -> int:
    """The pin thread: never touches the disk."""
    guard = desk.guard
    next_readback_s = 0.0
    while not pulse.is_ending:
        try:
            button.look()
            desk.note_ended(guard.tick())
            pulse.beat(lambda: guard.stopped_by is not None)
            if time.monotonic() >= next_readback_s:
                next_readback_s = time.monotonic() + _READBACK_EVERY_S
                pulse.reported = pins.read()
        except PinError as error:
            _log.error("%s", error)
            return EXIT_PINS
        if guard.has_unsafe():
            return EXIT_PINS
        guard.wait()
    guard.shut()
    desk.note_ended(guard.tick())
    return 0


def _keep_ledger(desk: GuardDesk, pulse: _Pulse) -> None:
    """The ledger thread: writes down what the pin thread noted."""
    said: str | None = None
    try:
        while not pulse.is_ending:
            desk.keep_ledger()
            if desk.ledger_error != said:
                said = desk.ledger_error
                _log.warning("the ledger: %s", said or "can be written again")
    finally:
        pulse.is_ending = True  # whatever ended this thread: no guard without a ledger


def _end_on(pulse: _Pulse, orders_fd: int) -> None:
    """End in good order by SIGTERM, SIGINT, or when the parent's end of the pipe closes or falls silent."""

    def end(*_: object) -> None:
        pulse.is_ending = True

    def watch_parent() -> None:
        while select.select([orders_fd], [], [], PARENT_SILENCE_S)[0] and os.read(orders_fd, 4096):
            pass
        end()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    threading.Thread(target=watch_parent, name="parent", daemon=True).start()
