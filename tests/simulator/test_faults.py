"""The fault desk and its REST: what is refused, when faults act, what is kept, and that all is seeded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from dt.communication.wire import NoAcknowledgeError
from dt.simulator.board import BoxWire
from dt.simulator.box import Box
from dt.simulator.faults.catalogue import CATALOGUE, HOST
from dt.simulator.faults.desk import MOST_FAULTS, FaultDesk
from dt.simulator.faults.order import Targets
from dt.simulator.spec import BoxSpec
from dt.utils.clock import ManualClock
from dt.utils.exceptions import ConflictError, MessageError
from dt.utils.quantities import Quantity
from tests.faults.field import Field, dht22, probe, zones

TARGETS = Targets(
    sensors={"soil": "seesaw", "soil-t": "seesaw", "light": "bh1750", "air": "dht22", "eye": "camera"},
    actuators={"pump": "pump", "heater": "heater", "lamp": "lamp", "fan": "fan"},
    i2c=frozenset({"soil", "soil-t", "light"}),
    quantities={
        "soil": Quantity.SOIL_MOISTURE,
        "soil-t": Quantity.SOIL_TEMPERATURE,
        "light": Quantity.LIGHT_INTENSITY,
        "air": Quantity.TEMPERATURE,
        "eye": Quantity.CAMERA_IMAGE,
    },
)
NOW = 1_800_000_000.0


def desk(*, is_one_process: bool = False, seed: int = 1) -> FaultDesk:
    """Return a desk of a small rig."""
    return FaultDesk(lambda: TARGETS, seed=seed, is_one_process=is_one_process)


def target_of(fault: str) -> str:
    """Return something that can have a fault."""
    if CATALOGUE[fault].quantity is not None:
        return next(name for name, measures in TARGETS.quantities.items() if measures is CATALOGUE[fault].quantity)
    kinds = CATALOGUE[fault].kinds
    known = {HOST: HOST, **{kind: name for name, kind in (*TARGETS.sensors.items(), *TARGETS.actuators.items())}}
    return next((known[kind] for kind in sorted(kinds) if kind in known), "soil")


def test_the_catalogue_has_every_fault_of_the_safety_case() -> None:
    """F1 to F18, in order."""
    assert list(CATALOGUE) == [f"F{number}" for number in range(1, 19)]


@pytest.mark.parametrize("fault", CATALOGUE)
def test_every_fault_can_be_ordered_with_its_defaults(fault: str) -> None:
    """Nothing but fault and target is needed; every mode of it is accepted, and what is out of limits refused."""
    a_desk, target = desk(), target_of(fault)
    made = a_desk.add({"fault": fault, "target": target}, NOW)

    assert made.is_active(NOW)
    assert made.parameters == {parameter.name: parameter.default for parameter in CATALOGUE[fault].parameters}
    for parameter in CATALOGUE[fault].parameters:
        wrong: object = "nonsense" if parameter.words else parameter.high + 1.0
        with pytest.raises(MessageError, match=rf"^{parameter.name}: must be .*, not "):
            a_desk.add({"fault": fault, "target": target, parameter.name: wrong}, NOW)


@pytest.mark.parametrize(
    ("order", "field", "why"),
    [
        ({"target": "soil"}, "fault", "must be one of F1 to F18, not None"),
        ({"fault": "F19", "target": "soil"}, "fault", "must be one of F1 to F18, not 'F19'"),
        ({"fault": ["F1"], "target": "soil"}, "fault", "must be one of F1 to F18"),
        ({"fault": "F1"}, "target", "must be the id of a sensor or actuator, or host"),
        ({"fault": "F1", "target": "root"}, "target", "'root' is not in the rig; there are: air, eye, light, soil,"),
        ({"fault": "F1", "target": "light"}, "target", "F1 befalls seesaw; light is of kind bh1750"),
        ({"fault": "F1", "target": "soil-t"}, "target", "F1 falsifies soil_moisture; soil-t measures soil_temp"),
        ({"fault": "F2", "target": "soil"}, "target", "F2 falsifies soil_temperature; soil measures soil_m"),
        ({"fault": "F3", "target": "soil-t"}, "target", "F3 falsifies soil_moisture; soil-t measures"),
        ({"fault": "F10", "target": "soil-t"}, "target", "F10 falsifies soil_moisture; soil-t measures"),
        ({"fault": "F12", "target": "soil-t"}, "target", "F12 falsifies soil_moisture; soil-t measures"),
        ({"fault": "F9", "target": "air"}, "target", "F9 befalls any sensor on I2C; air is of kind dht22"),
        ({"fault": "F11", "target": "eye"}, "target", "F11 befalls any sensor but a camera"),
        ({"fault": "F13", "target": "heater"}, "target", "F13 befalls pump; heater is of kind heater"),
        ({"fault": "F15", "target": "soil"}, "target", "F15 befalls host; soil is of kind seesaw"),
        ({"fault": "F1", "target": "soil", "mode": "x"}, "mode", "is no parameter of F1; it has: share"),
        ({"fault": "F2", "target": "soil-t", "share": 1}, "share", "is no parameter of F2; it has: none"),
        ({"fault": "F1", "target": "soil", "share": 1.5}, "share", "must be a number from 0 to 1, not 1.5"),
        ({"fault": "F1", "target": "soil", "share": 10**400}, "share", "must be a number from 0 to 1, not 1000"),
        ({"fault": "F1", "target": "soil", "share": float("nan")}, "share", "must be a number from 0 to 1, not nan"),
        ({"fault": "F1", "target": "soil", "since": 10**400}, "since", "must be a number"),
        ({"fault": "F1", "target": "soil", "share": True}, "share", "must be a number from 0 to 1, not True"),
        ({"fault": "F1", "target": "soil", "since": 20, "until": 10}, "until", "must be after since"),
        ({"fault": "F1", "target": "soil", "since": 20, "until": 20}, "until", "must be after since"),
        ({"fault": "F1", "target": "soil", "since": "soon"}, "since", "must be epoch seconds or ISO 8601"),
        ({"fault": "F1", "target": "soil", "until": True}, "until", "must be"),
    ],
)
def test_a_wrong_order_is_refused_with_field_and_limit(order: dict[str, object], field: str, why: str) -> None:
    """Nothing of it stays."""
    a_desk = desk()

    with pytest.raises(MessageError) as caught:
        a_desk.add(order, NOW)

    assert (caught.value.field, caught.value.why[: len(why)]) == (field, why)
    assert a_desk.all() == []


def test_a_collector_in_the_same_process_is_not_killed() -> None:
    """It would take the box with it; the rest of F17 is fine there."""
    a_desk = desk(is_one_process=True)

    for mode in ("kill", "power_cut"):
        with pytest.raises(ConflictError, match="needs a collector in a process of its own"):
            a_desk.add({"fault": "F17", "target": HOST, "mode": mode}, NOW)
    assert a_desk.add({"fault": "F17", "target": HOST, "mode": "disk_full"}, NOW).is_active(NOW)


def test_the_desk_is_bounded() -> None:
    """More faults than anybody needs are refused."""
    a_desk = desk()
    for _ in range(MOST_FAULTS):
        a_desk.add({"fault": "F3", "target": "soil"}, NOW)

    with pytest.raises(ConflictError, match="at most 1000"):
        a_desk.add({"fault": "F3", "target": "soil"}, NOW)


@given(since=st.floats(0, 1000), lasts=st.floats(0.01, 1000), at=st.floats(-10, 3000))
def test_a_fault_acts_from_since_until_until(since: float, lasts: float, at: float) -> None:
    """Active faults and their edges agree."""
    a_desk = desk()
    fault = a_desk.add({"fault": "F3", "target": "soil", "since": NOW + since, "until": NOW + since + lasts}, NOW)
    assert fault.until is not None

    is_active = fault in a_desk.active(NOW + at, ["soil"])

    assert is_active == (fault.since <= NOW + at < fault.until)
    assert a_desk.edges(NOW - 1, NOW + 5000) == [fault.since, fault.until]
    assert a_desk.active(NOW + at, ["light"]) == []


def test_the_same_seed_gives_the_same_strikes() -> None:
    """Chances are the desk's and the fault's own: other faults and looks do not change them."""

    def strikes(seed: int, others: int) -> list[bool]:
        a_desk = desk(seed=seed)
        fault = a_desk.add({"fault": "F1", "target": "soil", "share": 0.5}, NOW)
        rest = [a_desk.add({"fault": "F4", "target": "air"}, NOW) for _ in range(others)]
        found = []
        for _ in range(50):
            found.append(a_desk.strikes(fault))
            _ = [a_desk.strikes(other) for other in rest]
        return found

    assert strikes(3, 0) == strikes(3, 4) != strikes(4, 0)
    assert 10 < sum(strikes(3, 0)) < 40


def test_a_box_under_faults_is_deterministic() -> None:
    """Same seed, same orders, same looks: the same bytes."""

    def bytes_of(seed: int) -> list[bytes]:
        clock, chip_clock = ManualClock(), ManualClock()
        board = BoxWire(Box(BoxSpec(seed=seed), clock.wall()), clock, chip_clock=chip_clock)
        board.order({"fault": "F1", "target": "seesaw-soil", "share": 0.3})
        board.order({"fault": "F11", "target": "seesaw-soil", "mode": "noise"})
        answers = []
        for _ in range(40):
            board.i2c(0x36, b"\x0f\x10", 0)
            clock.advance(5.0)
            chip_clock.advance(5.0)
            answers.append(board.i2c(0x36, b"", 2))
        return answers

    assert bytes_of(5) == bytes_of(5) != bytes_of(6)


@pytest.fixture
def field(tmp_path: Path, clock: ManualClock) -> Iterator[Field]:
    """Return a running simulator with its REST."""
    with Field(tmp_path, zones("basil") + probe("soil", 0x36) + dht22("air", 4), clock=clock) as a_field:
        yield a_field


def test_faults_are_ordered_listed_and_ended_by_rest(field: Field, clock: ManualClock) -> None:
    """POST gives an id and a place, GET tells active from planned, DELETE ends once."""
    now = clock.wall()
    made = field.post({"fault": "F4", "target": "air-temperature", "share": 0.5})
    field.order("F1", "soil", since=now + 60.0, until=now + 120.0)
    listed = requests.get(f"{field.url}/faults", timeout=5).json()
    clock.advance(90.0)
    later = requests.get(f"{field.url}/faults", timeout=5).json()
    clock.advance(90.0)
    last = requests.get(f"{field.url}/faults", timeout=5).json()

    assert made.status_code == 201
    assert made.headers["Location"] == f"/faults/{made.json()['id']}"
    assert made.json() == {
        "id": "f4-1", "fault": "F4", "target": "air-temperature", "since": now, "until": None, "share": 0.5
    }  # fmt: skip
    assert [fault["id"] for fault in listed["active"]] == ["f4-1"]
    assert [fault["id"] for fault in listed["planned"]] == ["f1-2"]
    assert [fault["id"] for fault in later["active"]] == ["f4-1", "f1-2"]
    assert [fault["id"] for fault in last["over"]] == ["f1-2"]
    assert [row["fault"] for row in listed["catalogue"]] == list(CATALOGUE)
    assert field.end("f4-1") == 204
    assert field.end("f4-1") == 404


def test_ordering_needs_the_token(field: Field) -> None:
    """Reading does not."""
    body = {"fault": "F1", "target": "soil"}

    assert field.post(body, token="").status_code == 401
    assert field.post(body, token="wrong").status_code == 401
    assert requests.delete(f"{field.url}/faults/f1-1", timeout=5).status_code == 401
    assert requests.get(f"{field.url}/faults", timeout=5).json()["active"] == []


_TOO_LARGE = {"fault": "F1", "target": "soil", "share": 10**400}


@pytest.mark.parametrize("body", [[], "F1", None, {"fault": "F1"}, {"fault": {}, "target": 3}, _TOO_LARGE])
def test_nonsense_is_a_problem_that_names_the_field(field: Field, body: object) -> None:
    """422, and the field."""
    answer = field.post(body)

    assert answer.status_code == 422
    assert re.search(r"^(\$|fault|target|share)", answer.json()["field"])


def test_kill_that_was_told_in_its_first_instant_is_still_known_after_a_restart() -> None:
    """It ended when it began: over, listed, and not told again."""
    before, after = desk(), desk()
    kill = before.add({"fault": "F17", "target": HOST, "mode": "kill", "since": NOW}, NOW)
    before.end(kill.id, NOW)

    after.take(after.plan(before.snapshot()))

    assert after.all() == before.all()
    assert after.of_host(NOW) == []


def test_faults_survive_a_restart_of_the_simulator(tmp_path: Path, clock: ManualClock) -> None:
    """They are kept with the box; a fault whose sensor is gone is left out, and the next id is a new one."""
    rig = zones("basil") + probe("soil", 0x36)
    with Field(tmp_path, rig + dht22("air", 4), clock=clock) as before:
        before.order("F9", "soil")
        before.order("F4", "air-temperature")
    with Field(tmp_path, rig, clock=clock) as after:
        active = requests.get(f"{after.url}/faults", timeout=5).json()["active"]
        with pytest.raises(NoAcknowledgeError):
            after.simulator.wire.i2c(0x36, b"", 0)
        third = after.order("F1", "soil")

    assert [fault["id"] for fault in active] == ["f9-1"]
    assert third == "f1-3"


def test_a_lamp_on_a_timer_plug_can_be_dead(tmp_path: Path, clock: ManualClock) -> None:
    """It hangs on no pin, but dies as others do; its zone stays dark while its hours last."""
    with Field(tmp_path, zones("basil") + probe("soil", 0x36), clock=clock) as a_field:
        lamp = a_field.simulator.box.devices["box/lamp"]
        hour = a_field.simulator.box.zones["box"].weather.local_hour(clock.wall())
        clock.advance((18.0 - hour) % 24.0 * 3600.0)  # on from 16 to 21 h
        a_field.simulator.wire.now_s()
        lit = lamp.output
        refused = a_field.post({"fault": "F14", "target": "box/lamp", "mode": "blocked"})
        a_field.order("F14", "box/lamp")
        clock.advance(60.0)
        a_field.simulator.wire.now_s()

        assert (lit > 0.9, lamp.output) == (True, 0.0)
        assert (refused.status_code, refused.json()["field"]) == (422, "mode")
