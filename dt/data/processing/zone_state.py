"""Everything that processing remembers of one zone, and its record in the state topic."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

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
MOST_PLACES = 200  # airs, lights, rolling hours and groups of one zone, each; likewise
MOST_ZONES = 2000  # of one processor; likewise, strangers of a few readings before all others
_ESTABLISHED = 10  # readings of one series
MOST_STATE_BYTES = 900_000  # packed; a transaction with a record that the log refuses would take its readings along
_PACKED_FROM = 100_000  # bytes; a record may have 1 MiB
_MOST_BYTES = 256 * 1024 * 1024

_encoder = msgspec.json.Encoder()
_Kept = TypeVar("_Kept")

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

    def air_at(self, place: str) -> AirPairs:
        """Return the pairs of an air, begun where it is new."""
        return _at(self.airs, place, AirPairs, lambda air: air.newest)

    def light_at(self, place: str, sensor_id: str) -> LightDay:
        """Return the day of a light, begun where it is new."""
        return _at(self.lights, place, lambda: LightDay(sensor_id=sensor_id), lambda day: day.at)

    def mean_at(self, place: str) -> Mean:
        """Return the rolling hours of a place, begun where they are new."""
        return _at(self.means, place, Mean, lambda mean: float(mean.slots[-1].number) if mean.slots else 0.0)

    def group_at(self, place: str) -> Neighbourhood:
        """Return the sensors of one air, begun where it is new."""
        return _at(
            self.groups, place, Neighbourhood, lambda group: max((s.at for s in group.seats.values()), default=0.0)
        )

    @property
    def is_established(self) -> bool:
        """Return whether any series has more than a few readings."""
        return any(course.count >= _ESTABLISHED for course in self.courses.values())

    def shrink(self) -> None:
        """Forget the half of everything that was silent longest."""
        courses = sorted(self.courses, key=lambda name: self.courses[name].time)
        for name in courses[: len(courses) // 2 + 1]:
            del self.courses[name]
        for kept in (self.airs, self.lights, self.means, self.groups):
            for name in list(kept)[: len(kept) // 2 + 1]:
                del kept[name]

    def forget_ahead_of(self, timestamp: float) -> None:
        """Forget sums and pairs that are ahead of an instant: the clock was set back, and they would wait for it."""
        self.means = {key: mean for key, mean in self.means.items() if not mean.is_ahead_of(timestamp)}
        self.lights = {key: day for key, day in self.lights.items() if day.at <= timestamp}
        self.airs = {key: air for key, air in self.airs.items() if air.newest <= timestamp}

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

    def _make_room(self) -> list[Outgoing]:
        """Forget a quarter of too many zones, and return what takes their state out of the log."""
        if len(self._zones) <= MOST_ZONES:
            return []
        ranked = sorted(self._zones, key=lambda name: self._zones[name].is_established)  # stable: the oldest first
        gone = ranked[: len(ranked) - 3 * MOST_ZONES // 4]
        for name in gone:
            del self._zones[name]
        log.warning("more than %d zones: %d that were silent longest begin anew", MOST_ZONES, len(gone))
        return [Outgoing(Topics.STATE_PROCESSING, None, name) for name in gone]

    def changed(self) -> list[Outgoing]:
        """Return the state of the zones that changed since the last call."""
        for name in sorted(self._dirty):
            self._zones[name] = self._zones.pop(name)  # the last in order are those that changed last
        gone = self._make_room()
        kept = [name for name in sorted(self._dirty) if name in self._zones]
        self._dirty.clear()
        return gone + [Outgoing(Topics.STATE_PROCESSING, _encoded(self._zones[name]), name) for name in kept]


def place_of(reading: SensorData) -> str:
    """Return what tells airs and lights of one zone apart: readings of different plants or origins are never mixed."""
    return "|".join((reading.plant_id or "", reading.origin))


def _begins_again(course: Course, reading: SensorData) -> bool:
    if not reading.boot_id:
        return False
    return reading.boot_id != course.boot_id or bool(course.spans and reading.sequence <= course.spans[0][0])


def _at(kept: dict[str, _Kept], key: str, make: Callable[[], _Kept], newest: Callable[[_Kept], float]) -> _Kept:
    """Return what is kept under a key, begun where it is new; of too many, what was silent longest goes."""
    found = kept.get(key)
    if found is None:
        if len(kept) >= MOST_PLACES:
            del kept[min(kept, key=lambda name: newest(kept[name]))]
        found = kept[key] = make()
    return found


def _encoded(zone: Zone) -> bytes:
    plain = _encoder.encode(zone)
    if len(plain) < _PACKED_FROM:
        return plain
    packed = zlib.compress(plain, 1)
    while len(packed) > MOST_STATE_BYTES:
        log.warning("the state of a zone has %d bytes: what was silent longest begins anew", len(packed))
        zone.shrink()
        packed = zlib.compress(_encoder.encode(zone), 1)
    return packed


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
