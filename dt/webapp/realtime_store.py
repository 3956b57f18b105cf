"""The newest value of every series, and the outboxes of the browsers that want to hear of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from dt.utils.clock import Clock
from dt.webapp.outbox import MAX_SERIES, Item, Outbox

_GATHER_S = 0.01  # values that come this close together travel in one batch
_MAX_RECORDS = 100
_NOT_SHORTER_S = 0.001
_IDLE_S = 60.0

# How many series of an event are remembered for clients that connect later; readings: MAX_SERIES.
REMEMBERED: Mapping[str, int] = MappingProxyType(
    {"alert": _MAX_RECORDS, "action": _MAX_RECORDS, "prediction": _MAX_RECORDS, "health": 500, "dead_letter": 20}
)

Send = Callable[[Outbox, Sequence[Item]], None]
"""Hands a batch to a client's transport; never blocks."""


class RealtimeStore:
    """Keeps the latest of each series and sends it on from one thread, each client at its own pace."""

    def __init__(self, clock: Clock, send: Send, is_idle: Callable[[Outbox], bool]) -> None:
        self._clock = clock
        self._send = send
        self._is_idle = is_idle
        self._latest: dict[str, dict[str, Item]] = {}
        self._outboxes: dict[str, Outbox] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._is_stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Send from now on."""
        self._thread = threading.Thread(target=self._run, name="realtime store", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the sending thread."""
        self._is_stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(3.0)
            self._thread = None

    def publish(self, items: Sequence[Item]) -> None:
        """Take values in; one older than the latest of its series is dropped, unless it revises an earlier one."""
        with self._lock:
            fresh = []
            for item in items:
                is_newest = self._remember(item)
                if item.is_revision:
                    fresh.append(item.apart())
                elif is_newest:
                    fresh.append(item)
            for outbox in self._outboxes.values():
                for item in fresh:
                    outbox.put(item)
        if fresh:
            self._wake.set()

    def latest(self) -> dict[str, list[Item]]:
        """Return the newest item of every series by event, oldest first."""
        with self._lock:
            return {event: list(items.values()) for event, items in self._latest.items()}

    def connect(self, namespace: str, sid: str) -> None:
        """Open an outbox that holds the latest of everything its namespace carries."""
        outbox = Outbox(namespace, sid)
        with self._lock:
            for items in self._latest.values():
                for item in items.values():
                    outbox.put(item)
            self._outboxes[sid] = outbox
        self._wake.set()

    def disconnect(self, sid: str) -> None:
        """Forget a client."""
        with self._lock:
            self._outboxes.pop(sid, None)

    def acknowledge(self, sid: str) -> None:
        """Note that a client took its last batch in."""
        with self._lock:
            outbox = self._outboxes.get(sid)
            if outbox is None:
                return
            outbox.acknowledge()
            has_more = len(outbox) > 0
        if has_more:
            self._wake.set()

    def send_due(self) -> None:
        """Send every client what it may get now; one step of the thread."""
        now = self._clock.monotonic()
        with self._lock:
            batches = [(box, box.take(now)) for box in self._outboxes.values() if self._may_send(box, now)]
        for outbox, items in batches:
            if items:
                self._send(outbox, items)

    def backlog(self) -> int:
        """Return how many values wait in all outboxes."""
        with self._lock:
            return sum(len(outbox) for outbox in self._outboxes.values())

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            self._clock.wait(self._wake, self._pause_s())
            self._wake.clear()
            self.send_due()
            self._clock.wait(self._is_stopping, _GATHER_S)

    def _pause_s(self) -> float:
        now = self._clock.monotonic()
        with self._lock:
            times = [at for box in self._outboxes.values() if (at := box.wakes_at(now)) is not None]
        return max(_NOT_SHORTER_S, min(times, default=now + _IDLE_S) - now)

    def _may_send(self, outbox: Outbox, now: float) -> bool:
        if not len(outbox):
            return False
        return not outbox.is_waiting or (outbox.is_overdue(now) and self._is_idle(outbox))

    def _remember(self, item: Item) -> bool:
        series = item.series
        known = self._latest.setdefault(series.event, {})
        before = known.pop(series.key, None)
        if before is not None and before.timestamp > item.timestamp:
            known[series.key] = before
            return False
        known[series.key] = item
        if len(known) > REMEMBERED.get(series.event, MAX_SERIES):
            del known[next(iter(known))]
        return True
