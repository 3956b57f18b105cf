"""The processing service: one process between the raw and the processed topics."""

from __future__ import annotations

from collections import Counter

from prometheus_client import Counter as Metric

from dt.communication.health_beat import HealthBeat
from dt.communication.messaging import MessagingService, Subscription
from dt.communication.process import run_process
from dt.communication.topics import Topics, raw_topics
from dt.data.processing.processor import Processor
from dt.data.processing.sensor_book import SensorBook
from dt.data.processing.sensor_watch import SensorWatch, WatchRounds
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.http_server import health_app, server_for
from dt.utils.service import Service

GROUP = "processing"
_READINGS_AT_ONCE = 5000  # a transaction costs some round trips: few large ones carry more


class ProcessingService(Service):
    """Follows the registry, transforms the raw topics and answers for its health."""

    def __init__(self, settings: Settings, messaging: MessagingService, clock: Clock) -> None:
        super().__init__("processing", clock)
        self._settings = settings
        self._messaging = messaging
        self._book = SensorBook(messaging, clock)
        self._subscription: Subscription | None = None
        self._readings = Metric("dt_readings", "Readings by verdict", ["verdict"], registry=self.metrics)

    def on_start(self) -> None:
        """Begin to follow and to transform."""
        server = server_for(health_app(self), self._settings, self._settings.flask_processing_url, threads=2)
        server.start()
        self.closing("health pages", server.stop)
        registry = self._messaging.subscribe(
            [Topics.REGISTRY], f"processing_registry_{self._settings.instance}", self._book.accept
        )
        self.closing("registry", registry.stop)
        watch = SensorWatch(self._registered)
        processor = Processor(self._book, self.clock, self._count, timezone=self._settings.zone_name, watch=watch)
        self._subscription = self._messaging.transform(
            raw_topics(), GROUP, processor, state_topic=Topics.STATE_PROCESSING, max_batch=_READINGS_AT_ONCE
        )
        self.closing("raw topics", self._subscription.stop)
        self.closing("sensor watch", WatchRounds(watch, self._messaging, self.clock, self._is_current).start())
        self.closing("health beat", HealthBeat(self, self._messaging, self.clock).start())

    def ready(self) -> str | None:
        """Return None while raw records are being read."""
        subscription = self._subscription
        if subscription is None or not self.is_started:
            return "not started"
        if not subscription.is_running:
            return "the raw topics are no longer read"
        if not self._messaging.health().get("connected"):
            return "waits for the broker"
        return None if subscription.is_assigned else "waits for its partitions"

    def health(self) -> dict[str, object]:
        """Return how many sensors are known, and the log's own word."""
        lag = self._subscription.last_lag if self._subscription is not None else 0
        return {"sensors": len(self._book), "lag": lag, "messaging": self._messaging.health()}

    def _registered(self, sensor_id: str) -> SensorDescriptor | None:
        entry = self._book.known(sensor_id)
        return None if entry is None else entry.descriptor

    def _is_current(self) -> bool:
        """Return whether what is silent here is silent, and does not wait in the log."""
        return self.ready() is None and self._subscription is not None and self._subscription.lag() == 0

    def _count(self, verdicts: Counter[str]) -> None:
        for verdict, number in verdicts.items():
            self._readings.labels(verdict).inc(number)


def create_service(settings: Settings, messaging: MessagingService, clock: Clock) -> ProcessingService:
    """Return the service; nothing is opened before it starts."""
    return ProcessingService(settings, messaging, clock)


def main() -> int:
    """Run the service on the broker until a signal, and return the exit code."""
    return run_process("processing", create_service, works_in_batches=True)


if __name__ == "__main__":
    raise SystemExit(main())
