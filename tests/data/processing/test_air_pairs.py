"""Which temperature belongs to which humidity, whatever the order of arrival."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dt.data.processing.air_pairs import KEPT, AirPairs, Half
from dt.utils.quantities import Quantity

T, H = Quantity.TEMPERATURE, Quantity.HUMIDITY
Arrival = tuple[Quantity, float]


def pairs_of(arrivals: list[Arrival], pairs: AirPairs | None = None) -> list[tuple[float, float]]:
    """Return the (temperature, humidity) instants that were paired."""
    pairs = pairs or AirPairs()
    found = []
    for quantity, at in arrivals:
        half = Half(at, f"{quantity}@{at}", 1.0)
        found += [
            (first.timestamp, second.timestamp) for first, second in pairs.accept(quantity, half, is_live=False) or []
        ]
    return found


def test_readings_of_one_instant_are_paired_at_once() -> None:
    """A DHT22 gives both values together: no waiting."""
    assert pairs_of([(T, 100.0), (H, 100.0)]) == [(100.0, 100.0)]


def test_batch_of_temperatures_waits_for_its_humidities() -> None:
    """Topics are read in batches: one may be far ahead."""
    times = [float(60 * i) for i in range(500)]

    found = pairs_of([(T, at) for at in times] + [(H, at) for at in times])

    assert found == [(at, at) for at in times]


def test_nearest_in_time_wins() -> None:
    """A temperature 20 s before waits; the one 1 s after the humidity is nearer."""
    assert pairs_of([(T, 100.0), (H, 120.0), (T, 121.0), (H, 141.0)]) == [(121.0, 120.0)]


def test_readings_more_than_30_s_apart_are_no_pair() -> None:
    """Another instant is another air."""
    assert pairs_of([(T, 100.0), (H, 131.0), (T, 200.0), (H, 240.0)]) == []


def test_repeated_reading_is_used_once() -> None:
    """A producer that lost an answer sends again."""
    assert pairs_of([(T, 100.0), (T, 100.0), (H, 100.0), (H, 100.0), (T, 100.0)]) == [(100.0, 100.0)]


def test_older_file_after_a_newer_one_is_paired_too() -> None:
    """What lies far behind is paired by equal times."""
    newer = [(quantity, 1e6 + 60 * i) for quantity in (T, H) for i in range(5)]
    older = [(quantity, 60.0 * i) for quantity in (T, H) for i in range(5)]

    assert len(pairs_of(newer + older)) == 10


def test_lonely_temperature_keeps_a_bounded_state() -> None:
    """A zone without a humidity sensor must not grow for ever."""
    pairs = AirPairs()
    for minute in range(5000):
        pairs.accept(T, Half(60.0 * minute, f"t{minute}", 1.0))

    assert len(pairs.temperature.waiting) <= 181  # three hours


def test_readings_closer_than_a_second_keep_a_bounded_state_too() -> None:
    """Whatever the cadence, the number has a limit."""
    pairs = AirPairs()
    for number in range(6000):
        pairs.accept(T, Half(0.1 * number, f"t{number}", 1.0))

    assert len(pairs.temperature.waiting) == KEPT


def test_present_readings_of_one_topic_leave_room_for_the_other_one_that_is_behind() -> None:
    """After an outage temperatures may be read up to now before the first humidity: no pair is lost for it."""
    pairs = AirPairs()
    for second in range(240):
        pairs.accept(T, Half(float(second), f"t{second}", 1.0), is_live=second >= 180)

    found = [pairs.accept(H, Half(float(second), f"h{second}", 1.0)) for second in range(240)]

    assert all(found), [second for second, pair in enumerate(found) if not pair]


@st.composite
def interleavings(draw: st.DrawFn) -> tuple[list[Arrival], list[Arrival]]:
    """Return two arrivals of the same two ordered sequences: one after the other, and interleaved with repetitions."""
    steps = st.lists(st.integers(1, 50), min_size=1, max_size=25)
    sides = {quantity: _times(draw(steps)) for quantity in (T, H)}
    queues = {quantity: list(times) for quantity, times in sides.items()}
    mixed: list[Arrival] = []
    while any(queues.values()):
        quantity = draw(st.sampled_from([quantity for quantity in (T, H) if queues[quantity]]))
        mixed.append((quantity, queues[quantity].pop(0)))
        if draw(st.booleans()) and draw(st.booleans()):
            mixed.append(mixed[draw(st.integers(max(0, len(mixed) - 3), len(mixed) - 1))])
    return [(T, at) for at in sides[T]] + [(H, at) for at in sides[H]], mixed


def _times(steps: list[int]) -> list[float]:
    total, times = 0, []
    for step in steps:
        total += step
        times.append(float(total))
    return times


@given(interleavings())
def test_order_of_topics_and_repetition_change_no_pair(arrivals: tuple[list[Arrival], list[Arrival]]) -> None:
    """The same readings give the same set of pairs."""
    in_turn, mixed = arrivals

    assert set(pairs_of(mixed)) == set(pairs_of(in_turn))


@given(interleavings())
def test_no_reading_is_used_twice(arrivals: tuple[list[Arrival], list[Arrival]]) -> None:
    """Each temperature and each humidity stands in at most one pair, both within 30 s."""
    found = pairs_of(arrivals[1])

    assert len({t for t, _h in found}) == len({h for _t, h in found}) == len(set(found))
    assert all(abs(t - h) <= 30.0 for t, h in found)


@given(interleavings(), st.integers(0, 50))
def test_state_survives_being_written_and_read(arrivals: tuple[list[Arrival], list[Arrival]], cut: int) -> None:
    """A restart in the middle changes no pair."""
    mixed = arrivals[1]
    before = AirPairs()

    first = pairs_of(mixed[:cut], before)
    after = msgspec.json.decode(msgspec.json.encode(before), type=AirPairs)

    assert first + pairs_of(mixed[cut:], after) == pairs_of(mixed)
