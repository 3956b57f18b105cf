"""Every command's outcome on its way to `dt.actions.results`, without ever holding up whoever decided."""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any

from dt.communication.messaging import MessagingService
from dt.communication.topics import Topics
from dt.utils.clock import Clock
from dt.utils.dataclasses import ActionCommand, ActionResult, Outcome, Refusal
from dt.utils.exceptions import DTError
from dt.utils.logger import get_logger

_REMEMBERED = 2000
_AGAIN_AFTER_S = 2.0
_WAITING_AT_MOST = 10_000
_FLUSH_S = 5.0
_LAST_FLUSH_S = 0.5
_WHY = re.compile(r"(S\d+): (.*)", re.DOTALL)

log = get_logger(__name__)


class ResultBook:
    """Remembers outcomes by `action_id`, and publishes each in order, from a thread of its own.

    Each once, unless the log failed meanwhile: then again, for nobody can say which ones it took.
    """

    def __init__(self, messaging: MessagingService, clock: Clock, again_after_s: float = _AGAIN_AFTER_S) -> None:
        self._messaging = messaging
        self._clock = clock
        self._again_after_s = again_after_s
        self._known: OrderedDict[str, ActionResult] = OrderedDict()
        self._waiting: deque[ActionResult] = deque(maxlen=_WAITING_AT_MOST)
        self._handed: list[ActionResult] = []
        self._is_doubtful = False
        self._published: list[str] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._more = threading.Event()
        self._thread = threading.Thread(target=self._run, name="results", daemon=True)

    def start(self) -> None:
        """Begin to publish."""
        self._thread.start()

    def stop(self) -> None:
        """Publish what still can be, and end."""
        self._stop.set()
        self._more.set()
        self._thread.join(1.0)

    def get(self, action_id: str) -> ActionResult | None:
        """Return the outcome of an action that ended lately, or None."""
        with self._lock:
            return self._known.get(action_id)

    def add(self, result: ActionResult) -> ActionResult:
        """Keep and publish an outcome; the first one of an action stands."""
        with self._lock:
            known = self._known.get(result.action_id)
            if known is not None:
                return known
            self._known[result.action_id] = result
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            self._waiting.append(result)
        self._more.set()
        log.info("%s %s: %s%s", result.actuator_id, result.action_id, result.outcome, _refused(result.refusal))
        return result

    def amend(self, result: ActionResult) -> None:
        """Publish an outcome again with what became known since: of an action's results, the last one stands."""
        with self._lock:
            self._known[result.action_id] = result
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            self._waiting.append(result)
        self._more.set()
        log.info("%s %s: effect %s", result.actuator_id, result.action_id, result.effect)

    def publish_now(self) -> bool:
        """Publish what waits, where no thread was started; False when the log must be waited for."""
        return self._publish_waiting()

    def skip(self, action_id: str) -> None:
        """Count an action as published whose outcome nobody can read."""
        with self._lock:
            self._published.append(action_id)

    def take_published(self) -> list[str]:
        """Return the actions published since the last call."""
        with self._lock:
            published, self._published = self._published, []
        return published

    @property
    def waiting(self) -> int:
        """Return how many outcomes the log has not taken yet."""
        return len(self._waiting) + len(self._handed)

    def _run(self) -> None:
        while True:
            self._more.wait(1.0)
            self._more.clear()
            is_done = self._publish_waiting()
            if self._stop.is_set():
                return
            if not is_done:
                self._stop.wait(self._again_after_s)

    def _publish_waiting(self) -> bool:
        """Hand over what is new, and wait until the log has all of it; False when it must be waited for."""
        try:
            if self._is_doubtful:
                self._take_back()
            self._hand_over()
            if self._handed:
                self._messaging.flush(_LAST_FLUSH_S if self._stop.is_set() else _FLUSH_S)
        except DTError as error:
            log.warning("%d outcomes wait for the log: %s", self.waiting, error)
            self._is_doubtful = bool(self._handed)
            return False
        with self._lock:
            self._published += [result.action_id for result in self._handed]
            self._handed = []
        return True

    def _take_back(self) -> None:
        """Once the log has settled all that it was given, hand over again what it may have refused."""
        self._messaging.flush(_LAST_FLUSH_S if self._stop.is_set() else _FLUSH_S)
        with self._lock:
            self._waiting.extendleft(reversed(self._handed))
            self._handed, self._is_doubtful = [], False

    def _hand_over(self) -> None:
        while self._waiting:
            result = self._waiting[0]
            try:
                self._messaging.publish(Topics.ACTION_RESULTS, result, key=result.actuator_id)
            except DTError as error:
                if error.retriable:
                    raise
                log.warning("the log will never take the outcome of %s: %s", result.action_id, error)
            self._waiting.popleft()
            self._handed.append(result)


def result_of(
    command: ActionCommand,
    outcome: Outcome,
    now: float,
    *,
    refusal: Refusal | None = None,
    on_s: float | None = None,
    delivered_ml: float | None = None,
) -> ActionResult:
    """Return a command's outcome, with the command itself."""
    return ActionResult(
        action_id=command.action_id,
        actuator_id=command.actuator_id,
        plant_id=command.plant_id,
        outcome=outcome,
        timestamp=now,
        correlation_id=command.correlation_id,
        caused_by=command.caused_by,
        refusal=refusal,
        on_s=on_s,
        delivered_ml=delivered_ml,
        command=command,
    )


def result_of_entry(entry: Mapping[str, Any]) -> ActionResult:
    """Return the outcome that the ledger keeps; raises MessageError when its note holds no command."""
    command = ActionCommand.from_json(str(entry["note"]))
    measured_s = entry["measured_s"]
    return result_of(
        command,
        Outcome(entry["outcome"]),
        float(entry["ended_wall"]),
        refusal=refusal_of(str(entry["why"])),
        on_s=measured_s,
        delivered_ml=None if measured_s is None else float(entry["kept_ml"]),
    )


def refusal_of(why: str) -> Refusal | None:
    """Return the refusal that a ledger entry's `why` stands for; None for a reason that is no refusal."""
    if why.startswith("{"):
        return Refusal.from_dict(json.loads(why))
    match = _WHY.match(why)
    return Refusal(invariant=match[1], why=match[2]) if match else None


def _refused(refusal: Refusal | None) -> str:
    if refusal is None:
        return ""
    return f" ({refusal.invariant}: {refusal.why}; {refusal.value} against {refusal.limit})"
