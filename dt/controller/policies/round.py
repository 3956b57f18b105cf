"""One look at every actuator with a policy: what is known, what the policy wishes, what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dt.controller.decisions import Decisions
from dt.controller.kinds.base_actuator import BaseActuator
from dt.controller.modes import Mode
from dt.controller.policies import RECOMMENDATION, make_policy
from dt.controller.policies.base_policy import BasePolicy, PolicyView, Wish
from dt.controller.policies.doing import Doer, Held
from dt.utils.clock import Clock
from dt.utils.dataclasses import ActionCommand, Command, Policy
from dt.utils.exceptions import MessageError
from dt.utils.logger import get_logger
from dt.utils.quantities import Quantity

DECIDES_EVERY_S = 1.0

log = get_logger(__name__)

See = Callable[[BaseActuator], PolicyView]
"""Return what is known of an actuator's world; memory and level are filled in by the round."""


class PolicyRound:
    """Steps every policy but the one that follows conditions; called from the control loop alone."""

    def __init__(
        self,
        *,
        actuators: Mapping[str, BaseActuator],
        decisions: Decisions,
        see: See,
        doer: Doer,
        clock: Clock,
    ) -> None:
        self._actuators = actuators
        self._decisions = decisions
        self._see = see
        self._doer = doer
        self._clock = clock
        self._held = {name: Held() for name in actuators}
        self._made: dict[str, BasePolicy | None] = {}
        self._next_s = float("-inf")

    def step(self, outputs: Mapping[str, Mapping[str, Any]]) -> None:
        """Decide once a second; `outputs` is the guard's latest word on every output."""
        now_s = self._clock.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + DECIDES_EVERY_S
        for name, actuator in self._actuators.items():
            state = outputs.get(name)
            if state is not None:
                self._look(actuator, self._held[name], state)

    def takes_back(self, command: ActionCommand, running: str | None) -> str:
        """Return the policy that undoes a person's off or level as soon as it is asked again; '' for none.

        `running` is the `action_id` of the output's run: one that a person began is left alone until its end.
        """
        held, mode = self._held[command.actuator_id], self._decisions.mode_of(command.actuator_id).mode
        is_own = bool(held.action_id) and running == held.action_id
        is_undone = command.command is Command.OFF or (command.command is Command.LEVEL and is_own)
        policy = self._decisions.policy_of(command.actuator_id)
        is_held = policy is not None and policy.enabled and mode is Mode.AUTOMATIC and held.holds_at > 0
        return policy.policy if policy is not None and is_held and is_undone else ""

    def _look(self, actuator: BaseActuator, held: Held, state: Mapping[str, Any]) -> None:
        name = actuator.actuator_id
        chosen = self._decisions.policy_of(name)
        mode = self._decisions.mode_of(name).mode
        policy = self._policy(actuator, chosen, held)
        is_idle = policy is None or mode in (Mode.OFF, Mode.MANUAL)
        wish = None if is_idle or policy is None else self._wish(actuator, policy, held, state)
        policy_name = "none" if policy is None else policy.name
        self._doer.follow(actuator, wish, held, state, policy=policy_name, may_act=mode is Mode.AUTOMATIC)

    def _wish(self, actuator: BaseActuator, policy: BasePolicy, held: Held, state: Mapping[str, Any]) -> Wish | None:
        view = self._see(actuator)
        is_ours = bool(held.action_id) and state["action_id"] == held.action_id and bool(state["desired"])
        level = float(state.get("level", 1.0)) if is_ours else 0.0
        try:
            wish = policy.decide(replace(view, memory=held.memory, level=level))
        except Exception:  # a policy of somebody else's package must not keep the others from being stepped
            log.exception("the policy of %s failed, so it does nothing until it is set again", actuator.actuator_id)
            self._made[actuator.actuator_id] = None
            return None
        held.memory = {} if wish is None else wish.memory
        held.cause = _cause(view)
        return wish

    def _policy(self, actuator: BaseActuator, chosen: Policy | None, held: Held) -> BasePolicy | None:
        """Return the chosen policy, made anew when its version changed; None for none, or one that cannot be made."""
        name = actuator.actuator_id
        if chosen is None or not chosen.enabled or chosen.policy == RECOMMENDATION:
            held.policy_version = -1
            return None
        if chosen.version != held.policy_version:
            held.policy_version, held.memory = chosen.version, {}
            try:
                self._made[name] = make_policy(chosen.policy, chosen.parameters, actuator.kind)
            except MessageError as error:
                log.error("the policy of %s cannot be used, so it does nothing: %s", name, error)  # noqa: TRY400
                self._made[name] = None
        return self._made.get(name)


def _cause(view: PolicyView) -> str:
    """Return the correlation id of the reading that a wish stands on."""
    soil = view.air.get(Quantity.SOIL_MOISTURE)
    if soil is not None:
        return soil.correlation_id
    return min(view.air.values(), key=lambda one: one.age_s).correlation_id if view.air else ""
