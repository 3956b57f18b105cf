"""What the REST clients share: one session, errors as ours, reads that are tried again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urljoin

import msgspec
import requests
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from dt.utils.codec import Message
from dt.utils.exceptions import RefusedRequestError, RemoteServiceError

_ATTEMPTS = 3
_NOT_INSTALLED = 501  # it will not be there the next time either
_PIECE_BYTES = 256 * 1024

Body = Message | Mapping[str, Any]


class RestClient:
    """Asks one service; reads are tried three times, writes once.

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

    def _read(
        self, method: str, path: str, params: Mapping[str, Any] | None = None, body: Body | None = None
    ) -> requests.Response:
        return self._again(lambda: self._send(method, path, body, params))

    def _stream(self, path: str, params: Mapping[str, Any], timeout_s: float) -> Iterator[bytes]:
        """Yield an answer as it comes; tried again until it begins, never once it has."""
        begin = partial(self._send, "GET", path, None, params, is_streamed=True, timeout_s=timeout_s)
        with self._again(begin) as answer:
            try:
                yield from answer.iter_content(_PIECE_BYTES)
            except requests.RequestException as error:
                raise RemoteServiceError(f"GET {answer.url}: broke off: {error}") from error

    def _again(self, send: Callable[[], requests.Response]) -> requests.Response:
        retrying = Retrying(
            retry=retry_if_exception_type(RemoteServiceError),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_exponential(0.1, max=1.0),
            sleep=self._pause,
            reraise=True,
        )
        return retrying(send)

    def _send(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        is_streamed: bool = False,
        timeout_s: float | None = None,
    ) -> requests.Response:
        url = urljoin(self._base_url, path.lstrip("/"))
        try:
            response = self._session.request(
                method,
                url,
                params=params,
                data=None if body is None else msgspec.json.encode(body),
                headers=None if body is None else {"Content-Type": "application/json"},
                timeout=timeout_s or self._timeout_s,
                stream=is_streamed,
            )
        except requests.RequestException as error:
            raise RemoteServiceError(f"{method} {url}: {error}") from error
        _require_success(response, f"{method} {url}")
        return response


def json_of(response: requests.Response) -> Any:
    """Return an answer's JSON; raises RemoteServiceError when it is none."""
    try:
        return msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RemoteServiceError(f"{response.url} answered no JSON: {error}") from error


def segment(name: str) -> str:
    """Return a name as one part of a path.

    >>> segment("box/vpd")
    'box%2Fvpd'
    """
    return quote(name, safe="")


def _require_success(response: requests.Response, what: str) -> None:
    status = response.status_code
    if status >= 500 and status != _NOT_INSTALLED:
        raise RemoteServiceError(f"{what}: {status} {_problem(response).get('detail', '')}")
    if status >= 400:
        raise RefusedRequestError(status, _problem(response))


def _problem(response: requests.Response) -> dict[str, object]:
    try:
        problem = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError, requests.RequestException):
        return {"title": response.reason, "status": response.status_code}
    return problem if isinstance(problem, dict) else {"title": response.reason, "status": response.status_code}
