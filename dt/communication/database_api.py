"""The REST client of the database service."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote, urljoin

import msgspec
import requests
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from dt.utils.dataclasses import DBIdQuery, DBTimestampQuery, Message, Plant, SensorData, SensorDescriptor
from dt.utils.exceptions import RefusedRequestError, RemoteServiceError

_ATTEMPTS = 3


class DatabaseApiClient:
    """Asks the database service; reads are tried three times, writes once.

    Every call raises RemoteServiceError (retriable) when the service is away or failed, and RefusedRequestError with
    the problem's body when it refused.
    """

    def __init__(
        self, base_url: str, token: str = "", timeout_s: float = 5.0, *, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._base_url = base_url.rstrip("/") + "/"
        self._timeout_s = timeout_s
        self._pause = pause
        self._session = requests.Session()
        self._session.trust_env = False  # http_proxy is for the world outside, and .netrc would replace the token
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the connections go."""
        self._session.close()

    def bind_sensor(self, descriptor: SensorDescriptor) -> bool:
        """Register a sensor; return whether it is new. A conflicting one raises RefusedRequestError (409)."""
        return self._send("POST", "bind_sensor", descriptor).status_code == 201

    def put_plant(self, plant: Plant) -> bool:
        """Keep a plant; return whether it is new."""
        return self._send("PUT", f"plants/{quote(plant.plant_id, safe='')}", plant).status_code == 201

    def patch_sensor(self, sensor_id: str, **changes: Any) -> SensorDescriptor:
        """Change fields of a sensor and return it as it now stands."""
        answer = self._send("PATCH", f"sensors/{quote(sensor_id, safe='')}", changes)
        return SensorDescriptor.from_json(answer.content)

    def query_timestamp(self, query: DBTimestampQuery) -> list[SensorData]:
        """Return all readings of a range, oldest first, however many pages they are."""
        found: list[SensorData] = []
        path: str | None = "data/timestamp"
        while path is not None:
            answer = self._read("POST", path, body=query)
            found += _readings(answer)
            path = answer.links.get("next", {}).get("url")
        return found

    def query_id(self, query: DBIdQuery) -> list[SensorData]:
        """Return a sensor's latest readings, newest first."""
        return _readings(self._read("POST", "data/id", body=query))

    def series(self, **query: Any) -> dict[str, Any]:
        """Return chart buckets: `data_type`, `since`, `until`, `points`, and `plant_id`, `zone_id` or `sensor_id`."""
        return cast(dict[str, Any], _json(self._read("GET", "series", query)))

    def gaps(self, sensor_id: str, since: float | None = None, until: float | None = None) -> dict[str, Any]:
        """Return what was due, came, came late and is lost of a sensor, with intervals; the last day by default."""
        query = {"sensor_id": sensor_id, "since": since, "until": until}
        return cast(dict[str, Any], _json(self._read("GET", "gaps", query)))

    def plants(self) -> list[Plant]:
        """Return every plant."""
        return [Plant.from_dict(item) for item in self._items("plants", {})]

    def sensors(self) -> list[dict[str, Any]]:
        """Return every registered sensor with `last_seen`."""
        return self._items("sensors", {})

    def alerts(self, **filters: Any) -> list[dict[str, Any]]:
        """Return alerts as they stand, newest first, one page."""
        return self._items("alerts", filters)

    def actions(self, **filters: Any) -> list[dict[str, Any]]:
        """Return results of commands, newest first, one page."""
        return self._items("actions", filters)

    def predictions(self, **filters: Any) -> list[dict[str, Any]]:
        """Return predictions, newest first, one page."""
        return self._items("predictions", filters)

    def frames(self, **filters: Any) -> list[dict[str, Any]]:
        """Return descriptions of pictures, newest first, one page."""
        return self._items("frames", filters)

    def all_frames(self, **filters: Any) -> list[dict[str, Any]]:
        """Return descriptions of pictures, newest first, however many pages they are."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            answer = _json(self._read("GET", "frames", {**filters, **({"cursor": cursor} if cursor else {})}))
            found += answer["items"]
            cursor = answer["next"]
            if cursor is None:
                return found

    def picture(self, sha256: str) -> bytes:
        """Return a picture's JPEG; one that is not there raises RefusedRequestError (404)."""
        return self._read("GET", f"frames/{quote(sha256, safe='')}.jpg").content

    def dead_letters(self, **filters: Any) -> list[dict[str, Any]]:
        """Return dead letters, newest first, one page."""
        return self._items("dead_letters", filters)

    def trace(self, correlation_id: str) -> list[dict[str, Any]]:
        """Return the events around a correlation id, causes before effects."""
        answer = _json(self._read("GET", f"trace/{quote(correlation_id, safe='')}"))
        return cast(list[dict[str, Any]], answer["events"])

    def _items(self, path: str, filters: dict[str, Any]) -> list[dict[str, Any]]:
        return cast(list[dict[str, Any]], _json(self._read("GET", path, filters))["items"])

    def _read(
        self, method: str, path: str, params: dict[str, Any] | None = None, body: Message | None = None
    ) -> requests.Response:
        for attempt in Retrying(
            retry=retry_if_exception_type(RemoteServiceError),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_exponential(0.1, max=1.0),
            sleep=self._pause,
            reraise=True,
        ):
            with attempt:
                return self._send(method, path, body, params)
        raise AssertionError("tenacity either returns or raises")

    def _send(
        self,
        method: str,
        path: str,
        body: Message | dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
    ) -> requests.Response:
        url = urljoin(self._base_url, path.lstrip("/"))
        try:
            response = self._session.request(
                method,
                url,
                params=params,
                data=None if body is None else msgspec.json.encode(body),
                headers=None if body is None else {"Content-Type": "application/json"},
                timeout=self._timeout_s,
            )
        except requests.RequestException as error:
            raise RemoteServiceError(f"{method} {url}: {error}") from error
        if response.status_code >= 500:
            raise RemoteServiceError(f"{method} {url}: {response.status_code} {_problem(response).get('detail', '')}")
        if response.status_code >= 400:
            raise RefusedRequestError(response.status_code, _problem(response))
        return response


def _readings(response: requests.Response) -> list[SensorData]:
    return [SensorData.from_dict(item) for item in _json(response)]


def _json(response: requests.Response) -> Any:
    try:
        return msgspec.json.decode(response.content)
    except msgspec.DecodeError as error:
        raise RemoteServiceError(f"{response.url} answered no JSON: {error}") from error


def _problem(response: requests.Response) -> dict[str, object]:
    try:
        problem = msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        return {"title": response.reason, "status": response.status_code}
    return problem if isinstance(problem, dict) else {"title": response.reason, "status": response.status_code}
