"""What becomes of a wish: a command for the gate, another level of a run, a recommendation, or nothing yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from dt.controller.issuers import POLICY_ISSUER
from dt.controller.kinds.base_actuator import BaseActuator
from dt.controller.kinds.pump import Pump
from dt.controller.policies.base_policy import Memory, Wish
from dt.utils.clock import Clock
from dt.utils.dataclasses import ActionCommand, ActionResult, Command, Outcome
from dt.utils.ids import derived_id, new_correlation_id

_SAME_LEVEL = 0.01
_AFTER_REFUSAL_S = 60.0
_AFTER_BUDGET_S = 300.0
_SETTLES_S = 2.0  # until the guard's status shows what was just submitted
_RECOMMENDS_EVERY_S = 600.0
_LEAST_ML = 10.0  # no pump starts for less; the gate refuses it where even that is too much, and says so
_SHORTEST_RUN_S = 10.0  # of a lamp's day; the gate refuses it where even that is too much, and says so


class Acting(Protocol):
    """The gate as policies use it."""

    def submit(self, command: ActionCommand) -> ActionResult | None:
        """Return a command's outcome, or None when it was accepted and runs."""
        ...

    def recommend(self, command: ActionCommand) -> ActionResult:
        """Record what would have been done."""
        ...

    def trim(self, actuator_id: str, level: float, by: str) -> None:
        """Give a run of ours another level."""
        ...

    def end(self, actuator_id: str, why: str) -> None:
        """End a run of ours."""
        ...


@dataclass(slots=True, kw_only=True)
class Held:
    """What the round remembers of one actuator; times are monotonic."""

    memory: Memory = field(default_factory=dict)
    policy_version: int = -1
    action_id: str = ""
    not_before_s: float = float("-inf")
    recommended_s: float = float("-inf")
    recommended_key: str = ""
    was_wished: bool = False
    holds_at: float = 0.0  # the level at which the policy would hold its output by itself now
    cause: str = ""


