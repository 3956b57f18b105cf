"""What the controller takes from the log: commands, moisture, conditions, registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dt.communication.messaging import MessagingService, Record, Start, Subscription, UnusableRecordsError
from dt.communication.topics import Topics
from dt.controller.core import ControllerCore
from dt.controller.live_readings import AIR_QUANTITIES
from dt.controller.records import see_registry
from dt.utils.dataclasses import ActionCommand, AlertCondition, SensorData
from dt.utils.exceptions import MessageError
from dt.utils.logger import get_logger
from dt.utils.quantities import Quantity
from dt.utils.secrets import verify

SIGNATURE_HEADER = "hmac"

log = get_logger(__name__)


class UnsignedError(MessageError):
    """A command on the bus whose signature is missing or wrong."""


class Intake:
    """One handler a topic; every one of them may be called again with the same records."""

    def __init__(
        self,
        *,
        messaging: MessagingService,
        core: ControllerCore,
        token: str,
    ) -> None:
        self._messaging = messaging
        self._core = core
        self._token = token

    def subscribe(self, group: str) -> list[Subscription]:
        """Join the groups; a broker that is away is waited for in the background."""
        readings = [Topics.of(quantity).processed for quantity in (Quantity.SOIL_MOISTURE, *sorted(AIR_QUANTITIES))]
        rows: list[tuple[list[str], str, Callable[[Record], None], Start]] = [
            ([Topics.ACTIONS], "actions", self.take_command, Start.EARLIEST),
            (readings, "moisture", self.take_reading, Start.LATEST),
            ([Topics.ALERT_CONDITIONS], "conditions", self.take_condition, Start.LATEST),
            ([Topics.REGISTRY], "registry", self.take_registry, Start.EARLIEST),
        ]
        return [
            self._messaging.subscribe(topics, f"{group}_{name}", self._each(take), start=start)
            for topics, name, take, start in rows
        ]

    def take_command(self, record: Record) -> None:
        """Submit a command that is signed with the token; any other becomes a dead letter and never runs."""
        value = record.value or b""
        if not verify(value, record.headers.get(SIGNATURE_HEADER), self._token):
            raise UnsignedError(SIGNATURE_HEADER, "the command's signature is missing or wrong; it is not run")
        self._core.gate.submit_from_outside(ActionCommand.from_json(value))

    def take_reading(self, record: Record) -> None:
        """Let a processed reading count: of soil, air or light."""
        if record.value is not None:
            self._core.see_reading(SensorData.from_json(record.value))

    def take_condition(self, record: Record) -> None:
        """Let a policy see a condition."""
        if record.value is not None:
            self._core.see_condition(AlertCondition.from_json(record.value))

    def take_registry(self, record: Record) -> None:
        """Follow what the registry says of our plants."""
        see_registry(self._core.plants, record)

    def _each(self, take: Callable[[Record], None]) -> Callable[[Sequence[Record]], None]:
        def handle(records: Sequence[Record]) -> None:
            unusable: list[tuple[Record, Exception]] = []
            for record in records:
                try:
                    take(record)
                except MessageError as error:
                    log.warning("%s %d/%d: %s", record.topic, record.partition, record.offset, error)
                    unusable.append((record, error))
            if unusable:
                raise UnusableRecordsError(unusable)

        return handle
