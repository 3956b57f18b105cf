"""What `crash.py` finds at the end: the store against the log's own raw records, processed once more undisturbed."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from operator import attrgetter

from crash_load import Key

from dt.communication.database_api import DatabaseApiClient
from dt.communication.messaging import MessagingService, Outgoing, Record
from dt.communication.topics import Topics, processed_topics, raw_topics
from dt.data.processing.processor import Processor
from dt.data.processing.sensor_book import SensorBook
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import DBTimestampQuery, SensorData
from dt.utils.quantities import QUANTITIES, Quantity

_AT_ONCE = 500
_SHOWN = 5

Place = tuple[str, str, float]  # a reading: sensor, quantity, timestamp


@dataclass
class Undisturbed:
    """What one processor makes of all raw records, without any misfortune: outputs, and what stays of them."""

    outputs: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    kept: dict[Place, SensorData] = field(default_factory=dict)
    letters: int = 0

    def take(self, outputs: Iterable[Outgoing]) -> None:
        """Count a batch of outputs."""
        for output in outputs:
            if output.topic == Topics.DEAD_LETTERS:
                self.letters += 1
            elif output.topic != Topics.STATE_PROCESSING and output.value is not None:
                self.outputs[output.topic, output.value] += 1
                reading = SensorData.from_json(output.value)
                place = place_of(reading)
                before = self.kept.get(place)
                if before is None or reading.revision >= before.revision:
                    self.kept[place] = reading


def undisturbed(messaging: MessagingService, timezone: str) -> Undisturbed:
    """Process the log's raw records in the order in which it got them."""
    clock = ManualClock()
    processor = Processor(SensorBook(messaging, clock), clock, timezone=timezone)
    processor.restore([])
    found = Undisturbed()
    records = _in_order(record for topic in raw_topics() for record in messaging.read_all(topic))
    while batch := list(islice(records, _AT_ONCE)):
        clock.set_wall(batch[-1].timestamp)
        found.take(processor.transform(batch))
    return found


def place_of(reading: SensorData) -> Place:
    """Return what tells a reading from all others."""
    return reading.sensor_id, reading.data_type, reading.timestamp


def stored_of(client: DatabaseApiClient, quantity: Quantity) -> list[SensorData]:
    """Return all readings of a quantity by REST."""
    return client.query_timestamp(DBTimestampQuery(data_type=quantity, since=0.0, until=4e9))


def compare(
    published: dict[Key, tuple[float, float]],
    expected: Undisturbed,
    stored: Sequence[SensorData],
    messaging: MessagingService,
) -> tuple[dict[str, float], list[str]]:
    """Return figures, and examples of whatever is wrong."""
    derived = {quantity for quantity, spec in QUANTITIES.items() if spec.is_derived}
    numbers = Counter(_key(reading) for reading in stored if reading.data_type not in derived)
    by_place = {place_of(reading): reading for reading in stored}
    values = {_key(reading): (reading.timestamp, reading.raw_value) for reading in stored}
    passed = Counter(
        (record.topic, record.value or b"") for topic in processed_topics() for record in messaging.read_all(topic)
    )
    lost = [key for key in published if key not in numbers]
    wrong = [
        place for place, one in by_place.items() if (own := expected.kept.get(place)) and own.to_json() != one.to_json()
    ]
    findings = {
        "lost": lost,
        "derived_lost": [place for place in expected.kept if place[1] in derived and place not in by_place],
        "twice": [key for key, count in numbers.items() if count > 1],
        "log_lost": list((expected.outputs - passed).elements()),
        "log_twice": list((passed - expected.outputs).elements()),
        "invented": [place for place in by_place if place not in expected.kept],
        "changed": [key for key, told in published.items() if key in values and values[key] != told],
        "not_as_undisturbed": wrong,
    }
    letters = len(messaging.read_all(Topics.DEAD_LETTERS)) + expected.letters
    figures: dict[str, float] = {name: len(found) for name, found in findings.items()}
    examples = [f"{name}: {one}" for name, found in findings.items() for one in found[:_SHOWN]]
    examples += [f"{by_place[place].to_json()!r} is not {expected.kept[place].to_json()!r}" for place in wrong[:_SHOWN]]
    counts = {"published": len(published), "stored": len(stored), "derived": len(stored) - sum(numbers.values())}
    return {**figures, "dead_letters": letters, **counts}, examples


def _key(reading: SensorData) -> Key:
    return reading.sensor_id, reading.data_type, reading.boot_id, reading.sequence


def _in_order(records: Iterable[Record]) -> Iterator[Record]:
    """Merge partitions by the log's own time, each in its own order."""
    of_place = attrgetter("topic", "partition")
    lines = [list(mine) for _place, mine in groupby(sorted(records, key=of_place), key=of_place)]
    return heapq.merge(*lines, key=attrgetter("timestamp"))
