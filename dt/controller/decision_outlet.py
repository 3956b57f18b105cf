"""Tells the records of the database what people decided; the controller's own disk stays the authority."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from dt.controller.decisions import Decisions
from dt.utils.clock import Clock
from dt.utils.dataclasses import KeptGrant, Policy
from dt.utils.exceptions import RefusedRequestError, RemoteServiceError
from dt.utils.logger import get_logger

_LOOKS_EVERY_S = 1.0
_AGAIN_AFTER_S = 15.0
_NOT_THERE = 404

log = get_logger(__name__)


class RecordsApi(Protocol):
    """What is asked of the database service: `DatabaseApiClient`."""

    def put_policy(self, policy: Policy) -> Policy:
        """Put a policy on record."""
        ...

    def put_grant(self, grant: KeptGrant) -> bool:
        """Put a grant on record."""
        ...


class DecisionOutlet:
    """Sends what is unsent, oldest first, in a thread of its own; what the database does not know yet waits."""

    def __init__(self, decisions: Decisions, records: RecordsApi, clock: Clock) -> None:
        self._decisions = decisions
        self._records = records
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="decisions", daemon=True)

    def start(self) -> Callable[[], None]:
        """Begin, and return what ends it."""
        self._thread.start()
        return self.stop

    def stop(self) -> None:
        """End; what is unsent is on disk, and a request that hangs is left behind."""
        self._stop.set()
        self._thread.join(0.5)

    def send(self) -> bool:
        """Send what can be sent now; False when some of it has to wait."""
        is_all = True
        for told in self._decisions.unsent():
            try:
                self._tell(told)
            except RemoteServiceError as error:
                log.debug("decisions wait for the database: %s", error)
                return False
            except RefusedRequestError as error:
                if error.status == _NOT_THERE:  # the plant of a policy is not registered yet
                    is_all = False
                    continue
                log.warning("the database refuses a decision for good: %s", error)
            self._decisions.was_sent(told)
        return is_all

    def _tell(self, told: Policy | KeptGrant) -> None:
        if isinstance(told, Policy):
            self._records.put_policy(told)
        else:
            self._records.put_grant(told)

    def _run(self) -> None:
        wait_s = 0.0
        while not self._clock.wait(self._stop, wait_s):
            wait_s = _LOOKS_EVERY_S if self.send() else _AGAIN_AFTER_S
