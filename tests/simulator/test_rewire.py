"""Sensors that appear and vanish while the box runs, by hand and by following rig.toml."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dt.communication.wire import Direction, NoAcknowledgeError, Pull
from dt.simulator.board import BoxWire, wiring
from dt.simulator.rig_watch import RigWatch
from dt.utils.clock import ManualClock
from dt.utils.exceptions import ConfigError
from dt.utils.rig import parse_rig
from tests.conftest import wait_until
from tests.faults.field import Field, dht22, probe, sensor, zones

HEAD = zones("basil", "mint")
PUMP = '\n[[actuators]]\nid = "pump"\nkind = "pump"\nplant = "basil"\npin = "GPIO17"\n'
RIG = HEAD + probe("soil", 0x36) + dht22("air", 4) + PUMP


@pytest.fixture
def field(tmp_path: Path, clock: ManualClock) -> Iterator[Field]:
    """Return a running simulator of a small rig."""
    with Field(tmp_path, RIG, clock=clock) as a_field:
        yield a_field


def answers(board: BoxWire, address: int) -> bool:
    """Return whether a chip is there."""
    try:
        board.i2c(address, b"", 0)
    except NoAcknowledgeError:
        return False
    return True


def counts(board: BoxWire, address: int) -> int:
    """Return one look of a probe."""
    board.i2c(address, b"\x0f\x10", 0)
    wait_until(lambda: board.i2c(address, b"", 2) != b"\xff\xff", "the probe is ready")
    return int.from_bytes(board.i2c(address, b"", 2), "big")


def rewritten(field: Field, text: str) -> None:
    """Write the rig file as an editor does: aside, then in its place."""
    path = field.settings.rig_file
    aside = path.with_suffix(".new")
    aside.write_text(text, "utf-8")
    os.replace(aside, path)  # noqa: PTH105 - what editors call


def test_a_sensor_that_is_declared_appears(field: Field, clock: ManualClock) -> None:
    """The file is followed with the clock; a fresh probe settles, the old one is as it was."""
    board = field.simulator.wire
    before = counts(board, 0x36)

    rewritten(field, RIG + probe("soil-2", 0x37, "mint") + sensor("light", "bh1750", "light_intensity", address=0x23))
    clock.advance(1.1)
    wait_until(lambda: answers(board, 0x37), "the new probe answers")
    fresh = counts(board, 0x37)

    assert answers(board, 0x23)
    assert counts(board, 0x36) == pytest.approx(before, abs=12)
    assert fresh < before - 15
    assert field.order("F1", "soil-2") == "f1-1"


def test_a_sensor_that_is_struck_out_vanishes(field: Field, clock: ManualClock) -> None:
    """Its address falls silent, its pin too."""
    board = field.simulator.wire

    rewritten(field, HEAD + sensor("light", "bh1750", "light_intensity", address=0x23) + PUMP)
    clock.advance(1.1)
    wait_until(lambda: answers(board, 0x23), "the light sensor answers")

    assert not answers(board, 0x36)
    assert board.pulses(4, 1000, 81) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (RIG.replace("every_s = 1\n", "every_s = 0\n"), r"rig\.toml:\d+: every_s: must be from 0\.1 to 86400 s"),
        (RIG + probe("soil-2", 0x36, "mint"), r"rig\.toml:\d+: address: 0x36 is another chip already \(soil\)"),
        (RIG + '[plants.sage]\nzone = "box"\n' + probe("soil-2", 0x37, "sage"), "the box has no pot of 'sage'"),
        (RIG + probe("soil-2", 0x37, depth=2), r"depth: must be a number from 0 \(top\) to 1 \(bottom\), not 2"),
        ("[zones", "rig.toml"),
    ],
)
def test_a_bad_rig_file_changes_nothing(field: Field, clock: ManualClock, text: str, why: str) -> None:
    """It is refused with its line, which the health page says, and a mended one is taken up."""
    board = field.simulator.wire

    rewritten(field, text)
    _look_until(clock, lambda: "rig_refused" in field.simulator.health(), "the file was refused")
    refused = str(field.simulator.health()["rig_refused"])
    is_there = answers(board, 0x36)
    rewritten(field, RIG)
    _look_until(clock, lambda: "rig_refused" not in field.simulator.health(), "the file was taken up")

    assert re.search(why, refused)
    assert is_there
    assert not answers(board, 0x37)


def test_a_pump_that_is_struck_out_is_off(field: Field) -> None:
    """Nothing goes on running that nobody can switch off; one that comes back follows its pin."""
    board = field.simulator.wire
    board.pin_setup(17, Direction.OUT, Pull.NONE)
    board.pin_write(17, True)
    levels = [board.box.devices["pump"].level]

    board.rewire(wiring(parse_rig(HEAD)))
    levels.append(board.box.devices["pump"].level)
    board.rewire(wiring(parse_rig(HEAD + PUMP)))
    levels.append(board.box.devices["pump"].level)

    assert levels == [1.0, 0.0, 1.0]


def test_wiring_to_what_the_box_lacks_is_refused(field: Field) -> None:
    """Before anything is changed."""
    board = field.simulator.wire
    strange = parse_rig('[zones.attic]\ntimezone = "UTC"\n' + dht22("air", 5).replace('"box"', '"attic"'))

    with pytest.raises(ConfigError, match="the box has no zone 'attic'"):
        board.rewire(wiring(strange))

    assert answers(board, 0x36)


def test_the_watch_reads_a_file_once_per_change(field: Field, clock: ManualClock) -> None:
    """What was refused is not complained of every second."""
    watch = RigWatch(field.rig, field.simulator.wire, clock)
    rewritten(field, "[zones")
    watch.follow()
    first = watch.refused
    watch.refused = ""

    watch.follow()

    assert first
    assert watch.refused == ""


def _look_until(clock: ManualClock, condition: Callable[[], bool], what: str) -> None:
    """Let the clock go on: a look that was under way when it went on counts its pause from then."""

    def advanced() -> bool:
        clock.advance(1.1)
        return condition()

    wait_until(advanced, what)
