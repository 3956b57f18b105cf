"""Any faults together: whatever befalls other sensors and the machine, a healthy sensor is read on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dt.simulator.faults.catalogue import CATALOGUE, HOST, Parameter
from dt.utils.clock import ManualClock
from dt.utils.quantities import Quantity
from tests.conftest import wait_until
from tests.faults.field import START, Field, dht22, probe, sensor, zones

RIG = (
    zones("basil", "mint")
    + probe("soil", 0x36, every_s=5.0)
    + probe("soil-a", 0x37, every_s=5.0)
    + probe("soil-b", 0x38, "mint", every_s=5.0)
    + sensor("soil-b-degc", "seesaw", "soil_temperature", 5.0, plant="mint", address=0x38)
    + sensor("light", "bh1750", "light_intensity", 10.0, zone="box", address=0x23)
    + dht22("air", 4, every_s=10.0)
    + sensor("camera", "camera", "camera_image", 10.0, plant="basil", pin="camera0")
)
TARGETS = {
    "seesaw": ("soil-a", "soil-b", "soil-b-degc"),
    "bh1750": ("light",),
    "dht22": ("air-temperature", "air-humidity"),
    "camera": ("camera",),
    HOST: (HOST,),
    "any sensor on I2C": ("soil-a", "soil-b", "light"),
    "any sensor but a camera": ("soil-a", "soil-b-degc", "light", "air-temperature"),
}
QUANTITY_OF = {
    "soil-a": Quantity.SOIL_MOISTURE,
    "soil-b": Quantity.SOIL_MOISTURE,
    "soil-b-degc": Quantity.SOIL_TEMPERATURE,
    "light": Quantity.LIGHT_INTENSITY,
}
HANG_S = 0.02  # drivers wait for real
FATAL = {"kill", "power_cut"}
FAULTS = [fault for fault, spec in CATALOGUE.items() if spec.kinds & set(TARGETS)]


def values_of(parameter: Parameter) -> st.SearchStrategy[object]:
    """Return what a parameter may be."""
    if parameter.words:
        return st.sampled_from([word for word in parameter.words if word not in FATAL])
    high = HANG_S if parameter.name == "hang_s" else parameter.high
    return st.floats(parameter.low, high, allow_nan=False)


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    """Return any order that the rig can have."""
    spec = CATALOGUE[draw(st.sampled_from(FAULTS))]
    possible = [target for kind in sorted(spec.kinds & set(TARGETS)) for target in TARGETS[kind]]
    target = draw(st.sampled_from([target for target in possible if spec.quantity in (None, QUANTITY_OF.get(target))]))
    own = {parameter.name: draw(values_of(parameter)) for parameter in spec.parameters}
    starts, lasts = draw(st.floats(-100.0, 10.0)), draw(st.none() | st.floats(101.0, 200.0))
    return {"fault": spec.fault, "target": target, "starts": starts, "lasts": lasts, **own}


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """Return a field whose clock is moved by hand."""
    with Field(tmp_path_factory.mktemp("random"), RIG, clock=ManualClock(wall=START)) as a_field:
        a_field.collect(is_stepped=True)
        a_field.step(10.0)
        yield a_field


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=st.lists(orders(), min_size=1, max_size=8))
def test_no_set_of_faults_stops_a_healthy_sensor(field: Field, wanted: list[dict[str, Any]]) -> None:
    """Its slots are all read; nothing of the collector dies, and when all is over everything is read again."""
    assert field.manager is not None
    before = field.seen("soil").health["reads"]
    now = field.clock.wall()
    made = []
    for order in wanted:
        starts, lasts = order["starts"], order["lasts"]
        rest = {name: value for name, value in order.items() if name not in {"starts", "lasts"}}
        until = None if lasts is None else now + starts + lasts
        made.append(field.order(**rest, since=now + starts, until=until))

    field.step(20.0)
    health = field.seen("soil").health
    for fault_id in made:
        assert field.end(fault_id) == 204

    assert health["reads"] - before >= 4
    assert health["failures"] == 0
    wait_until(lambda: all_well(field), f"all sensors are read again after {wanted}", 30.0)


def all_well(field: Field) -> bool:
    """Let some time pass, and return whether every sensor is read."""
    assert field.manager is not None
    field.step(5.0)
    return not any(health.failures_in_a_row for _sensor_id, health in field.manager.sensors())
