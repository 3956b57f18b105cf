"""Both ways to the guard keep the lease while an order waits for a slow disk."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dt.controller.guard_client import GuardClient, GuardLink, InProcessGuard
from dt.controller.guard_sockets import GuardDoors
from dt.controller.guard_types import GuardConfig, GuardUnreachableError, OutputConfig
from dt.utils.clock import SystemClock
from tests.controller.guard_box import guard_config, order, wait_until

_STALL_S = 1.2


class _Levels:
    def __init__(self) -> None:
        self.on: set[str] = set()
        self.levels: dict[str, float] = {}
        self.went_off = threading.Event()

    def set(self, actuator_id: str, level: float) -> None:
        self.levels[actuator_id] = level
        if level > 0:
            self.on.add(actuator_id)
        elif actuator_id in self.on:
            self.on.discard(actuator_id)
            self.went_off.set()


def _config(folder: Path) -> GuardConfig:
    """Pumps, and a fan that takes levels."""
    config = guard_config(folder)
    fan = OutputConfig(actuator_id="fan", pin=12, output_class="fan", pwm_hz=100.0, max_on_s=600.0, pause_s=0.0)
    return replace(config, outputs=(*config.outputs, fan))


@pytest.fixture
def levels() -> _Levels:
    """Which outputs are on."""
    return _Levels()


@pytest.fixture(params=["in process", "by socket"])
def link(request: pytest.FixtureRequest, tmp_path: Path, levels: _Levels) -> Iterator[GuardLink]:
    """A guard in this process, asked by method calls or over its sockets."""
    guard = InProcessGuard(config=_config(tmp_path), set_pin=levels.set, clock=SystemClock())
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


def test_a_level_reaches_the_pin_by_either_way(link: GuardLink, levels: _Levels) -> None:
    """And a denial comes back as one."""
    link.renew()
    assert link.run(replace(order("a-1", "fan", 100.0), level=0.25)).accepted
    wait_until(lambda: levels.levels["fan"] == 0.25)
    link.renew()

    assert link.adjust("fan", 0.75).accepted
    wait_until(lambda: levels.levels["fan"] == 0.75)

    link.renew()
    assert link.status()["outputs"]["fan"]["level"] == 0.75
    denial = link.adjust("pump-0", 1.0).denial
    assert denial is not None
    assert "does not run" in denial.why


def test_s03_a_measured_flow_is_kept_and_the_larger_one_charges(link: GuardLink) -> None:
    """A smaller one doses, and never makes water cheaper."""
    link.renew()
    assert link.set_flow("pump-0", 5.0, "anna").accepted
    assert link.set_flow("pump-1", 1.0, "anna").accepted
    assert link.status()["outputs"]["pump-0"]["flow_ml_s"] == 5.0
    assert link.status()["outputs"]["pump-1"]["flow_ml_s"] == 1.0
    assert "flow_ml_s" not in link.status()["outputs"]["fan"]

    link.renew()
    assert link.run(order("a-1", "pump-0", 10.0)).accepted
    first_ml = (link.entry("a-1") or {})["charged_ml"]
    link.renew()
    assert link.run(order("a-2", "pump-1", 10.0)).accepted

    assert (first_ml, (link.entry("a-2") or {})["charged_ml"]) == (50.0, 20.0)


@pytest.mark.parametrize(
    ("actuator_id", "flow_ml_s", "limit"),
    [("pump-0", 6.1, 6.0), ("pump-0", 0.6, 2.0 / 3.0), ("pump-0", 0.0, 2.0 / 3.0), ("fan", 2.0, None)],
)
def test_s03_a_flow_far_from_the_rigs_is_denied(
    link: GuardLink, actuator_id: str, flow_ml_s: float, limit: float | None
) -> None:
    """Three times more or less is a wrong jug, and a fan gives no water."""
    answer = link.set_flow(actuator_id, flow_ml_s, "anna")

    assert not answer.accepted
    assert answer.denial is not None
    assert (answer.denial.invariant, answer.denial.limit) == ("S3", limit)
    assert answer.denial.margin is None or answer.denial.margin < 0


def test_s03_a_disk_that_stays_ill_holds_up_no_tick(tmp_path: Path, levels: _Levels) -> None:
    """A run that ended is written down once the disk is well; until then every look at the pins ends."""
    guard = InProcessGuard(config=_config(tmp_path), set_pin=levels.set, clock=SystemClock(), threaded=False)
    guard.renew()
    assert guard.run(order("a-1", "pump-0", 0.05)).accepted
    guard.tick()
    assert levels.on == {"pump-0"}
    guard._desk._ledger._db.execute("PRAGMA query_only = ON")

    deadline = time.monotonic() + 10.0
    while "pump-0" in levels.on and time.monotonic() < deadline:
        guard.tick()
    guard.tick()
    assert levels.levels["pump-0"] == 0.0
    assert "readonly" in str(guard._desk.ledger_error)

    guard._desk._ledger._db.execute("PRAGMA query_only = OFF")
    guard.tick()
    assert (guard._desk._ledger.entry("a-1") or {})["outcome"] == "done"
    guard.close()
