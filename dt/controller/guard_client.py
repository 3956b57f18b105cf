"""How the controller talks to its guard: over sockets to the process, or by method calls to one in this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from dt.controller.guard import TICK_S, Guard, SetPin
from dt.controller.guard_button import StopWatch
from dt.controller.guard_clock import kernel_clock_is_synchronised
from dt.controller.guard_desk import GuardDesk
from dt.controller.guard_line import SLICE_S, Idle, Line, Waiting
from dt.controller.guard_sockets import ORDERS_SOCKET, STOP_SOCKET, GuardDoors
from dt.controller.guard_types import Answer, Denial, GuardClock, GuardConfig, GuardUnreachableError, Order
from dt.controller.ledger import Ledger

_T = TypeVar("_T")


class GuardLink(Protocol):
    """The guard as the controller sees it; every call may raise GuardUnreachableError."""

    def renew(self, published: Sequence[str] = ()) -> dict[str, Any]:
        """Prolong the lease, say which results are published, and return the guard's status."""
        ...

    def status(self) -> dict[str, Any]:
        """Return the guard's status."""
        ...

    def while_waiting(self, idle: Idle) -> AbstractContextManager[None]:
        """Have `idle` called while calls of this thread wait for the disk."""
        ...

    def run(self, order: Order) -> Answer:
        """Have an order charged and started."""
        ...

    def record(self, order: Order, outcome: str, why: str) -> Answer:
        """Have a command recorded that moves nothing."""
        ...

    def off(self, actuator_id: str, why: str) -> bool:
        """Switch an output off; False when it was off."""
        ...

    def adjust(self, actuator_id: str, level: float) -> Answer:
        """Give the run of an output another level, 0 to 1; accepted, or denied."""
        ...

    def set_flow(self, actuator_id: str, flow_ml_s: float, by: str) -> Answer:
        """Keep a pump's flow that a person measured; accepted, or denied."""
        ...

    def emergency_stop(self, by: str) -> bool:
        """Stop everything; True when every output is safe."""
        ...

    def release_stop(self, by: str) -> None:
        """Release the emergency stop in a person's name."""
        ...

    def budget(self, actuator_id: str) -> dict[str, float | None]:
        """Return spent_ml, budget_ml and reservoir_left_ml of its plant and reservoir, and on_left_s of its day."""
        ...

    def refill(self, reservoir: str, by: str) -> None:
        """Count a reservoir as full."""
        ...

    def entry(self, action_id: str) -> dict[str, Any] | None:
        """Return the ledger's entry of an action, or None."""
        ...

    def entries(self, limit: int = 200, actuator_id: str = "") -> list[dict[str, Any]]:
        """Return the ledger's latest entries, of one actuator or of all, newest first."""
        ...

    def close(self) -> None:
        """Give the lease back and hang up."""
        ...


