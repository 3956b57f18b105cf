"""The topics of `dt solo`, mirrored to a Kafka through an outbox on disk.

Records keep their topic, key, headers and value; the far broker deals them to partitions by the same key, so the order
within a zone or plant stays. What stays at home: `dt.actions`, for a command that is repeated elsewhere or later must
move nothing, and `dt.state.*`, which belongs to the offsets of one log and means nothing in another.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from dt.collector.outbox import Limits, Outbox
from dt.communication.health_beat import HealthBeat
from dt.communication.kafka import KafkaMessaging
from dt.communication.kafka_topics import KafkaManager
from dt.communication.messaging import MessagingService, Outgoing, Record, Start, Subscription
from dt.communication.topics import TOPIC_TABLE, Topics
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.exceptions import DTError, MessagingError
from dt.utils.logger import get_logger
from dt.utils.service import Service

NAME = "mirror"
GROUP = "mirror"
MIRRORED = tuple(topic for topic in TOPIC_TABLE if topic != Topics.ACTIONS and not topic.startswith(("dt.state.",)))
LIMITS = Limits(records=1_000_000, bytes=1024 * 1024 * 1024)

log = get_logger(__name__)


class Mirror(Service):
    """Follows the log in memory onto disk, and sends what is there whenever the Kafka takes it."""

    def __init__(self, settings: Settings, messaging: MessagingService, clock: Clock, limits: Limits = LIMITS) -> None:
        super().__init__(NAME, clock)
        far = settings.model_copy(update={"kafka_url": settings.mirror_kafka_url, "messaging": "kafka"})
        self._far = far
        self._messaging = messaging
        self._limits = limits
        self._outbox: Outbox | None = None
        self._subscription: Subscription | None = None

    def on_start(self) -> None:
        """Open the outbox, which goes on where an earlier run ended, and follow everything from now on."""
        target = FarKafka(self._far, self.clock)
        self.closing("far Kafka", target.close)
        folder = self._far.data_dir / NAME
        self._outbox = Outbox(target, self.clock, folder, limits=self._limits)
        self._outbox.start()
        self.closing("outbox", self._outbox.stop)
        self._subscription = self._messaging.subscribe(MIRRORED, GROUP, self._take, start=Start.LATEST)
        self.closing("topics", self._subscription.stop)
        self.closing("health", HealthBeat(self, self._messaging, self.clock).start())

    def lag(self) -> int:
        """Return how many records of the log in memory are not on disk yet."""
        return 0 if self._subscription is None else self._subscription.lag()

    def ready(self) -> str | None:
        """Return why nothing is mirrored at present."""
        if not self.is_started or self._outbox is None:
            return "not started"
        health = self._outbox.health()
        if health["log"] != "ok":
            return f"{health['waiting']} records wait for the Kafka at {self._far.kafka_url}: {health['log']}"
        return None if health["disk"] == "ok" else f"the disk: {health['disk']}"

    def health(self) -> dict[str, object]:
        """Return where the records go, how many wait, and what was dropped."""
        outbox = {} if self._outbox is None else self._outbox.health()
        return {"kafka": self._far.kafka_url, "prefix": self._far.topic_prefix, "lag": self.lag(), **outbox}

    def _take(self, records: Sequence[Record]) -> None:
        assert self._outbox is not None
        self._outbox.put_batch([Outgoing(r.topic, r.value, r.key, r.headers) for r in records])


class FarKafka(KafkaMessaging):
    """The far broker, connected once the topics that were missing there are made; what is there is not altered."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        super().__init__(settings, NAME, clock)
        self._settings = settings
        self._making = threading.Lock()
        self._has_topics = False

    def flush(self, timeout_s: float = 10.0) -> None:
        """Return when all is durable; after a failure the topics are looked at again."""
        try:
            super().flush(timeout_s)
        except MessagingError:
            self._has_topics = False
            raise

    def health(self) -> dict[str, object]:
        """Return whether a broker answers that has the topics."""
        health = super().health()
        if not health["connected"]:
            return health
        why = self._make_topics()
        return {**health, "connected": not why, "why": why}

    def _make_topics(self) -> str:
        """Create what is missing; return why that failed."""
        with self._making:
            if self._has_topics:
                return ""
            try:
                with KafkaManager(self._settings) as manager:
                    for change in manager.create(MIRRORED):
                        log.info("topic %s made at %s", change.topic, self._settings.kafka_url)
            except DTError as error:
                log.warning("the topics of the mirror cannot be made yet: %s", error)
                return str(error)
            self._has_topics = True
            return ""
