"""REST of the controller (5003): actuators, commands, emergency stop, policies, grants, ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from dt.controller.guard_types import GuardUnreachableError
from dt.controller.policies.recommendation import NAME as RECOMMENDATION
from dt.utils.dataclasses import ActionCommand, ActionResult, Grant, Outcome
from dt.utils.exceptions import MessageError
from dt.utils.http import Problem, acts, json_response, request_object, writes_or_acts
from dt.utils.ids import new_correlation_id

if TYPE_CHECKING:
    from dt.controller.app import ControllerService

_REFUSED = frozenset({Outcome.REFUSED, Outcome.EXPIRED})
_MOST_ENTRIES = 5000


def add_pages(app: Flask, service: ControllerService) -> None:
    """Add the controller's endpoints to an API."""
    pages = _Pages(service)
    app.add_url_rule("/actuators", "actuators", pages.actuators)
    app.add_url_rule("/actuators/<actuator_id>/commands", "command", pages.command, methods=["POST"])
    app.add_url_rule("/emergency_stop", "stop", pages.stop, methods=["POST"])
    app.add_url_rule("/emergency_stop", "release", pages.release, methods=["DELETE"])
    app.add_url_rule("/policies/<plant_id>", "policy", pages.policy)
    app.add_url_rule("/policies/<plant_id>", "set_policy", pages.set_policy, methods=["PUT"])
    app.add_url_rule("/grants/<actuator_id>", "grant", pages.grant, methods=["POST"])
    app.add_url_rule("/grants/<actuator_id>", "withdraw", pages.withdraw, methods=["DELETE"])
    app.add_url_rule("/ledger", "ledger", pages.ledger)
    app.add_url_rule("/reservoirs/<reservoir>/refill", "refill", pages.refill, methods=["POST"])

    @app.errorhandler(GuardUnreachableError)
    def _away(error: GuardUnreachableError) -> Response:
        detail = f"{error}; outputs without a guard are off"
        body = Problem(503, "Guard away", detail).body
        return Response(json_response(body).data, status=503, mimetype="application/problem+json")


