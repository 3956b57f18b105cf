"""Records on their way to the log: reading never waits for publishing."""

from __future__ import annotations

import threading
from collections import deque

from dt.communication.messaging import MessagingService, Outgoing
from dt.utils.clock import Clock
from dt.utils.exceptions import DTError
from dt.utils.logger import get_logger

MOST_RECORDS = 100_000
MOST_BYTES = 64 * 1024 * 1024
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 15.0

log = get_logger("dt.collector.backlog")


class Backlog:
    """Keeps records in order while the log is away; when full the oldest go, which is counted and said."""

    def __init__(
        self,
        messaging: MessagingService,
        clock: Clock,
        *,
        most_records: int = MOST_RECORDS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._messaging = messaging
        self._clock = clock
        self._most_records = most_records
        self._most_bytes = most_bytes
        self._records: deque[Outgoing] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self.dropped = 0
        self.published = 0

    def start(self) -> None:
        """Begin to publish."""
        self._thread = threading.Thread(target=self._run, name="backlog", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Give what waits a last chance, then end."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        if len(self):
            log.warning("%d records were not published before the end", len(self))

    def put(self, record: Outgoing) -> None:
        """Take a record; never blocks."""
        lost = 0
        with self._lock:
            self._records.append(record)
            self._bytes += _size(record)
            while len(self._records) > self._most_records or self._bytes > self._most_bytes:
                self._bytes -= _size(self._records.popleft())
                lost += 1
            self.dropped += lost
        if lost and (self.dropped - lost) % 1000 == 0:
            log.error("the log is away for too long: %d records were dropped, the oldest first", self.dropped)
        self._wake.set()

    def __len__(self) -> int:
        with self._lock:
            return len(self._records)

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            record = self._oldest()
            if record is None:
                if self._stop.is_set():
                    return
                self._wake.wait(1.0)
                self._wake.clear()
            elif self._is_settled(record):
                self._done(record)
                pause_s = _FIRST_PAUSE_S
            elif self._clock.wait(self._stop, pause_s):
                return
            else:
                pause_s = min(_LONGEST_PAUSE_S, 2.0 * pause_s)

    def _is_settled(self, record: Outgoing) -> bool:
        """Publish one record; False when it should be tried again."""
        try:
            self._messaging.publish(record.topic, record.value, key=record.key, headers=record.headers)
        except DTError as error:
            if error.retriable:
                log.warning("not published yet, %d wait: %s", len(self), error)
                return False
            log.warning("a record for %s was refused: %s", record.topic, error)
            return True
        self.published += 1
        return True

    def _oldest(self) -> Outgoing | None:
        with self._lock:
            return self._records[0] if self._records else None

    def _done(self, record: Outgoing) -> None:
        with self._lock:
            if self._records and self._records[0] is record:  # it may have been dropped meanwhile
                self._bytes -= _size(self._records.popleft())


def _size(record: Outgoing) -> int:
    return len(record.value or b"") + 400  # headers, key and the objects around them