class InProcessGuard:
    """The guard's state machine in this process, for the demo and lockstep runs.

    With `threaded` (the demo) a thread of its own ticks it; without, the stepping clock's owner calls `tick`.
    """

    def __init__(
        self,
        *,
        config: GuardConfig,
        set_pin: SetPin,
        clock: GuardClock,
        owner: str = "controller",
        threaded: bool = True,
        is_synced: Callable[[], bool] = kernel_clock_is_synchronised,
        on_close: Callable[[], None] | None = None,
        read_button: Callable[[], bool] | None = None,
    ) -> None:
        ledger = Ledger(Path(config.ledger_path), clock, is_synced=is_synced)
        self.guard = Guard(
            config=config,
            set_pin=set_pin,
            clock=clock,
            stopped_by=ledger.stopped_by(),
            ended_ago_s=ledger.ended_ago_s(),
        )
        self._desk = GuardDesk(config=config, guard=self.guard, ledger=ledger)
        self._button = StopWatch(self._desk, clock, read_button)
        self._owner = owner
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._tick_on, self._settle_on)]
        self._is_threaded = threaded
        self._on_close = on_close
        self._waiting = Waiting()
        self._slow_work = ThreadPoolExecutor(1, "ledger")
        self._doors: GuardDoors | None = None
        if threaded:
            for thread in self._threads:
                thread.start()

    def open_doors(self, folder: Path) -> None:
        """Answer at a folder's two sockets too, until it is closed: `dt stop-all` comes that way."""
        self._doors = GuardDoors(self._desk, folder, self.guard.driven)
        self._desk.heed_left_stop()

    def tick(self) -> None:
        """Look at the button, switch what is due and settle what ended."""
        self._button.look()
        self._desk.note_ended(self.guard.tick())
        while self._desk.settle_next(block=False) and self._desk.ledger_error is None:
            pass  # what a sick disk refuses waits for the next tick

    def renew(self, published: Sequence[str] = ()) -> dict[str, Any]:
        """Prolong the lease and return the status."""
        return self._desk.renew(self._owner, published) | {"reported": self.guard.driven()}

    def status(self) -> dict[str, Any]:
        """Return the guard's status."""
        return self._desk.status() | {"reported": self.guard.driven()}

    def while_waiting(self, idle: Idle) -> AbstractContextManager[None]:
        """Have `idle` called while calls of this thread wait for the disk."""
        return self._waiting.with_idle(idle)

    def run(self, order: Order) -> Answer:
        """Have an order charged and started; it is due at the next tick."""
        return self._patiently(lambda: self._desk.run(order, self._owner))

    def record(self, order: Order, outcome: str, why: str) -> Answer:
        """Have a command recorded that moves nothing."""
        return self._patiently(lambda: self._desk.record(order, outcome, why))

    def off(self, actuator_id: str, why: str) -> bool:
        """Switch an output off at the next tick."""
        return self.guard.off(actuator_id, why)

    def adjust(self, actuator_id: str, level: float) -> Answer:
        """Give the run of an output another level at the next tick."""
        return self._desk.adjust(actuator_id, level, self._owner)

    def set_flow(self, actuator_id: str, flow_ml_s: float, by: str) -> Answer:
        """Keep a pump's flow that a person measured."""
        return self._patiently(lambda: self._desk.set_flow(actuator_id, flow_ml_s, by))

    def emergency_stop(self, by: str) -> bool:
        """Stop everything; without a thread of its own at the next tick."""
        self._desk.emergency_stop(by)
        return self.guard.wait_until_quiet(1.0) if self._is_threaded else self.guard.is_quiet()

    def release_stop(self, by: str) -> None:
        """Release the emergency stop in a person's name."""
        self._desk.release_stop(by)

    def budget(self, actuator_id: str) -> dict[str, float | None]:
        """Return spent_ml, budget_ml, reservoir_left_ml and on_left_s."""
        return self._patiently(lambda: self._desk.budget(actuator_id))

    def refill(self, reservoir: str, by: str) -> None:
        """Count a reservoir as full."""
        self._desk.refill(reservoir, by)

    def entry(self, action_id: str) -> dict[str, Any] | None:
        """Return the ledger's entry of an action, or None."""
        return self._desk.entry(action_id)

    def entries(self, limit: int = 200, actuator_id: str = "") -> list[dict[str, Any]]:
        """Return the ledger's latest entries, of one actuator or of all, newest first."""
        return self._desk.entries(limit, actuator_id)

    def close(self) -> None:
        """Switch everything off and close the ledger."""
        if self._ending.is_set():
            return
        if self._doors is not None:
            self._doors.close()
        self.guard.shut()
        self._ending.set()
        self._desk.wake()
        if self._is_threaded:
            for thread in self._threads:
                thread.join(2.0)
        self._slow_work.shutdown()
        self._desk.note_ended(self.guard.tick())
        self._desk.close()
        if self._on_close is not None:
            self._on_close()

    def _patiently(self, work: Callable[[], _T]) -> _T:
        """Return what the work returns; where this thread has something else to do meanwhile, let it."""
        idle = self._waiting.idle
        if idle is None or not self._is_threaded:
            return work()
        future = self._slow_work.submit(work)
        while not wait([future], SLICE_S).done:
            idle()
        return future.result()

    def _tick_on(self) -> None:
        while not self._ending.is_set():
            self._button.look()
            self._desk.note_ended(self.guard.tick())
            self.guard.wait(TICK_S)

    def _settle_on(self) -> None:
        while not self._ending.is_set():
            self._desk.keep_ledger()


