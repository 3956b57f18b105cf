"""The desk at which faults are ordered: who suffers from what, and when it begins and ends."""

# ruff: noqa: S311 - noise of a simulation, no secret

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from dt.simulator.faults.catalogue import HOST
from dt.simulator.faults.memory import DeskPlan, ends_the_process, planned
from dt.simulator.faults.order import Fault, Targets, read_order
from dt.utils.exceptions import ConflictError

MOST_FAULTS = 1000


class FaultDesk:
    """Keeps faults, active and planned. Seeded: the same orders and looks give the same answers."""

    def __init__(self, targets: Callable[[], Targets], *, seed: int = 1, is_one_process: bool = False) -> None:
        self._targets = targets
        self._seed = seed
        self._is_one_process = is_one_process
        self._lock = threading.RLock()
        self._faults: dict[str, Fault] = {}
        self._count = 0
        self._throws: dict[str, int] = {}
        self._held: dict[str, float] = {}

    def add(self, order: Mapping[str, Any], now_s: float) -> Fault:
        """Take an order; raises MessageError with the field and its limit, ConflictError for what cannot be here."""
        with self._lock:
            if len(self._faults) >= MOST_FAULTS:
                msg = f"there are {len(self._faults)} faults, and at most {MOST_FAULTS}: delete some"
                raise ConflictError(msg)
            fault = read_order(order, f"{str(order.get('fault')).lower()}-{self._count + 1}", self._targets(), now_s)
            if self._is_one_process and ends_the_process(fault):
                msg = f"F17 {fault.word('mode')} needs a collector in a process of its own; here it would end the box"
                raise ConflictError(msg)
            self._count += 1
            self._faults[fault.id] = fault
            return fault

    def remove(self, fault_id: str) -> bool:
        """End a fault for good; False when there is none of this id."""
        with self._lock:
            self._throws.pop(fault_id, None)
            self._held.pop(fault_id, None)
            return self._faults.pop(fault_id, None) is not None

    def end(self, fault_id: str, now_s: float) -> None:
        """Let a fault be over from now on, as a power cycle does."""
        with self._lock:
            fault = self._faults.get(fault_id)
            if fault is not None:
                self._faults[fault_id] = replace(fault, until=max(now_s, fault.since))

    def all(self) -> list[Fault]:
        """Return every fault that was ordered and not removed, oldest order first."""
        with self._lock:
            return list(self._faults.values())

    def active(self, now_s: float, targets: Iterable[str] | None = None) -> list[Fault]:
        """Return what acts now, on these targets or on any, in the order in which it was ordered."""
        with self._lock:
            if not self._faults:
                return []
            wanted = None if targets is None else set(targets)
            faults = self._faults.values()
            return [f for f in faults if f.is_active(now_s) and (wanted is None or f.target in wanted)]

    def of_host(self, now_s: float) -> list[Fault]:
        """Return what befalls the machine now."""
        return self.active(now_s, (HOST,))

    def edges(self, after_s: float, until_s: float) -> list[float]:
        """Return the instants in (after, until] at which a fault begins or ends, in order."""
        with self._lock:
            times = {t for f in self._faults.values() for t in (f.since, f.until) if t is not None}
        return sorted(t for t in times if after_s < t <= until_s)

    def chance(self, fault: Fault) -> random.Random:
        """Return the fault's own dice for one decision: they follow from how many it has made."""
        with self._lock:
            throws = self._throws[fault.id] = self._throws.get(fault.id, 0) + 1
        return random.Random(f"{self._seed}:{fault.id}:{fault.fault}:{throws}")

    def strikes(self, fault: Fault) -> bool:
        """Return whether a fault that acts on a `share` acts this time."""
        share = fault.number("share")
        return share >= 1.0 or self.chance(fault).random() < share

    def held(self, fault: Fault, value: float) -> float:
        """Return the value at which a sensor is stuck: the first that it had under this fault."""
        with self._lock:
            return self._held.setdefault(fault.id, value)

    def snapshot(self) -> dict[str, Any]:
        """Return what keeps the faults, and all that they remember, over a restart."""
        with self._lock:
            return {
                "count": self._count,
                "faults": [fault.to_dict() for fault in self._faults.values()],
                "throws": dict(self._throws),
                "held": dict(self._held),
            }

    def plan(self, snapshot: Mapping[str, Any]) -> DeskPlan:
        """Check what `snapshot` returned, and change nothing; ValueError with the part that cannot be."""
        return planned(snapshot, self._targets(), is_one_process=self._is_one_process, most=MOST_FAULTS)

    def take(self, plan: DeskPlan) -> None:
        """Take up a plan in place of all that is here."""
        with self._lock:
            self._faults = dict(plan.faults)
            self._count = plan.count
            self._throws, self._held = dict(plan.throws), dict(plan.held)
