"""notes/adding-a-sensor.md says what the files say, and its rig runs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from dt.collector.hardware import SimulatedHardware
from dt.collector.kinds import KINDS, load_kind
from dt.collector.rig_check import check_kinds
from dt.simulator.board import BoxWire
from dt.simulator.box import Box
from dt.simulator.from_rig import box_spec
from dt.simulator.wiring import wiring
from dt.utils.clock import SystemClock
from dt.utils.exceptions import SensorError
from dt.utils.rig import parse_rig

ROOT = Path(__file__).resolve().parents[2]
NOTE = (ROOT / "notes" / "adding-a-sensor.md").read_text("utf-8")
SENSORS = (ROOT / "notes" / "sensors.md").read_text("utf-8")
LISTINGS = re.findall(r"<!-- (\S+) -->\n```python\n(.*?)```", NOTE, re.DOTALL)
ROWS = NOTE[NOTE.index("## 5.") :].partition("```toml\n")[2].partition("```")[0]


@pytest.mark.parametrize(("path", "listing"), LISTINGS)
def test_a_listing_is_its_files_own_text(path: str, listing: str) -> None:
    """Whoever changes the file changes the note."""
    assert listing in (ROOT / path).read_text("utf-8")


def test_nothing_is_listed_without_its_file() -> None:
    """Every Python listing is compared, and every file that is named is there."""
    assert NOTE.count("```python") == len(LISTINGS) == 6
    named = set(re.findall(r"`((?:dt|tests)/[\w./]+\.py)`", NOTE))
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_the_driver_is_in_its_group_with_its_version() -> None:
    """Step 1."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    pinned = (ROOT / "constraints.txt").read_text("utf-8")

    assert [entry for entry in groups["drivers"] if str(entry).startswith("adafruit-circuitpython-sht31d>=")]
    assert re.search(r"^adafruit-circuitpython-sht31d==", pinned, re.MULTILINE)


def test_the_rows_of_the_note_are_read_and_can_have_faults() -> None:
    """Step 5 and 4: the rig with the note's rows added runs on the box, and F9 silences the new chip alone."""
    clock = SystemClock()
    rig = parse_rig((ROOT / "rig.toml").read_text("utf-8") + ROWS)
    check_kinds(rig)
    board = BoxWire(Box(box_spec(rig), clock.wall() - 60.0), clock, wiring(rig))
    hardware = SimulatedHardware(board)
    [temperature, humidity] = [load_kind(s).open(s, hardware) for s in rig.sensors if s.kind == "sht31"]

    assert 0.0 < temperature.read_sensor().value < 60.0
    assert 0.0 < humidity.read_sensor().value <= 100.0
    humidity.close()
    board.order({"fault": "F9", "target": "sht31-humidity", "mode": "no_acknowledge"})
    with pytest.raises(SensorError, match="SHT31 at 0x44"):
        humidity.read_sensor()


def test_the_table_of_kinds_names_every_kind_with_its_options() -> None:
    """notes/sensors.md is what people read before they write a rig."""
    rows = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \| .* \| (.*)\|$", SENSORS, re.MULTILINE)

    listed = {(kind, quantity) for kind, quantities, _ in rows for quantity in quantities.split(", ")}
    assert listed == {(kind, str(quantity)) for kind, quantity in KINDS}
    options = {kind: set(re.findall(r"`(\w+)`", cell)) for kind, _, cell in rows}
    assert options == {kind: set(spec.options) for (kind, _), spec in KINDS.items()}