class GuardClient:
    """A guard process behind its sockets; connects at the first call, and again after a break."""

    def __init__(self, folder: Path, owner: str | None = None) -> None:
        self._owner = owner or f"controller {os.getpid()}"
        self._waiting = Waiting()
        self._lease = Line(folder / ORDERS_SOCKET, None)
        self._orders = Line(folder / ORDERS_SOCKET, self._waiting)
        self._stop = Line(folder / STOP_SOCKET, None)

    def renew(self, published: Sequence[str] = ()) -> dict[str, Any]:
        """Prolong the lease and return the status."""
        return self._lease.ask({"op": "renew", "owner": self._owner, "published": list(published)}, timeout_s=1.0)

    def status(self) -> dict[str, Any]:
        """Return the guard's status."""
        return self._lease.ask({"op": "status"}, timeout_s=1.0)

    def while_waiting(self, idle: Idle) -> AbstractContextManager[None]:
        """Have `idle` called while calls of this thread wait for the disk."""
        return self._waiting.with_idle(idle)

    def run(self, order: Order) -> Answer:
        """Have an order charged and started."""
        return _answer(self._orders.ask({"op": "run", "order": asdict(order), "owner": self._owner}))

    def record(self, order: Order, outcome: str, why: str) -> Answer:
        """Have a command recorded that moves nothing."""
        return _answer(self._orders.ask({"op": "record", "order": asdict(order), "outcome": outcome, "why": why}))

    def off(self, actuator_id: str, why: str) -> bool:
        """Switch an output off."""
        return bool(self._lease.ask({"op": "off", "actuator_id": actuator_id, "why": why})["was_on"])

    def adjust(self, actuator_id: str, level: float) -> Answer:
        """Give the run of an output another level."""
        question = {"op": "adjust", "actuator_id": actuator_id, "level": level, "owner": self._owner}
        return _answer(self._lease.ask(question, timeout_s=1.0))

    def set_flow(self, actuator_id: str, flow_ml_s: float, by: str) -> Answer:
        """Keep a pump's flow that a person measured."""
        return _answer(
            self._orders.ask({"op": "set_flow", "actuator_id": actuator_id, "flow_ml_s": flow_ml_s, "by": by})
        )

    def emergency_stop(self, by: str) -> bool:
        """Stop everything, by the socket of its own."""
        return bool(self._stop.ask({"by": by})["quiet"])

    def release_stop(self, by: str) -> None:
        """Release the emergency stop in a person's name."""
        self._orders.ask({"op": "release_stop", "by": by})

    def budget(self, actuator_id: str) -> dict[str, float | None]:
        """Return spent_ml, budget_ml, reservoir_left_ml and on_left_s."""
        return self._orders.ask({"op": "budget", "actuator_id": actuator_id})

    def refill(self, reservoir: str, by: str) -> None:
        """Count a reservoir as full."""
        self._orders.ask({"op": "refill", "reservoir": reservoir, "by": by})

    def entry(self, action_id: str) -> dict[str, Any] | None:
        """Return the ledger's entry of an action, or None."""
        return cast("dict[str, Any] | None", self._orders.ask({"op": "entry", "action_id": action_id})["entry"])

    def entries(self, limit: int = 200, actuator_id: str = "") -> list[dict[str, Any]]:
        """Return the ledger's latest entries, of one actuator or of all, newest first."""
        wanted = {"actuator_id": actuator_id} if actuator_id else {}
        return cast("list[dict[str, Any]]", self._orders.ask({"op": "entries", "limit": limit, **wanted})["entries"])

    def close(self) -> None:
        """Give the lease back, which switches everything off, and hang up."""
        try:
            self._lease.ask({"op": "release", "owner": self._owner}, timeout_s=1.0)
        except GuardUnreachableError:
            return  # a guard without a lease switches everything off by itself
        finally:
            for line in (self._lease, self._orders, self._stop):
                line.close()


def _answer(raw: Mapping[str, Any]) -> Answer:
    denial = raw.get("denial")
    return Answer(accepted=bool(raw["accepted"]), denial=Denial(**denial) if denial else None, entry=raw.get("entry"))
