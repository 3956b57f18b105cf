"""What a policy is refused for minutes because a budget is used up is an alert."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.controller.garden import Garden, make_garden
from tests.controller.rooms import dose

_LAMP = "budget_used:lamp"
_PUMP = "budget_used:basil-pump"


@pytest.fixture
def garden(tmp_path: Path) -> Garden:
    """A box with two pumps and a lamp that has 18 h a day."""
    return make_garden(tmp_path)


def _note_used(garden: Garden, actuator_id: str, plant_id: str | None, *, ml: float, on_s: float) -> None:
    """Write a run into the ledger that ended just now."""
    ledger = garden.room.guard._desk._ledger
    with ledger._db:
        ledger._db.execute(
            "INSERT INTO entries (action_id, actuator_id, plant_id, on_s, charged_ml, kept_ml, began_s, ended_s,"
            " measured_s, outcome, wall, reported) VALUES ('used', ?, ?, ?, ?, ?, 0, ?, ?, 'done', 0, 1)",
            (actuator_id, plant_id, on_s, ml, ml, ledger._time.now(), on_s),
        )


def test_s13_a_lamp_whose_day_is_used_up_is_told_within_minutes(garden: Garden) -> None:
    """Not at the first refusal; said once, and over when the lamp may be on again."""
    _note_used(garden, "lamp", None, ml=0.0, on_s=64_800.0)
    garden.act("lamp", "schedule", {"since": "00:00", "until": "23:59"})

    garden.run(120.0)
    early = garden.conditions().get(_LAMP)
    garden.run(600.0)
    told = garden.conditions()[_LAMP]

    assert early is None
    assert told.active
    assert "may still be on in 24 h" in told.description
    assert told.advice
    assert garden.level("lamp") == 0.0
    garden.run(21_600.0 - 800.0, quiet_step_s=60.0)
    for _ in range(4):
        garden.run(0.0 if garden.level("lamp") else 150.0)
    assert garden.level("lamp") == 1.0
    assert garden.conditions()[_LAMP].active is False


def test_s13_without_a_grant_a_used_up_day_is_nobodys_alert(garden: Garden) -> None:
    """A policy that only recommends is refused nothing."""
    _note_used(garden, "lamp", None, ml=0.0, on_s=64_800.0)
    garden.act("lamp", "schedule", {"since": "00:00", "until": "23:59"}, grant=False)

    garden.run(900.0)

    assert _LAMP not in garden.conditions()
    assert [one for one in garden.results() if one.actuator_id == "lamp"] == []


def test_s13_a_pump_whose_plant_had_its_water_is_told(garden: Garden) -> None:
    """A policy that goes on asking; what a person is refused is the person's own affair."""
    _note_used(garden, "basil-pump", "basil", ml=200.0, on_s=10.0)
    for number in range(4):
        garden.room.gate.submit(dose(garden.room.clock, f"a-{number}"))
        garden.run(200.0)
    assert _PUMP not in garden.conditions()

    garden.act("basil-pump", "soil_water_deficit")
    garden.run(1500.0)

    told = garden.conditions()[_PUMP]
    assert told.active
    assert (told.plant_id, "24 h (ml)" in told.description) == ("basil", True)
