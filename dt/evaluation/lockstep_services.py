"""Processing, rules and alerts in lockstep: the services' own transformers on one log."""

from __future__ import annotations

from dt.ai.models.rule_based.dry_soil import DrySoilModel
from dt.ai.plants import PlantBook
from dt.ai.soil_rule import SoilRule
from dt.alerts.desk import AlertDesk
from dt.communication.messaging import MessagingService, Subscription
from dt.communication.topics import Topics, raw_topics
from dt.data.processing.processor import Processor
from dt.data.processing.sensor_book import SensorBook
from dt.data.processing.sensor_watch import SensorWatch
from dt.utils.clock import Clock
from dt.utils.dataclasses import SensorDescriptor


class LockstepServices:
    """What lies between the raw topics and the alerts."""

    def __init__(self, messaging: MessagingService, clock: Clock, timezone: str) -> None:
        self._messaging = messaging
        self._clock = clock
        self._timezone = timezone
        self._subscriptions: list[Subscription] = []
        self.start()

    def start(self) -> None:
        """Begin from what the log has."""
        self.end()
        messaging, clock = self._messaging, self._clock
        self._book = SensorBook(messaging, clock)
        self._watch = SensorWatch(self._registered)
        processor = Processor(self._book, clock, timezone=self._timezone, watch=self._watch)
        plants = PlantBook(messaging)
        model = DrySoilModel()
        rule = SoilRule(lambda: model, plants, clock)
        self.desk = AlertDesk(lambda: messaging.read_all(Topics.ALERTS), clock)
        self._subscriptions = [
            messaging.subscribe([Topics.REGISTRY], "processing_registry", self._book.accept),
            messaging.transform(raw_topics(), "processing", processor, state_topic=Topics.STATE_PROCESSING),
            messaging.subscribe([Topics.REGISTRY], "ai_plants", plants.take),
            messaging.transform([Topics.SOIL_MOISTURE.processed], "ai", rule, state_topic=Topics.STATE_AI),
            messaging.transform([Topics.ALERT_CONDITIONS], "alerts", self.desk, state_topic=Topics.STATE_ALERTS),
        ]

    def end(self) -> None:
        """Let them be gone from one moment to the next."""
        for subscription in self._subscriptions:
            subscription.stop()
        self._subscriptions = []

    def watch(self) -> None:
        """Say which sensors are silent or cannot be believed, and let the timers of alerts run out."""
        self.desk.tick(self._messaging.publish_batch)
        for condition in self._watch.conditions(self._clock.wall()):
            self._messaging.publish(Topics.ALERT_CONDITIONS, condition, key=condition.plant_id or condition.zone_id)

    def _registered(self, sensor_id: str) -> SensorDescriptor | None:
        entry = self._book.known(sensor_id)
        return None if entry is None else entry.descriptor
