"""The controller service with its REST, on a log in memory and a guard in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import requests

from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import headers_of
from dt.communication.topics import Topics
from dt.controller.app import ControllerService, create_service
from dt.utils.clock import SystemClock
from dt.utils.config import Settings
from dt.utils.dataclasses import ActionCommand, ActionResult, AlertCondition, Command, DeadLetter, Outcome, Severity
from dt.utils.ids import new_correlation_id
from dt.utils.secrets import sign
from tests.controller.rest_box import Rest
from tests.controller.rooms import reading

Eventually = Callable[[Callable[[], object], str], None]


def _results(messaging: MemoryMessaging) -> dict[str, ActionResult]:
    records = messaging.read_all(Topics.ACTION_RESULTS)
    return {result.action_id: result for result in (ActionResult.from_json(record.value or b"") for record in records)}


def test_a_dose_by_rest_is_accepted_and_its_result_published(
    rest: Rest, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """202 at once; done, with what was delivered, on dt.actions.results."""
    answer = rest("POST", "/actuators/one/commands", {"command": "dose", "dose_ml": 10, "action_id": "a-1"})

    assert answer.status_code == 202
    eventually(lambda: "a-1" in _results(messaging), "the result is published")
    result = _results(messaging)["a-1"]
    assert result.outcome is Outcome.DONE
    assert result.delivered_ml == pytest.approx(10.0, abs=5.0)
    assert result.command is not None


def test_a_refusal_by_rest_is_409_with_value_limit_and_margin(
    rest: Rest, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """And it is published like every outcome (S13)."""
    answer = rest("POST", "/actuators/one/commands", {"command": "on", "duration_s": 31, "action_id": "a-1"})

    assert answer.status_code == 409
    refusal = answer.json()["refusal"]
    assert (refusal["invariant"], refusal["value"], refusal["limit"], refusal["margin"]) == ("S1", 31.0, 30.0, -1.0)
    eventually(lambda: "a-1" in _results(messaging), "the refusal is published")


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/actuators/one/commands", {"command": "dose"}, 422, "dose_ml"),
        ("/actuators/one/commands", {"command": "dose", "dose_ml": "much"}, 422, "dose_ml"),
        ("/actuators/one/commands", {"command": "level", "level": 0.5}, 422, "command"),
        ("/actuators/one/commands", {"command": "dance"}, 422, "command"),
        ("/actuators/nobody/commands", {"command": "off"}, 404, "actuator_id"),
        ("/grants/one", {"by": "anna", "until": 5}, 422, "until"),
        ("/grants/one", {}, 422, "by"),
    ],
)
def test_wrong_requests_name_their_field(rest: Rest, path: str, body: dict[str, Any], status: int, field: str) -> None:
    """Problem+json, as everywhere."""
    answer = rest("POST", path, body)

    assert (answer.status_code, answer.json()["field"]) == (status, field)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/actuators/one/commands"),
        ("POST", "/emergency_stop"),
        ("DELETE", "/emergency_stop"),
        ("PUT", "/policies/basil"),
        ("POST", "/grants/one"),
        ("DELETE", "/grants/one"),
    ],
)
def test_every_writing_endpoint_needs_the_token(rest: Rest, method: str, path: str) -> None:
    """Without it nothing happens."""
    assert requests.request(method, rest.base + path, json={}, timeout=5).status_code == 401


def test_s09_the_emergency_stop_by_rest_latches_until_it_is_released(rest: Rest) -> None:
    """Everything is off when the answer comes; commands are refused with S9."""
    rest("POST", "/actuators/one/commands", {"command": "on", "duration_s": 3})

    stopped = rest("POST", "/emergency_stop", {"by": "anna"})

    assert stopped.json() == {"active": True, "by": "anna", "outputs_off": True}
    refused = rest("POST", "/actuators/two/commands", {"command": "dose", "dose_ml": 5})
    assert refused.json()["refusal"]["invariant"] == "S9"
    assert rest("DELETE", "/emergency_stop", {"by": "anna"}).status_code == 200
    assert rest("POST", "/actuators/two/commands", {"command": "dose", "dose_ml": 5}).status_code == 202


def test_actuators_show_desired_and_reported_state(rest: Rest, eventually: Eventually) -> None:
    """With limits and grant, for the dashboard."""
    rest("POST", "/actuators/one/commands", {"command": "on", "duration_s": 3})
    rest("POST", "/grants/one", {"by": "anna"})

    def one() -> dict[str, Any]:
        items = rest("GET", "/actuators").json()["items"]
        return next(item for item in items if item["actuator_id"] == "one")

    eventually(lambda: one()["reported"]["on"] is True, "the pump is reported on")
    assert one()["desired"] == {"on": True, "level": 1.0}
    assert one()["grant"]["by"] == "anna"
    assert rest("POST", "/actuators/one/commands", {"command": "off"}).status_code == 202
    eventually(lambda: one()["reported"]["on"] is False, "the pump is reported off")


def test_the_ledger_of_one_actuator_shows_its_own_entries_however_busy_others_are(
    rest: Rest, eventually: Eventually
) -> None:
    """A pump's dose is found behind the many runs of a fan; an actuator that is not there is 404."""
    rest("POST", "/actuators/one/commands", {"command": "dose", "dose_ml": 5.0})
    eventually(lambda: rest("GET", "/ledger").json()["items"][0]["outcome"] == "done", "the dose is settled")
    for _time in range(6):
        rest("POST", "/actuators/fan/commands", {"command": "off"})

    newest = rest("GET", "/ledger?limit=5").json()["items"]
    own = rest("GET", "/ledger?limit=5&actuator_id=one").json()["items"]

    assert {entry["actuator_id"] for entry in newest} == {"fan"}
    assert [(entry["actuator_id"], entry["outcome"]) for entry in own] == [("one", "done")]
    assert rest("GET", "/ledger?actuator_id=three").status_code == 404


