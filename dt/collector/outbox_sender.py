"""From the shelf to the log: in order, in batches, each let go when the log has it durably."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from dt.collector.outbox_bounds import Loss, OnLoss
from dt.collector.outbox_record import Kept
from dt.collector.outbox_shelf import Shelf
from dt.communication.messaging import MessagingService, Outgoing
from dt.utils.clock import Clock
from dt.utils.exceptions import DTError, MessagingError
from dt.utils.logger import get_logger

MOST_RECORDS, MOST_BYTES = 2000, 2 * 1024 * 1024  # of one batch; what a crash sends twice at most
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 15.0
_FLUSH_S = 1.0
_LOOKS_EVERY_S = 1.0

log = get_logger("dt.collector.outbox")


class Sender:
    """Publishes what the shelf gives out, and between batches the newest of what is only worth having fresh."""

    def __init__(self, shelf: Shelf, messaging: MessagingService, clock: Clock, on_loss: OnLoss) -> None:
        self._shelf = shelf
        self._messaging = messaging
        self._clock = clock
        self._on_loss = on_loss
        self._latest: dict[tuple[str, str | None], Outgoing] = {}
        self._latest_lock = threading.Lock()
        self._stop = threading.Event()
        self._gives_up = threading.Event()
        self._pause_s = _FIRST_PAUSE_S
        self._is_away = True  # until it has taken something
        self._thread = threading.Thread(target=self._run, name="outbox sender", daemon=True)
        self.why = ""
        self.published = 0
        self.refused = 0

    def start(self) -> None:
        """Begin to publish."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Give what waits a last chance, then end."""
        self._stop.set()
        self._shelf.wake()
        self._thread.join(timeout_s)
        self._gives_up.set()

    def put_latest(self, record: Outgoing) -> None:
        """Publish this soon, unless a newer one with its topic and key comes first; never kept on disk."""
        with self._latest_lock:
            self._latest[record.topic, record.key] = record
        self._shelf.wake()

    def _run(self) -> None:
        try:
            while not self._gives_up.is_set() and self._goes_on():
                pass
        except _OutOfTimeError:
            log.debug("the outbox ends while the log is away")

    def _goes_on(self) -> bool:
        """Send what there is, or wait for something; return whether there may be more. No error ends the thread."""
        try:
            self._send_latest()
            batch = self._shelf.next_batch(MOST_RECORDS, MOST_BYTES)
            if batch:
                self._deliver(batch)
            elif self._stop.is_set():
                return False
            else:
                self._shelf.wait(_LOOKS_EVERY_S)
        except _OutOfTimeError:
            raise
        except Exception as error:
            log.exception("publishing failed in a way that nobody thought of; it is tried again")
            self._shelf.give_back()
            self._wait_after(error)
        return True

    def _deliver(self, batch: Sequence[Kept]) -> None:
        """Return when every record is durable or was refused for good, or all are back on the shelf.

        Refused ones are found by halving.
        """
        pieces = [batch]
        while pieces:
            piece = pieces.pop()
            try:
                error = self._send([kept.record for kept in piece], insists=piece is not batch)
            except _NotTakenError as away:
                self._shelf.give_back()
                self._wait_after(away.error)
                return
            if error is None:
                self.published += len(piece)
            elif len(piece) == 1:
                self._refuse(piece[0], error)
            else:
                middle = len(piece) // 2
                pieces += [piece[middle:], piece[:middle]]
        self._shelf.done(batch)

    def _send(self, records: Sequence[Outgoing], *, insists: bool) -> DTError | None:
        """Publish until the log has all of it; return what it will never take. Raises when it takes nothing now."""
        is_queued = False
        while True:
            try:
                if not is_queued:
                    self._require_connected()
                    self._messaging.publish_batch(records)
                    is_queued = True  # the client keeps it from here on: asking again would send it twice
                self._messaging.flush(_FLUSH_S)
            except DTError as error:
                if not error.retriable:
                    return error
                if not is_queued and not insists:
                    raise _NotTakenError(error) from error
                self._wait_after(error)
            else:
                self._note_taken()
                return None

    def _send_latest(self) -> None:
        with self._latest_lock:
            latest, self._latest = self._latest, {}
        for place, record in latest.items():
            try:
                self._require_connected()
                self._messaging.publish_batch([record])
            except DTError as error:
                if error.retriable:
                    with self._latest_lock:
                        self._latest = {place: record, **latest, **self._latest}
                    self._wait_after(error)
                    return
                log.warning("a record for %s was refused: %s", record.topic, error)
            else:
                self._note_taken()

    def _require_connected(self) -> None:
        """Leave records on the shelf while no broker answers: there they can still be corrected, and are bounded."""
        if self._is_away and not self._messaging.health().get("connected", True):
            msg = "no broker answers"
            raise MessagingError(msg)

    def _wait_after(self, error: Exception) -> None:
        if not self._is_away or not self.why:
            log.warning("not published yet, %d wait: %s", len(self._shelf), error)
        self._is_away, self.why = True, str(error)
        if self._stop.is_set() or self._clock.wait(self._stop, self._pause_s):
            raise _OutOfTimeError
        self._pause_s = min(_LONGEST_PAUSE_S, 2.0 * self._pause_s)

    def _note_taken(self) -> None:
        if self.why:
            log.info("the log takes records again, %d wait", len(self._shelf))
        self._is_away, self.why, self._pause_s = False, "", _FIRST_PAUSE_S

    def _refuse(self, kept: Kept, error: DTError) -> None:
        self.refused += 1
        log.error("a record of %d bytes for %s was refused: %s", kept.size, kept.record.topic, error)
        self._on_loss([kept.record], Loss.REFUSED)


class _NotTakenError(Exception):
    """The log is away, and none of a batch was handed to it."""

    def __init__(self, error: DTError) -> None:
        super().__init__(str(error))
        self.error = error


class _OutOfTimeError(Exception):
    """The end came while the log was away."""
