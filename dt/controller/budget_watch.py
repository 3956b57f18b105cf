"""Budgets that are used up while a policy goes on asking: a plant's day, a reservoir, an output's seconds of 24 h."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from dt.controller.condition_desk import ConditionDesk
from dt.controller.issuers import is_machine
from dt.controller.kinds.base_actuator import BaseActuator
from dt.controller.watch_words import condition
from dt.utils.clock import Clock
from dt.utils.dataclasses import ActionCommand, ActionResult, Outcome, Refusal, Severity

LASTS_S = 240.0  # one refusal may come just before the budget is renewed
FORGETS_S = 1800.0  # a policy that asks no longer wishes no more; some ask only once in two pauses
_AGAIN_AFTER_S = 300.0  # what lasts is said again, should a word have been lost
_OF_BUDGETS = ("S1", "S3")
_ADVICE_WATER = (
    "Water it by hand if the soil is dry; look for a leak, fill the reservoir, or allow the plant more a day."
)
_ADVICE_TIME = (
    "It may go on when its last 24 hours allow it again; see what used them up, or give it a shorter schedule."
)


@dataclass(slots=True)
class _Seen:
    """Of one output: since when and until when it was refused (monotonic), why; what was said of it last, and when."""

    since_s: float | None = None
    last_s: float = 0.0
    why: str = ""
    told: bool | None = None
    told_s: float = 0.0
    was_served: bool = False


class BudgetWatch:
    """`answered` from any thread for every command of the gate; `step` says what is due."""

    def __init__(self, actuators: Mapping[str, BaseActuator], desk: ConditionDesk, clock: Clock) -> None:
        self._actuators = actuators
        self._desk = desk
        self._clock = clock
        self._lock = threading.Lock()
        self._seen = {name: _Seen() for name in actuators}

    def answered(self, command: ActionCommand, result: ActionResult | None) -> None:
        """Take note of what a policy was told: None when its command runs."""
        if not is_machine(command.issuer):
            return
        with self._lock:
            seen, now_s = self._seen[command.actuator_id], self._clock.monotonic()
            if result is None or result.outcome is Outcome.DONE:
                seen.since_s, seen.was_served = None, True
            elif result.refusal is not None and result.refusal.invariant in _OF_BUDGETS:
                self._note(seen, now_s, result.refusal)

    def step(self) -> None:
        """Say what is due; a first success ends what an earlier run of this service may have said."""
        with self._lock:
            due = [(name, is_on) for name, seen in self._seen.items() if (is_on := self._judge(name, seen)) is not None]
            why = {name: self._seen[name].why for name, _ in due}
        for name, is_on in due:
            self._say(name, why[name], is_on=is_on)

    @staticmethod
    def _note(seen: _Seen, now_s: float, refusal: Refusal) -> None:
        if refusal.value is None or refusal.limit is None:  # a ledger that cannot be written is no budget
            return
        seen.since_s = now_s if seen.since_s is None else seen.since_s
        seen.last_s = now_s
        seen.why = f"{refusal.why}: {refusal.value:g} against {refusal.limit:g}"

    def _judge(self, name: str, seen: _Seen) -> bool | None:
        """Return what is to be said, or None; the lock is held."""
        now_s = self._clock.monotonic()
        if now_s - seen.last_s > max(FORGETS_S, 3 * self._actuators[name].output.pause_s):
            seen.since_s = None
        is_on = seen.since_s is not None and seen.last_s - seen.since_s >= LASTS_S
        if not is_on and seen.told is None and not seen.was_served:
            return None
        if seen.told is is_on and not (is_on and now_s - seen.told_s >= _AGAIN_AFTER_S):
            return None
        seen.told, seen.told_s = is_on, now_s
        return is_on

    def _say(self, name: str, why: str, *, is_on: bool) -> None:
        actuator = self._actuators[name]
        on = f"{name} is kept from following its policy: {why}."
        self._desk.say(
            condition(
                actuator.descriptor, f"budget_used:{name}", self._clock.wall(), severity=Severity.WARNING, is_on=is_on,
                description=on if is_on else f"No budget keeps {name} from following its policy.",
                advice=_ADVICE_WATER if actuator.waters else _ADVICE_TIME,
            )
        )  # fmt: skip
