"""Everything that the facade answers from."""

from __future__ import annotations

from dataclasses import dataclass

from dt.communication.alerts_api import AlertsApiClient
from dt.data.database.announcer import Announcer
from dt.data.database.frame_files import FrameFiles
from dt.data.database.gap_records import Gaps
from dt.data.database.records import Records
from dt.data.database.registry_records import RegistryRecords
from dt.data.database.storage import SeriesQuery, Storage
from dt.data.database.trace import Traces
from dt.utils.exceptions import MessageError
from dt.utils.http import Problem
from dt.utils.ids import LONGEST_NAME

_MOST_LISTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Readings, records, pictures, and who announces what changes."""

    storage: Storage
    registry: RegistryRecords
    records: Records
    traces: Traces
    pictures: FrameFiles
    announcer: Announcer
    gaps: Gaps
    alerts: AlertsApiClient

    def require_sensor(self, sensor_id: str) -> None:
        """Answer 404 for a sensor that nobody has heard of."""
        if not (self.registry.has_sensor(sensor_id) or self.storage.has_sensor(sensor_id)):
            raise unknown("sensor", sensor_id)

    def require_places(self, zone_id: object = None, plant_id: object = None) -> None:
        """Refuse a zone or plant that nobody has made known, naming those that there are."""
        zones, plants = self.registry.places()
        for what, name, there in (("zone", zone_id, zones), ("plant", plant_id, plants)):
            if isinstance(name, str) and name not in there:
                raise MessageError(f"{what}_id", f"no {what} {name[:80]!r} is known; {_listed(there)}")

    def timezone_of(self, query: SeriesQuery) -> str | None:
        """Return the IANA time zone of the place that a series is of; None when nobody knows the place or its zone."""
        place = query.zone_id
        if query.sensor_id is not None:
            place = next((s.zone_id for s in self.registry.sensors() if s.sensor_id == query.sensor_id), place)
        if query.plant_id is not None:
            place = self.registry.zone_of(query.plant_id) or place
        return next((zone.timezone for zone in self.registry.zones() if zone.zone_id == place), None)


def unknown(what: str, name: str) -> Problem:
    """Return the problem of a thing that is not there."""
    return Problem(404, "Not found", f"no {what} {name[:200]!r} is known", field=f"{what}_id")


def require_id(field: str, name: str | None) -> None:
    """Refuse an id that is longer than what a rig file may declare."""
    if name is not None and len(name) > LONGEST_NAME:
        raise MessageError(field, f"must have at most {LONGEST_NAME} characters, not {len(name)}")


def _listed(names: set[str]) -> str:
    if not names:
        return "there are none"
    more = "" if len(names) <= _MOST_LISTED else f" and {len(names) - _MOST_LISTED} more"
    return f"there are {', '.join(sorted(names)[:_MOST_LISTED])}{more}"


def require_same(field: str, given: object, address: str) -> None:
    """Refuse a body whose id is not that of its address."""
    if given != address:
        raise MessageError(field, f"is {str(given)[:80]!r}, and the address says {address!r}")
