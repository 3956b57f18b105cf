"""The emergency stop while the guard is away."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dt.controller.guard_client import GuardClient, InProcessGuard
from dt.controller.guard_sockets import GuardDoors
from dt.controller.guard_types import GuardUnreachableError
from dt.controller.stop_button import StopButton
from dt.utils.clock import SystemClock
from tests.controller.guard_box import guard_config


def test_s09_a_stop_pressed_while_the_guard_is_away_is_pressed_when_it_is_back(tmp_path: Path) -> None:
    """It is kept until a guard has taken it, or a person has released it at a guard."""
    client = GuardClient(tmp_path / "doors")
    button = StopButton(client)

    assert not button.press("anna")
    with pytest.raises(GuardUnreachableError):
        button.deliver()
    with pytest.raises(GuardUnreachableError):
        button.release("anna")
    assert button.waiting_by == "anna"

    guard = InProcessGuard(config=guard_config(tmp_path), set_pin=lambda _name, _on: None, clock=SystemClock())
    doors = GuardDoors(guard._desk, tmp_path / "doors", dict)
    assert button.deliver()
    assert (guard.status()["stopped_by"], button.waiting_by) == ("anna", None)
    button.release("anna")
    assert guard.status()["stopped_by"] is None
    client.close()
    doors.close()
    guard.close()


def test_s09_one_press_reaches_the_guard_once_however_many_threads_deliver_it(tmp_path: Path) -> None:
    """Else the control loop's delivery could come after a person's release, and stop everything again."""
    guard = InProcessGuard(config=guard_config(tmp_path), set_pin=lambda _name, _on: None, clock=SystemClock())
    held, go_on = threading.Event(), threading.Event()
    pressed: list[str] = []

    class Slow:
        """The same guard over a line that takes its time."""

        def emergency_stop(self, by: str) -> bool:
            pressed.append(by)
            held.set()
            go_on.wait(5.0)
            return guard.emergency_stop(by)

    button = StopButton(Slow())  # type: ignore[arg-type]
    presser = threading.Thread(target=button.press, args=("anna",))
    presser.start()
    assert held.wait(5.0)

    assert button.deliver() is False  # as the control loop does every 100 ms
    go_on.set()
    presser.join()
    guard.release_stop("anna")
    assert button.deliver() is True

    assert pressed == ["anna"]
    assert guard.status()["stopped_by"] is None
    guard.close()
