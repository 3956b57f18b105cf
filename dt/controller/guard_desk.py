"""Guard and ledger together: what an order goes through before it may move a pin, and after.

`run` and the other slow calls block on the disk; `guard` and `note_ended` never do, so the pin thread uses only these.
"""

from __future__ import annotations

import json
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from dt.controller.guard import Guard
from dt.controller.guard_latch import latch_left_by
from dt.controller.guard_types import (
    FLOW_FACTOR,
    Answer,
    Denial,
    Ended,
    GuardConfig,
    GuardUnreachableError,
    Order,
    OutputConfig,
    why_malformed,
)
from dt.controller.ledger import Ledger

CHECKPOINT_EVERY_S = 60.0
_AFTER_ERROR_S = 0.5

_Noted = Ended | str | list[str] | None  # settle it | latch a stop in this name | mark as reported | just wake up


class GuardDesk:
    """Takes orders one at a time: known already? allowed? charged on disk? then it may start."""

    def __init__(self, *, config: GuardConfig, guard: Guard, ledger: Ledger) -> None:
        self.config = config
        self.guard = guard
        self._ledger = ledger
        self._slow = threading.Lock()
        self._pressing = threading.Lock()  # held for two assignments, never over a write
        self._noted: queue.SimpleQueue[_Noted] = queue.SimpleQueue()
        self.ledger_error: str | None = None
        self._next_checkpoint_s = time.monotonic() + CHECKPOINT_EVERY_S
        self._unreported = {str(entry["action_id"]): entry for entry in ledger.unreported()}
        self._flows = ledger.flows()
        self.is_button_pressed = False  # noted by the pin thread

    # -- slow: these wait for the disk --------------------------------------------------------------------------

    def run(self, order: Order, owner: str) -> Answer:
        """Let an order of the lease's owner start after it was charged.

        A known `action_id` gets its entry back and starts nothing.
        """
        with self._slow:
            try:
                return self._run(order, owner)
            except sqlite3.Error as error:
                self.ledger_error = str(error)
                return Answer(
                    accepted=False, denial=Denial(invariant="S3", why=f"the ledger cannot be written: {error}")
                )

    def record(self, order: Order, outcome: str, why: str) -> Answer:
        """Keep a command that was refused or answered elsewhere, so that it runs at most never."""
        why_not = why_malformed(order)
        if why_not is not None:
            return Answer(accepted=False, denial=Denial(invariant="S10", why=why_not))
        with self._disk():
            known = self._ledger.entry(order.action_id)
            if known is not None:
                return Answer(accepted=False, entry=known)
            output = self.config.output(order.actuator_id)
            entry = self._ledger.refuse(order, output, outcome, why)
            self._unreported[order.action_id] = entry
            return Answer(accepted=True, entry=entry)

    def release_stop(self, by: str) -> None:
        """Release the emergency stop in a person's name: on disk first, then in effect."""
        if self.is_button_pressed:
            msg = "the emergency-stop button is pressed, or its wire is broken: let it out, then release the stop"
            raise GuardUnreachableError(msg)
        with self._disk():
            with self._pressing:
                stops = self.guard.stops
            self._write_noted()
            self._ledger.release_stop(by)
            self.guard.release_stop(stops)

    def refill(self, reservoir: str, by: str) -> None:
        """Count a reservoir as full."""
        with self._disk():
            self._ledger.refill(reservoir, by)

    def set_flow(self, actuator_id: str, flow_ml_s: float, by: str) -> Answer:
        """Keep the flow that a person measured, from now on; doses are charged by it or the rig's, whichever is more.

        A flow beyond a third or three times the rig's is denied.
        """
        output = self.config.output(actuator_id)
        if output is None or output.flow_ml_s <= 0:
            return Answer(accepted=False, denial=Denial(invariant="S3", why=f"{actuator_id} is no pump with a flow"))
        low, high = output.flow_ml_s / FLOW_FACTOR, output.flow_ml_s * FLOW_FACTOR
        if not low <= flow_ml_s <= high:
            why = f"a flow is from {low:g} to {high:g} ml/s, {FLOW_FACTOR:g} times around the rig's"
            limit = high if flow_ml_s > high else low
            missing = -abs(limit - flow_ml_s)
            refused = Denial(invariant="S3", why=why, value=flow_ml_s, limit=limit, margin=missing)
            return Answer(accepted=False, denial=refused)
        with self._disk():
            self._ledger.set_flow(actuator_id, flow_ml_s, by)
            self._flows[actuator_id] = flow_ml_s
        return Answer(accepted=True)

    def entries(self, limit: int, actuator_id: str = "") -> list[dict[str, Any]]:
        """Return the ledger's latest entries, of one actuator or of all, newest first."""
        with self._disk():
            return self._ledger.entries(limit, actuator_id)

    def entry(self, action_id: str) -> dict[str, Any] | None:
        """Return what is known of an action, or None."""
        with self._disk():
            return self._ledger.entry(action_id)

    def budget(self, actuator_id: str) -> dict[str, float | None]:
        """Return what the plant of an actuator has had and may have, and what its reservoir holds, in ml.

        `on_left_s` is how long it may be on from now, by its seconds of a day.
        """
        output = self.config.output(actuator_id)
        if output is None:
            return {"spent_ml": 0.0, "budget_ml": None, "reservoir_left_ml": None, "on_left_s": 0.0}
        budget = self.config.budgets.get(output.plant_id or "")
        capacity_ml = self.config.reservoirs.get(output.reservoir or "")
        with self._disk():
            return {
                "spent_ml": self._ledger.spent_ml(output.plant_id or ""),
                "budget_ml": budget.ml_per_day if budget else None,
                "reservoir_left_ml": None
                if capacity_ml is None
                else max(0.0, capacity_ml - self._ledger.drawn_ml(output.reservoir or "")),
                "on_left_s": self._ledger.on_left_s(output),
            }

    def settle_next(self, *, block: bool = True, timeout_s: float | None = None) -> bool:
        """Write down one thing that the fast side noted; False when there was none, or when it is time to end."""
        try:
            noted = self._noted.get(block, timeout_s)
        except queue.Empty:
            return False
        with self._slow:
            self._write(noted)
        return noted is not None

    def keep_ledger(self) -> None:
        """One turn of the ledger thread: write what was noted; about once a minute, note the time."""
        self.settle_next(timeout_s=CHECKPOINT_EVERY_S)
        if self.ledger_error is not None:
            time.sleep(_AFTER_ERROR_S)
        elif time.monotonic() >= self._next_checkpoint_s:
            self._next_checkpoint_s = time.monotonic() + CHECKPOINT_EVERY_S
            with suppress(GuardUnreachableError), self._disk():
                self._ledger.checkpoint()

    def close(self) -> None:
        """Write down all that is noted and close the ledger."""
        with self._slow:
            self._write_noted()
            self._ledger.close()

    def heed_left_stop(self) -> None:
        """Stop in the name of who left a stop since the ledger was opened; call it once the doors are open.

        Whoever asks at the doors after leaving it is answered, and what was left before is seen here.
        """
        by = latch_left_by(Path(self.config.ledger_path).parent)
        if by is not None:
            self.emergency_stop(by)

    # -- fast: these never touch the disk -----------------------------------------------------------------------

    def note_ended(self, ended: Sequence[Ended]) -> None:
        """Take the runs that a tick ended, to be settled by `settle_next`."""
        for one in ended:
            self._noted.put(one)

    def emergency_stop(self, by: str) -> None:
        """Stop everything now; the latch reaches the disk by `settle_next`."""
        with self._pressing:
            self.guard.emergency_stop(by)
            self._noted.put(by)

    def renew(self, owner: str, reported: Sequence[str] = ()) -> dict[str, Any]:
        """Prolong the lease, take note of published results, and return the status."""
        denial = self.guard.renew(owner)
        gone = [action_id for action_id in reported if self._unreported.pop(action_id, None) is not None]
        if gone:
            self._noted.put(gone)
        return self.status() | {"denial": None if denial is None else asdict(denial)}

    def status(self) -> dict[str, Any]:
        """Return outputs, emergency stop, and the ended runs that nobody has published."""
        return {
            "stopped_by": self.guard.stopped_by,
            "has_lease": self.guard.has_lease(),
            "outputs": {name: state | self._flow_of(name) for name, state in self.guard.outputs().items()},
            "ledger_error": self.ledger_error,
            "ended": list(self._unreported.copy().values())[:100],
        }

    def adjust(self, actuator_id: str, level: float, owner: str) -> Answer:
        """Give the run of an output another level; nothing is charged, for pumps know full alone."""
        why_not = self.guard.adjust(actuator_id, level, owner)
        return Answer(accepted=why_not is None, denial=why_not)

    def wake(self) -> None:
        """End a blocking `settle_next`."""
        self._noted.put(None)

    # -- helpers; the slow lock is held -------------------------------------------------------------------------

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """Hold the ledger; what the disk refuses ends as GuardUnreachableError."""
        with self._slow:
            try:
                yield
                self.ledger_error = None
            except sqlite3.Error as error:
                self.ledger_error = str(error)
                msg = f"the ledger cannot be used: {error}"
                raise GuardUnreachableError(msg) from error

    def _run(self, order: Order, owner: str) -> Answer:
        why = why_malformed(order)
        if why is not None:
            return Answer(accepted=False, denial=Denial(invariant="S10", why=why))
        known = self._ledger.entry(order.action_id)
        if known is not None:
            return Answer(accepted=False, entry=known)
        denial = self.guard.admit(order, owner) or self._charge(order)
        return self._start(order, owner) if denial is None else self._deny(order, denial)

    def _charge(self, order: Order) -> Denial | None:
        output = self.config.output(order.actuator_id)
        if output is None:
            return Denial(invariant="S1", why="there is no such output")
        budget = self.config.budgets.get(output.plant_id or "")
        capacity_ml = self.config.reservoirs.get(output.reservoir or "")
        return self._ledger.charge(order, self._charged(output), budget.ml_per_day if budget else None, capacity_ml)

    def _start(self, order: Order, owner: str) -> Answer:
        denial = self.guard.start(order, owner)
        if denial is None:
            return Answer(accepted=True)
        outcome = "expired" if denial.invariant == "S10" else "refused"
        self._settle(
            Ended(
                action_id=order.action_id, actuator_id=order.actuator_id, outcome=outcome, on_s=0.0,
                was_on=False, clean=True,
                why=json.dumps(asdict(denial)),
            )
        )  # fmt: skip
        return Answer(accepted=False, denial=denial)

    def _deny(self, order: Order, denial: Denial) -> Answer:
        outcome = "expired" if denial.invariant == "S10" else "refused"
        entry = self._ledger.refuse(order, self.config.output(order.actuator_id), outcome, json.dumps(asdict(denial)))
        self._unreported[order.action_id] = entry
        return Answer(accepted=False, denial=denial)

    def _write_noted(self) -> None:
        for _ in range(self._noted.qsize()):
            self._write(self._noted.get())

    def _write(self, noted: _Noted) -> None:
        try:
            if isinstance(noted, Ended):
                self._settle(noted)
            elif isinstance(noted, str):
                self._ledger.latch_stop(noted)
            elif noted is not None:
                self._ledger.mark_reported(noted)
            self.ledger_error = None
        except sqlite3.Error as error:
            self.ledger_error = str(error)
            self._noted.put(noted)

    def _settle(self, ended: Ended) -> None:
        output = self.config.output(ended.actuator_id)
        if output is not None:
            self._unreported[ended.action_id] = self._ledger.settle(ended, self._charged(output))

    def _charged(self, output: OutputConfig) -> OutputConfig:
        """Return an output with the flow that charges its doses: the larger of the rig's and the measured one."""
        flow_ml_s = max(output.flow_ml_s, self._flows.get(output.actuator_id, 0.0))
        return output if flow_ml_s == output.flow_ml_s else replace(output, flow_ml_s=flow_ml_s)

    def _flow_of(self, actuator_id: str) -> dict[str, object]:
        """Return the flow of a pump, as measured or else as the rig has it."""
        output = self.config.output(actuator_id)
        rig_ml_s = 0.0 if output is None else output.flow_ml_s
        return {"flow_ml_s": self._flows.get(actuator_id, rig_ml_s)} if rig_ml_s > 0 else {}
