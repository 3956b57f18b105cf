"""A restart of the simulator changes nothing that comes, and a file that cannot be changes nothing that is."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dt.communication.wire import NoAcknowledgeError, WireRefusedError
from dt.communication.wire_calls import BusTimeoutError
from dt.simulator.board import BoxWire, wiring
from dt.simulator.box import Box
from dt.simulator.faults.catalogue import CATALOGUE
from dt.simulator.from_rig import box_spec
from dt.utils.rig import parse_rig
from tests.faults.field import LeapingClock, dht22, probe, sensor, zones

ACTUATORS = "".join(
    f'[[actuators]]\nid = "{kind}"\nkind = "{kind}"\npin = "GPIO{pin}"\nzone = "box"\n{more}'
    for kind, pin, more in (("pump", 17, 'plant = "basil"\n'), ("fan", 22, ""), ("heater", 23, ""))
)
RIG = parse_rig(
    zones("basil", "mint")
    + probe("soil", 0x36)
    + sensor("soil-t", "seesaw", "soil_temperature", plant="basil", address=0x36)
    + probe("other", 0x37, plant="mint")
    + sensor("light", "bh1750", "light_intensity", address=0x23)
    + sensor("air", "sht31", "temperature", address=0x44)
    + dht22("dht", 4, power_pin="GPIO9")
    + sensor("eye", "camera", "camera_image", 60.0)
    + ACTUATORS
)
# Every fault with every mode of it, on something that can have it; shares so that no fault hides the others for good.
TARGETS = {
    **dict.fromkeys(("F1", "F3", "F10", "F12"), "soil"), "F2": "soil-t", "F8": "light", "F9": "other", "F11": "air",
    **dict.fromkeys(("F4", "F5", "F6", "F7"), "dht-humidity"), "F13": "pump", "F18": "eye",
}  # fmt: skip
CAN_LAST = frozenset({"F2", "F6", "F8", "F18"})  # without a share they would answer for all others


def orders() -> list[dict[str, object]]:
    """Return an order of every fault in every mode."""
    found: list[dict[str, object]] = []
    for spec in CATALOGUE.values():
        names = {parameter.name: parameter for parameter in spec.parameters}
        share = {"share": 0.3} if "share" in names else {}
        modes = [mode for mode in names["mode"].words if mode != "gone"] if "mode" in names else [None]
        for mode in modes if spec.fault != "F14" else []:
            more = {} if mode is None else {"mode": mode}
            found.append({"fault": spec.fault, "target": TARGETS.get(spec.fault, "host"), **share, **more})
    found += [{"fault": "F14", "target": target} for target in ("heater", "fan", "box/lamp")]
    return [*found, {"fault": "F11", "target": "light", "mode": "stuck"}]


def a_board(clock: LeapingClock, start_s: float) -> BoxWire:
    """Return a new box with its wiring, as a simulator makes it."""
    box = Box(box_spec(RIG, seed=7), start_s)
    return BoxWire(box, clock, wiring(RIG), chip_clock=clock, is_one_process=False)


def looked(board: BoxWire, clock: LeapingClock) -> list[object]:
    """Return what everything at the wire says once, errors and all."""

    def tried(call: Callable[[], object]) -> object:
        try:
            return call()
        except (NoAcknowledgeError, BusTimeoutError, WireRefusedError) as error:
            return repr(error)

    def i2c(address: int, out: bytes, count: int) -> list[object]:
        written = tried(lambda: board.i2c(address, out, 0))
        clock.advance(0.01)  # chips answer after a while
        return [written, tried(lambda: board.i2c(address, b"", count))]

    return [
        *i2c(0x36, b"\x0f\x10", 2), *i2c(0x36, b"\x00\x04", 4), *i2c(0x37, b"\x0f\x10", 2),
        *i2c(0x23, b"\x10", 2), *i2c(0x44, b"\x24\x00", 6),
        board.pulses(4, 1000, 81), board.host(), json.dumps(board.state(), sort_keys=True),
    ]  # fmt: skip


def lived(steps: list[float], restart_after: int | None) -> list[object]:
    """Return all that is seen in a life under every fault, with a restart in between or without."""
    clock = LeapingClock()
    board = a_board(clock, clock.wall() - 500.0)
    for order in orders():
        board.order(order)
    board.order({"fault": "F13", "target": "pump", "mode": "leak", "since": clock.wall() + 20.0})
    board.order({"fault": "F1", "target": "other", "until": clock.wall() + 30.0})
    seen: list[object] = []
    for index, step_s in enumerate(steps):
        if index == restart_after:
            kept = json.loads(json.dumps(board.snapshot()))
            board = a_board(clock, clock.wall() - 900.0)
            assert board.restore(kept) == []
        seen += looked(board, clock)
        clock.advance(step_s)
    return [*seen, board.capture(0)]


@settings(max_examples=6, deadline=None)
@given(st.lists(st.floats(0.0004, 45.0), min_size=3, max_size=9), st.data())
def test_a_restart_under_every_fault_is_not_noticed(steps: list[float], data: st.DataObject) -> None:
    """N steps, and k steps, a snapshot through JSON and N-k steps on a new box: the same bytes of every chip."""
    restart_after = data.draw(st.integers(1, len(steps) - 1))

    assert lived(steps, restart_after) == lived(steps, None)


def test_a_stuck_sensor_stays_stuck_at_its_value_over_a_restart() -> None:
    """F11 holds what the sensor had when it got stuck, not what it has when the simulator comes back."""
    clock = LeapingClock()
    board = a_board(clock, clock.wall() - 500.0)
    board.order({"fault": "F11", "target": "soil", "mode": "stuck"})
    [_, before, *_] = looked(board, clock)
    board.pour("basil", 700.0)
    clock.advance(900.0)

    again = a_board(clock, clock.wall())
    again.restore(json.loads(json.dumps(board.snapshot())))

    assert looked(again, clock)[1] == before


def test_a_welded_pump_flows_on_while_the_simulator_is_away() -> None:
    """Water does not wait for a process: the can runs out by the time that the box missed."""
    clock = LeapingClock()
    board = a_board(clock, clock.wall() - 10.0)
    board.order({"fault": "F13", "target": "pump", "mode": "welded"})
    clock.advance(10.0)
    kept = json.loads(json.dumps(board.snapshot()))
    clock.advance(20.0)
    again = a_board(clock, clock.wall())
    again.restore(kept)

    assert again.state()["reservoirs"] == board.state()["reservoirs"]


def test_a_box_that_takes_up_an_earlier_moment_has_the_faults_of_that_moment() -> None:
    """The same wire, set back: what was ordered meanwhile is gone, what was there acts."""
    clock = LeapingClock()
    board = a_board(clock, clock.wall() - 10.0)
    board.order({"fault": "F14", "target": "heater"})
    kept = json.loads(json.dumps(board.snapshot()))
    board.order({"fault": "F13", "target": "pump", "mode": "dry"})

    board.restore(kept)

    assert board.box.devices["heater"].defect != board.box.devices["heater"].healthy
    assert board.box.devices["pump"].defect == board.box.devices["pump"].healthy


def _put(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    *way, last = path.split("|")

    def put(kept: Any) -> None:
        for step in way:
            kept = kept[int(step) if isinstance(kept, list) else step]
        kept[int(last) if isinstance(kept, list) else last] = value

    return put


WRONG = {
    "faults": ([], 3, {}), "faults|count": (None, -1, 0, 1.5, True, 10**400), "faults|faults": ({}, [3], [{}]),
    "faults|faults|0|id": (None, "x", "f11-0", "f11-99", "f1-1"), "faults|faults|0|since": (None,),
    "faults|held": ([], {"f11-9": 1.0}, {"f11-1": "x"}, {"f11-1": 10**400}),
    "faults|throws": ([], {"f1-2": -1}, {"f1-2": 0.5}, {"f1-2": True}),
    "pots|basil|soil|top_ml": (-1.0, 1e14, "x", True, 10**400), "pots|basil|growth|turgor": (-0.5, 1.5),
    "zones|box|air_degc": (-300.0, 1e14), "devices|pump|level": (2.0,), "devices|pump|is_siphoning": (0.3,),
    "devices|pump|defect": ({"blocked": 3.0}, {"welded": 1}, {"rust": True}, 3), "reservoirs|pump|content_ml": (-5.0,),
    "now_s": (-1.0, 1e30, None), "seen_s": (0.0, 1e10), "pours": ([[1.0, "nobody", 3.0]], [[1.0, "basil"]], 3),
    "chips": (3, {}), "chips|chips|0x36|chip|chip|senses|noise|words": ("", "AAAA"),
    "chips|chips|0x23|chip|chip|opcode": (1,), "chips|chips|GPIO4|chip|frame": ("AA==",),
    "chips|chips|0x36|chip|chip|boots_until_s": (1e12,), "chips|chips|0x23|chip|chip|data": (-1, 70_000),
}  # fmt: skip


@pytest.mark.parametrize(("path", "value"), [(path, value) for path, values in WRONG.items() for value in values])
def test_a_refused_snapshot_changes_nothing(path: str, value: object) -> None:
    """Whatever part of it is wrong, box, chips and faults are as they were, to the byte."""
    clock = LeapingClock()
    board = a_board(clock, clock.wall() - 10.0)
    board.order({"fault": "F11", "target": "soil", "mode": "stuck"})
    board.order({"fault": "F1", "target": "soil", "share": 0.3})
    looked(board, clock)
    wrong = copy.deepcopy(json.loads(json.dumps(board.snapshot())))
    _put(path, value)(wrong)
    clock.advance(5.0)
    before = json.dumps(board.snapshot())

    with pytest.raises((KeyError, TypeError, ValueError)):
        board.restore(wrong)

    assert json.dumps(board.snapshot()) == before


def test_a_defect_whose_fault_is_gone_is_gone_too() -> None:
    """What is wrong with a device is the fault desk's word, whatever the device remembers."""
    clock = LeapingClock()
    board = a_board(clock, clock.wall() - 10.0)
    board.order({"fault": "F13", "target": "pump", "mode": "welded"})
    kept = json.loads(json.dumps(board.snapshot()))
    kept["faults"]["faults"] = []

    again = a_board(clock, clock.wall() - 10.0)
    again.restore(kept)

    assert again.box.devices["pump"].defect == again.box.devices["pump"].healthy
