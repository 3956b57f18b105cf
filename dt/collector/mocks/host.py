"""The machine that the collector runs on: a real one as it is, that of a simulated rig as the box has it befall.

Clock, network, disk and sudden ends. Asked of the wire at most once a second; while nothing befalls the machine,
everything passes straight through.
"""

# ruff: noqa: S311 - chances of a simulation, no secret

from __future__ import annotations

import errno
import os
import random
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from dt.communication.messaging import MessagingService, Outgoing, Record
from dt.communication.wire import Disk, Ending, HostState, Link, Wire
from dt.utils.clock import Clock
from dt.utils.codec import Message
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import MessagingError, RemoteServiceError, WireError
from dt.utils.logger import get_logger

_ASKS_EVERY_S = 1.0
_FINE = HostState()
_NEVER = threading.Event()

log = get_logger("dt.collector.mocks.host")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a collector has around it: the log, the clock, the disk's word, and who wants to know of a power cut."""

    messaging: MessagingService
    clock: Clock
    disk_check: Callable[[], None] = lambda: None
    host: Host | None = None

    def close(self) -> None:
        """Let what is late on its way arrive."""
        if isinstance(self.messaging, HostNetwork):
            self.messaging.close()

    def database(self, database: Binder) -> Binder:
        """Return the database as this machine reaches it."""
        return database if self.host is None else HostDatabase(self.host, database, self.clock)

    def on_power_cut(self, lose: Callable[[], None]) -> None:
        """Remember how unsynced writes are thrown away."""
        if self.host is not None:
            self.host.power_cut.append(lose)


def machine_of(wire: Wire | None, messaging: MessagingService, clock: Clock) -> Machine:
    """Return the machine at the software's end of a wire; without a wire it is the real one."""
    if wire is None:
        return Machine(messaging=messaging, clock=clock)
    host = Host(wire, clock)
    return Machine(
        messaging=HostNetwork(host, messaging, clock),
        clock=HostClock(host, clock),
        disk_check=HostDisk(host).check,
        host=host,
    )


class Host:
    """What befalls this machine now; a box that does not answer leaves it as it was."""

    def __init__(self, wire: Wire, clock: Clock) -> None:
        self._wire = wire
        self._clock = clock
        self._lock = threading.Lock()
        self._asked_s = float("-inf")
        self._state = _FINE
        self._is_ending = False
        self.power_cut: list[Callable[[], None]] = []  # what throws away its unsynced writes

    def state(self) -> HostState:
        """Return what befalls it; when the box says that it ends, it does, a little later, on a thread of its own."""
        if self._clock.monotonic() - self._asked_s < _ASKS_EVERY_S:
            return self._state
        if self._lock.acquire(blocking=False):  # nobody waits for a box that is slow to answer another
            try:
                self._asked_s = self._clock.monotonic()
                self._ask()
            finally:
                self._lock.release()
        return self._state

    def _ask(self) -> None:
        try:
            state = self._wire.host()
        except WireError as error:
            log.debug("the box says nothing of this machine: %s", error)
            return
        if state != self._state:
            log.warning("the simulated box has this machine suffer: %s", _in_words(state))
        self._state = state
        if state.ending is not Ending.NONE and not self._is_ending:
            self._is_ending = True
            threading.Thread(target=self._end, args=(state,), name="host end", daemon=True).start()

    def _end(self, state: HostState) -> None:
        """Die at an instant that nothing here chooses."""
        self._clock.wait(_NEVER, state.ends_after_s)
        if state.ending is Ending.POWER_CUT:
            for lose in self.power_cut:
                lose()
        os.kill(os.getpid(), signal.SIGKILL)


def _in_words(state: HostState) -> str:
    """Return what is not as it should be.

    >>> _in_words(HostState(broker=Link.AWAY, delay_s=2.0)), _in_words(HostState())
    ('broker away, delay_s 2.0', 'nothing')
    """
    fine = asdict(_FINE)
    return ", ".join(f"{name} {value}" for name, value in asdict(state).items() if value != fine[name]) or "nothing"


class HostClock:
    """The clock of a machine whose wall time may be wrong (F16); the monotonic one is not."""

    def __init__(self, host: Host, clock: Clock) -> None:
        self._host = host
        self._clock = clock

    def wall(self) -> float:
        """Return UTC epoch seconds as this machine believes them."""
        return self._clock.wall() + self._host.state().clock_shift_s

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start."""
        return self._clock.monotonic()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Block until the event is set or the time has passed."""
        return self._clock.wait(event, timeout_s)


