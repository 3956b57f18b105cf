"""What the controller's pages share: bodies, names, refusals as problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import request

from dt.utils.dataclasses import ActionCommand, ActionResult, Outcome
from dt.utils.exceptions import MessageError
from dt.utils.http import Problem, person_of, request_object
from dt.utils.number import number_of

if TYPE_CHECKING:
    from dt.controller.app import ControllerService

_REFUSED = frozenset({Outcome.REFUSED, Outcome.EXPIRED})


def optional_object() -> dict[str, Any]:
    """Return the request's JSON object, empty where there is no body."""
    return request_object() if request.get_data() else {}


def person(body: Mapping[str, Any]) -> str:
    """Return who does it; a person without a name where `by` is left out."""
    return person_of(body)


def require_actuator(service: ControllerService, actuator_id: str) -> None:
    """Raise the problem 404 for an actuator that the rig does not have."""
    if actuator_id not in service.actuators:
        known = ", ".join(sorted(service.actuators)) or "none"
        detail = f"there is no {actuator_id!r}; there are: {known}"
        raise Problem(404, "No such actuator", detail, field="actuator_id")


def require_done(result: ActionResult) -> None:
    """Raise 409 with the refusal of a command that was refused, 503 for one that failed before it began."""
    if result.outcome in _REFUSED:
        raise _refused(result)
    if result.outcome is Outcome.FAILED and result.on_s is None:
        raise Problem(503, "Failed", "the action failed", result=result.to_dict())


def read_number(body: Mapping[str, Any], name: str, low: float, high: float) -> float:
    """Return a number of a body, or a text that is one; raises MessageError with its limits."""
    wrong = MessageError(name, f"must be a number from {low:g} to {high:g}, not {str(body.get(name))[:80]!r}")
    try:
        value = number_of(name, body.get(name))
    except MessageError as error:
        raise wrong from error
    if not low <= value <= high:
        raise wrong
    return value


def taken_back(command: ActionCommand, policy: str) -> dict[str, str]:
    """Return what an answer says besides of a command that a policy undoes."""
    note = f"{command.actuator_id} is in automatic mode, and its policy {policy} takes this back within seconds; "
    return {"taken_back_by": policy, "note": f"{note}mode manual keeps it for as long as you say, mode off for good"}


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
