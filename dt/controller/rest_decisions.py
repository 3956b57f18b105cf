"""REST of what people decide: modes, grants, policies, lock-outs, a vacation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flask import Flask, Response

from dt.controller.modes import Mode
from dt.controller.policies import describe_policies, make_policy, policy_type
from dt.controller.rest_answers import optional_object, person, require_actuator
from dt.controller.vacation import Vacation
from dt.utils.dataclasses import Grant, Policy
from dt.utils.exceptions import MessageError
from dt.utils.http import Problem, acts, json_response, request_object

if TYPE_CHECKING:
    from dt.controller.app import ControllerService
    from dt.controller.core import ControllerCore

_EARLY_S = 5.0  # how far a client's clock may run ahead of ours


def add_decision_pages(app: Flask, service: ControllerService) -> None:
    """Add the endpoints of decisions to an API."""
    pages = _Decisions(service)
    app.add_url_rule("/actuators/<actuator_id>/mode", "set_mode", pages.set_mode, methods=["PUT"])
    app.add_url_rule("/actuators/<actuator_id>/release", "release_lock", pages.release, methods=["POST"])
    app.add_url_rule("/grants/<actuator_id>", "grant", pages.grant, methods=["POST"])
    app.add_url_rule("/grants/<actuator_id>", "withdraw", pages.withdraw, methods=["DELETE"])
    app.add_url_rule("/policies", "policies", pages.policies)
    app.add_url_rule("/policies/<plant_id>", "policy", pages.policy)
    app.add_url_rule("/policies/<plant_id>", "set_policy", pages.set_policy, methods=["PUT"])
    app.add_url_rule("/vacation", "vacation", pages.vacation)
    app.add_url_rule("/vacation", "start_vacation", pages.start_vacation, methods=["POST"])
    app.add_url_rule("/vacation", "end_vacation", pages.end_vacation, methods=["DELETE"])


class _Decisions:
    """One method an endpoint."""

    def __init__(self, service: ControllerService) -> None:
        self._service = service

    @property
    def _core(self) -> ControllerCore:
        return self._service.core

    @acts
    def set_mode(self, actuator_id: str) -> Response:
        """`PUT /actuators/<id>/mode`: {"mode", "by", "until" for manual, or for automatic if it shall end}."""
        require_actuator(self._service, actuator_id)
        body = request_object()
        said = body.get("mode")
        if not isinstance(said, str) or said not in set(Mode):
            raise MessageError("mode", f"must be one of {', '.join(Mode)}, not {str(said)[:80]!r}")
        grant = Grant.from_dict(
            {"actuator_id": actuator_id, "since": 0, "by": person(body), "until": body.get("until")}
        )
        if grant.until is not None and grant.until <= self._service.clock.wall():
            raise MessageError("until", "lies in the past")
        if grant.until is not None and said in (Mode.OFF, Mode.RECOMMEND):
            raise MessageError("until", f"must be left out: {said} has no end, only manual and automatic may have one")
        now = self._core.set_mode(actuator_id, Mode(said), grant.by, until=grant.until, note=_note(body))
        return json_response({"actuator_id": actuator_id, **now.to_dict()})

    @acts
    def release(self, actuator_id: str) -> Response:
        """`POST /actuators/<id>/release`: {"by"}: a person has looked, and lets a locked-out output start again."""
        require_actuator(self._service, actuator_id)
        by = person(optional_object())
        lock = self._core.release(actuator_id, by)
        return json_response({"actuator_id": actuator_id, "was_locked": lock is not None, "lock": lock, "by": by})

    @acts
    def grant(self, actuator_id: str) -> Response:
        """`POST /grants/<actuator_id>`: {"by": who, "until": when or null}; it holds, and is recorded, from now on.

        A `since` says nothing new; one that lies in the future is refused.
        """
        require_actuator(self._service, actuator_id)
        body = request_object()
        now = self._service.clock.wall()
        asked = Grant.from_dict({"since": now, **body, "actuator_id": actuator_id})
        if asked.since > now + _EARLY_S:
            why = f"must not lie in the future, for a grant holds from now on: at most {now + _EARLY_S:.3f}"
            raise MessageError("since", f"{why}, not {asked.since:.3f}")
        grant = replace(asked, since=now)
        if grant.until is not None and grant.until <= now:
            raise MessageError("until", "lies in the past")
        self._core.decisions.grant(grant)
        return json_response(grant, 201)

    @acts
    def withdraw(self, actuator_id: str) -> Response:
        """`DELETE /grants/<actuator_id>`: policies only recommend again."""
        require_actuator(self._service, actuator_id)
        was_granted = self._core.decisions.withdraw(actuator_id, person(optional_object()))
        return json_response({"actuator_id": actuator_id, "was_granted": was_granted})

    def policies(self) -> Response:
        """`GET /policies`: what every actuator goes by, and the policies that there are with their parameters."""
        chosen = [self._of(name) for name in self._service.actuators]
        return json_response({"items": [one for one in chosen if one is not None], "known": describe_policies()})

    def policy(self, plant_id: str) -> Response:
        """`GET /policies/<plant_id>`: of the plant's first actuator, and of all of them in `actuators`."""
        names = self._actuators_at(plant_id)
        chosen = [one for name in names if (one := self._of(name)) is not None]
        first = chosen[0] if chosen else {"plant_id": plant_id, "policy": None, "enabled": False}
        return json_response({**first, "actuators": chosen})

    @acts
    def set_policy(self, plant_id: str) -> Response:
        """`PUT /policies/<plant_id>`: {"policy", "enabled", "parameters", "actuator_id", "by"}.

        What is left out stays as it was: a policy that was switched off stays off without `enabled`.
        Without an `actuator_id` it is for every actuator of the plant that the policy is for.
        """
        names = self._actuators_at(plant_id)
        body = request_object()
        for policy in self._asked(plant_id, names, body):
            self._core.decisions.set_policy(policy)
        return self.policy(plant_id)

    def vacation(self) -> Response:
        """`GET /vacation`: the vacation that is on, or null, and what each plant may get a day meanwhile."""
        trip = self._core.decisions.vacation
        return json_response({"vacation": trip, "shares": self._core.observer.shares()})

    @acts
    def start_vacation(self) -> Response:
        """`POST /vacation`: {"until", "by"}: what the reservoirs hold has to last until then."""
        body = request_object()
        now = self._service.clock.wall()
        trip = Vacation.from_dict({"until": body.get("until"), "by": person(body), "since": now})
        self._core.decisions.start_vacation(trip)
        return json_response({"vacation": trip, "shares": self._core.observer.shares()}, 201)

    @acts
    def end_vacation(self) -> Response:
        """`DELETE /vacation`: water as always again."""
        return json_response({"was_on": self._core.decisions.end_vacation()})

    # -- helpers ------------------------------------------------------------------------------------------------

    def _of(self, actuator_id: str) -> dict[str, Any] | None:
        policy = self._core.decisions.policy_of(actuator_id)
        if policy is None:
            return None
        return {**policy.to_dict(), "mode": str(self._core.decisions.mode_of(actuator_id).mode)}

    def _actuators_at(self, place: str) -> list[str]:
        """Return the actuators of a plant, or of a zone itself; 404 for neither."""
        rows = [(name, one.descriptor) for name, one in self._service.actuators.items()]
        names = [name for name, row in rows if place == (row.plant_id or row.zone_id)]
        if not names and self._service.plants.get(place) is None:
            raise Problem(404, "No such plant", f"the rig has no plant {place!r}", field="plant_id")
        return names

    def _asked(self, place: str, names: list[str], body: dict[str, Any]) -> list[Policy]:
        """Return the policies that a body asks for, each checked against its own parameters."""
        wanted = body.get("actuator_id")
        if wanted is not None and wanted not in names:
            raise MessageError("actuator_id", f"must be one of {', '.join(names) or 'none'}, not {str(wanted)[:80]!r}")
        policies = [self._policy(name, body) for name in names if wanted in (None, name)]
        kind = policy_type(policies[0].policy) if policies else None
        fit = [
            one
            for one in policies
            if self._service.actuators[one.actuator_id or ""].kind in (kind.kinds if kind else ())
        ]
        chosen = fit or policies
        if not chosen:
            raise MessageError("actuator_id", f"{place} has no actuator that could follow a policy")
        for policy in chosen:
            self._require_sensible(policy)
        return chosen

    def _require_sensible(self, policy: Policy) -> None:
        """Refuse what makes no sense; switching off what stands already is always possible."""
        name = policy.actuator_id or ""
        before = self._core.decisions.policy_of(name)
        is_same = before is not None and (before.policy, before.parameters) == (policy.policy, policy.parameters)
        if is_same and not policy.enabled:
            return
        actuator = self._service.actuators[name]
        plant = self._service.plants.get(actuator.descriptor.plant_id)
        limits = None if plant is None else plant.limits
        make_policy(policy.policy, policy.parameters, actuator.kind, limits)

    def _policy(self, name: str, body: dict[str, Any]) -> Policy:
        descriptor = self._service.actuators[name].descriptor
        before = self._core.decisions.policy_of(name)
        policy = body.get("policy", before.policy if before is not None else None)
        if policy is None:
            raise MessageError("policy", "is missing")
        is_same = before is not None and before.policy == policy
        parameters = body.get("parameters", before.parameters if before is not None and is_same else {})
        return Policy.from_dict(
            {
                "plant_id": descriptor.plant_id or "",
                "zone_id": descriptor.zone_id,
                "actuator_id": name,
                "policy": policy,
                "enabled": body.get("enabled", before.enabled if before is not None else True),
                "parameters": parameters,
                "by": person(body),
                "mode": str(self._core.decisions.mode_of(name).mode),
            }
        )


def _note(body: dict[str, Any]) -> str:
    note = body.get("note", "")
    if not isinstance(note, str) or len(note) > 500:
        raise MessageError("note", "must be a text of at most 500 characters")
    return note
