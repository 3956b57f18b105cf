"""The simulator service: truth over HTTP, the wire on its socket, and a plant that survives a restart."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator

import pytest
import requests

from dt.communication.wire import Direction, Pull, WireClient
from dt.simulator.main import SimulatorService, create_service
from dt.utils.clock import ManualClock
from dt.utils.config import Settings


@pytest.fixture
def own_port(settings: Settings) -> Settings:
    """Return settings with a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return settings.model_copy(update={"flask_simulator_url": f"http://127.0.0.1:{port}"})


@pytest.fixture
def service(own_port: Settings, clock: ManualClock) -> Iterator[SimulatorService]:
    """Return a running simulator."""
    service = create_service(own_port, clock)
    service.start()
    yield service
    service.stop()


def test_truth_is_served_for_evaluation(service: SimulatorService, own_port: Settings) -> None:
    """GET /state tells water, air, light, plant and actuators."""
    truth = requests.get(f"{own_port.flask_simulator_url}/state", timeout=5).json()

    assert {"zones", "pots", "devices", "reservoirs", "water_ml", "pins", "timestamp", "faults"} == truth.keys()
    assert 0.0 < truth["pots"]["basil"]["soil"]["vwc"] < 0.75


def test_weather_of_a_file_is_replayed_around_the_box(own_port: Settings, clock: ManualClock) -> None:
    """SIM_WEATHER names the file; a box in a cellar of 5 degrees is cold and dark but for its lamp."""
    path = own_port.data_dir.parent / "cellar.csv"
    rows = "".join(f"{day * 86_400.0},5.0,80,0\n" for day in range(3))
    path.write_text(f"time,temperature_degc,humidity_pct,radiation_w_m2\n{rows}", "utf-8")

    box = create_service(own_port.model_copy(update={"sim_weather": path}), clock).box
    box.advance(clock.wall())

    assert 4.0 < box.zones["box"].air_degc < 10.0
    assert box.zones["box"].daylight_lux == 0.0


def test_wire_reaches_the_same_box(service: SimulatorService, own_port: Settings, clock: ManualClock) -> None:
    """A second of pump over the socket shows in the truth."""
    client = WireClient(own_port.wire_path)
    client.pin_setup(17, Direction.OUT, Pull.NONE)

    client.pin_write(17, True)
    clock.advance(1.0)
    client.pin_write(17, False)

    assert service.box.pots["basil"].soil.poured_ml == pytest.approx(30.0, rel=0.25)  # 0.6 s of 50 ml/s, once primed
    client.close()


def test_restarted_simulator_goes_on_with_the_same_plant(own_port: Settings, clock: ManualClock) -> None:
    """A plant does not grow anew because a process did; its pump is off."""
    first = create_service(own_port, clock)
    first.start()
    first.wire.pin_setup(17, Direction.OUT, Pull.NONE)
    first.wire.pin_write(17, True)
    clock.advance(4.0)
    first.stop()
    poured_ml = first.box.pots["basil"].soil.poured_ml

    second = create_service(own_port, clock)
    second.start()
    second.stop()

    assert second.box.pots["basil"].soil.poured_ml == pytest.approx(poured_ml) == pytest.approx(180.0, rel=0.25)
    assert second.box.devices["pump"].level == 0.0


def test_killed_simulator_loses_seconds_at_most(
    own_port: Settings, clock: ManualClock, eventually: Callable[[Callable[[], object], str], None]
) -> None:
    """The box is kept every two seconds, so that kill -9 does not take a dose back."""
    first = create_service(own_port, clock)
    first.start()
    first.box.pour("basil", clock.wall(), 80.0)
    kept = own_port.data_dir / "box.json"

    def poured_ml() -> float:
        clock.advance(1.0)
        return float(json.loads(kept.read_text())["pots"]["basil"]["soil"]["poured_ml"])

    eventually(lambda: poured_ml() == 80.0, "the dose was kept without a stop")
    first.stop()


def test_unreadable_memory_begins_a_new_box(own_port: Settings, clock: ManualClock) -> None:
    """Half a file is no reason not to start, and is put aside for a person."""
    own_port.data_dir.mkdir(parents=True)
    (own_port.data_dir / "box.json").write_text('{"soil": {"top_ml"')
    service = create_service(own_port, clock)

    service.start()

    assert service.ready() is None
    assert (own_port.data_dir / "box.unusable").read_text() == '{"soil": {"top_ml"'
    service.stop()
