"""Everything that processing remembers of one zone, and its record in the state topic."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import msgspec

from dt.communication.messaging import Outgoing, Record
from dt.communication.topics import Topics
from dt.data.processing.air_pairs import AirPairs
from dt.data.processing.course import Course
from dt.data.processing.neighbourhood import Neighbourhood
from dt.data.processing.sensor_watch import LastHeard
from dt.data.processing.sums import LightDay, Mean
from dt.utils.dataclasses import Origin, SensorData
from dt.utils.logger import get_logger
from dt.utils.quantities import Quantity

MOST_SERIES = 500  # of one zone; of more, those that were silent longest begin anew
_PACKED_FROM = 100_000  # bytes; a record may have 1 MiB
_MOST_BYTES = 256 * 1024 * 1024

_encoder = msgspec.json.Encoder()

log = get_logger(__name__)


class _Air(msgspec.Struct):
    """The pairs of one air, as states before the courses had them."""

    plant_id: str | None
    origin: str
    pairs: AirPairs


class Zone(msgspec.Struct):
    """One zone; keys join what tells series apart, so that plants and origins are never mixed."""

    airs: dict[str, AirPairs] = {}
    courses: dict[str, Course] = {}
    lights: dict[str, LightDay] = {}
    means: dict[str, Mean] = {}
    groups: dict[str, Neighbourhood] = {}

    def course_of(self, reading: SensorData) -> Course:
        """Return the series of a reading; a replay that begins again, or of another file, begins a new one."""
        key = "|".join((reading.sensor_id, reading.data_type, reading.origin))
        course = self.courses.get(key)
        if course is None:
            course = self._begin(key, reading)
        elif reading.origin is Origin.REPLAY and _begins_again(course, reading):
            self.courses[key] = course = Course()
            self._forget_sums(reading)
        return course

    def _forget_sums(self, reading: SensorData) -> None:
        """What a replay summed up before it began again would count twice."""
        place = place_of(reading)
        for key in [key for key in self.means if key.startswith(reading.data_type) and key.endswith(place)]:
            if self.means[key].is_ahead_of(reading.timestamp):
                del self.means[key]
        day = self.lights.get(place)
        if day is not None and day.sensor_id == reading.sensor_id:
            del self.lights[place]

    def _begin(self, key: str, reading: SensorData) -> Course:
        course = Course()
        if reading.origin is Origin.LIVE:  # what the same sensor showed before
            before = self.courses.get("|".join((reading.sensor_id, reading.data_type, Origin.BACKFILL)))
            if before is not None and before.time < reading.timestamp:
                course = msgspec.json.decode(_encoder.encode(before), type=Course)
                course.doubted = None
        if len(self.courses) >= MOST_SERIES:
            del self.courses[min(self.courses, key=lambda name: self.courses[name].time)]
        self.courses[key] = course
        return course


class ZoneStates:
    """All zones of the partitions in hand; `changed` gives the state to commit with the outputs."""

    def __init__(self) -> None:
        self._zones: dict[str, Zone] = {}
        self._dirty: set[str] = set()

    def last_heard(self) -> Iterator[LastHeard]:
        """Yield the last reading of every live series."""
        for zone_id, zone in self._zones.items():
            for key, course in zone.courses.items():
                sensor_id, data_type, origin = key.rsplit("|", 2)
                if origin == Origin.LIVE:
                    yield LastHeard(sensor_id, Quantity(data_type), zone_id, course.time, course.cadence_s)

    def restore(self, state: Sequence[Record]) -> None:
        """Begin from the state topic's records."""
        self._zones.clear()
        self._dirty.clear()
        for record in state:
            if record.key is not None:
                self._zones[record.key] = _decoded(record)

    def at(self, zone_id: str) -> Zone:
        """Return a zone that is about to change."""
        self._dirty.add(zone_id)
        zone = self._zones.get(zone_id)
        if zone is None:
            zone = self._zones[zone_id] = Zone()
        return zone

    def changed(self) -> list[Outgoing]:
        """Return the state of the zones that changed since the last call."""
        records = [Outgoing(Topics.STATE_PROCESSING, _encoded(self._zones[zone]), zone) for zone in sorted(self._dirty)]
        self._dirty.clear()
        return records


def place_of(reading: SensorData) -> str:
    """Return what tells airs and lights of one zone apart: readings of different plants or origins are never mixed."""
    return "|".join((reading.plant_id or "", reading.origin))


def _begins_again(course: Course, reading: SensorData) -> bool:
    if not reading.boot_id:
        return False
    return reading.boot_id != course.boot_id or bool(course.spans and reading.sequence <= course.spans[0][0])


def _encoded(zone: Zone) -> bytes:
    plain = _encoder.encode(zone)
    return plain if len(plain) < _PACKED_FROM else zlib.compress(plain, 1)


def _decoded(record: Record) -> Zone:
    if record.value is None:
        return Zone()
    try:
        state = msgspec.json.decode(_unpacked(record.value), type=Zone | list[_Air])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, zlib.error) as error:
        log.warning("the state of zone %s cannot be read and begins anew: %s", record.key, error)
        return Zone()
    if isinstance(state, Zone):
        return state
    return Zone(airs={"|".join((air.plant_id or "", air.origin)): air.pairs for air in state})


def _unpacked(value: bytes) -> bytes:
    if value[:1] in (b"{", b"["):
        return value
    return zlib.decompressobj().decompress(value, _MOST_BYTES)