class HostDisk:
    """The disk of a machine (F17); who writes asks first."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def check(self) -> None:
        """Raise OSError when nothing can be written now."""
        disk = self._host.state().disk
        if disk is Disk.FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if disk is Disk.READ_ONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))


class HostNetwork:
    """The log over a machine's network (F15), whose records may come twice or late (F16)."""

    def __init__(self, host: Host, messaging: MessagingService, clock: Clock) -> None:
        self._host = host
        self._messaging = messaging
        self.subscribe = messaging.subscribe  # what arrives is not disturbed
        self.transform = messaging.transform
        self._clock = clock
        self._dice = random.Random(1)
        self._late: list[Outgoing] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def publish(
        self,
        topic: str,
        value: Message | bytes | None,
        *,
        key: str | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        """Publish one record, when the network lets it."""
        state = self._passed()
        if not state.duplicates and not state.out_of_order and not self._late:
            self._messaging.publish(topic, value, key=key, headers=headers)
            return
        body = value.to_json() if isinstance(value, Message) else value
        self.publish_batch([Outgoing(topic, body, key, dict(headers or {}))])

    def publish_batch(self, batch: Sequence[Outgoing]) -> None:
        """Publish records, when the network lets them."""
        state = self._passed()
        with self._lock:
            records = list(batch)
            if state.duplicates or state.out_of_order or self._late:
                records = self._disturbed(records, state)
        self._messaging.publish_batch(records)

    def flush(self, timeout_s: float = 10.0) -> None:
        """Return when all is durable, but for what is on its way late: somebody in between has acknowledged that."""
        if not self._passed().out_of_order:
            self._send_late()
        self._messaging.flush(timeout_s)

    def read_all(self, topic: str) -> list[Record]:
        """Read a topic, when the network lets it."""
        self._passed()
        return self._messaging.read_all(topic)

    def health(self) -> dict[str, object]:
        """Return the log's own health, and that it cannot be reached when that is so."""
        health = self._messaging.health()
        return health if self._host.state().broker is not Link.AWAY else {**health, "connected": False}

    def close(self) -> None:
        """Let what is late arrive, and let go of who waits; the log itself belongs to who made it."""
        self._closed.set()
        self._send_late()

    def _passed(self) -> HostState:
        """Return the host's state when a call may go through; MessagingError otherwise."""
        state = self._host.state()
        if state.broker is Link.UP:
            return state
        if state.broker is Link.AWAY:
            raise MessagingError("the broker cannot be reached: the network is away")
        self._clock.wait(self._closed, state.delay_s)
        if state.broker is Link.HALF_OPEN:
            raise MessagingError(f"the broker did not answer within {state.delay_s:g} s: the connection is half-open")
        return state

    def _send_late(self) -> None:
        with self._lock:
            late, self._late = self._late, []
        if late:
            self._messaging.publish_batch(late)

    def _disturbed(self, records: Sequence[Outgoing], state: HostState) -> list[Outgoing]:
        """Keep some records back until later ones are through, and send some twice."""
        out: list[Outgoing] = []
        for record in records:
            if self._dice.random() < state.out_of_order and not self._late:
                self._late.append(record)
                continue
            out.append(record)
            if self._dice.random() < state.duplicates:
                out.append(record)
            out += self._late
            self._late = []
        return out


class Binder(Protocol):
    """The part of the database's client that the collector needs."""

    def bind_sensor(self, descriptor: SensorDescriptor) -> object:
        """Register a sensor; raises a retriable error while the database is away."""
        ...


class HostDatabase:
    """The database over a machine's network (F15)."""

    def __init__(self, host: Host, database: Binder, clock: Clock) -> None:
        self._host = host
        self._database = database
        self._clock = clock

    def bind_sensor(self, descriptor: SensorDescriptor) -> object:
        """Register a sensor, when the network lets it."""
        state = self._host.state()
        if state.database is Link.AWAY:
            raise RemoteServiceError("the database cannot be reached: the network is away")
        if state.database is not Link.UP:
            self._clock.wait(_NEVER, state.delay_s)
        if state.database is Link.HALF_OPEN:
            raise RemoteServiceError(f"the database did not answer within {state.delay_s:g} s")
        return self._database.bind_sensor(descriptor)
