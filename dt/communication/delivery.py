"""How a batch reaches its handler: again after a passing failure, without the one bad record after a lasting one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dt.communication.messaging import Record
from dt.utils.exceptions import DTError
from dt.utils.logger import get_logger

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 5.0

log = get_logger(__name__)


class Delivery:
    """Brings batches to `attempt` until each record is dealt with or buried.

    `attempt` must be all or nothing, or idempotent. `rest` blocks for a pause and returns True when it is time to stop.
    """

    def __init__(
        self,
        attempt: Callable[[Sequence[Record]], None],
        bury: Callable[[Record, Exception], None],
        rest: Callable[[float], bool],
    ) -> None:
        self._attempt = attempt
        self._bury = bury
        self._rest = rest

    def deliver(self, records: Sequence[Record]) -> bool:
        """Return True when every record was handled or buried, False when told to stop first."""
        try:
            return self._insist(lambda: self._attempt(records))
        except Exception as error:  # noqa: BLE001 - a handler may fail in any way; the stream must go on
            return self._without_the_bad_one(records, error)

    def _without_the_bad_one(self, records: Sequence[Record], error: Exception) -> bool:
        if len(records) > 1:
            middle = len(records) // 2
            return self.deliver(records[:middle]) and self.deliver(records[middle:])
        [record] = records
        log.warning("record %s-%d@%d goes to dead letters: %s", record.topic, record.partition, record.offset, error)
        if not isinstance(error, DTError):
            log.error("its handler failed", exc_info=error)
        return self._insist(lambda: self._bury(record, error))

    def _insist(self, action: Callable[[], None]) -> bool:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                action()
            except DTError as error:
                if not error.retriable:
                    raise
                log.info("delivery waits %.2f s: %s", pause_s, error)
                if self._rest(pause_s):
                    return False
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            else:
                return True
