"""Faults of actuators (F13, F14), injected by REST: physics obeys them, and the collector reads on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from dt.collector.hardware import SimulatedHardware
from dt.collector.kinds.soil_moisture import SoilMoistureSensor
from dt.communication.wire import Direction, Pull, WireClient
from dt.simulator.devices import Pump
from dt.simulator.faults.catalogue import F13_MODES
from dt.utils.clock import ManualClock
from tests.faults.fault_rows import FaultRows
from tests.faults.field import START, Field, zones

PUMP_MODES = ("healthy", *F13_MODES)
PLANTS = tuple(f"plant-{mode.replace('_', '-')}" for mode in PUMP_MODES)
DOSE_S = 4.0
READ_ON = "read on: no sensor was touched"


def actuator(actuator_id: str, kind: str, pin: int, place: str, **more: object) -> str:
    """Return a row of a rig file."""
    extra = "".join(f"\n{name} = {value}" for name, value in more.items())
    return f'\n[[actuators]]\nid = "{actuator_id}"\nkind = "{kind}"\npin = "GPIO{pin}"\n{place}{extra}\n'


def rig() -> str:
    """Return a rig with a pump for each fault, and two each of heater, fan and lamp."""
    text = zones(*PLANTS)
    for index, (mode, plant) in enumerate(zip(PUMP_MODES, PLANTS, strict=True)):
        text += actuator(f"pump-{mode}", "pump", 5 + index, f'plant = "{plant}"', flow_ml_s=20.0)
        text += (
            f'\n[[sensors]]\nid = "soil-{mode}"\nkind = "seesaw"\nquantity = "soil_moisture"\nplant = "{plant}"\n'
            f"address = {0x30 + index}\nevery_s = 1\n"
        )
    text += '[zones.tent]\ntimezone = "UTC"\n'
    for index, kind in enumerate(("heater", "fan", "lamp")):
        text += actuator(kind, kind, 20 + index, 'zone = "tent"')
    return text


class Rig:
    """A field in which time is moved by hand, and a hand at its pins."""

    def __init__(self, field: Field, clock: ManualClock, wire: WireClient) -> None:
        self.field, self.clock, self.wire = field, clock, wire
        self.box = field.simulator.box

    def pin(self, actuator_id: str, *, level: bool) -> None:
        """Drive an actuator's pin."""
        [pin] = [int(a.pin.removeprefix("GPIO")) for a in self.field.rig.actuators if a.actuator_id == actuator_id]
        self.wire.pin_setup(pin, Direction.OUT, Pull.NONE)
        self.wire.pin_write(pin, level)

    def pass_by(self, seconds: float) -> dict[str, Any]:
        """Let time pass, and return the truth."""
        self.clock.advance(seconds)
        return dict(requests.get(f"{self.field.url}/state", timeout=5).json())

    def delivered_ml(self, mode: str) -> float:
        """Return what a pump gave its plant until now."""
        pump = self.box.devices[f"pump-{mode}"]
        assert isinstance(pump, Pump)
        return pump.delivered_ml


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Return a rig in which each pump was given its fault, then a dose."""
    clock = ManualClock(wall=START)
    with Field(tmp_path_factory.mktemp("actuators"), rig(), clock=clock) as field:
        wire = WireClient(field.settings.wire_path)
        bench = Rig(field, clock, wire)
        for mode in F13_MODES:
            field.order("F13", f"pump-{mode}", mode=mode)
        for mode in PUMP_MODES:
            bench.pin(f"pump-{mode}", level=True)
        bench.pass_by(DOSE_S)
        for mode in PUMP_MODES:
            bench.pin(f"pump-{mode}", level=False)
        yield bench
        wire.close()


def test_f13_pumps_do_what_their_fault_says(bench: Rig, fault_rows: FaultRows) -> None:
    """Water of one dose: none, half, all, or without end while the pin is low."""
    healthy = bench.delivered_ml("healthy")
    at_once = {mode: bench.delivered_ml(mode) for mode in F13_MODES}
    bench.pass_by(30.0)
    later = {mode: bench.delivered_ml(mode) - at_once[mode] for mode in F13_MODES}

    for mode in F13_MODES:
        seen = f"a dose of {healthy:.0f} ml gave {at_once[mode]:.0f} ml, and {later[mode]:.0f} ml in the 30 s after it"
        fault_rows.add("F13", f"mode {mode}", READ_ON, seen)
    assert healthy == pytest.approx(20.0 * DOSE_S, rel=0.35)
    for mode in ("never_closes", "dry", "blocked"):
        assert at_once[mode] == later[mode] == 0.0
    assert at_once["leak"] == pytest.approx(0.5 * healthy, rel=0.4)
    assert later["welded"] > 400.0
    assert later["siphon"] > 150.0
    assert bench.delivered_ml("healthy") == healthy


def test_f13_ends_when_it_is_revoked(bench: Rig) -> None:
    """A relay that was freed lets go."""
    field = bench.field
    faults = requests.get(f"{field.url}/faults", timeout=5).json()["active"]
    [welded] = [fault["id"] for fault in faults if fault["target"] == "pump-welded"]
    bench.pass_by(30.0)

    assert field.end(welded) == 204
    before = bench.delivered_ml("welded")
    bench.pass_by(30.0)

    assert bench.delivered_ml("welded") == before


def test_f13_leaves_the_sensors_alone(bench: Rig) -> None:
    """Every probe is read as ever; that of a flooded pot shows it."""
    hardware = SimulatedHardware(bench.wire)
    counts = {}
    bench.pass_by(300.0)
    for descriptor in bench.field.rig.sensors:
        if descriptor.sensor_id in {"soil-healthy", "soil-welded"}:
            counts[descriptor.sensor_id] = SoilMoistureSensor.open(descriptor, hardware).read_sensor().value

    assert counts["soil-welded"] > counts["soil-healthy"] + 50


def test_f14_heater_fan_and_lamp_do_what_their_fault_says(bench: Rig, fault_rows: FaultRows) -> None:
    """A stuck heater warms while its pin is low, a blocked fan moves no air, a dead lamp gives no light."""
    tent = bench.box.zones["tent"]
    cool = tent.air_degc
    bench.pin("lamp", level=True)
    bench.pin("fan", level=True)
    bench.pass_by(600.0)
    lit, fanned = tent.light_lux - tent.daylight_lux, tent.fans[0].exchange_per_h

    orders = [bench.field.order("F14", target) for target in ("heater", "fan", "lamp")]
    bench.pass_by(1200.0)
    warm, dark, still = tent.air_degc, tent.light_lux - tent.daylight_lux, tent.fans[0].exchange_per_h
    for fault_id in orders:
        bench.field.end(fault_id)
    bench.pass_by(3 * 3600.0)

    fault_rows.add("F14", "heater stuck", READ_ON, f"air of {warm:.1f} degC instead of {cool:.1f} while it is off")
    fault_rows.add(
        "F14", "fan blocked", READ_ON, f"{still:.0f} instead of {fanned:.0f} air changes an hour while it is on"
    )
    fault_rows.add("F14", "lamp dead", READ_ON, f"{dark:.0f} instead of {lit:.0f} lux while it is on")
    assert lit > 5000.0
    assert fanned > 50.0
    assert warm > cool + 2.0
    assert dark == still == 0.0
    assert tent.air_degc < warm - 1.0
    assert tent.light_lux - tent.daylight_lux > 5000.0


def test_f14_of_another_kind_is_refused(bench: Rig) -> None:
    """A heater is no dead lamp, and a pump none of the three."""
    wrong_mode = bench.field.post({"fault": "F14", "target": "heater", "mode": "dead"})
    wrong_kind = bench.field.post({"fault": "F14", "target": "pump-healthy"})

    assert (wrong_mode.status_code, wrong_mode.json()["field"]) == (422, "mode")
    assert wrong_mode.json()["detail"] == "mode: of a heater must be own or stuck, not 'dead'"
    assert (wrong_kind.status_code, wrong_kind.json()["field"]) == (422, "target")
