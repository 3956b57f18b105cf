"""Everything that the facade answers from."""

from __future__ import annotations

from dataclasses import dataclass

from dt.communication.alerts_api import AlertsApiClient
from dt.data.database.announcer import Announcer
from dt.data.database.frame_files import FrameFiles
from dt.data.database.gap_records import Gaps
from dt.data.database.records import Records
from dt.data.database.registry_records import RegistryRecords
from dt.data.database.storage import Storage
from dt.data.database.trace import Traces
from dt.utils.exceptions import MessageError
from dt.utils.http import Problem


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


def unknown(what: str, name: str) -> Problem:
    """Return the problem of a thing that is not there."""
    return Problem(404, "Not found", f"no {what} {name[:200]!r} is known", field=f"{what}_id")


def require_same(field: str, given: object, address: str) -> None:
    """Refuse a body whose id is not that of its address."""
    if given != address:
        raise MessageError(field, f"is {str(given)[:80]!r}, and the address says {address!r}")