def test_the_ledger_lists_what_was_charged(rest: Rest, eventually: Eventually) -> None:
    """Newest first, with budgets."""
    rest("POST", "/actuators/one/commands", {"command": "dose", "dose_ml": 5, "action_id": "a-1"})

    eventually(lambda: rest("GET", "/ledger").json()["items"][0]["outcome"] == "done", "the dose is settled")
    body = rest("GET", "/ledger?limit=1").json()
    assert [item["action_id"] for item in body["items"]] == ["a-1"]
    assert body["budgets"]["one"]["budget_ml"] == 200.0


def test_policies_can_be_read_and_set(rest: Rest) -> None:
    """One policy a plant, on or off."""
    assert rest("GET", "/policies/basil").json()["enabled"] is True
    assert rest("PUT", "/policies/basil", {"enabled": False}).json()["enabled"] is False
    assert rest("PUT", "/policies/basil", {"enabled": "no"}).json()["field"] == "enabled"
    assert rest("GET", "/policies/cactus").status_code == 404


def _command(action_id: str) -> ActionCommand:
    now = SystemClock().wall()
    return ActionCommand(
        action_id=action_id,
        actuator_id="one",
        command=Command.DOSE,
        dose_ml=5.0,
        issuer="anna",
        timestamp=now,
        correlation_id=new_correlation_id(now),
    )


