"""REST of the controller (5003): actuators, commands, emergency stop, ledger; decisions in `rest_decisions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from dt.controller.guard_types import GuardUnreachableError
from dt.controller.kinds.base_actuator import BaseActuator
from dt.controller.kinds.pump import Pump, calibrate_command, measured_flow, prime_command
from dt.controller.rest_answers import optional_object, person, read_number, require_actuator, require_done, taken_back
from dt.controller.rest_decisions import add_decision_pages
from dt.utils.dataclasses import ActionCommand, Command, Refusal
from dt.utils.exceptions import MessageError
from dt.utils.http import Problem, acts, json_response, request_object, writes_or_acts
from dt.utils.ids import new_correlation_id

if TYPE_CHECKING:
    from dt.controller.app import ControllerService

_MOST_ENTRIES = 5000


def add_pages(app: Flask, service: ControllerService) -> None:
    """Add the controller's endpoints to an API."""
    pages = _Pages(service)
    app.add_url_rule("/actuators", "actuators", pages.actuators)
    app.add_url_rule("/actuators/<actuator_id>/commands", "command", pages.command, methods=["POST"])
    app.add_url_rule("/actuators/<actuator_id>/prime", "prime", pages.prime, methods=["POST"])
    app.add_url_rule("/actuators/<actuator_id>/calibrate", "calibrate", pages.calibrate, methods=["POST"])
    app.add_url_rule("/actuators/<actuator_id>/flow", "set_flow", pages.set_flow, methods=["PUT"])
    app.add_url_rule("/emergency_stop", "stop", pages.stop, methods=["POST"])
    app.add_url_rule("/emergency_stop", "release", pages.release, methods=["DELETE"])
    app.add_url_rule("/ledger", "ledger", pages.ledger)
    app.add_url_rule("/reservoirs/<reservoir>/refill", "refill", pages.refill, methods=["POST"])
    add_decision_pages(app, service)

    @app.errorhandler(GuardUnreachableError)
    def _away(error: GuardUnreachableError) -> Response:
        detail = f"{error}; nothing starts without a guard"
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
        """`POST /actuators/<id>/commands`: 202 with what became of it, or 409 with the refusal.

        `taken_back_by` and `note` say that the policy in automatic mode undoes it within seconds.
        """
        command = self._read_command(actuator_id)
        policy = self._service.core.policies.takes_back(command, self._running(actuator_id))
        return self._submit(command, taken_back(command, policy) if policy else {})

    @acts
    def prime(self, actuator_id: str) -> Response:
        """`POST /actuators/<id>/prime`: {"by"}: run a pump for some seconds, to fill its hose; charged like a dose."""
        pump = self._pump(actuator_id)
        return self._submit(prime_command(pump, person(optional_object()), self._service.clock.wall()))

    @acts
    def calibrate(self, actuator_id: str) -> Response:
        """`POST /actuators/<id>/calibrate`: {"by"}: run a pump for ten seconds, to be caught in a jug."""
        pump = self._pump(actuator_id)
        return self._submit(calibrate_command(pump, person(optional_object()), self._service.clock.wall()))

    @acts
    def set_flow(self, actuator_id: str) -> Response:
        """`PUT /actuators/<id>/flow`: {"ml", "on_s", "by"}: what the jug held after so many seconds."""
        pump = self._pump(actuator_id)
        body = request_object()
        ml, on_s = read_number(body, "ml", 0.1, 10_000.0), read_number(body, "on_s", 0.1, 120.0)
        flow_ml_s, by = measured_flow(pump, ml, on_s), person(body)
        answer = self._service.guard.set_flow(actuator_id, flow_ml_s, by)
        if answer.denial is not None:
            raise MessageError("ml", answer.denial.why)
        return json_response({"actuator_id": actuator_id, "flow_ml_s": round(flow_ml_s, 4), "by": by})

    @writes_or_acts
    def stop(self) -> Response:
        """`POST /emergency_stop`: everything off now, and nothing starts until a person releases it.

        202 while no guard answers: it is passed on before anything can start.
        """
        by = _whoever()
        is_quiet = self._service.stop_button.press(by)
        is_waiting = self._service.stop_button.waiting_by is not None
        return json_response({"active": True, "by": by, "outputs_off": is_quiet}, 202 if is_waiting else 200)

    @acts
    def release(self) -> Response:
        """`DELETE /emergency_stop`: a person lets outputs start again."""
        by = person(optional_object())
        self._service.stop_button.release(by)
        return json_response({"active": False, "by": by})

    def ledger(self) -> Response:
        """`GET /ledger?limit&actuator_id`: what was charged, kept and refused, of one actuator or all, newest first."""
        limit, wanted = _limit(request.args.get("limit", "200")), request.args.get("actuator_id", "")
        if wanted:
            require_actuator(self._service, wanted)
        budgets = {
            actuator_id: self._service.guard.budget(actuator_id)
            for actuator_id, actuator in self._service.actuators.items()
            if actuator.waters
        }
        return json_response({"items": self._service.guard.entries(limit, wanted), "budgets": budgets, "next": None})

    @acts
    def refill(self, reservoir: str) -> Response:
        """`POST /reservoirs/<name>/refill`: a person filled it up."""
        known = {actuator.output.reservoir for actuator in self._service.actuators.values()} - {None}
        if reservoir not in known:
            raise Problem(404, "No such reservoir", f"there is no {reservoir!r}", field="reservoir")
        self._service.guard.refill(reservoir, person(optional_object()))
        return json_response({"reservoir": reservoir, "refilled": True})

    # -- helpers ------------------------------------------------------------------------------------------------

    def _actuator(self, actuator_id: str, status: Mapping[str, Any] | None) -> dict[str, Any]:
        core = self._service.core
        grant = core.decisions.grant_of(actuator_id)
        seen = self._service.actuators[actuator_id].describe()
        policy, lock = core.decisions.policy_of(actuator_id), core.locks.of(actuator_id)
        seen |= {
            "grant": None if grant is None else grant.to_dict(),
            "mode": core.decisions.mode_of(actuator_id).to_dict(),
            "policy": None if policy is None else policy.to_dict(),
            "lock": None if lock is None else lock.to_dict(),
            "why_not": self._why_not(core.actuators[actuator_id]),
            "settling": core.effects.is_settling(actuator_id),
        }
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

    def _running(self, actuator_id: str) -> str | None:
        status = self._service.loop.status
        return None if status is None else status["outputs"].get(actuator_id, {}).get("action_id")

    def _submit(self, command: ActionCommand, more: Mapping[str, str] | None = None) -> Response:
        result = self._service.gate.submit_from_outside(command)
        if result is None:
            return json_response({"action_id": command.action_id, "outcome": "accepted", "command": command}, 202)
        require_done(result)
        return json_response({**result.to_dict(), **(more or {})}, 202)

    def _why_not(self, actuator: BaseActuator) -> list[dict[str, Any]]:
        """Return what a person's smallest command would meet now, each refusal with its margin."""
        try:
            refusals = self._service.gate.refusals_of(smallest_command(actuator, self._service.clock.wall()))
        except GuardUnreachableError as error:
            refusals = [Refusal(invariant="S11", why=f"the guard does not answer: {error}")]
        return [refusal.to_dict() for refusal in refusals]

    def _pump(self, actuator_id: str) -> Pump:
        require_actuator(self._service, actuator_id)
        pump = self._service.actuators[actuator_id]
        if not isinstance(pump, Pump):
            raise MessageError("actuator_id", f"{actuator_id} is a {pump.kind}; this is for pumps")
        return pump

    def _read_command(self, actuator_id: str) -> ActionCommand:
        require_actuator(self._service, actuator_id)
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


def smallest_command(actuator: BaseActuator, now: float) -> ActionCommand:
    """Return a person's smallest command, by which `why_not` is found."""
    amount: dict[str, Any] = {"command": Command.DOSE, "dose_ml": 1.0} if actuator.waters else {"command": Command.ON}
    return ActionCommand.from_dict(
        {
            "duration_s": 1.0,
            **amount,
            "action_id": "why-not",
            "actuator_id": actuator.actuator_id,
            "plant_id": actuator.descriptor.plant_id,
            "issuer": "person",
            "timestamp": now,
            "correlation_id": "why-not",
        }
    )


def _reported(level: float | None) -> dict[str, Any]:
    """Return what the pin itself says; nothing while nobody has read it."""
    return {"on": None if level is None else level > 0, "level": level}


def _whoever() -> str:
    """Return who presses the emergency stop; nothing in its body is a reason to refuse it."""
    try:
        return person(optional_object())
    except (MessageError, Problem):
        return "person"


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_ENTRIES:
        raise MessageError("limit", f"must be from 1 to {_MOST_ENTRIES}, not {text}")
    return int(text)
