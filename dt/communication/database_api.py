"""The REST client of the database service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

from dt.communication.rest_client import RestClient, json_of, segment
from dt.utils.codec import Message
from dt.utils.dataclasses import (
    ActionResult,
    AlertEvent,
    CameraFrame,
    DBIdQuery,
    DBTimestampQuery,
    DeadLetter,
    KeptGrant,
    ModelRecord,
    Note,
    Plant,
    Policy,
    Prediction,
    SensorCalibration,
    SensorData,
    SensorDescriptor,
)
from dt.utils.exceptions import RemoteServiceError
from dt.utils.rig import Zone
from dt.utils.whole_file import whole_file

_EXPORT_TIMEOUT_S = 60.0  # between two pieces
_PAGE_READINGS = 10_000  # a small machine needs a second for them
_Kind = TypeVar("_Kind", bound=Message)


class DatabaseApiClient(RestClient):
    """Asks the database service; reads are tried three times, writes once.

    A method in the plural returns one page, newest first; `each_...` iterates over all pages. Filters, `since`,
    `until`, `limit` and `cursor` go by name.
    """

    # -- registry ---------------------------------------------------------------------------------------------------

    def bind_sensor(self, descriptor: SensorDescriptor, *, take_over: bool = True) -> bool:
        """Register a sensor; return whether it is new. A conflicting one raises RefusedRequestError (409).

        A new name, cadence or newer calibration is taken over, as of a rig's file; without `take_over` it conflicts.
        """
        body = {**descriptor.to_dict(), "take_over": take_over}
        return self._send("POST", "bind_sensor", body).status_code == 201

    def sensors(self) -> list[dict[str, Any]]:
        """Return every registered sensor with `last_seen` and `latest`."""
        return _items(json_of(self._read("GET", "sensors")))

    def patch_sensor(self, sensor_id: str, **changes: Any) -> SensorDescriptor:
        """Change fields of a sensor and return it as it now stands."""
        answer = self._send("PATCH", f"sensors/{segment(sensor_id)}", changes)
        return SensorDescriptor.from_json(answer.content)

    def plants(self) -> list[Plant]:
        """Return every plant."""
        return self._page("plants", Plant, {})[0]

    def put_plant(self, plant: Plant) -> bool:
        """Keep a plant; return whether it is new."""
        return self._send("PUT", f"plants/{segment(plant.plant_id)}", plant).status_code == 201

    def zones(self) -> list[Zone]:
        """Return every zone."""
        return self._page("zones", Zone, {})[0]

    def put_zone(self, zone: Zone) -> bool:
        """Keep a zone; return whether it is new."""
        return self._send("PUT", f"zones/{segment(zone.zone_id)}", zone).status_code == 201

    def calibrations(self, sensor_id: str) -> list[SensorCalibration]:
        """Return every version of a sensor's calibration, oldest first."""
        return self._page(f"sensors/{segment(sensor_id)}/calibrations", SensorCalibration, {})[0]

    def models(self, name: str | None = None) -> list[ModelRecord]:
        """Return the versions of models on record, of all or of one; the ai service knows which one is used."""
        return self._page("models", ModelRecord, {"name": name})[0]

    # -- readings ---------------------------------------------------------------------------------------------------

    def query_timestamp(self, query: DBTimestampQuery) -> list[SensorData]:
        """Return all readings of a range, oldest first, however many pages they are."""
        return list(self.each_reading(query))

    def each_reading(self, query: DBTimestampQuery, page: int = _PAGE_READINGS) -> Iterator[SensorData]:
        """Yield the readings of a range, oldest first, `page` of them at a time in memory."""
        path: str | None = f"data/timestamp?limit={page}"
        while path is not None:
            answer = self._read("POST", path, body=query)
            yield from _made(SensorData, json_of(answer))
            path = answer.links.get("next", {}).get("url")

    def query_id(self, query: DBIdQuery) -> list[SensorData]:
        """Return a sensor's latest readings, newest first."""
        return _made(SensorData, json_of(self._read("POST", "data/id", body=query)))

    def series(self, **query: Any) -> dict[str, Any]:
        """Return chart buckets: `data_type`, `since`, `until`, `points`, and `plant_id`, `zone_id` or `sensor_id`."""
        return cast(dict[str, Any], json_of(self._read("GET", "series", query)))

    def gaps(self, sensor_id: str, since: float | None = None, until: float | None = None) -> dict[str, Any]:
        """Return what was due, came, came late and is lost of a sensor, with intervals; the last day by default."""
        query = {"sensor_id": sensor_id, "since": since, "until": until}
        return cast(dict[str, Any], json_of(self._read("GET", "gaps", query)))

    def export(self, kind: str, **query: Any) -> Iterator[bytes]:
        """Yield an export (`csv` or `parquet`) as it comes; one that breaks off raises RemoteServiceError."""
        return self._stream(f"export.{kind}", query, _EXPORT_TIMEOUT_S)

    def export_to(self, out: Path, kind: str, told: Callable[[int], None] = lambda _bytes: None, **query: Any) -> int:
        """Write an export to a file that is whole or not there; return its size. `told` hears of the bytes so far."""
        size = 0
        with whole_file(out) as file:
            for piece in self.export(kind, **query):
                size += file.write(piece)
                told(size)
        return size

    # -- records ----------------------------------------------------------------------------------------------------

    def alerts(self, **filters: Any) -> list[AlertEvent]:
        """Return alerts as they stand."""
        return self._page("alerts", AlertEvent, filters)[0]

    def each_alert(self, **filters: Any) -> Iterator[AlertEvent]:
        """Yield alerts as they stand."""
        return self._each("alerts", AlertEvent, filters)

    def acknowledge_alert(self, alert_id: str, by: str = "person") -> AlertEvent:
        """Say that somebody looks after an alert; return it as it now stands."""
        return self._alert_step(alert_id, "acknowledge", by)

    def resolve_alert(self, alert_id: str, by: str = "person") -> AlertEvent:
        """End an alert; what still holds opens another one."""
        return self._alert_step(alert_id, "resolve", by)

    def actions(self, **filters: Any) -> list[ActionResult]:
        """Return results of commands."""
        return self._page("actions", ActionResult, filters)[0]

    def each_action(self, **filters: Any) -> Iterator[ActionResult]:
        """Yield results of commands."""
        return self._each("actions", ActionResult, filters)

    def predictions(self, **filters: Any) -> list[Prediction]:
        """Return predictions."""
        return self._page("predictions", Prediction, filters)[0]

    def each_prediction(self, **filters: Any) -> Iterator[Prediction]:
        """Yield predictions."""
        return self._each("predictions", Prediction, filters)

    def frames(self, **filters: Any) -> list[CameraFrame]:
        """Return descriptions of pictures."""
        return self._page("frames", CameraFrame, filters)[0]

    def each_frame(self, **filters: Any) -> Iterator[CameraFrame]:
        """Yield descriptions of pictures."""
        return self._each("frames", CameraFrame, filters)

    def all_frames(self, **filters: Any) -> list[CameraFrame]:
        """Return descriptions of pictures, however many pages they are."""
        return list(self.each_frame(**filters))

    def picture(self, sha256: str) -> bytes:
        """Return a picture's JPEG; one that is not there raises RefusedRequestError (404)."""
        return self._read("GET", f"frames/{segment(sha256)}.jpg").content

    def dead_letters(self, **filters: Any) -> list[DeadLetter]:
        """Return records that nobody could use."""
        return self._page("dead_letters", DeadLetter, filters)[0]

    def each_dead_letter(self, **filters: Any) -> Iterator[DeadLetter]:
        """Yield records that nobody could use."""
        return self._each("dead_letters", DeadLetter, filters)

    # -- care -------------------------------------------------------------------------------------------------------

    def notes(self, **filters: Any) -> list[Note]:
        """Return what people wrote."""
        return self._page("notes", Note, filters)[0]

    def each_note(self, **filters: Any) -> Iterator[Note]:
        """Yield what people wrote."""
        return self._each("notes", Note, filters)

    def write_note(self, text: str, **fields: Any) -> Note:
        """Write a note about `plant_id`, `zone_id` or an instant; return it with its id."""
        return Note.from_json(self._send("POST", "notes", {"text": text, **fields}).content)

    def delete_note(self, note_id: str) -> None:
        """Remove a note; one that is not there raises RefusedRequestError (404)."""
        self._send("DELETE", f"notes/{segment(note_id)}")

    def policies(self) -> list[Policy]:
        """Return the newest policy on record of each plant and actuator; the controller acts by its own."""
        return self._page("policies", Policy, {})[0]

    def policy_versions(self, plant_id: str) -> list[Policy]:
        """Return every version of a plant's policy on record, oldest first."""
        answer = json_of(self._read("GET", f"policies/{segment(plant_id)}"))
        return _made(Policy, answer["versions"])

    def put_policy(self, policy: Policy) -> Policy:
        """Put a policy on record and return its version; nothing acts by it, the controller has its own."""
        return Policy.from_json(self._send("PUT", f"policies/{segment(policy.place)}", policy).content)

    def grants(self, actuator_id: str | None = None) -> list[KeptGrant]:
        """Return the grants on record, of one actuator or of all; what holds is what the controller says."""
        return self._page("grants", KeptGrant, {"actuator_id": actuator_id})[0]

    def put_grant(self, grant: KeptGrant) -> bool:
        """Put a grant on record, taken back or not; return whether it is new. Nothing acts by it."""
        return self._send("PUT", f"grants/{segment(grant.actuator_id)}", grant).status_code == 201

    def trace(self, correlation_id: str) -> list[dict[str, Any]]:
        """Return the events around a correlation id, causes before effects."""
        answer = json_of(self._read("GET", f"trace/{segment(correlation_id)}"))
        return cast(list[dict[str, Any]], answer["events"])

    def _alert_step(self, alert_id: str, step: str, by: str) -> AlertEvent:
        return AlertEvent.from_json(self._send("POST", f"alerts/{segment(alert_id)}/{step}", {"by": by}).content)

    # -- pages ------------------------------------------------------------------------------------------------------

    def _page(self, path: str, kind: type[_Kind], filters: dict[str, Any]) -> tuple[list[_Kind], str | None]:
        answer = json_of(self._read("GET", path, filters))
        return _made(kind, _items(answer)), answer.get("next")

    def _each(self, path: str, kind: type[_Kind], filters: dict[str, Any]) -> Iterator[_Kind]:
        cursor: str | None = filters.pop("cursor", None)
        while True:
            items, cursor = self._page(path, kind, {**filters, **({"cursor": cursor} if cursor else {})})
            yield from items
            if cursor is None:
                return


def _items(answer: Any) -> list[dict[str, Any]]:
    if not isinstance(answer, dict) or not isinstance(answer.get("items"), list):
        raise RemoteServiceError("the database service answered no page")
    return cast(list[dict[str, Any]], answer["items"])


def _made(kind: type[_Kind], items: Any) -> list[_Kind]:
    return [kind.from_dict(item) for item in items]
