"""REST of modes, lock-outs, policies, a vacation and pumps' flows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from dt.controller.app import ControllerService
from dt.controller.locks import LockOut
from dt.utils.dataclasses import Policy
from tests.controller.rest_box import Rest


def _item(rest: Rest, actuator_id: str) -> dict[str, Any]:
    items = rest("GET", "/actuators").json()["items"]
    return next(item for item in items if item["actuator_id"] == actuator_id)


def test_a_mode_is_set_with_who_and_until_when(rest: Rest, service: ControllerService) -> None:
    """Automatic is a grant; off says why nothing starts."""
    until = service.clock.wall() + 3600.0

    granted = rest("PUT", "/actuators/one/mode", {"mode": "automatic", "by": "anna", "until": until}).json()
    rest("PUT", "/actuators/two/mode", {"mode": "off", "by": "ben"})

    assert (granted["mode"], granted["by"]) == ("automatic", "anna")
    assert _item(rest, "one")["grant"]["by"] == "anna"
    off = _item(rest, "two")
    assert off["mode"]["mode"] == "off"
    assert [(why["invariant"], why["margin"]) for why in off["why_not"]] == [("S14", -1.0)]
    refused = rest("POST", "/actuators/two/commands", {"command": "dose", "dose_ml": 5})
    assert (refused.status_code, refused.json()["refusal"]["invariant"]) == (409, "S14")


def test_s14_a_grant_begins_when_the_controller_says(rest: Rest, service: ControllerService) -> None:
    """What a person says of the past changes no record; what lies ahead is refused with its limit."""
    before = service.clock.wall()

    ahead = rest("POST", "/grants/fan", {"by": "anna", "since": before + 86_400.0})
    refused_grant = _item(rest, "fan")["grant"]
    past = rest("POST", "/grants/fan", {"by": "anna", "since": 5.0})

    assert ahead.status_code == 422
    assert "at most" in ahead.json()["detail"]
    assert refused_grant is None
    assert past.status_code == 201
    assert before - 0.001 <= past.json()["since"] <= service.clock.wall()
    assert _item(rest, "fan")["grant"] == past.json()


def test_numbers_may_come_as_texts_everywhere(rest: Rest) -> None:
    """As in messages: doses, flows and parameters alike."""
    dose = rest("POST", "/actuators/one/commands", {"command": "dose", "dose_ml": "10"})
    flow = rest("PUT", "/actuators/two/flow", {"ml": "400", "on_s": "10"})
    policy = {"policy": "soil_water_deficit", "parameters": {"part": "0.4"}, "actuator_id": "one"}

    assert (dose.status_code, dose.json()["command"]["dose_ml"]) == (202, 10.0)
    assert flow.json()["flow_ml_s"] == 40.0
    assert rest("PUT", "/policies/basil", policy).json()["parameters"] == {"part": "0.4"}


def test_a_lock_out_is_shown_and_released_by_a_person(rest: Rest, service: ControllerService) -> None:
    """With what was measured, the limit and what to do."""
    lock = LockOut(actuator_id="one", invariant="S7", why="no rise", since=1.0, value=0.0, limit=0.02, advice="Look.")
    service.core.locks.lock(lock)

    assert _item(rest, "one")["lock"]["why"] == "no rise"
    assert [why["limit"] for why in _item(rest, "one")["why_not"]] == [0.02]
    assert rest("GET", "/health").json()["locked_out"] == ["one"]
    released = rest("POST", "/actuators/one/release", {"by": "anna"}).json()

    assert (released["was_locked"], released["by"]) == (True, "anna")
    assert _item(rest, "one")["lock"] is None
    assert rest("POST", "/actuators/one/release", {"by": "anna"}).json()["was_locked"] is False


def test_a_policy_is_chosen_by_plant_and_actuator_with_its_parameters(rest: Rest) -> None:
    """Versions count up; an actuator that was not named keeps its own."""
    body = {"policy": "soil_water_deficit", "parameters": {"part": 0.4}, "actuator_id": "one", "by": "anna"}

    first = rest("PUT", "/policies/basil", body).json()
    second = rest("PUT", "/policies/basil", {"enabled": False, "actuator_id": "one"}).json()

    assert (first["policy"], first["parameters"], first["version"], first["by"]) == (
        "soil_water_deficit", {"part": 0.4}, 1, "anna",
    )  # fmt: skip
    assert (second["policy"], second["enabled"], second["parameters"], second["version"]) == (
        "soil_water_deficit", False, {"part": 0.4}, 2,
    )  # fmt: skip
    assert [one["policy"] for one in second["actuators"]] == ["soil_water_deficit", "recommendation"]
    heat = rest("PUT", "/policies/box", {"policy": "pid", "actuator_id": "heater"}).json()
    assert (heat["policy"], heat["zone_id"], heat["plant_id"]) == ("pid", "box", "")
    everything = rest("GET", "/policies").json()
    assert {one["actuator_id"] for one in everything["items"]} == {"one", "two", "heater"}
    assert "soil_water_deficit" in [one["policy"] for one in everything["known"]]


def test_a_policy_that_was_switched_off_stays_off_until_somebody_says_otherwise(rest: Rest) -> None:
    """Another parameter does not let it water again; and what makes no sense any more can always be switched off."""
    rest("PUT", "/policies/basil", {"policy": "soil_water_deficit", "actuator_id": "one"})
    rest("PUT", "/policies/basil", {"enabled": False, "actuator_id": "one"})

    changed = rest("PUT", "/policies/basil", {"parameters": {"part": 0.3}, "actuator_id": "one"}).json()
    another = rest("PUT", "/policies/basil", {"policy": "recommendation", "actuator_id": "one"}).json()

    assert (changed["enabled"], changed["parameters"]) == (False, {"part": 0.3})
    assert another["enabled"] is False
    assert rest("PUT", "/policies/basil", {"enabled": True, "actuator_id": "one"}).json()["enabled"] is True


def test_a_stored_policy_that_makes_no_sense_is_not_switched_on_and_always_switched_off(
    rest: Rest, service: ControllerService
) -> None:
    """One of an earlier version, or of a plant whose limits were lowered since."""
    old = Policy(
        plant_id="basil", zone_id="box", actuator_id="one", policy="hysteresis",
        parameters={"on_at": 0.5, "off_at": 0.1}, by="anna",
    )  # fmt: skip
    service.core.decisions.set_policy(old)

    refused = rest("PUT", "/policies/basil", {"enabled": True, "actuator_id": "one"})
    off = rest("PUT", "/policies/basil", {"enabled": False, "actuator_id": "one"})

    assert (refused.status_code, refused.json()["field"]) == (422, "parameters.on_at")
    assert off.json()["enabled"] is False


def test_an_off_that_the_policy_takes_back_says_so(
    rest: Rest, service: ControllerService, eventually: Callable[[Callable[[], object], str], None]
) -> None:
    """The answer names the policy and what would keep it; in manual mode it is kept, and nothing is said."""
    now = datetime.fromtimestamp(service.clock.wall(), UTC)
    times = {"since": f"{now - timedelta(hours=2):%H:%M}", "until": f"{now + timedelta(hours=2):%H:%M}"}
    rest("PUT", "/policies/box", {"policy": "schedule", "actuator_id": "fan", "parameters": times})
    rest("PUT", "/actuators/fan/mode", {"mode": "automatic", "by": "anna"})
    eventually(lambda: _item(rest, "fan")["desired"]["on"], "the fan turns")

    answer = rest("POST", "/actuators/fan/commands", {"command": "off"}).json()

    assert (answer["outcome"], answer["taken_back_by"]) == ("done", "schedule")
    assert "fan is in automatic mode, and its policy schedule takes this back within seconds" in answer["note"]
    rest("PUT", "/actuators/fan/mode", {"mode": "manual", "until": service.clock.wall() + 60.0})
    eventually(lambda: not _item(rest, "fan")["desired"]["on"], "the policy rests")
    assert "note" not in rest("POST", "/actuators/fan/commands", {"command": "off"}).json()


def test_a_policy_without_an_actuator_is_for_all_that_it_fits(rest: Rest) -> None:
    """Both pumps of the basil; of the box itself the fan alone turns by humidity."""
    rest("PUT", "/policies/basil", {"policy": "schedule", "parameters": {"times": ["07:00"]}})
    rest("PUT", "/policies/box", {"policy": "schedule", "parameters": {"since": "08:00"}})

    seen = {one["actuator_id"]: one["policy"] for one in rest("GET", "/policies").json()["items"]}

    assert seen == {"one": "schedule", "two": "schedule", "fan": "schedule"}


def test_a_vacation_shares_the_water_until_its_end(rest: Rest, service: ControllerService) -> None:
    """Without a reservoir of known size there is nothing to share."""
    until = service.clock.wall() + 5 * 86_400.0

    begun = rest("POST", "/vacation", {"until": until, "by": "anna"})

    assert (begun.status_code, begun.json()["vacation"]["by"], begun.json()["shares"]) == (201, "anna", {})
    assert rest("GET", "/vacation").json()["vacation"]["until"] == pytest.approx(until, abs=0.001)
    assert rest("DELETE", "/vacation").json() == {"was_on": True}
    assert rest("GET", "/vacation").json()["vacation"] is None


def test_a_pump_is_primed_and_its_flow_measured(rest: Rest) -> None:
    """Priming is a command like any other, charged and refused; what the jug held becomes the flow."""
    primed = rest("POST", "/actuators/one/prime", {"by": "anna"})
    assert primed.status_code == 409  # five seconds of this pump are more than the pot's day
    assert [primed.json()["refusal"][name] for name in ("invariant", "value", "limit")] == ["S3", 250.0, 200.0]

    measured = rest("PUT", "/actuators/two/flow", {"ml": 400.0, "on_s": 10.0, "by": "anna"})

    assert measured.json() == {"actuator_id": "two", "flow_ml_s": 40.0, "by": "anna"}


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("PUT", "/actuators/one/mode", {"mode": "on"}, "mode"),
        ("PUT", "/actuators/one/mode", {"mode": "manual"}, "until"),
        ("PUT", "/actuators/one/mode", {"mode": "manual", "until": 5}, "until"),
        ("PUT", "/actuators/one/mode", {"mode": "off", "by": ""}, "by"),
        ("PUT", "/actuators/one/mode", {"mode": "off", "until": 4e9}, "until"),
        ("PUT", "/actuators/one/mode", {"mode": "recommend", "until": 4e9}, "until"),
        ("PUT", "/policies/basil", {"policy": "pid"}, "policy"),
        ("PUT", "/policies/basil", {"policy": "magic"}, "policy"),
        ("PUT", "/policies/basil", {"policy": "schedule", "parameters": {"dose_ml": -3}}, "parameters.dose_ml"),
        ("PUT", "/policies/basil", {"policy": "schedule", "actuator_id": "fan"}, "actuator_id"),
        ("PUT", "/policies/basil", {"policy": "schedule"}, "parameters.times"),
        (
            "PUT",
            "/policies/basil",
            {"policy": "soil_water_deficit", "parameters": {"target": 0.9}},
            "parameters.target",
        ),
        (
            "PUT",
            "/policies/basil",
            {"policy": "hysteresis", "parameters": {"on_at": 0.5, "off_at": 0.1}},
            "parameters.on_at",
        ),
        ("PUT", "/policies/basil", {"policy": "schedule", "parameters": 5}, "parameters"),
        ("PUT", "/policies/box", {"enabled": True}, "policy"),
        ("PUT", "/actuators/one/mode", {"mode": ["off"]}, "mode"),
        ("PUT", "/actuators/one/mode", {"mode": {}}, "mode"),
        ("PUT", "/actuators/one/mode", {}, "mode"),
        ("POST", "/grants/fan", {"by": "anna", "since": 4_000_000_000}, "since"),
        ("POST", "/grants/fan", {"by": "anna", "since": "soon"}, "since"),
        ("POST", "/vacation", {"by": "anna"}, "until"),
        ("POST", "/vacation", {"by": "anna", "until": 5}, "until"),
        ("POST", "/actuators/fan/prime", {}, "actuator_id"),
        ("PUT", "/actuators/one/flow", {"ml": "much", "on_s": 10}, "ml"),
        ("PUT", "/actuators/one/flow", {"ml": 100.0, "on_s": 0}, "on_s"),
        ("PUT", "/actuators/one/flow", {"ml": 1.0, "on_s": 10.0}, "ml"),
    ],
)
def test_wrong_decisions_name_their_field(rest: Rest, method: str, path: str, body: dict[str, Any], field: str) -> None:
    """Problem+json with the limit in words."""
    answer = rest(method, path, body)

    assert (answer.status_code, answer.json()["field"]) == (422, field)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/actuators/one/mode"),
        ("POST", "/actuators/one/release"),
        ("POST", "/actuators/one/prime"),
        ("POST", "/actuators/one/calibrate"),
        ("PUT", "/actuators/one/flow"),
        ("POST", "/vacation"),
        ("DELETE", "/vacation"),
    ],
)
def test_every_decision_needs_the_token(rest: Rest, method: str, path: str) -> None:
    """Without it nothing happens."""
    assert requests.request(method, rest.base + path, json={}, timeout=5).status_code == 401
