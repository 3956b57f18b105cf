"""From records of the log to events for browsers; only what is live and recent goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from dt.communication.messaging import Record
from dt.communication.topics import Topics, processed_topics
from dt.utils.clock import Clock
from dt.utils.dataclasses import ActionResult, AlertEvent, DeadLetter, HealthReport, Message, Prediction
from dt.utils.exceptions import MessageError
from dt.utils.logger import get_logger
from dt.utils.quantities import QUANTITIES, Quantity
from dt.webapp.outbox import Item, Series
from dt.webapp.realtime_store import RealtimeStore

GROUP = "webapp_consumer_group"
TOPICS: tuple[str, ...] = (
    *processed_topics(),
    Topics.ALERTS,
    Topics.ACTION_RESULTS,
    Topics.PREDICTIONS,
    Topics.HEALTH,
    Topics.DEAD_LETTERS,
)
NAMESPACES: tuple[str, ...] = tuple(
    f"/{quantity}"
    for quantity in (
        Quantity.TEMPERATURE,
        Quantity.HUMIDITY,
        Quantity.SOIL_MOISTURE,
        Quantity.LIGHT_INTENSITY,
        Quantity.CAMERA_IMAGE,
    )
)
RECENT_S = 900.0  # as old as a reading may be to still count as live
AHEAD_S = 300.0  # as far ahead: one of the year 2049 would hide all that come after it

_NOT_LIVE = frozenset({b"backfill", b"replay"})

log = get_logger(__name__)


class _Envelope(msgspec.Struct, gc=False):
    """The fields that say which series a message belongs to."""

    timestamp: float | None = None
    made_at: float = 0.0
    origin: str = "live"
    sensor_id: str | None = None
    data_type: str = ""
    alert_id: str = ""
    action_id: str = ""
    plant_id: str | None = None
    quantity: str = ""
    model: str = ""
    service: str = ""
    topic: str = ""
    partition: int = 0
    offset: int = 0
    revision: int = 0


_DECODER = msgspec.json.Decoder(_Envelope)


class Relay:
    """The handler of the dashboard's consumer group."""

    def __init__(self, store: RealtimeStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.unreadable = 0

    def __call__(self, records: Sequence[Record]) -> None:
        """Hand the live records of a batch to the store."""
        now = self._clock.wall()
        items = [self._item(record, now) for record in records if _may_be_live(record)]
        self._store.publish([item for item in items if item is not None])

    def _item(self, record: Record, now: float) -> Item | None:
        route = _ROUTES[record.topic]
        try:
            if route.message is not None:
                route.message.from_json(record.value or b"")
            envelope = _DECODER.decode(record.value or b"")
            body = (record.value or b"").decode()
        except (MessageError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            # The database makes the dead letter; here a second one would only be an echo.
            self.unreadable += 1
            log.warning("not shown, unreadable: %s/%d@%d: %s", record.topic, record.partition, record.offset, error)
            return None
        timestamp = envelope.made_at if envelope.timestamp is None else envelope.timestamp
        if envelope.origin.encode() in _NOT_LIVE or timestamp - now > AHEAD_S:
            return None
        if route.is_reading and now - timestamp > RECENT_S:
            return None
        is_revision = route.is_reading and envelope.revision > 0
        return Item(Series(route.event, route.key(envelope)), timestamp, body, is_revision)


class _Route(msgspec.Struct, frozen=True):
    """How a topic's messages are called at the browser, and what makes a series of them."""

    event: str
    key: Callable[[_Envelope], str]
    is_reading: bool = False
    message: type[Message] | None = None  # what is rare is checked in full; readings come from processing, and are many


def _may_be_live(record: Record) -> bool:
    return record.value is not None and record.headers.get("origin") not in _NOT_LIVE


def _event_of(quantity: Quantity) -> str:
    return quantity.value if f"/{quantity}" in NAMESPACES else "derived"


_ROUTES: Mapping[str, _Route] = MappingProxyType(
    {
        **{
            Topics.of(quantity).processed: _Route(
                _event_of(quantity), lambda e: f"{e.sensor_id}/{e.data_type}", is_reading=True
            )
            for quantity in QUANTITIES
        },
        Topics.ALERTS.value: _Route("alert", lambda e: e.alert_id, message=AlertEvent),
        Topics.ACTION_RESULTS.value: _Route("action", lambda e: e.action_id, message=ActionResult),
        Topics.PREDICTIONS.value: _Route(
            "prediction", lambda e: f"{e.plant_id}/{e.quantity}/{e.model}", message=Prediction
        ),
        Topics.HEALTH.value: _Route("health", lambda e: f"{e.service}/{e.sensor_id or ''}", message=HealthReport),
        Topics.DEAD_LETTERS.value: _Route(
            "dead_letter", lambda e: f"{e.topic}/{e.partition}/{e.offset}", message=DeadLetter
        ),
    }
)
