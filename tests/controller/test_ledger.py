"""The ledger's time and what it remembers over restarts, reboots and wrong clocks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dt.controller.guard_clock import kernel_clock_is_synchronised
from dt.controller.guard_types import Ended, Order, OutputConfig
from dt.controller.ledger import Ledger
from dt.utils.clock import ManualClock

_DAY_S = 86_400.0
_PUMP = OutputConfig(actuator_id="pump", pin=17, plant_id="basil", flow_ml_s=2.0)


def _spent_after_a_reboot(path: Path, *, off_s: float, synced_before: bool, synced_after: bool) -> float:
    """Charge 20 ml, let the machine be off, start again, and return what still counts."""
    clock = ManualClock()
    before = Ledger(path, clock, is_synced=lambda: synced_before, boot_id="one")
    order = Order(action_id="a", actuator_id="pump", on_s=10.0, issued_at_s=0.0, start_by_s=1e9)
    assert before.charge(order, _PUMP, 100.0, None) is None
    ended = Ended(action_id="a", actuator_id="pump", outcome="done", why="", on_s=10.0, clean=True, was_on=True)
    before.settle(ended, _PUMP)
    before.close()
    rebooted = ManualClock(wall=clock.wall() + off_s, monotonic=20.0)
    after = Ledger(path, rebooted, is_synced=lambda: synced_after, boot_id="two")
    spent_ml = after.spent_ml("basil")
    after.close()
    return spent_ml


@pytest.mark.parametrize(
    ("off_s", "synced_before", "synced_after", "spent_ml"),
    [
        (2 * _DAY_S, True, True, 0.0),
        (2 * _DAY_S, False, True, 20.0),
        (2 * _DAY_S, True, False, 20.0),
        (-2 * _DAY_S, True, True, 20.0),
        (0.5 * _DAY_S, True, True, 20.0),
    ],
)
def test_s12_time_off_refills_only_by_a_clock_synchronised_at_both_ends(
    tmp_path: Path, off_s: float, synced_before: bool, synced_after: bool, spent_ml: float
) -> None:
    """Two days switched off count when the kernel vouches for both ends, else only the new boot's uptime does."""
    spent = _spent_after_a_reboot(
        tmp_path / "ledger.sqlite", off_s=off_s, synced_before=synced_before, synced_after=synced_after
    )

    assert spent == spent_ml


def test_s12_a_clock_synchronised_later_credits_the_time_off_once(tmp_path: Path) -> None:
    """A Pi without a clock of its own learns the time some seconds after it starts."""
    path, clock, is_synced = tmp_path / "ledger.sqlite", ManualClock(), [True]
    first = Ledger(path, clock, is_synced=lambda: is_synced[0], boot_id="one")
    first.charge(
        Order(action_id="a", actuator_id="pump", on_s=10.0, issued_at_s=0.0, start_by_s=1e9), _PUMP, 100.0, None
    )
    first.close()
    is_synced[0] = False
    rebooted = ManualClock(wall=0.0, monotonic=20.0)
    second = Ledger(path, rebooted, is_synced=lambda: is_synced[0], boot_id="two")
    assert second.spent_ml("basil") == 20.0

    rebooted.set_wall(clock.wall() + 2 * _DAY_S)
    is_synced[0] = True
    second.checkpoint()

    assert second.spent_ml("basil") == 0.0
    second.close()


def test_s03_a_run_that_a_crash_left_open_stays_charged(tmp_path: Path) -> None:
    """The next start closes it as failed, with nothing paid back, and its pause counts from then."""
    path, clock = tmp_path / "ledger.sqlite", ManualClock()
    dead = Ledger(path, clock, boot_id="one")
    dead.charge(
        Order(action_id="a", actuator_id="pump", on_s=10.0, issued_at_s=0.0, start_by_s=1e9), _PUMP, 100.0, None
    )

    alive = Ledger(path, clock, boot_id="one")

    entry = alive.entry("a") or {}
    assert (entry["outcome"], entry["kept_ml"]) == ("failed", 20.0)
    assert alive.ended_ago_s() == {"pump": 0.0}
    dead.close()
    alive.close()


def test_the_ledger_is_synced_and_private(tmp_path: Path) -> None:
    """Every commit is fsynced (synchronous=FULL), and nobody else can read it."""
    ledger = Ledger(tmp_path / "ledger.sqlite", ManualClock())

    assert ledger._db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert (tmp_path / "ledger.sqlite").stat().st_mode & 0o777 == 0o600
    ledger.close()


def test_the_kernel_can_be_asked_about_its_clock() -> None:
    """Whatever it answers, asking never fails."""
    assert kernel_clock_is_synchronised() in (True, False)


def test_s03_a_dose_that_runs_counts_in_full(tmp_path: Path) -> None:
    """Another pump of the same plant gets only what it leaves."""
    ledger = Ledger(tmp_path / "ledger.sqlite", ManualClock())
    first = Order(action_id="a", actuator_id="pump", on_s=10.0, issued_at_s=0.0, start_by_s=1e9)
    assert ledger.charge(first, _PUMP, 30.0, None) is None

    denial = ledger.charge(replace(first, action_id="b", actuator_id="other"), _PUMP, 30.0, None)

    assert denial is not None
    assert (denial.value, denial.limit, denial.margin) == (40.0, 30.0, -10.0)
    assert ledger.entry("b") is None
    ledger.close()


def test_s03_a_measured_flow_survives_a_restart(tmp_path: Path) -> None:
    """The latest one of each pump."""
    path, clock = tmp_path / "ledger.sqlite", ManualClock()
    ledger = Ledger(path, clock)
    ledger.set_flow("pump", 3.0, "anna")
    ledger.set_flow("pump", 2.5, "bert")
    ledger.close()

    again = Ledger(path, clock)

    assert again.flows() == {"pump": 2.5}
    again.close()
