"""A guard between people, a controller and a hostile world: clocks that jump, pins and disks that fail, kills."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from dt.controller.guard import Guard
from dt.controller.guard_button import BOUNCE_S, StopWatch
from dt.controller.guard_desk import GuardDesk
from dt.controller.guard_types import Budget, GuardConfig, GuardUnreachableError, Order
from dt.controller.ledger import Ledger
from dt.utils.clock import ManualClock
from tests.controller.guard_judge import STEP_S, Judge, Permit
from tests.controller.outputs import mixed_config

OWNER = "controller"
WRITES = (
    "charge",
    "settle",
    "refuse",
    "mark_reported",
    "latch_stop",
    "release_stop",
    "checkpoint",
    "set_flow",
    "refill",
)

_T = TypeVar("_T")


class KilledError(BaseException):
    """The process is killed at this instruction."""


class FragileLedger(Ledger):
    """A ledger whose next write of a name fails, or is the last thing that its process does."""

    fault: tuple[str, str, BaseException] | None = None
    amid_release: Callable[[], object] | None = None

    def _at(self, name: str, write: Callable[[], _T]) -> _T:
        when, error = "", None
        if self.fault is not None and self.fault[0] == name:
            _, when, error = self.fault
            self.fault = None
        if error is not None and when == "before":
            raise error
        if error is not None and when == "amid":
            self.fault = ("mark", "before", error)
        written = write()
        if error is not None and when == "after":
            raise error
        return written

    def _write_mark(self) -> None:
        self._at("mark", super()._write_mark)

    def charge(self, *args: Any) -> Any:
        return self._at("charge", lambda: Ledger.charge(self, *args))

    def settle(self, *args: Any) -> Any:
        return self._at("settle", lambda: Ledger.settle(self, *args))

    def refuse(self, *args: Any) -> Any:
        return self._at("refuse", lambda: Ledger.refuse(self, *args))

    def mark_reported(self, *args: Any) -> None:
        self._at("mark_reported", lambda: Ledger.mark_reported(self, *args))

    def latch_stop(self, *args: Any) -> None:
        self._at("latch_stop", lambda: Ledger.latch_stop(self, *args))

    def release_stop(self, *args: Any) -> None:
        self._at("release_stop", lambda: Ledger.release_stop(self, *args))
        if self.amid_release is not None:
            press, self.amid_release = self.amid_release, None
            press()

    def checkpoint(self) -> None:
        self._at("checkpoint", lambda: Ledger.checkpoint(self))

    def set_flow(self, *args: Any) -> None:
        self._at("set_flow", lambda: Ledger.set_flow(self, *args))

    def refill(self, *args: Any) -> None:
        self._at("refill", lambda: Ledger.refill(self, *args))


def small_config(folder: Path) -> GuardConfig:
    """The mixed box with short times and small budgets, so that seconds reach every limit."""
    changes: dict[str, dict[str, Any]] = {
        "pump-0": {"max_on_s": 8.0, "pause_s": 60.0},
        "pump-1": {"max_on_s": 8.0, "pause_s": 60.0},
        "fan": {"max_on_s": 20.0},
        "heater": {"max_on_s": 10.0, "pause_s": 5.0},
        "lamp": {"max_on_s": 12.0, "max_on_s_per_day": 20.0},
        "relay": {"max_on_s": 6.0, "pause_s": 2.0},
    }
    config = mixed_config(folder)
    return replace(
        config,
        outputs=tuple(replace(one, **changes[one.actuator_id]) for one in config.outputs),
        budgets={"basil": Budget(ml_per_day=30.0, pot_volume_l=1.0)},
        reservoirs={"can": 40.0},
    )


class World:
    """True time goes on whatever the clocks say; pins keep their level when a process dies."""

    def __init__(self, folder: Path) -> None:
        self.config = small_config(folder)
        self.judge = Judge(self.config)
        self.clock = ManualClock()
        self.boot = 0
        self.is_synced = True
        self.is_button_pressed = False
        self.pressed_since_s: float | None = None
        self.is_seen_pressed = False
        self.is_disk_stalled = False
        self.has_parent = True
        self.parent_heard_stop = False
        self.broken: dict[str, tuple[int, bool]] = {}
        self.accepted: set[str] = set()
        self.pressed_again = False
        self.begin()

    # -- processes ----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start a guard: everything is off, and a stop that was heard of is one."""
        self.ledger = FragileLedger(
            Path(self.config.ledger_path), self.clock, is_synced=lambda: self.is_synced, boot_id=f"boot {self.boot}"
        )
        self.guard = self._made_guard()
        self.desk = GuardDesk(config=self.config, guard=self.guard, ledger=self.ledger)
        if self.parent_heard_stop and self.guard.stopped_by is None:
            self.desk.emergency_stop("somebody, before the guard was started again")
        self.button = StopWatch(self.desk, self.clock, lambda: self.is_button_pressed)
        self.is_seen_pressed = False
        self.pressed_since_s = float("-inf")  # one that is pressed at the start counts at once
        self.judge.check_off()
        assert self.guard.stopped_by is not None or not self.judge.is_stopped, "S9: a restart lost the stop"

    def kill(self) -> None:
        """The process is gone; its parent drives the pins safe, and nothing else is written."""
        self.ledger._db.close()
        self.judge.revoke_all()
        self.judge.renewed_s = float("-inf")
        for output in self.config.outputs:
            while not self._set_safe(output.actuator_id):
                self._pass(STEP_S)

    def end(self) -> None:
        """The process ends in good order."""
        self.guard.shut()
        self.desk.note_ended(self.guard.tick())
        self.judge.revoke_all()
        self.judge.renewed_s = float("-inf")
        if self.guard.has_unsafe():
            self.kill()
            return
        self.judge.check()
        try:
            self.desk.close()
        except KilledError:
            self.kill()

    def power_cut(self, off_s: float, shows: float | None) -> None:
        """The machine loses its power: pins are off, its parent forgets, its clock is right (None) or shows that."""
        self.ledger._db.close()
        self.judge.revoke_all()
        self.judge.renewed_s = float("-inf")
        self.broken.clear()
        for output in self.config.outputs:
            self._set_safe(output.actuator_id)
        with sqlite3.connect(self.config.ledger_path) as disk:
            row = disk.execute("SELECT kind FROM stops ORDER BY rowid DESC LIMIT 1").fetchone()
        disk.close()
        self.judge.is_stopped = row is not None and row[0] == "stop"  # what no disk took the power took along
        self.parent_heard_stop = False
        self.judge.now_s += off_s
        self.boot += 1
        self.judge.now_s += 20.0
        self.is_synced = shows is None
        self.clock = ManualClock(self.true_wall() if shows is None else shows, monotonic=20.0)
        self.begin()

    # -- time ---------------------------------------------------------------------------------------------------

    def true_wall(self) -> float:
        """Return what a right clock shows."""
        return 1_800_000_000.0 + self.judge.now_s

    def turn(self, *, renews: bool) -> None:
        """A tenth of a second, and one turn of the pin thread; then one of the ledger thread."""
        self._pass(STEP_S)
        if renews:
            self.renew()
        self.pin_turn()
        self.ledger_turn()

    def pin_turn(self) -> None:
        """One turn of the pin thread: button, pins, heartbeat; a pin that cannot be driven is the end of a process."""
        if not self.judge.holds_lease():
            self.judge.revoke_all()
        self._look_at_button()
        if self.judge.is_stopped:
            self.judge.revoke_all()
        self.button.look()
        self.desk.note_ended(self.guard.tick())
        self.parent_heard_stop = self.guard.stopped_by is not None
        self.judge.is_stopped |= self.parent_heard_stop
        if self.guard.has_unsafe() and self.has_parent:
            self.kill()
            self.begin()
        self.judge.check()

    def _look_at_button(self) -> None:
        """A press counts once it is seen twice, a bounce apart."""
        if not self.is_button_pressed:
            self.pressed_since_s, self.is_seen_pressed = None, False
            return
        since_s = self.judge.now_s if self.pressed_since_s is None else self.pressed_since_s
        self.pressed_since_s = since_s
        self.is_seen_pressed = self.judge.now_s - since_s >= BOUNCE_S
        self.judge.is_stopped |= self.is_seen_pressed

    def ledger_turn(self) -> None:
        """The ledger thread writes down what was noted, unless the disk stalls."""
        if self.is_disk_stalled:
            return
        for _ in range(self.desk._noted.qsize()):
            if not self.survives(lambda: self.desk.settle_next(block=False)):
                return

    def survives(self, work: Callable[[], object]) -> bool:
        """Do something; where the process is killed by it, start another one and say so."""
        try:
            work()
        except KilledError:
            self.kill()
            self.begin()
            return False
        return True

    # -- the controller -----------------------------------------------------------------------------------------

    def renew(self) -> None:
        """The controller renews its lease."""
        if not self.judge.holds_lease():
            self.judge.revoke_all()
        if self.desk.renew(OWNER)["denial"] is None:
            self.judge.renewed_s = self.judge.now_s

    def order(self, order: Order, owner: str = OWNER) -> None:
        """Give an order; what is accepted is a permit."""
        answers: list[bool] = []
        if not self.survives(lambda: answers.append(self.desk.run(order, owner).accepted)) or answers != [True]:
            return
        assert owner == OWNER, "S11: an order of somebody else was accepted"
        assert order.action_id not in self.accepted, "S10: an action ran twice"
        assert self.clock.monotonic() - order.issued_at_s <= 30.0, "S10: an old order was accepted"
        self.accepted.add(order.action_id)
        start_by_s = self.judge.now_s + order.start_by_s - self.clock.monotonic()
        permit = Permit(action_id=order.action_id, on_s=order.on_s, start_by_s=start_by_s)
        self.judge.accept(order.actuator_id, permit)

    def off(self, actuator_id: str) -> None:
        """The controller switches an output off."""
        self.desk.guard.off(actuator_id, "asked")
        self.judge.permits.pop(actuator_id, None)
        self.pin_turn()

    # -- people -------------------------------------------------------------------------------------------------

    def press(self) -> None:
        """Somebody presses the emergency stop; it is answered after the pin thread's turn, and the parent's."""
        self.press_only()
        self.pin_turn()

    def press_only(self) -> None:
        """Somebody presses it, and nothing has happened yet."""
        self.desk.emergency_stop("bert")
        self.judge.is_stopped = True
        self.pressed_again = True

    def release(self) -> None:
        """Somebody releases the emergency stop; killed amid it, the next guard may be stopped or not."""
        self.pressed_again = False
        was_stopped, self.judge.is_stopped = self.judge.is_stopped, False
        took: list[bool] = []
        if self.survives(lambda: took.append(self._is_released())):
            self.judge.is_stopped = self.pressed_again or (was_stopped and not took[0])
        self.judge.is_stopped |= self.guard.stopped_by is not None
        self.parent_heard_stop = self.guard.stopped_by is not None

    def _is_released(self) -> bool:
        try:
            self.desk.release_stop("anna")
        except GuardUnreachableError:
            return False
        assert not self.is_seen_pressed, "S9: released while the button is pressed"
        return True

    # -- pins ---------------------------------------------------------------------------------------------------

    def set_pin(self, actuator_id: str, level: float) -> None:
        """Drive a pin, unless it is broken; a broken one may do it all the same."""
        calls, takes_effect = self.broken.get(actuator_id, (0, False))
        if calls > 0:
            self.broken[actuator_id] = (calls - 1, takes_effect)
            self.judge.excuse(actuator_id)
            if takes_effect:
                self.judge.pin(actuator_id, level)
            msg = "the wire is broken"
            raise OSError(msg)
        self.judge.pin(actuator_id, level)

    def _set_safe(self, actuator_id: str) -> bool:
        try:
            self.set_pin(actuator_id, 0.0)
        except OSError:
            return False
        return True

    def _made_guard(self) -> Guard:
        while True:
            try:
                return Guard(
                    config=self.config,
                    set_pin=self.set_pin,
                    clock=self.clock,
                    stopped_by=self.ledger.stopped_by(),
                    ended_ago_s=self.ledger.ended_ago_s(),
                )
            except OSError:
                self._pass(STEP_S)

    def _pass(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.judge.now_s += seconds
