"""What one client is still to be sent."""

from __future__ import annotations

from dt.webapp.outbox import MAX_SERIES, Item, Outbox, Series


def _item(key: str = "dht/temperature", value: int = 1, event: str = "temperature") -> Item:
    return Item(Series(event, key), float(value), f'{{"value":{value}}}')


def _bodies(items: list[Item]) -> list[str]:
    return [item.body for item in items]


def test_only_the_newest_value_of_a_series_is_kept() -> None:
    """A client that falls behind skips values instead of collecting them."""
    outbox = Outbox("/", "sid")
    for value in range(100):
        outbox.put(_item(value=value))

    assert _bodies(outbox.take(0.0)) == ['{"value":99}']


def test_nothing_goes_out_before_the_last_batch_is_acknowledged() -> None:
    """`is_waiting` holds from a batch to its acknowledgement."""
    outbox = Outbox("/", "sid")
    outbox.put(_item())
    outbox.take(0.0)
    was_waiting = outbox.is_waiting

    outbox.acknowledge()

    assert was_waiting
    assert not outbox.is_waiting


def test_a_series_goes_out_at_most_four_times_a_second() -> None:
    """Offered 50 values a second for ten seconds, forty of them go."""
    outbox = Outbox("/", "sid")
    sent = 0
    for step in range(500):
        outbox.put(_item(value=step))
        sent += len(outbox.take(step / 50))
        outbox.acknowledge()

    assert sent == 40


def test_a_series_of_four_a_second_never_waits_longer_and_longer() -> None:
    """Ticks that come late by 10 ms are made up for: no value of such a series is skipped."""
    outbox = Outbox("/", "sid")
    sent = 0
    for number in range(400):
        outbox.put(_item(value=number))
        sent += len(outbox.take(number * 0.25 + 0.01 * (number % 2)))
        outbox.acknowledge()

    assert sent == 400


def test_a_fresh_series_goes_out_at_once_beside_one_that_waits() -> None:
    """The pace is each series' own."""
    outbox = Outbox("/", "sid")
    outbox.put(_item())
    outbox.take(0.0)
    outbox.acknowledge()
    outbox.put(_item(value=2))
    outbox.put(_item("other/temperature", 7))

    assert _bodies(outbox.take(0.05)) == ['{"value":7}']
    outbox.acknowledge()
    assert outbox.wakes_at(0.05) == 0.25


def test_a_namespace_carries_its_own_event_alone() -> None:
    """`/humidity` hears nothing of temperature."""
    outbox = Outbox("/humidity", "sid")
    outbox.put(_item())
    outbox.put(_item("dht/humidity", 50, "humidity"))

    assert [item.series.event for item in outbox.take(0.0)] == ["humidity"]


def test_an_outbox_is_bounded_whatever_the_bus_says() -> None:
    """Made-up sensor names cannot fill the memory."""
    outbox = Outbox("/", "sid")
    for number in range(MAX_SERIES + 50):
        outbox.put(_item(f"s{number}"))

    assert len(outbox) == MAX_SERIES


def test_the_last_packet_of_a_batch_asks_for_an_acknowledgement() -> None:
    """Socket.IO's own form, with the message's JSON as it came."""
    item = _item()

    assert item.packet("/", is_last=False) == '2["temperature",{"value":1}]'
    assert item.packet("/", is_last=True) == '20["temperature",{"value":1}]'
    assert item.packet("/temperature", is_last=True) == '2/temperature,0["temperature",{"value":1}]'
    assert item.packet("/", is_last=True) is item.packet("/", is_last=True)


def test_a_client_that_never_acknowledges_is_overdue_after_a_second() -> None:
    """Then it gets its next batch if its connection still drains."""
    outbox = Outbox("/", "sid")
    outbox.put(_item())
    outbox.take(10.0)

    assert not outbox.is_overdue(10.9)
    assert outbox.is_overdue(11.0)
