"""How the controller talks to its guard: over sockets to the process, or by method calls to one in this process."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from dt.controller.guard import TICK_S, Guard, SetPin
from dt.controller.guard_clock import kernel_clock_is_synchronised
from dt.controller.guard_desk import GuardDesk
from dt.controller.guard_sockets import ORDERS_SOCKET, STOP_SOCKET, socket_address
from dt.controller.guard_types import Answer, Denial, GuardClock, GuardConfig, GuardUnreachableError, Order
from dt.controller.ledger import Ledger

Idle = Callable[[], None]
"""Called about every 100 ms while an order waits for the disk, so that the caller's own loop keeps the lease."""

_T = TypeVar("_T")

_SLICE_S = 0.1
_PATIENCE_S = 5.0


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

    def emergency_stop(self, by: str) -> bool:
        """Stop everything; True when every output is safe."""
        ...

    def release_stop(self, by: str) -> None:
        """Release the emergency stop in a person's name."""
        ...

    def budget(self, actuator_id: str) -> dict[str, float | None]:
        """Return spent_ml, budget_ml and reservoir_left_ml of an actuator's plant and reservoir."""
        ...

    def refill(self, reservoir: str, by: str) -> None:
        """Count a reservoir as full."""
        ...

    def entry(self, action_id: str) -> dict[str, Any] | None:
        """Return the ledger's entry of an action, or None."""
        ...

    def entries(self, limit: int = 200) -> list[dict[str, Any]]:
        """Return the ledger's latest entries, newest first."""
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
        self._owner = owner
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._tick_on, self._settle_on)]
        self._is_threaded = threaded
        self._on_close = on_close
        self._waiting = _Waiting()
        self._slow_work = ThreadPoolExecutor(1, "ledger")
        if threaded:
            for thread in self._threads:
                thread.start()

    def tick(self) -> None:
        """Switch what is due and settle what ended."""
        self._desk.note_ended(self.guard.tick())
        while self._desk.settle_next(block=False):
            pass

    def renew(self, published: Sequence[str] = ()) -> dict[str, Any]:
        """Prolong the lease and return the status."""
        return self._desk.renew(self._owner, published) | {"reported": self._reported()}

    def status(self) -> dict[str, Any]:
        """Return the guard's status."""
        return self._desk.status() | {"reported": self._reported()}

    def while_waiting(self, idle: Idle) -> AbstractContextManager[None]:
        """Have `idle` called while calls of this thread wait for the disk."""
        return self._waiting.with_idle(idle)

    def run(self, order: Order) -> Answer:
        """Have an order charged and started; it is due at the next tick."""
        return self._patiently(lambda: self._desk.run(order))

    def record(self, order: Order, outcome: str, why: str) -> Answer:
        """Have a command recorded that moves nothing."""
        return self._patiently(lambda: self._desk.record(order, outcome, why))

    def off(self, actuator_id: str, why: str) -> bool:
        """Switch an output off at the next tick."""
        return self.guard.off(actuator_id, why)

    def emergency_stop(self, by: str) -> bool:
        """Stop everything; without a thread of its own at the next tick."""
        self._desk.emergency_stop(by)
        return self.guard.wait_until_quiet(1.0) if self._is_threaded else self.guard.is_quiet()

    def release_stop(self, by: str) -> None:
        """Release the emergency stop in a person's name."""
        self._desk.release_stop(by)

    def budget(self, actuator_id: str) -> dict[str, float | None]:
        """Return spent_ml, budget_ml and reservoir_left_ml."""
        return self._patiently(lambda: self._desk.budget(actuator_id))

    def refill(self, reservoir: str, by: str) -> None:
        """Count a reservoir as full."""
        self._desk.refill(reservoir, by)

    def entry(self, action_id: str) -> dict[str, Any] | None:
        """Return the ledger's entry of an action, or None."""
        return self._desk.entry(action_id)

    def entries(self, limit: int = 200) -> list[dict[str, Any]]:
        """Return the ledger's latest entries, newest first."""
        return self._desk.entries(limit)

    def close(self) -> None:
        """Switch everything off and close the ledger."""
        if self._ending.is_set():
            return
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
        while not wait([future], _SLICE_S).done:
            idle()
        return future.result()

    def _reported(self) -> dict[str, bool]:
        return {actuator_id: bool(state["on"]) for actuator_id, state in self.guard.outputs().items()}

    def _tick_on(self) -> None:
        while not self._ending.is_set():
            self._desk.note_ended(self.guard.tick())
            self.guard.wait(TICK_S)

    def _settle_on(self) -> None:
        while not self._ending.is_set():
            self._desk.keep_ledger()


