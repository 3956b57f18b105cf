"""notes/adding-an-actuator.md says what the files say, and its rig runs on the box, levels and button too."""

from __future__ import annotations

import doctest
import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from dt.communication.wire_pins import WireFactory
from dt.controller.guard_types import CLASSES
from dt.controller.kinds import KINDS
from dt.controller.kinds.base_actuator import BaseActuator
from dt.controller.opening import open_guard_here
from dt.simulator.board import BoxWire
from dt.simulator.box import Box
from dt.simulator.from_rig import box_spec
from dt.simulator.wiring import wiring
from dt.utils.clock import ManualClock
from dt.utils.config import load_settings
from dt.utils.rig import parse_rig
from tests.controller.guard_box import order

ROOT = Path(__file__).resolve().parents[2]
NOTE = (ROOT / "notes" / "adding-an-actuator.md").read_text("utf-8")
LISTINGS = re.findall(r"<!-- (\S+) -->\n```python\n(.*?)```", NOTE, re.DOTALL)
RIG = NOTE.partition("<!-- rig -->\n```toml\n")[2].partition("```")[0]


def _class_of(kind: str) -> type[BaseActuator]:
    module, _, name = KINDS[kind].partition(":")
    made: type[BaseActuator] = getattr(import_module(module), name)
    return made


@pytest.mark.parametrize(("path", "listing"), LISTINGS)
def test_a_listing_is_its_files_own_text(path: str, listing: str) -> None:
    """Whoever changes the file changes the note."""
    assert listing in (ROOT / path).read_text("utf-8")


def test_nothing_is_listed_without_its_file() -> None:
    """Every Python listing is compared, and every file that is named is there."""
    assert NOTE.count("```python") == len(LISTINGS) == 2
    named = set(re.findall(r"`((?:dt|tests)/[\w./]+\.py)`", NOTE))
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_the_table_names_every_kind_with_its_class_and_options() -> None:
    """What people read before they write a rig."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| .* \| (.*)\|$", NOTE, re.MULTILINE)

    assert {kind: output_class for kind, output_class, _ in rows} == {one: _class_of(one).output_class for one in KINDS}
    assert {output_class for _, output_class, _ in rows} == set(CLASSES)
    own = {kind: _class_of(kind).option_names - BaseActuator.option_names for kind in KINDS}
    assert {kind: set(re.findall(r"`(\w+)`", cell)) for kind, _, cell in rows} == own


def test_the_rig_of_the_note_runs_on_the_box(tmp_path: Path) -> None:
    """A level reaches the fan of the box through gpiozero and back; the button of the box stops it."""
    rig = parse_rig((ROOT / "rig.toml").read_text("utf-8") + RIG)
    clock = ManualClock()
    board = BoxWire(Box(box_spec(rig), clock.wall()), clock, wiring(rig))
    settings = load_settings(data_dir=tmp_path, hardware="simulated")
    guard = open_guard_here(settings, rig, clock, WireFactory(board), threaded=False)
    guard.renew()

    assert guard.run(replace(order("a", "fan", 60.0, clock.monotonic()), level=0.25)).accepted
    guard.tick()
    seen = [board.box.devices["fan"].level]
    assert guard.adjust("fan", 0.75).accepted
    guard.tick()
    seen.append(board.box.devices["fan"].level)
    board.press(is_pressed=True)
    for _ in range(3):
        clock.advance(0.05)
        guard.renew()
        guard.tick()
    seen.append(board.box.devices["fan"].level)

    assert seen == [0.25, 0.75, 0.0]
    assert guard.status()["stopped_by"] == "the button"
    guard.close()


@pytest.mark.parametrize("name", ["guard_types", "guard_on_time"])
def test_examples_are_true(name: str) -> None:
    """Each function gives the value that its docstring shows."""
    found = doctest.testmod(import_module(f"dt.controller.{name}"))

    assert found.attempted > 0
    assert found.failed == 0
