"""Binding sensors by REST with the standard library alone: the collector has no memory to spare for more."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlsplit

import msgspec

from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import RefusedRequestError, RemoteServiceError


class BindingApiClient:
    """`POST /bind_sensor` of the database service, as `DatabaseApiClient.bind_sensor` does it; a connection a call."""

    def __init__(self, base_url: str, token: str = "", timeout_s: float = 5.0) -> None:
        self._url = urlsplit(base_url)
        self._timeout_s = timeout_s
        self._headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}

    def bind_sensor(self, descriptor: SensorDescriptor) -> bool:
        """Register a sensor as its rig has it now; return whether it is new.

        Raises RemoteServiceError or RefusedRequestError.
        """
        sent = msgspec.json.encode({**descriptor.to_dict(), "take_over": True})
        path = f"{self._url.path.rstrip('/')}/bind_sensor"
        connection = self._connection()
        try:
            connection.request("POST", path, sent, self._headers)
            answer = connection.getresponse()
            status, body = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise RemoteServiceError(f"POST {self._url._replace(path=path).geturl()}: {error}") from error
        finally:
            connection.close()
        if status >= 500:
            raise RemoteServiceError(f"POST {path}: {status} {_problem(status, body).get('detail', '')}")
        if status >= 400:
            raise RefusedRequestError(status, _problem(status, body))
        return status == 201

    def _connection(self) -> http.client.HTTPConnection:
        host = self._url.hostname or "127.0.0.1"
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        return kind(host, self._url.port, timeout=self._timeout_s)


def _problem(status: int, body: bytes) -> dict[str, Any]:
    try:
        problem = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = None
    return problem if isinstance(problem, dict) else {"title": http.client.responses.get(status, ""), "status": status}
