"""Fields with faults, run once for all tests of a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import wait_until
from tests.faults.field import Field
from tests.faults.sensor_faults import LATER, ORDERS, RIG, RUNS_S


@pytest.fixture(scope="session")
def sensor_field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """Return a field that ran for a few seconds with every fault of a sensor."""
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
        wait_until(lambda: field.clock.monotonic() - began > RUNS_S, "the field ran", 2 * RUNS_S)
        yield field