class GuardClient:
    """A guard process behind its sockets; connects at the first call, and again after a break."""

    def __init__(self, folder: Path, owner: str | None = None) -> None:
        self._owner = owner or f"controller {os.getpid()}"
        self._waiting = _Waiting()
        self._lease = _Line(folder / ORDERS_SOCKET, None)
        self._orders = _Line(folder / ORDERS_SOCKET, self._waiting)
        self._stop = _Line(folder / STOP_SOCKET, None)

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
        return _answer(self._orders.ask({"op": "run", "order": asdict(order)}))

    def record(self, order: Order, outcome: str, why: str) -> Answer:
        """Have a command recorded that moves nothing."""
        return _answer(self._orders.ask({"op": "record", "order": asdict(order), "outcome": outcome, "why": why}))

    def off(self, actuator_id: str, why: str) -> bool:
        """Switch an output off."""
        return bool(self._lease.ask({"op": "off", "actuator_id": actuator_id, "why": why})["was_on"])

    def emergency_stop(self, by: str) -> bool:
        """Stop everything, by the socket of its own."""
        return bool(self._stop.ask({"by": by})["quiet"])

    def release_stop(self, by: str) -> None:
        """Release the emergency stop in a person's name."""
        self._orders.ask({"op": "release_stop", "by": by})

    def budget(self, actuator_id: str) -> dict[str, float | None]:
        """Return spent_ml, budget_ml and reservoir_left_ml."""
        return self._orders.ask({"op": "budget", "actuator_id": actuator_id})

    def refill(self, reservoir: str, by: str) -> None:
        """Count a reservoir as full."""
        self._orders.ask({"op": "refill", "reservoir": reservoir, "by": by})

    def entry(self, action_id: str) -> dict[str, Any] | None:
        """Return the ledger's entry of an action, or None."""
        return cast("dict[str, Any] | None", self._orders.ask({"op": "entry", "action_id": action_id})["entry"])

    def entries(self, limit: int = 200) -> list[dict[str, Any]]:
        """Return the ledger's latest entries, newest first."""
        return cast("list[dict[str, Any]]", self._orders.ask({"op": "entries", "limit": limit})["entries"])

    def close(self) -> None:
        """Give the lease back, which switches everything off, and hang up."""
        try:
            self._lease.ask({"op": "release", "owner": self._owner}, timeout_s=1.0)
        except GuardUnreachableError:
            return  # a guard without a lease switches everything off by itself
        finally:
            for line in (self._lease, self._orders, self._stop):
                line.close()


class _Waiting:
    """What each thread wants done while it waits."""

    def __init__(self) -> None:
        self._local = threading.local()

    @property
    def idle(self) -> Idle | None:
        """Return what this thread wants done."""
        return getattr(self._local, "idle", None)

    @contextmanager
    def with_idle(self, idle: Idle) -> Iterator[None]:
        """Let this thread want it for as long as the context lasts."""
        self._local.idle = idle
        try:
            yield
        finally:
            self._local.idle = None


class _Line:
    """One connection: a question, then its answer; one at a time."""

    def __init__(self, path: Path, waiting: _Waiting | None) -> None:
        self._path = path
        self._waiting = waiting
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._rest = b""

    def ask(self, question: Mapping[str, Any], *, timeout_s: float = _PATIENCE_S) -> dict[str, Any]:
        """Return the answer; raises GuardUnreachableError when none comes in time, or the guard cannot give one."""
        give_up_s = time.monotonic() + timeout_s
        self._take_turn(give_up_s)
        try:
            answer = json.loads(self._exchange_again(json.dumps(question).encode() + b"\n", give_up_s))
        except GuardUnreachableError:
            self._hang_up()  # a late answer must not be taken for the next one's
            raise
        except (OSError, ValueError) as error:
            self._hang_up()
            msg = f"no answer from the guard at {self._path.name}: {error}"
            raise GuardUnreachableError(msg) from error
        finally:
            self._lock.release()
        if "away" in answer:
            raise GuardUnreachableError(str(answer["away"]))
        if "error" in answer:
            msg = f"the guard refused the question: {answer['error']}"
            raise ValueError(msg)
        return cast("dict[str, Any]", answer)

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            self._hang_up()

    def _take_turn(self, give_up_s: float) -> None:
        while not self._lock.acquire(timeout=_SLICE_S):
            self._pass_a_slice(give_up_s)

    def _pass_a_slice(self, give_up_s: float) -> None:
        if time.monotonic() > give_up_s:
            msg = f"no answer from the guard at {self._path.name} in time"
            raise GuardUnreachableError(msg)
        idle = self._waiting.idle if self._waiting is not None else None
        if idle is not None:
            idle()

    def _exchange_again(self, line: bytes, give_up_s: float) -> bytes:
        """Ask, and ask once more when the connection turns out to be an old guard's: every question may be repeated."""
        was_connected = self._socket is not None
        try:
            return self._exchange(line, give_up_s)
        except ConnectionError:
            if not was_connected:
                raise
            self._hang_up()
            return self._exchange(line, give_up_s)

    def _exchange(self, line: bytes, give_up_s: float) -> bytes:
        connection = self._socket or self._connect()
        connection.sendall(line)
        while b"\n" not in self._rest:
            try:
                chunk = connection.recv(65_536)
            except TimeoutError:
                self._pass_a_slice(give_up_s)
                continue
            if not chunk:
                msg = "the guard hung up"
                raise ConnectionResetError(msg)
            self._rest += chunk
        answer, _, self._rest = self._rest.partition(b"\n")
        return answer

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_SLICE_S)
        try:
            with socket_address(self._path) as address:
                connection.connect(address)
        except OSError:
            connection.close()
            raise
        self._socket, self._rest = connection, b""
        return connection

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._rest = None, b""


def _answer(raw: Mapping[str, Any]) -> Answer:
    denial = raw.get("denial")
    return Answer(accepted=bool(raw["accepted"]), denial=Denial(**denial) if denial else None, entry=raw.get("entry"))