class _Pages:
    """One method an endpoint."""

    def __init__(self, service: ControllerService) -> None:
        self._service = service

    def actuators(self) -> Response:
        """`GET /actuators`: every actuator with its desired and reported state."""
        status = self._service.loop.status
        items = [self._actuator(actuator_id, status) for actuator_id in self._service.actuators]
        stopped_by = self._service.stop_button.waiting_by or (None if status is None else status["stopped_by"])
        stop = {"active": stopped_by is not None, "by": stopped_by}
        return json_response(
            {"items": items, "emergency_stop": stop, "guard": self._service.loop.why_not_ready() or "ok"}
        )

    @acts
    def command(self, actuator_id: str) -> Response:
        """`POST /actuators/<id>/commands`: 202 with what became of it, or 409 with the refusal."""
        command = self._read_command(actuator_id)
        result = self._service.gate.submit(command)
        if result is None:
            return json_response({"action_id": command.action_id, "outcome": "accepted", "command": command}, 202)
        if result.outcome in _REFUSED:
            raise _refused(result)
        if result.outcome is Outcome.FAILED and result.on_s is None:
            raise Problem(503, "Failed", "the action failed", result=result.to_dict())
        return json_response(result, 202)

    @writes_or_acts
    def stop(self) -> Response:
        """`POST /emergency_stop`: everything off now, and nothing starts until a person releases it.

        202 while no guard answers (outputs without a guard are off): it is passed on before anything can start.
        """
        by = _whoever()
        is_quiet = self._service.stop_button.press(by)
        is_waiting = self._service.stop_button.waiting_by is not None
        return json_response({"active": True, "by": by, "outputs_off": is_quiet}, 202 if is_waiting else 200)

    @acts
    def release(self) -> Response:
        """`DELETE /emergency_stop`: a person lets outputs start again."""
        by = _person(_optional_object())
        self._service.stop_button.release(by)
        return json_response({"active": False, "by": by})

    def policy(self, plant_id: str) -> Response:
        """`GET /policies/<plant_id>`."""
        self._require_plant(plant_id)
        return json_response(self._service.decisions.policy_of(plant_id))

    def set_policy(self, plant_id: str) -> Response:
        """`PUT /policies/<plant_id>`: {"policy": "recommendation", "enabled": true}."""
        self._require_plant(plant_id)
        body = request_object()
        policy = body.get("policy", RECOMMENDATION)
        enabled = body.get("enabled", True)
        if policy != RECOMMENDATION:
            raise MessageError("policy", f"must be {RECOMMENDATION}, not {policy!r}")
        if not isinstance(enabled, bool):
            raise MessageError("enabled", f"must be true or false, not {enabled!r}")
        self._service.decisions.set_policy(plant_id, policy=policy, enabled=enabled)
        return self.policy(plant_id)

    @acts
    def grant(self, actuator_id: str) -> Response:
        """`POST /grants/<actuator_id>`: {"by": who, "until": when or null}."""
        self._require_actuator(actuator_id)
        body = request_object()
        now = self._service.clock.wall()
        grant = Grant.from_dict({**body, "actuator_id": actuator_id, "since": body.get("since", now)})
        if grant.until is not None and grant.until <= now:
            raise MessageError("until", "lies in the past")
        self._service.decisions.grant(grant)
        return json_response(grant, 201)

    @acts
    def withdraw(self, actuator_id: str) -> Response:
        """`DELETE /grants/<actuator_id>`: policies only recommend again."""
        self._require_actuator(actuator_id)
        was_granted = self._service.decisions.withdraw(actuator_id)
        return json_response({"actuator_id": actuator_id, "was_granted": was_granted})

    def ledger(self) -> Response:
        """`GET /ledger?limit`: what was charged, kept and refused, newest first."""
        limit = _limit(request.args.get("limit", "200"))
        budgets = {
            actuator_id: self._service.guard.budget(actuator_id)
            for actuator_id, actuator in self._service.actuators.items()
            if actuator.waters
        }
        return json_response({"items": self._service.guard.entries(limit), "budgets": budgets, "next": None})

    @acts
    def refill(self, reservoir: str) -> Response:
        """`POST /reservoirs/<name>/refill`: a person filled it up."""
        known = {actuator.output.reservoir for actuator in self._service.actuators.values()} - {None}
        if reservoir not in known:
            raise Problem(404, "No such reservoir", f"there is no {reservoir!r}", field="reservoir")
        self._service.guard.refill(reservoir, _person(_optional_object()))
        return json_response({"reservoir": reservoir, "refilled": True})

    # -- helpers ------------------------------------------------------------------------------------------------

    def _actuator(self, actuator_id: str, status: Mapping[str, Any] | None) -> dict[str, Any]:
        grant = self._service.decisions.grant_of(actuator_id)
        seen = self._service.actuators[actuator_id].describe()
        seen["grant"] = None if grant is None else grant.to_dict()
        if status is None or actuator_id not in status["outputs"]:
            return seen | {"desired": None, "reported": None, "action_id": None, "pause_left_s": None}
        state = status["outputs"][actuator_id]
        return seen | {
            "desired": {"on": state["desired"], "level": state["level"]},
            "reported": _reported(status["reported"].get(actuator_id)),
            "action_id": state["action_id"],
            "on_s": state["on_s"],
            "pause_left_s": state["pause_left_s"],
        }

    def _read_command(self, actuator_id: str) -> ActionCommand:
        self._require_actuator(actuator_id)
        body = request_object()
        if body.get("actuator_id", actuator_id) != actuator_id:
            raise MessageError("actuator_id", f"the path says {actuator_id}, the body {body['actuator_id']!r}")
        plant_id = self._service.actuators[actuator_id].descriptor.plant_id
        now = self._service.clock.wall()
        defaults = {
            "action_id": new_correlation_id(now),
            "correlation_id": new_correlation_id(now),
            "issuer": "person",
            "timestamp": now,
            "plant_id": plant_id,
        }
        return ActionCommand.from_dict({**defaults, **body, "actuator_id": actuator_id})

    def _require_actuator(self, actuator_id: str) -> None:
        if actuator_id not in self._service.actuators:
            known = ", ".join(sorted(self._service.actuators)) or "none"
            raise Problem(
                404, "No such actuator", f"there is no {actuator_id!r}; there are: {known}", field="actuator_id"
            )

    def _require_plant(self, plant_id: str) -> None:
        if self._service.plants.get(plant_id) is None:
            raise Problem(404, "No such plant", f"the rig has no plant {plant_id!r}", field="plant_id")


def _refused(result: ActionResult) -> Problem:
    refusal = result.refusal
    detail = f"{refusal.invariant}: {refusal.why}" if refusal is not None else str(result.outcome)
    return Problem(
        409,
        "Refused",
        detail,
        action_id=result.action_id,
        outcome=str(result.outcome),
        refusal=None if refusal is None else refusal.to_dict(),
        result=result.to_dict(),
    )


def _reported(level: float | None) -> dict[str, Any]:
    """Return what the pin itself says; nothing while nobody has read it."""
    return {"on": None if level is None else level > 0, "level": level}


def _optional_object() -> dict[str, Any]:
    return request_object() if request.get_data() else {}


def _whoever() -> str:
    """Return who presses the emergency stop; nothing in its body is a reason to refuse it."""
    try:
        return _person(_optional_object())
    except (MessageError, Problem):
        return "person"


def _person(body: Mapping[str, Any]) -> str:
    by = body.get("by", "person")
    if not isinstance(by, str) or not by or len(by) > 200:
        raise MessageError("by", "must be a name of 1 to 200 characters")
    return by


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_ENTRIES:
        raise MessageError("limit", f"must be from 1 to {_MOST_ENTRIES}, not {text}")
    return int(text)
