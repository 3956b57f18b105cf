"""One bucket of an InfluxDB 2 server: lines in, rows out, points removed; the server's refusals as our errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import msgspec

from dt.data.database.influx_rows import Table
from dt.utils.exceptions import ConfigError, DTError, StorageError, StorageFullError

TIMEOUT_S = 30.0

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OF_THE_LINES = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
_NO_ROOM = "no space left on device"  # ENOSPC in Go's words
_REMEDIES: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "INFLUX_TOKEN is not one of this server's",
    HTTPStatus.FORBIDDEN: "INFLUX_TOKEN may not do this: it needs to read and write buckets and tasks",
    HTTPStatus.NOT_FOUND: "INFLUX_BUCKET or INFLUX_ORG is not there",
}


class LinesRefusedError(DTError):
    """The server refused at least one of the lines, for what stands in it; others may be kept."""


class _Result(msgspec.Struct):
    series: list[Table] = []
    error: str | None = None


class _Answer(msgspec.Struct):
    results: list[_Result] = []
    error: str | None = None


class InfluxServer:
    """The only place that speaks to the server; the client library is imported when one is made."""

    def __init__(self, url: str, token: str, org: str, bucket: str, *, timeout_s: float = TIMEOUT_S) -> None:
        try:  # a heavy library that most machines do without
            from influxdb_client.client.influxdb_client import InfluxDBClient
            from influxdb_client.client.write_api import SYNCHRONOUS
        except ImportError as error:
            raise ConfigError("STORAGE: influx needs the package influxdb-client: pip install --group db") from error
        self.url, self.org, self.bucket = url, org, bucket
        self.client: Any = InfluxDBClient(url=url, token=token, org=org, timeout=int(timeout_s * 1000))
        self._writing = self.client.write_api(write_options=SYNCHRONOUS)
        self._is_closed = False
        self._decoder = msgspec.msgpack.Decoder(_Answer)

    def write(self, lines: Sequence[str], *, bucket: str | None = None) -> None:
        """Keep lines durably, their times in milliseconds; raises LinesRefusedError or StorageError."""
        body = "\n".join(lines).encode()
        with self._errors(of_lines=True):
            self._writing.write(bucket or self.bucket, self.org, body, write_precision="ms")

    def select(
        self, query: str, params: Mapping[str, object] | None = None, *, bucket: str | None = None
    ) -> list[Table]:
        """Return the tables of an InfluxQL query, of all its statements together; `$name` stands for a parameter."""
        form = [("db", bucket or self.bucket), ("q", query), ("epoch", "ms")]
        if params:
            form.append(("params", msgspec.json.encode(params).decode()))
        headers = {"Accept": "application/x-msgpack", "Content-Type": "application/x-www-form-urlencoded"}
        with self._errors():
            answer = self.client.api_client.call_api(
                "/query",
                "POST",
                header_params=headers,
                post_params=form,
                _preload_content=False,
                _return_http_data_only=True,
            )
            found: _Answer = self._decoder.decode(answer.data)
        for why in (found.error, *(result.error for result in found.results)):
            if why is not None:
                raise StorageError(f"{self.url}: {why}")
        return [table for result in found.results for table in result.series]

    def run(self, flux: str) -> None:
        """Run a Flux script for what it writes."""
        with self._errors():
            self.client.query_api().query_raw(flux, self.org).data  # noqa: B018 - reading to the end waits for it

    def delete(self, since_ms: int, until_ms: int, predicate: str, *, bucket: str | None = None) -> None:
        """Remove points with since <= time < until that match a predicate such as `_measurement="vpd"`."""
        last = _moment(until_ms) - timedelta(microseconds=1)  # the server removes both ends
        with self._errors():
            self.client.delete_api().delete(_moment(since_ms), last, predicate, bucket or self.bucket, self.org)

    def version(self) -> str:
        """Return the server's version."""
        with self._errors():
            return str(self.client.version()).removeprefix("v")

    def has_bucket(self, name: str) -> bool:
        """Return whether a bucket is there and the token may see it."""
        with self._errors():
            return self.client.buckets_api().find_bucket_by_name(name) is not None

    def make_bucket(self, name: str, description: str) -> None:
        """Make a bucket that keeps everything for ever, unless it is there."""
        if self.has_bucket(name):
            return
        with self._errors():
            self.client.buckets_api().create_bucket(bucket_name=name, org=self.org, description=description)

    def retention_s(self) -> int:
        """Return after how many seconds the server itself removes points of the bucket; 0 for never.

        Raises StorageError where there is no such bucket.
        """
        with self._errors():
            found = self.client.buckets_api().find_bucket_by_name(self.bucket)
        if found is None:
            raise StorageError(
                f"{self.url}: there is no bucket {self.bucket!r} in {self.org!r}, or the token may not see it"
            )
        return int(found.retention_rules[0].every_seconds or 0) if found.retention_rules else 0

    def put_task(self, name: str, flux: str) -> None:
        """Make a task, or bring it up to date."""
        with self._errors():
            tasks = self.client.tasks_api()
            for task in tasks.find_tasks(name=name):
                if task.flux != flux:
                    task.flux, task.name, task.every, task.offset, task.cron = flux, None, None, None, None
                    tasks.update_task(task)
                return
            org_id = next(org.id for org in self.client.organizations_api().find_organizations(org=self.org))
            from influxdb_client.domain.task_create_request import TaskCreateRequest

            tasks.create_task(task_create_request=TaskCreateRequest(org_id=org_id, flux=flux, status="active"))

    def close(self) -> None:
        """Let go of the connections."""
        self._is_closed = True
        self._writing.close()
        self.client.close()

    @contextmanager
    def _errors(self, *, of_lines: bool = False) -> Iterator[None]:
        from influxdb_client.rest import ApiException
        from urllib3.exceptions import HTTPError

        try:
            self._require_open()
            yield
        except (AttributeError, RuntimeError):
            self._require_open()  # the client library takes itself to pieces under whoever is still at work
            raise
        except ApiException as error:
            status = error.status or HTTPStatus.BAD_GATEWAY.value  # a proxy may answer what HTTPStatus has no name for
            why = _why(error.body)
            if of_lines and status in _OF_THE_LINES:
                raise LinesRefusedError(why) from error
            remedy = _REMEDIES.get(status)
            kind = StorageFullError if _NO_ROOM in why else StorageError
            raise kind(f"{self.url}: {status} {why}{f' ({remedy})' if remedy else ''}") from error
        except (HTTPError, OSError, msgspec.DecodeError) as error:
            raise StorageError(f"{self.url}: {error}") from error

    def _require_open(self) -> None:
        if self._is_closed:
            raise StorageError(f"{self.url}: the connection is closed")


def quoted(text: str) -> str:
    r"""Return a text as it stands in a predicate of a deletion.

    >>> print(quoted('a "b"'))
    "a \"b\""
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _moment(timestamp_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=timestamp_ms)


def _why(body: Any) -> str:
    try:
        return str(msgspec.json.decode(body or b"")["message"])[:2000]
    except (msgspec.DecodeError, KeyError, TypeError):
        return str(body)[:500]
