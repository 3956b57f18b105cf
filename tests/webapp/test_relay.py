"""From records of the log to events: what goes on, under which name, and what does not."""

from __future__ import annotations

import pytest

from dt.communication.messaging import Record, headers_of
from dt.communication.topics import Topics
from dt.utils.clock import ManualClock
from dt.utils.codec import Message
from dt.utils.dataclasses import (
    ActionResult,
    HealthReport,
    HealthStatus,
    Origin,
    Outcome,
    SensorData,
)
from dt.utils.quantities import Quantity, Unit
from dt.webapp.realtime_store import RealtimeStore
from dt.webapp.relay import RECENT_S, TOPICS, Relay


@pytest.fixture
def store(clock: ManualClock) -> RealtimeStore:
    """Return a store without clients."""
    return RealtimeStore(clock, lambda _box, _items: None, lambda _box: True)


@pytest.fixture
def relay(store: RealtimeStore, clock: ManualClock) -> Relay:
    """Return the handler of the consumer group."""
    return Relay(store, clock)


def _reading(
    clock: ManualClock, quantity: Quantity = Quantity.TEMPERATURE, age_s: float = 0.0, **more: object
) -> SensorData:
    fields: dict[str, object] = {
        "sensor_id": "dht-1",
        "data_type": quantity,
        "value": 21.5,
        "unit": Unit.DEGREE_CELSIUS,
        "timestamp": clock.wall() - age_s,
        "correlation_id": "c-1",
        "zone_id": "box",
        **more,
    }
    return SensorData.from_dict(fields)


def _record(topic: str, value: Message | bytes | None, headers: dict[str, bytes] | None = None) -> Record:
    if isinstance(value, Message):
        return Record(topic, 0, 0, "k", value.to_json(), headers_of(value) if headers is None else headers, 0.0)
    return Record(topic, 0, 0, "k", value, headers or {}, 0.0)


def test_a_reading_goes_out_with_its_own_json(relay: Relay, store: RealtimeStore, clock: ManualClock) -> None:
    """The payload is the message, byte for byte."""
    reading = _reading(clock)

    relay([_record(Topics.TEMPERATURE.processed, reading)])

    [item] = store.latest()["temperature"]
    assert item.body.encode() == reading.to_json()


def test_a_quantity_without_a_namespace_is_called_derived(
    relay: Relay, store: RealtimeStore, clock: ManualClock
) -> None:
    """VPD comes by the default namespace."""
    relay([_record(Topics.VPD.processed, _reading(clock, Quantity.VPD, unit="kPa"))])

    assert list(store.latest()) == ["derived"]


@pytest.mark.parametrize("origin", [Origin.BACKFILL, Origin.REPLAY])
def test_history_is_no_live_value(relay: Relay, store: RealtimeStore, clock: ManualClock, origin: Origin) -> None:
    """What was measured before, or comes from a file, reaches the page by its history."""
    relay([_record(Topics.TEMPERATURE.processed, _reading(clock, origin=origin))])

    assert store.latest() == {}


def test_history_is_skipped_by_its_header_without_being_read(relay: Relay, store: RealtimeStore) -> None:
    """Fourteen days of backfill cost no decoding: not even garbage is noticed."""
    relay([_record(Topics.TEMPERATURE.processed, b"{garbage", {"origin": b"backfill"})])

    assert store.latest() == {}
    assert relay.unreadable == 0


def test_history_without_headers_is_known_by_its_content(
    relay: Relay, store: RealtimeStore, clock: ManualClock
) -> None:
    """A client that sets no headers is understood all the same."""
    relay([_record(Topics.TEMPERATURE.processed, _reading(clock, origin=Origin.REPLAY), headers={})])

    assert store.latest() == {}


def test_a_backlog_after_an_outage_is_no_live_value(relay: Relay, store: RealtimeStore, clock: ManualClock) -> None:
    """A reading older than a quarter of an hour corrects history only."""
    relay([_record(Topics.TEMPERATURE.processed, _reading(clock, age_s=RECENT_S + 1))])

    assert store.latest() == {}


def test_a_simulated_reading_is_shown(relay: Relay, store: RealtimeStore, clock: ManualClock) -> None:
    """The demo's box is worth looking at."""
    relay([_record(Topics.TEMPERATURE.processed, _reading(clock, origin=Origin.SIMULATED))])

    assert len(store.latest()["temperature"]) == 1


def test_garbage_does_not_stop_the_good_record_after_it(relay: Relay, store: RealtimeStore, clock: ManualClock) -> None:
    """The database makes the dead letter; here it is counted."""
    relay(
        [
            _record(Topics.TEMPERATURE.processed, b"\xff\xfe{not json"),
            _record(Topics.TEMPERATURE.processed, b"[1,2]"),
            _record(Topics.TEMPERATURE.processed, None),
            _record(Topics.TEMPERATURE.processed, _reading(clock)),
        ]
    )

    assert len(store.latest()["temperature"]) == 1
    assert relay.unreadable == 2


def test_actions_and_health_have_events_of_their_own(relay: Relay, store: RealtimeStore, clock: ManualClock) -> None:
    """Each action is a series, each service another."""
    now = clock.wall()
    done = [
        ActionResult(action_id=name, actuator_id="pump", outcome=Outcome.DONE, timestamp=now, correlation_id="c")
        for name in ("a1", "a2")
    ]
    health = HealthReport(service="ai", status=HealthStatus.OK, timestamp=now)

    relay([*[_record(Topics.ACTION_RESULTS, result) for result in done], _record(Topics.HEALTH, health)])

    assert len(store.latest()["action"]) == 2
    assert len(store.latest()["health"]) == 1


def test_every_processed_quantity_is_subscribed() -> None:
    """A new quantity needs no edit here."""
    assert {Topics.of(quantity).processed for quantity in Quantity} <= set(TOPICS)


def test_a_reading_of_the_year_2049_hides_nothing(relay: Relay, store: RealtimeStore, clock: ManualClock) -> None:
    """It is kept by the database as bad; the page goes on with those that come after it."""
    relay([_record(Topics.TEMPERATURE.processed, _reading(clock, age_s=-700_000_000.0))])
    relay([_record(Topics.TEMPERATURE.processed, _reading(clock))])

    [item] = store.latest()["temperature"]
    assert item.timestamp == clock.wall()


@pytest.mark.parametrize("topic", [Topics.ALERTS, Topics.ACTION_RESULTS, Topics.HEALTH, Topics.PREDICTIONS])
@pytest.mark.parametrize("value", [b"{}", b"[" * 200_000])
def test_what_is_no_message_never_reaches_the_page(
    relay: Relay, store: RealtimeStore, topic: Topics, value: bytes
) -> None:
    """An alert without its fields would be shown as `undefined`."""
    relay([_record(topic, value)])

    assert relay.unreadable == 1
    assert not any(store.latest().values())


def test_a_reading_with_a_revision_goes_out_as_one(relay: Relay, store: RealtimeStore, clock: ManualClock) -> None:
    """An earlier reading that was judged anew is told although a newer one is known."""
    store.connect("/", "a")
    newer, revised = _reading(clock), _reading(clock, age_s=60.0, value=30.0, revision=1)
    relay([_record(Topics.TEMPERATURE.processed, newer)])

    relay([_record(Topics.TEMPERATURE.processed, revised)])

    assert store.backlog() == 2
    [item] = store.latest()["temperature"]
    assert item.body.encode() == newer.to_json()
