"""The control loop: renews the guard's lease itself, publishes what ended, lets policies decide."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from dt.controller.gate import Gate
from dt.controller.guard_client import GuardLink
from dt.controller.guard_types import GuardUnreachableError
from dt.controller.results import ResultBook
from dt.controller.stop_button import StopButton
from dt.utils.clock import Clock
from dt.utils.logger import get_logger

STEP_S = 0.1
_ENSURE_AFTER_S = 0.5  # one that answered may only be slow; at the start there is none, or one that ends
_ENSURE_EVERY_S = 5.0
_OFF_WITHIN_S = 1.0

log = get_logger(__name__)


class Stepping(Protocol):
    """What the loop steps: a policy by the states of the outputs, a watch by the guard's whole status."""

    def step(self, status: Mapping[str, Any], /) -> None:
        """Do what is due; never wait."""
        ...


class ControlLoop:
    """`step` once every 100 ms; a loop that hangs loses the lease, and with it every output."""

    def __init__(
        self,
        *,
        guard: GuardLink,
        stop_button: StopButton,
        gate: Gate,
        policies: Sequence[Stepping],
        results: ResultBook,
        clock: Clock,
        watches: Sequence[Stepping] = (),
        ensure_guard: Callable[[], None] | None = None,
    ) -> None:
        self._guard = guard
        self._stop_button = stop_button
        self._gate = gate
        self._policies = policies
        self._watches = watches
        self._results = results
        self._clock = clock
        self._ensure_guard = ensure_guard
        self._next_ensure_s = 0.0
        self._away_since_s: float | None = None
        self._has_answered = False
        self._unconfirmed: list[str] = []
        self.status: Mapping[str, Any] | None = None

    def run(self, stop: threading.Event) -> None:
        """Step until told to stop."""
        while not stop.is_set():
            try:
                self.step()
            except Exception:
                log.exception("a step of the control loop failed")
            self._clock.wait(stop, STEP_S)

    def step(self) -> None:
        """Renew, publish, watch, decide."""
        self.renew()
        if self.status is None or self.status["denial"] is not None:  # away, or another controller holds the lease
            return
        with self._guard.while_waiting(self.renew):
            for watch in self._watches:
                watch.step(self.status)
            for policy in self._policies:
                if self.status is not None:
                    policy.step(self.status["outputs"])

    def renew(self) -> None:
        """Prolong the lease and take what ended since; also called while an order waits for the disk."""
        self._unconfirmed += self._results.take_published()
        try:
            self._stop_button.deliver()  # before the lease, without which nothing starts
            status = self._guard.renew(self._unconfirmed)
        except GuardUnreachableError as error:
            self._note_away(str(error))
            return
        if self._away_since_s is not None:
            log.info("the guard answers")
        self._away_since_s = None
        self._has_answered = True
        self._unconfirmed = []
        self.status = status
        self._gate.take_ended(status["ended"])

    def switch_all_off(self) -> None:
        """End every run and take its outcome, before the service ends."""
        give_up_s = self._clock.monotonic() + _OFF_WITHIN_S
        never = threading.Event()
        for actuator_id, state in ({} if self.status is None else self.status["outputs"]).items():
            if state["desired"]:
                self._end_run(actuator_id)
        while self._is_anything_on() and self._clock.monotonic() < give_up_s:
            self._clock.wait(never, STEP_S / 2)
            self.renew()

    def _end_run(self, actuator_id: str) -> None:
        try:
            self._guard.off(actuator_id, "the controller ends")
        except GuardUnreachableError as error:
            log.warning("%s could not be switched off; the guard's parent does it: %s", actuator_id, error)

    def _is_anything_on(self) -> bool:
        return self.status is not None and any(state["desired"] for state in self.status["outputs"].values())

    def why_not_ready(self) -> str | None:
        """Return what the loop waits for, or None."""
        if self.status is None:
            return "the guard does not answer"
        if self.status["denial"] is not None:
            return str(self.status["denial"]["why"])
        if self.status["ledger_error"] is not None:
            return f"the ledger cannot be written: {self.status['ledger_error']}"
        return None

    def _note_away(self, why: str) -> None:
        now = self._clock.monotonic()
        self.status = None
        if self._away_since_s is None:
            self._away_since_s = now
            self._next_ensure_s = now + (_ENSURE_AFTER_S if self._has_answered else 0.0)
            log.info("the guard does not answer: %s", why)
        if self._ensure_guard is not None and now >= self._next_ensure_s:
            self._next_ensure_s = now + _ENSURE_EVERY_S
            self._ensure_guard()
