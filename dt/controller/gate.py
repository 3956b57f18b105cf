"""The one gate: every command, from REST, the bus or a policy, is checked here and nowhere passed by."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping
from typing import Any

from dt.controller.guard_client import GuardLink
from dt.controller.guard_types import MAX_NOTE_CHARS, Answer, Denial, GuardUnreachableError, Order
from dt.controller.interlocks import first_refusal
from dt.controller.kinds.base_actuator import BaseActuator
from dt.controller.moisture import MoistureBook
from dt.controller.records import Decisions, PlantBook
from dt.controller.results import ResultBook, result_of, result_of_entry
from dt.controller.situation import Situation
from dt.utils.clock import Clock
from dt.utils.dataclasses import ActionCommand, ActionResult, Command, Outcome, Refusal
from dt.utils.exceptions import MessageError
from dt.utils.logger import get_logger

_START_WITHIN_S = 3.0

log = get_logger(__name__)


class Gate:
    """Validates, evaluates interlocks, passes to the guard, and sees that every outcome is recorded and published."""

    def __init__(
        self,
        *,
        actuators: Mapping[str, BaseActuator],
        guard: GuardLink,
        moisture: MoistureBook,
        plants: PlantBook,
        decisions: Decisions,
        results: ResultBook,
        clock: Clock,
    ) -> None:
        self._actuators = actuators
        self._guard = guard
        self._moisture = moisture
        self._plants = plants
        self._decisions = decisions
        self._results = results
        self._clock = clock
        self._lock = threading.Lock()
        self._running: set[str] = set()

    def submit(self, command: ActionCommand) -> ActionResult | None:
        """Return a command's outcome, or None when it was accepted and runs; the same `action_id` runs once.

        Raises MessageError for a command that this actuator cannot take; blocks while the ledger is written.
        """
        actuator = self.actuator_of(command)
        on_s = actuator.on_seconds(command)
        _require_short(command)
        with self._lock:
            if command.action_id in self._running:
                return None
            known = self._results.get(command.action_id)
            if known is not None:
                return known
            self._running.add(command.action_id)
        try:
            result = self._decide(command, actuator, on_s)
        except Exception:
            self._is_over(command.action_id)
            raise
        return None if result is None else self._close(result)

    def recommend(self, command: ActionCommand) -> ActionResult:
        """Record and publish what a policy would have done, had it a grant (S14)."""
        result = result_of(command, Outcome.RECOMMENDED, self._clock.wall())
        try:
            self._guard.record(self._order(command, 0.0, 0.0), Outcome.RECOMMENDED, "S14: nobody has granted autonomy")
        except GuardUnreachableError as error:
            log.warning("a recommendation is not in the ledger: %s", error)
        return self._results.add(result)

    def take_ended(self, entries: list[dict[str, Any]]) -> None:
        """Publish the runs that the guard says ended."""
        for entry in entries:
            action_id = str(entry["action_id"])
            if self._results.get(action_id) is not None:
                continue
            try:
                self._close(result_of_entry(entry))
            except (MessageError, ValueError) as error:
                log.warning("the ledger's entry %s is no action: %s", action_id, error)
                self._results.skip(action_id)
                self._is_over(action_id)

    def actuator_of(self, command: ActionCommand) -> BaseActuator:
        """Return the actuator that a command names; raises MessageError."""
        actuator = self._actuators.get(command.actuator_id)
        if actuator is None:
            known = ", ".join(sorted(self._actuators)) or "none"
            raise MessageError("actuator_id", f"there is no {command.actuator_id!r}; there are: {known}")
        if command.plant_id is not None and command.plant_id != actuator.descriptor.plant_id:
            raise MessageError("plant_id", f"{command.actuator_id} serves {actuator.descriptor.plant_id}")
        return actuator

    # -- helpers ------------------------------------------------------------------------------------------------

    def _decide(self, command: ActionCommand, actuator: BaseActuator, on_s: float) -> ActionResult | None:
        try:
            if command.command is Command.OFF:
                return self._switch_off(command)
            situation = self.situation(command, actuator, on_s)
            refusal = first_refusal(situation)
            if refusal is not None:
                return self._refuse(command, on_s, situation.age_s, refusal)
            order = self._order(command, on_s, situation.age_s, actuator.level_of(command))
            answer = self._guard.run(order)
        except GuardUnreachableError as error:
            refusal = Refusal(invariant="S11", why=f"the guard does not answer: {error}")
            return result_of(command, Outcome.FAILED, self._clock.wall(), refusal=refusal)
        return self._outcome(command, answer)

    def situation(self, command: ActionCommand, actuator: BaseActuator, on_s: float) -> Situation:
        """Return everything that the interlocks look at; raises GuardUnreachableError."""
        status = self._guard.status()
        state = status["outputs"].get(actuator.actuator_id)
        if state is None:
            msg = f"it was started with another rig and does not know {actuator.actuator_id}; restart it"
            raise GuardUnreachableError(msg)
        budget = self._guard.budget(actuator.actuator_id)
        plant_id = actuator.descriptor.plant_id
        plant = self._plants.get(plant_id)
        return Situation(
            command=command,
            age_s=self._clock.wall() - command.timestamp,
            on_s=on_s,
            dose_ml=actuator.charged_ml(on_s),
            max_on_s=actuator.output.max_on_s,
            pause_s=actuator.output.pause_s,
            pause_left_s=float(state["pause_left_s"]),
            is_on=bool(state["on"] or state["desired"]),
            stopped_by=status["stopped_by"],
            is_granted=self._is_granted(actuator),
            spent_ml=budget["spent_ml"] or 0.0,
            budget_ml=budget["budget_ml"],
            reservoir_left_ml=budget["reservoir_left_ml"],
            moisture=self._moisture.estimate(plant_id or "", _since_s(state)),
            moisture_high=plant.limits.soil_moisture_high if plant is not None else None,
        )

    def _is_granted(self, actuator: BaseActuator) -> bool:
        return self._decisions.grant_of(actuator.actuator_id) is not None

    def _switch_off(self, command: ActionCommand) -> ActionResult:
        self._guard.off(command.actuator_id, f"switched off by {command.issuer}")
        self._guard.record(self._order(command, 0.0, 0.0), Outcome.DONE, "switched off")
        return result_of(command, Outcome.DONE, self._clock.wall(), on_s=0.0)

    def _refuse(self, command: ActionCommand, on_s: float, age_s: float, refusal: Refusal) -> ActionResult:
        outcome = Outcome.EXPIRED if refusal.invariant == "S10" else Outcome.REFUSED
        why = json.dumps(refusal.to_dict())
        return self._outcome(command, self._guard.record(self._order(command, on_s, age_s), outcome, why)) or result_of(
            command, outcome, self._clock.wall(), refusal=refusal
        )

    def _outcome(self, command: ActionCommand, answer: Answer) -> ActionResult | None:
        if answer.entry is not None:
            return None if answer.entry["outcome"] is None else result_of_entry(answer.entry)
        if answer.denial is None:
            return None
        outcome = Outcome.EXPIRED if answer.denial.invariant == "S10" else Outcome.REFUSED
        return result_of(command, outcome, self._clock.wall(), refusal=_refusal(answer.denial))

    def _order(self, command: ActionCommand, on_s: float, age_s: float, level: float = 1.0) -> Order:
        now = self._clock.monotonic()
        return Order(
            action_id=command.action_id,
            actuator_id=command.actuator_id,
            on_s=on_s,
            issued_at_s=now - max(0.0, age_s),
            start_by_s=now + _START_WITHIN_S,
            note=command.to_json().decode(),
            level=level,
        )

    def _close(self, result: ActionResult) -> ActionResult:
        kept = self._results.add(result)
        self._is_over(result.action_id)
        return kept

    def _is_over(self, action_id: str) -> None:
        with self._lock:
            self._running.discard(action_id)


def _require_short(command: ActionCommand) -> None:
    length = len(command.to_json().decode())
    if length > MAX_NOTE_CHARS:
        raise MessageError("$", f"a command has at most {MAX_NOTE_CHARS} characters, not {length}")


def _since_s(state: Mapping[str, Any]) -> float:
    """Return how long ago an output was on, in seconds."""
    return math.inf if state["off_for_s"] is None else float(state["off_for_s"])


def _refusal(denial: Denial) -> Refusal:
    return Refusal(
        invariant=denial.invariant, value=denial.value, limit=denial.limit, margin=denial.margin, why=denial.why
    )