def test_a_signed_command_on_the_bus_runs_and_any_other_is_a_dead_letter(
    rest: Rest, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """The HMAC is made over the value with the token; a wrong or missing one never runs."""
    unsigned, forged, signed = _command("a-1"), _command("a-2"), _command("a-3")
    messaging.publish(Topics.ACTIONS, unsigned, key="one")
    for command, token in ((forged, "another token"), (signed, "test-token")):
        value = command.to_json()
        headers = headers_of(command) | {"hmac": sign(value, token)}
        messaging.publish(Topics.ACTIONS, value, key="one", headers=headers)

    eventually(lambda: "a-3" in _results(messaging), "the signed command ran")
    assert set(_results(messaging)) == {"a-3"}
    letters = [DeadLetter.from_json(record.value or b"") for record in messaging.read_all(Topics.DEAD_LETTERS)]
    assert [letter.topic for letter in letters] == [Topics.ACTIONS] * 2


def test_s14_a_signed_command_under_a_policys_name_is_refused_by_bus_and_rest(
    rest: Rest, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """A token does not make a machine's word a person's: nothing was granted, and nobody knows how wet the soil is."""
    command = replace(_command("a-1"), issuer="policy")
    value = command.to_json()
    headers = headers_of(command) | {"hmac": sign(value, "test-token")}
    messaging.publish(Topics.ACTIONS, value, key="one", headers=headers)

    asked = rest("POST", "/actuators/one/commands", {"command": "dose", "dose_ml": 5, "issuer": "policy:mine"})

    assert (asked.status_code, asked.json()["refusal"]["invariant"]) == (409, "S14")
    eventually(lambda: "a-1" in _results(messaging), "the command on the bus was answered")
    items = rest("GET", "/ledger").json()["items"]
    assert {item["outcome"] for item in items} == {"refused"}
    assert len(items) == 2


def test_a_condition_leads_to_a_dose_with_the_readings_correlation_id(
    rest: Rest, messaging: MemoryMessaging, eventually: Eventually
) -> None:
    """Moisture and condition by the bus, grant by REST, result on the bus: one id through all of it."""
    rest("POST", "/grants/two", {"by": "anna"})
    rest("POST", "/grants/one", {"by": "anna"})
    now = SystemClock().wall()
    for number in range(3):
        messaging.publish(Topics.SOIL_MOISTURE.processed, reading(now - 3 + number, 0.2), key="box")
    condition = AlertCondition(
        key="soil_dry:basil",
        plant_id="basil",
        severity=Severity.WARNING,
        description="dry",
        active=True,
        timestamp=now,
        correlation_id="c-dry",
        recommended_dose_ml=20.0,
    )
    eventually(lambda: _published_done(messaging, condition), "the dose was given")


def _published_done(messaging: MemoryMessaging, condition: AlertCondition) -> bool:
    messaging.publish(Topics.ALERT_CONDITIONS, condition, key="basil")
    done = [result for result in _results(messaging).values() if result.outcome is Outcome.DONE]
    return [result.correlation_id for result in done] == ["c-dry"]


@pytest.mark.parametrize("body", [b"garbage", b"[]", b'{"by": 5}', b'{"by": ""}', b"\xff"])
def test_s09_no_emergency_stop_is_refused_for_its_body(rest: Rest, service: ControllerService, body: bytes) -> None:
    """Who presses in a hurry is obeyed first."""
    headers = {"Authorization": "Bearer test-token"}

    answer = requests.post(f"{rest.base}/emergency_stop", data=body, headers=headers, timeout=5)

    assert (answer.status_code, answer.json()["active"]) == (200, True)
    assert service.guard.status()["stopped_by"] == "person"


def test_assembling_the_controller_writes_nothing(settings: Settings, messaging: MemoryMessaging) -> None:
    """Not even the guard's configuration: files appear at the start."""
    create_service(settings, messaging, SystemClock())

    assert not settings.data_dir.exists()


def test_s09_a_stop_that_waits_for_the_guard_is_passed_on_by_the_control_loop(
    rest: Rest, service: ControllerService, eventually: Eventually
) -> None:
    """Before the lease is renewed, so that nothing starts in between."""
    service.stop_button._by, service.stop_button._presses = "anna", 1

    eventually(lambda: service.guard.status()["stopped_by"] == "anna", "the guard is stopped")
    assert rest("GET", "/actuators").json()["emergency_stop"] == {"active": True, "by": "anna"}
