"""Which messaging service a process uses."""

from __future__ import annotations

from dt.communication.messaging import MessagingService
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.exceptions import ConfigError


def open_messaging(settings: Settings, service: str, clock: Clock) -> MessagingService:
    """Return the log that MESSAGING names; a process of its own cannot share the one in memory."""
    if settings.messaging == "memory":
        raise ConfigError(f"MESSAGING: memory joins services of one process only; {service} alone needs kafka")
    from dt.communication.kafka import KafkaMessaging  # the client is loaded where a broker is used

    return KafkaMessaging(settings, service, clock)
