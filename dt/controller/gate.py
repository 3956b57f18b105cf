"""The one gate: every command, from REST, the bus or a policy, is checked here and nowhere passed by."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dt.controller.guard_client import GuardLink
from dt.controller.guard_types import MAX_NOTE_CHARS, Answer, Denial, GuardUnreachableError, Order
from dt.controller.interlocks import first_refusal, refusal_of_level, refusals
from dt.controller.kinds.base_actuator import BaseActuator
from dt.controller.results import ResultBook, result_of, result_of_entry
from dt.controller.situation import Situation
from dt.utils.clock import Clock
from dt.utils.dataclasses import ActionCommand, ActionResult, Command, Outcome, Refusal
from dt.utils.exceptions import MessageError
from dt.utils.ids import new_correlation_id
from dt.utils.logger import get_logger

_START_WITHIN_S = 3.0
_REFUSED_LEVEL_EVERY_S = 600.0

Observe = Callable[[ActionCommand, BaseActuator, float], Situation]
"""Return everything that the interlocks look at; raises GuardUnreachableError."""

log = get_logger(__name__)


class Gate:
    """Validates, evaluates interlocks, passes to the guard, and sees that every outcome is recorded and published."""

    def __init__(
        self,
        *,
        actuators: Mapping[str, BaseActuator],
        guard: GuardLink,
        results: ResultBook,
        observe: Observe,
        clock: Clock,
        ended: Callable[[ActionResult], None] = lambda _result: None,
        answered: Callable[[ActionCommand, ActionResult | None], None] = lambda _command, _result: None,
    ) -> None:
        self._actuators = actuators
        self._guard = guard
        self._results = results
        self._clock = clock
        self._observe = observe
        self._ended = ended
        self._answered = answered
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self._trim_again_s: dict[str, float] = {}

    def submit(self, command: ActionCommand) -> ActionResult | None:
        """Return a command's outcome, or None when it was accepted and runs; the same `action_id` runs once.

        Raises MessageError for a command that this actuator cannot take; blocks while the ledger is written.
        """
        return self._submit(command, is_from_outside=False)

    def submit_from_outside(self, command: ActionCommand) -> ActionResult | None:
        """As `submit`, for what comes by bus or REST: it cannot pass for one of our own policies (S14)."""
        return self._submit(command, is_from_outside=True)

    def _submit(self, command: ActionCommand, *, is_from_outside: bool) -> ActionResult | None:
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
            result = self._decide(command, actuator, on_s, is_from_outside=is_from_outside)
        except Exception:
            self._is_over(command.action_id)
            raise
        self._answered(command, result)
        return None if result is None else self._close(result)

    def recommend(self, command: ActionCommand) -> ActionResult:
        """Record and publish what a policy would have done, had it a grant (S14)."""
        result = result_of(command, Outcome.RECOMMENDED, self._clock.wall())
        try:
            self._guard.record(self._order(command, 0.0, 0.0), Outcome.RECOMMENDED, "S14: nobody has granted autonomy")
        except GuardUnreachableError as error:
            log.warning("a recommendation is not in the ledger: %s", error)
        return self._results.add(result)

    def trim(self, actuator_id: str, level: float, by: str) -> None:
        """Give a run another level; what the guard refuses is recorded, at most once in ten minutes."""
        try:
            answer = self._guard.adjust(actuator_id, level)
        except GuardUnreachableError as error:
            log.warning("%s keeps its level: %s", actuator_id, error)
            return
        now_s = self._clock.monotonic()
        if answer.denial is None or now_s < self._trim_again_s.get(actuator_id, 0.0):
            return
        self._trim_again_s[actuator_id] = now_s + _REFUSED_LEVEL_EVERY_S
        now = self._clock.wall()
        plant_id = self._actuators[actuator_id].descriptor.plant_id
        command = ActionCommand(
            action_id=new_correlation_id(now), actuator_id=actuator_id, plant_id=plant_id, command=Command.LEVEL,
            level=level, issuer=by, timestamp=now, correlation_id=new_correlation_id(now),
        )  # fmt: skip
        self._close(self._refuse(command, 0.0, 0.0, _refusal(answer.denial)))

    def end(self, actuator_id: str, why: str) -> None:
        """End a run; while the guard is away its parent has done so."""
        try:
            self._guard.off(actuator_id, why)
        except GuardUnreachableError as error:
            log.warning("%s could not be switched off; the guard's parent does it: %s", actuator_id, error)

    def refusals_of(self, command: ActionCommand) -> list[Refusal]:
        """Return everything that would be refused of a command now, unrecorded. Raises GuardUnreachableError."""
        actuator = self.actuator_of(command)
        return refusals(self._observe(command, actuator, actuator.on_seconds(command)))

    def take_ended(self, entries: list[dict[str, Any]]) -> None:
        """Publish the runs that the guard says ended."""
        for entry in entries:
            action_id = str(entry["action_id"])
            if self._results.get(action_id) is not None:
                continue
            try:
                self._ended(self._close(result_of_entry(entry)))
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

    def _decide(
        self, command: ActionCommand, actuator: BaseActuator, on_s: float, *, is_from_outside: bool
    ) -> ActionResult | None:
        try:
            if command.command is Command.OFF:
                return self._switch_off(command)
            situation = replace(self._observe(command, actuator, on_s), is_from_outside=is_from_outside)
            if command.command is Command.LEVEL and situation.is_on:
                return self._change_level(command, situation)
            refusal = first_refusal(situation)
            if refusal is not None:
                return self._refuse(command, on_s, situation.age_s, refusal)
            order = self._order(command, on_s, situation.age_s, actuator.level_of(command))
            answer = self._guard.run(order)
        except GuardUnreachableError as error:
            refusal = Refusal(invariant="S11", why=f"the guard does not answer: {error}")
            return result_of(command, Outcome.FAILED, self._clock.wall(), refusal=refusal)
        return self._outcome(command, answer)

    def _change_level(self, command: ActionCommand, situation: Situation) -> ActionResult:
        """Dim what is on: its run goes on as long as it was ordered."""
        refusal = refusal_of_level(situation)
        if refusal is None:
            answer = self._guard.adjust(command.actuator_id, command.level or 0.0)
            refusal = None if answer.denial is None else _refusal(answer.denial)
        if refusal is not None:
            return self._refuse(command, 0.0, situation.age_s, refusal)
        self._guard.record(self._order(command, 0.0, 0.0), Outcome.DONE, f"level {command.level or 0.0:g}")
        return result_of(command, Outcome.DONE, self._clock.wall())

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


def _refusal(denial: Denial) -> Refusal:
    return Refusal(
        invariant=denial.invariant, value=denial.value, limit=denial.limit, margin=denial.margin, why=denial.why
    )
