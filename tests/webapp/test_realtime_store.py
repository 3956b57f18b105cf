"""The newest of every series, sent to each client at its own pace."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dt.utils.clock import ManualClock
from dt.webapp.outbox import MAX_SERIES, Item, Outbox, Series
from dt.webapp.realtime_store import RealtimeStore


class Wire:
    """What went out to whom; a name in `blocked` is a client whose connection does not drain."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, list[str]]] = []
        self.blocked: set[str] = set()

    def send(self, outbox: Outbox, items: Sequence[Item]) -> None:
        self.sent.append((outbox.sid, [item.body for item in items]))

    def is_idle(self, outbox: Outbox) -> bool:
        return outbox.sid not in self.blocked


@pytest.fixture
def wire() -> Wire:
    """Return what stands in for the browsers' connections."""
    return Wire()


@pytest.fixture
def store(clock: ManualClock, wire: Wire) -> RealtimeStore:
    """Return a store that is stepped by `send_due`."""
    return RealtimeStore(clock, wire.send, wire.is_idle)


def _item(value: int, key: str = "s1/temperature", timestamp: float | None = None) -> Item:
    return Item(Series("temperature", key), float(value) if timestamp is None else timestamp, str(value))


def test_who_connects_gets_the_latest_of_each_series(store: RealtimeStore, wire: Wire) -> None:
    """A page opened between two readings is not empty."""
    store.publish([_item(1), _item(2), _item(5, "s2/temperature")])

    store.connect("/", "a")
    store.send_due()

    assert wire.sent == [("a", ["2", "5"])]


def test_an_older_value_does_not_replace_a_newer_one(store: RealtimeStore) -> None:
    """Redelivery and reordering leave the page as it is."""
    store.publish([_item(9, timestamp=100.0)])
    store.publish([_item(1, timestamp=50.0)])

    assert [item.body for item in store.latest()["temperature"]] == ["9"]


def test_a_slow_client_holds_up_nobody_else(store: RealtimeStore, wire: Wire, clock: ManualClock) -> None:
    """One that does not acknowledge skips values while the other gets each."""
    store.connect("/", "slow")
    store.connect("/", "fast")
    for value in range(1, 6):
        store.publish([_item(value)])
        store.send_due()
        store.acknowledge("fast")
        clock.advance(0.25)

    assert [bodies for sid, bodies in wire.sent if sid == "fast"] == [["1"], ["2"], ["3"], ["4"], ["5"]]
    assert [bodies for sid, bodies in wire.sent if sid == "slow"] == [["1"], ["5"]]


def test_a_blocked_client_gets_nothing_more_and_costs_one_value_a_series(
    store: RealtimeStore, wire: Wire, clock: ManualClock
) -> None:
    """Memory does not grow with the time that a client sleeps."""
    wire.blocked.add("dead")
    store.connect("/", "dead")
    for value in range(1, 1000):
        store.publish([_item(value)])
        store.send_due()
        clock.advance(1.0)

    assert wire.sent == [("dead", ["1"])]
    assert store.backlog() == 1


def test_a_client_that_left_is_forgotten(store: RealtimeStore, wire: Wire) -> None:
    """Its values wait no longer."""
    store.connect("/", "a")
    store.publish([_item(1)])

    store.disconnect("a")
    store.send_due()

    assert wire.sent == []
    assert store.backlog() == 0


def test_series_are_remembered_up_to_a_bound(store: RealtimeStore) -> None:
    """Made-up sensor names push out the ones heard of longest ago."""
    store.publish([_item(n, f"s{n}") for n in range(MAX_SERIES + 10)])

    latest = store.latest()["temperature"]

    assert len(latest) == MAX_SERIES
    assert latest[0].body == "10"


def test_a_revision_reaches_clients_beside_what_is_newer(store: RealtimeStore, wire: Wire, clock: ManualClock) -> None:
    """Neither takes the other's place, in whatever order they come; the newest stays the newest."""
    store.connect("/", "a")
    first = Item(Series("temperature", "s1/temperature"), 100.0, "revised", is_revision=True)
    store.publish([_item(9, timestamp=100.0), first, _item(10, timestamp=160.0)])
    store.send_due()
    late = Item(Series("temperature", "s1/temperature"), 100.0, "again", is_revision=True)
    store.publish([late])
    store.acknowledge("a")
    clock.advance(1.0)
    store.send_due()

    assert [body for _sid, bodies in wire.sent for body in bodies] == ["10", "revised", "again"]
    assert [item.body for item in store.latest()["temperature"]] == ["10"]