class Doer:
    """Turns wishes of one policy name into commands; pumps get doses, everything else is held at levels."""

    def __init__(
        self,
        gate: Acting,
        clock: Clock,
        *,
        longest_s: Callable[[BaseActuator], float],
        most_ml: Callable[[Pump], float],
    ) -> None:
        self._gate = gate
        self._clock = clock
        self._longest_s = longest_s
        self._most_ml = most_ml

    def follow(
        self,
        actuator: BaseActuator,
        wish: Wish | None,
        held: Held,
        state: Mapping[str, Any],
        *,
        policy: str,
        may_act: bool,
    ) -> None:
        """Do what a wish wants, as far as the output is free."""
        if isinstance(actuator, Pump):
            self._dose(actuator, wish, held, state, policy=policy, may_act=may_act)
        else:
            self._hold(actuator, wish, held, state, policy=policy, may_act=may_act)

    # -- pumps --------------------------------------------------------------------------------------------------

    def _dose(
        self, pump: Pump, wish: Wish | None, held: Held, state: Mapping[str, Any], *, policy: str, may_act: bool
    ) -> None:
        now_s = self._clock.monotonic()
        if wish is None or wish.dose_ml is None or now_s < held.not_before_s or not is_free(state):
            return
        dose_ml = min(wish.dose_ml, max(_LEAST_ML, self._most_ml(pump)))
        command = self._command(pump, wish, held, policy, command=Command.DOSE, dose_ml=dose_ml)
        if not may_act:
            self._recommend(command, wish, held)
            return
        self._submit(pump, command, held)
        if wish.at is not None:
            held.memory = {**held.memory, "done_at": wish.at}

    # -- what is held at a level --------------------------------------------------------------------------------

    def _hold(
        self,
        actuator: BaseActuator,
        wish: Wish | None,
        held: Held,
        state: Mapping[str, Any],
        *,
        policy: str,
        may_act: bool,
    ) -> None:
        wanted = 0.0 if wish is None or wish.level is None else wish.level
        held.holds_at = wanted if may_act else 0.0
        if self._is_ours(held, state):
            self._keep(actuator, wanted if may_act else 0.0, held, state, policy)
            return
        if wanted <= 0 or wish is None:
            held.was_wished = False
            return
        if not is_free(state) or self._clock.monotonic() < held.not_before_s:
            return
        longest_s = self._longest_s(actuator)
        if longest_s < _SHORTEST_RUN_S and not may_act:
            return
        longest_s = max(longest_s, _SHORTEST_RUN_S)
        command = self._command(actuator, wish, held, policy, **_amount(actuator, wanted, longest_s))
        if may_act:
            self._submit(actuator, command, held)
        elif not held.was_wished:
            held.was_wished = True
            self._recommend(command, wish, held)

    def _keep(self, actuator: BaseActuator, wanted: float, held: Held, state: Mapping[str, Any], policy: str) -> None:
        if wanted <= 0:
            self._gate.end(actuator.actuator_id, f"switched off by {POLICY_ISSUER}{policy}")
            held.action_id = ""
        elif Command.LEVEL in actuator.takes and abs(wanted - float(state.get("level", 1.0))) > _SAME_LEVEL:
            self._gate.trim(actuator.actuator_id, wanted, f"{POLICY_ISSUER}{policy}")

    @staticmethod
    def _is_ours(held: Held, state: Mapping[str, Any]) -> bool:
        return bool(state["desired"]) and bool(held.action_id) and state["action_id"] == held.action_id

    # -- both ---------------------------------------------------------------------------------------------------

    def _submit(self, actuator: BaseActuator, command: ActionCommand, held: Held) -> None:
        result = self._gate.submit(command)
        held.action_id = command.action_id
        now_s = self._clock.monotonic()
        if result is None or result.outcome is Outcome.DONE:
            held.not_before_s = now_s + _SETTLES_S
            return
        held.not_before_s = now_s + _rests_s(result, actuator)

    def _recommend(self, command: ActionCommand, wish: Wish, held: Held) -> None:
        now_s = self._clock.monotonic()
        if wish.key and wish.key == held.recommended_key:
            return
        if now_s - held.recommended_s < _RECOMMENDS_EVERY_S and not wish.key:
            return
        held.recommended_s, held.recommended_key = now_s, wish.key
        self._gate.recommend(command)

    def _command(self, actuator: BaseActuator, wish: Wish, held: Held, policy: str, **amount: Any) -> ActionCommand:
        """Return the command of a wish; one with a key has the same `action_id` at every try, so it runs once."""
        now = self._clock.wall()
        name = actuator.actuator_id
        at = now if wish.at is None else wish.at
        return ActionCommand(
            action_id=derived_id(policy, name, wish.key, at=at) if wish.key else new_correlation_id(now),
            actuator_id=name,
            plant_id=actuator.descriptor.plant_id,
            issuer=f"{POLICY_ISSUER}{policy}",
            reason=wish.reason,
            timestamp=now,
            correlation_id=held.cause or new_correlation_id(now),
            caused_by=(held.cause,) if held.cause else (),
            **amount,
        )


def is_free(state: Mapping[str, Any]) -> bool:
    """Return whether an output is off and its pause over."""
    return not (state["desired"] or state["on"] or state["pause_left_s"])


def _rests_s(result: ActionResult, actuator: BaseActuator) -> float:
    """Return how long to ask for nothing more: soon again for want of readings, later where a budget is used up."""
    invariant = "" if result.refusal is None else result.refusal.invariant
    if invariant in ("S4", "S6", "S8"):
        return _AFTER_REFUSAL_S
    return max(_AFTER_BUDGET_S if invariant in ("S1", "S3") else _AFTER_REFUSAL_S, actuator.output.pause_s)


def _amount(actuator: BaseActuator, level: float, longest_s: float) -> dict[str, Any]:
    if Command.LEVEL in actuator.takes:
        return {"command": Command.LEVEL, "level": level, "duration_s": longest_s}
    return {"command": Command.ON, "duration_s": longest_s}
