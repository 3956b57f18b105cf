"""Fields with faults, run once for all tests of a session."""

from __future__ import annotations

import pytest

from tests.conftest import wait_until
from tests.faults.fault_rows import FaultRows
from tests.faults.field import Field, Past, Seen, spread
from tests.faults.sensor_faults import LATER, ORDERS, RIG, RUNS_S


@pytest.fixture(scope="session")
def fault_rows() -> FaultRows:
    """Return where tests note what they saw of a fault."""
    return FaultRows()


@pytest.fixture(scope="session")
def sensor_field(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """Return what came of a field that ran for a few seconds with every fault of a sensor."""
    with Field(tmp_path_factory.mktemp("field"), RIG) as field:
        box = field.simulator.box
        box.pour("mint", box.now_s, 250.0)
        for fault, target, parameters in ORDERS:
            field.order(fault, target, **parameters)
        field.collect()
        began = field.clock.monotonic()
        for fault, target, parameters in LATER:
            wait_until(lambda target=target: field.seen(target).readings, f"{target} was read")  # type: ignore[misc]
            field.order(fault, target, **parameters)
        wait_until(lambda: field.clock.monotonic() - began > RUNS_S and field.looks() >= 3, "the field ran", 30.0)
        for _fault, target, _parameters in LATER:
            wait_until(lambda target=target: field.seen(target).misses >= 2, f"{target} was refused", 30.0)  # type: ignore[misc]
        wait_until(lambda: field.seen("soil-f11-spike").doubts, "a spike stood out", 60.0)
        wait_until(lambda: _trembles(field.seen("soil-f11-noise"), field.seen("soil")), "noise stood out", 60.0)
        return Past(field.rig, {s.sensor_id: field.seen(s.sensor_id) for s in field.rig.sensors})


def _trembles(seen: Seen, beside: Seen) -> bool:
    """Return whether there are readings enough of both sensors for their spreads to be told apart."""
    return min(len(seen.values), len(beside.values)) >= 10 and spread(seen.values) > 3.0 * spread(beside.values)
