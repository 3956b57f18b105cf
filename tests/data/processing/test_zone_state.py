"""What processing remembers has bounds, whatever ids come."""

from __future__ import annotations

import random
import zlib

import pytest

from dt.communication.messaging import Outgoing, Record
from dt.communication.topics import Topics
from dt.data.processing.zone_state import (
    MOST_PLACES,
    MOST_SERIES,
    MOST_STATE_BYTES,
    MOST_ZONES,
    ZoneStates,
)
from tests.data.readings import NOW, make_reading


def as_record(output: Outgoing) -> Record:
    """Return a state record as the log gives it back."""
    return Record(output.topic, 0, 0, output.key, output.value, {}, NOW)


def test_zones_beyond_the_bound_leave_memory_and_the_log() -> None:
    """A flood of strange zones forgets strangers, with a tombstone each; a zone that is at work stays."""
    states = ZoneStates()
    course = states.at("greenhouse").course_of(make_reading())
    course.count = 100
    kept: dict[str | None, bytes | None] = {}

    for number in range(2 * MOST_ZONES):
        states.at(f"stranger-{number}").course_of(make_reading())
        kept.update({output.key: output.value for output in states.changed()})

    living = {name for name, value in kept.items() if value is not None}
    assert len(living) <= MOST_ZONES
    assert {"greenhouse", f"stranger-{2 * MOST_ZONES - 1}"} <= living
    assert states.at("greenhouse").course_of(make_reading()).count == 100


def test_places_of_one_zone_are_bounded_and_the_silent_ones_go() -> None:
    """Made up plants cannot grow the state of a zone; the place that hears readings stays."""
    zone = ZoneStates().at("box")
    for number in range(3 * MOST_PLACES):
        zone.light_at("basil|live", "lux").at = NOW + number
        zone.light_at(f"stranger-{number}|live", "lux").at = NOW + number - 1.0
        for at in (zone.air_at, zone.mean_at, zone.group_at):
            at(f"stranger-{number}|live")

    assert all(len(kept) <= MOST_PLACES for kept in (zone.lights, zone.airs, zone.means, zone.groups))
    assert zone.lights["basil|live"].at == NOW + 3 * MOST_PLACES - 1


def test_state_of_a_zone_always_fits_into_a_record(caplog: pytest.LogCaptureFixture) -> None:
    """Long ids that cannot be packed: what was silent longest goes, and the newest series is there after a restart."""
    chance = random.Random(1)
    states = ZoneStates()
    for number in range(MOST_SERIES):
        name = f"{number}-{chance.randbytes(3000).hex()}"
        states.at("box").course_of(make_reading(name)).time = NOW + number

    [output] = states.changed()
    assert output.topic == Topics.STATE_PROCESSING
    assert output.value is not None
    assert len(output.value) <= MOST_STATE_BYTES
    assert name.encode() in zlib.decompress(output.value)

    again = ZoneStates()
    again.restore([as_record(output)])
    assert any(last.sensor_id == name for last in again.last_heard())
    assert "what was silent longest begins anew" in caplog.text
