"""Looks once a day whether what is stored is still whole, and says so where it is not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge

from dt.communication.topics import Topics
from dt.data.database.full_disk import Voice
from dt.utils.clock import Clock
from dt.utils.dataclasses import AlertCondition, Severity
from dt.utils.exceptions import DTError
from dt.utils.ids import new_correlation_id
from dt.utils.logger import get_logger

KEY = "storage_damaged"
EVERY_S = 86_400.0

_FIRST_AFTER_S = 600.0  # a start has other things to do
_SAID_EVERY_S = 60.0  # what still holds is said every minute: alerts opens nothing for what it hears late
_MOST_TOLD = 5

log = get_logger(__name__)

Check = Callable[[], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a look found; `unfinished` are checks that could not be done at all."""

    at: float
    took_s: float
    damages: tuple[str, ...]
    unfinished: tuple[str, ...]


class IntegrityCheck:
    """Runs `checks` by name, each of bounded time, in a thread of its own."""

    def __init__(self, checks: dict[str, Check], messaging: Voice, clock: Clock, metrics: CollectorRegistry) -> None:
        self._checks = checks
        self._messaging = messaging
        self._clock = clock
        self._stop = threading.Event()
        self._last: Checked | None = None
        self._damages = Gauge("dt_storage_damages", "What the last integrity check found damaged", registry=metrics)
        self._checked = Gauge("dt_integrity_checked", "When it ended, epoch seconds", registry=metrics)

    def start(self) -> Callable[[], None]:
        """Look ten minutes after the start and once a day; what is returned ends that."""
        thread = threading.Thread(target=self._run, name="integrity", daemon=True)
        thread.start()

        def stop() -> None:
            self._stop.set()
            thread.join(2.0)

        return stop

    def health(self) -> dict[str, object]:
        """Return what the last look found."""
        last = self._last
        if last is None:
            return {"checked_at": None}
        return {
            "checked_at": last.at,
            "took_s": round(last.took_s, 1),
            "damages": list(last.damages[:_MOST_TOLD]),
            "unfinished": list(last.unfinished),
        }

    def check(self) -> Checked:
        """Look at everything now, and say whether it is whole."""
        began_s = self._clock.monotonic()
        damages: list[str] = []
        unfinished: list[str] = []
        for name, look in self._checks.items():
            try:
                damages += look()
            except (DTError, OSError) as error:
                unfinished.append(f"{name}: {error}")
                log.warning("the integrity of %s could not be checked: %s", name, error)
        for damage in damages:
            log.error("damaged: %s", damage)
        took_s = self._clock.monotonic() - began_s
        self._last = Checked(at=self._clock.wall(), took_s=took_s, damages=tuple(damages), unfinished=tuple(unfinished))
        self._damages.set(len(damages))
        self._checked.set(self._last.at)
        self._say(self._last)
        return self._last

    def _run(self) -> None:
        wait_s = _FIRST_AFTER_S
        while not self._clock.wait(self._stop, wait_s):
            found = self.check()
            wait_s = 0.0 if found.damages else EVERY_S
            if found.damages:
                self._repeat(found)  # takes the day

    def _repeat(self, found: Checked) -> None:
        """Say every minute for a day what is damaged."""
        until_s = self._clock.monotonic() + EVERY_S
        while self._clock.monotonic() < until_s and not self._clock.wait(self._stop, _SAID_EVERY_S):
            self._say(found)

    def _say(self, found: Checked) -> None:
        now, damages = self._clock.wall(), found.damages
        more = f" and {len(damages) - _MOST_TOLD} more" if len(damages) > _MOST_TOLD else ""
        condition = AlertCondition(
            key=KEY,
            severity=Severity.CRITICAL,
            description=f"Stored data is damaged: {'; '.join(damages[:_MOST_TOLD])}{more}"[:1000]
            if damages
            else "Stored data is whole",
            advice="Check the disk or SD card, stop the services, then restore the last backup: dt restore FILE --force"
            if damages
            else "",
            active=bool(damages),
            timestamp=now,
            correlation_id=new_correlation_id(now),
        )
        try:
            self._messaging.publish(Topics.ALERT_CONDITIONS, condition, key="database")
        except DTError as error:
            log.warning("whether stored data is whole could not be said: %s", error)
