"""What a person does at the box by REST: a can is refilled, a glass is poured, nonsense is refused with its limit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from dt.communication.wire import Direction, Pull
from dt.utils.clock import ManualClock
from tests.faults.field import TOKEN, Field, zones

STOP = '[emergency_stop]\npin = "GPIO5"\n'
PUMP = '[[actuators]]\nid = "pump"\nkind = "pump"\npin = "GPIO17"\nplant = "basil"\nreservoir_ml = 1000\n'


@pytest.fixture
def field(tmp_path: Path, clock: ManualClock) -> Iterator[Field]:
    """Return a running simulator with a pump on a can of a litre, from which 300 ml are gone."""
    with Field(tmp_path, zones("basil") + PUMP, clock=clock) as a_field:
        a_field.simulator.box.reservoirs["pump"].content_ml = 700.0
        a_field.simulator.box.settle()
        yield a_field


def post(field: Field, page: str, body: object, token: str = TOKEN) -> requests.Response:
    """Send what a person wants."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.post(f"{field.url}/{page}", json=body, headers=headers, timeout=5)


def truth(field: Field) -> dict[str, dict[str, dict[str, float]]]:
    """Return what the box is like."""
    found: dict[str, dict[str, dict[str, float]]] = requests.get(f"{field.url}/state", timeout=5).json()
    return found


def test_a_can_is_refilled_up_to_its_brim(field: Field, clock: ManualClock) -> None:
    """The answer says what was done and when; what does not fit is refused with what does, and changes nothing."""
    answer = post(field, "refill", {"reservoir": "pump", "ml": 200})
    too_much = post(field, "refill", {"reservoir": "pump", "ml": 101})
    post(field, "refill", {"reservoir": "pump", "ml": 100})
    full = post(field, "refill", {"reservoir": "pump", "ml": 1})

    assert (answer.status_code, answer.json()) == (200, {"reservoir": "pump", "ml": 200.0, "timestamp": clock.wall()})
    assert truth(field)["reservoirs"]["pump"]["content_ml"] == pytest.approx(1000.0)
    assert (full.status_code, full.json()["limit"]) == (422, "the can is full: it holds 1000 ml")
    assert (too_much.status_code, too_much.json()["field"]) == (422, "ml")
    assert "at most 100 (what the can of 1000 ml still takes), not 101" in too_much.json()["detail"]


def test_a_glass_that_is_poured_reaches_the_soil_and_the_balance(field: Field, clock: ManualClock) -> None:
    """The water of a person is water of the box."""
    soil = field.simulator.box.pots["basil"].soil
    answer = post(field, "pour", {"plant_id": "basil", "ml": 150})
    before_ml = soil.poured_ml
    clock.advance(60.0)
    truth(field)

    assert (answer.status_code, answer.json()["plant_id"], answer.json()["ml"]) == (200, "basil", 150.0)
    assert soil.poured_ml - before_ml == pytest.approx(150.0)
    assert field.simulator.box.pots["basil"].poured_by_hand_ml == pytest.approx(150.0)


@pytest.mark.parametrize(
    ("page", "body", "name", "why"),
    [
        ("refill", {"reservoir": "tub", "ml": 5}, "reservoir", "'tub' is not in the rig; there are: pump"),
        ("refill", {"ml": 5}, "reservoir", "must be a name"),
        ("pour", {"plant_id": "rose", "ml": 5}, "plant_id", "'rose' is not in the rig; there are: basil"),
        ("pour", {"plant_id": "basil"}, "ml", "must be a number"),
        ("pour", {"plant_id": "basil", "ml": True}, "ml", "must be a number"),
        ("pour", {"plant_id": "basil", "ml": 0}, "ml", "must be more than 0 and at most 5000"),
        ("pour", {"plant_id": "basil", "ml": 10**400}, "ml", "must be more than 0 and at most 5000"),
        ("pour", {"plant_id": "basil", "ml": 5, "litre": 1}, "litre", "is unknown here; there are: plant_id, ml"),
        ("pour", [], "$", "must be a JSON object"),
    ],
)
def test_nonsense_is_refused_with_field_and_limit(field: Field, page: str, body: object, name: str, why: str) -> None:
    """422 in the words of the field, and no water moves."""
    before = truth(field)["water_ml"]

    answer = post(field, page, body)

    assert (answer.status_code, answer.json()["field"]) == (422, name)
    assert why in answer.json()["detail"]
    assert truth(field)["water_ml"] == before


@pytest.mark.parametrize("page", ["refill", "pour"])
def test_both_need_the_token(field: Field, page: str) -> None:
    """As every write does."""
    body = {"reservoir": "pump", "plant_id": "basil", "ml": 5}

    assert post(field, page, body, token="").status_code == 401
    assert post(field, page, body, token="wrong").status_code == 401


def test_a_button_is_closed_until_it_is_pressed_and_when_it_is_let_out(tmp_path: Path, clock: ManualClock) -> None:
    """Normally closed: it holds its pulled-up pin low, and opens when it is pressed."""
    with Field(tmp_path, zones("basil") + STOP, clock=clock) as field:
        wire = field.simulator.wire
        wire.pin_setup(5, Direction.IN, Pull.UP)
        levels = [wire.pin_read(5)]
        for is_pressed in (True, False):
            answer = post(field, "buttons", {"button": "emergency_stop", "pressed": is_pressed})
            assert answer.json() == {"button": "emergency_stop", "pressed": is_pressed}
            levels.append(wire.pin_read(5))
        nonsense = post(field, "buttons", {"button": "doorbell", "pressed": True})
        silent = post(field, "buttons", {"button": "emergency_stop"})

    assert levels == [False, True, False]
    assert (nonsense.status_code, nonsense.json()["field"]) == (422, "button")
    assert (silent.status_code, silent.json()["field"]) == (422, "pressed")


def test_a_rig_without_a_button_has_none_to_press(field: Field) -> None:
    """The refusal says what is missing."""
    answer = post(field, "buttons", {"pressed": True})

    assert answer.status_code == 422
    assert "[emergency_stop]" in answer.json()["detail"]
