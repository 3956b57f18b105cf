"""Both ways to the guard keep the lease while an order waits for a slow disk."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dt.controller.guard_client import GuardClient, GuardLink, InProcessGuard
from dt.controller.guard_sockets import GuardDoors
from dt.controller.guard_types import GuardUnreachableError
from dt.utils.clock import SystemClock
from tests.controller.guard_box import guard_config, order, wait_until

_STALL_S = 1.2


class _Levels:
    def __init__(self) -> None:
        self.on: set[str] = set()
        self.went_off = threading.Event()

    def set(self, actuator_id: str, level: float) -> None:
        if level > 0:
            self.on.add(actuator_id)
        elif actuator_id in self.on:
            self.on.discard(actuator_id)
            self.went_off.set()


@pytest.fixture
def levels() -> _Levels:
    """Which outputs are on."""
    return _Levels()


@pytest.fixture(params=["in process", "by socket"])
def link(request: pytest.FixtureRequest, tmp_path: Path, levels: _Levels) -> Iterator[GuardLink]:
    """A guard in this process, asked by method calls or over its sockets."""
    guard = InProcessGuard(config=guard_config(tmp_path), set_pin=levels.set, clock=SystemClock())
    if request.param == "in process":
        yield guard
        guard.close()
        return
    folder = tmp_path / ("a folder whose path is far longer than the 108 bytes that a socket address takes " * 2)
    doors = GuardDoors(guard._desk, folder, dict)
    client = GuardClient(folder)
    yield client
    client.close()
    doors.close()
    guard.close()


def test_s11_a_stalled_disk_does_not_cost_the_loop_its_lease(link: GuardLink, levels: _Levels, tmp_path: Path) -> None:
    """While one order waits to be charged the same thread renews the lease, and the other output stays on."""
    link.renew()
    assert link.run(order("a-1", "pump-0", 10.0)).accepted
    wait_until(lambda: "pump-0" in levels.on)
    stall = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None, check_same_thread=False)
    stall.execute("BEGIN IMMEDIATE")
    threading.Timer(_STALL_S, lambda: stall.execute("ROLLBACK")).start()
    began = time.monotonic()

    with link.while_waiting(link.renew):
        answer = link.run(order("a-2", "pump-1", 10.0))

    assert answer.accepted
    assert time.monotonic() - began >= _STALL_S * 0.9
    assert not levels.went_off.is_set()
    stall.close()


def test_a_guard_that_is_not_there_is_said_to_be_unreachable(tmp_path: Path) -> None:
    """Every call raises the one error that callers know."""
    client = GuardClient(tmp_path)

    with pytest.raises(GuardUnreachableError):
        client.renew()
    client.close()
