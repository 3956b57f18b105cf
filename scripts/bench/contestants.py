"""Who works off the same readings: Telegraf and our database service, into InfluxDB or SQLite."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import requests
from ingest_readings import MEASURED, topics
from stage import Stage, say

from dt.operations.plan import script

_COUNT_ROWS = "SELECT count(*) FROM readings"
_ASKS_FOR_S = 120.0
_TELEGRAF_BATCH = 5_000
_UNDELIVERED = 100_000  # or it would wait for each batch

Process = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A process that reads the topics, the group that it commits for, and how many readings its store holds."""

    kafka_url: str
    group: str
    running: Callable[[], AbstractContextManager[Process]]
    stored: Callable[[], int]


class InfluxServer:
    """A genuine InfluxDB in a folder, with one bucket for each contestant."""

    def __init__(self, folder: Path, *, wanted: bool) -> None:
        self._folder = folder
        self._wanted = wanted

    def __enter__(self) -> InfluxServer:
        """Build it where it has not been built, and start it."""
        if self._wanted:
            say("starting InfluxDB (built from source at the first time) ...")
            self._run("--from-source")
            self._run("--from-cache", "--start", "--port", str(_free_port()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        if self._wanted:
            self._run("--stop")

    @property
    def settings(self) -> Mapping[str, str]:
        """Return INFLUX_URL, INFLUX_TOKEN and INFLUX_ORG."""
        lines = (self._folder / "influx.env").read_text("utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def new_bucket(self, name: str) -> str:
        """Make an empty bucket."""
        org = self._ask("GET", "/api/v2/orgs", params={"org": self.settings["INFLUX_ORG"]})["orgs"][0]["id"]
        self._ask("POST", "/api/v2/buckets", json={"orgID": org, "name": name, "retentionRules": []})
        return name

    def count(self, bucket: str) -> int:
        """Return how many readings a bucket holds."""
        names = ", ".join(f'"{quantity}"' for quantity in MEASURED)
        query = {"db": bucket, "q": f"SELECT count(sequence) FROM {names}"}  # noqa: S608 - names of quantities
        [result] = self._ask("GET", "/query", params=query)["results"]
        return sum(int(series["values"][0][1]) for series in result.get("series", ()))

    def _ask(self, method: str, path: str, **given: object) -> dict[str, list[dict]]:  # type: ignore[type-arg]
        settings = self.settings
        headers = {"Authorization": f"Token {settings['INFLUX_TOKEN']}"}
        answer = requests.request(method, settings["INFLUX_URL"] + path, headers=headers, timeout=_ASKS_FOR_S, **given)  # type: ignore[arg-type]
        answer.raise_for_status()
        found: dict[str, list[dict]] = answer.json()  # type: ignore[type-arg]
        return found

    def _run(self, *arguments: str) -> None:
        command = [str(script("setup_influxdb.sh")), "--dir", str(self._folder), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def telegraf(stage: Stage, server: InfluxServer) -> Contestant:
    """Return Telegraf with the settings that its manual recommends for throughput, and the fields that we keep."""
    bucket = server.new_bucket("telegraf")
    settings = server.settings
    config = stage.settings.data_dir / "telegraf.conf"
    config.write_text(_telegraf_config(stage.settings.kafka_url, settings, bucket), encoding="utf-8")

    @contextlib.contextmanager
    def running() -> Iterator[Process]:
        built = subprocess.run([str(script("setup_telegraf.sh"))], check=True, capture_output=True, text=True)
        process = subprocess.Popen([built.stdout.strip(), "--quiet", "--config", str(config)])
        with _ended(process):
            yield process

    return Contestant(
        kafka_url=stage.settings.kafka_url, group="telegraf", running=running, stored=lambda: server.count(bucket)
    )


def influx_fast(stage: Stage, server: InfluxServer) -> Contestant:
    """Return our database service by confluent-kafka, into InfluxDB."""
    return _ours_into_influx(stage, server, "confluent")


def influx_kafka_python(stage: Stage, server: InfluxServer) -> Contestant:
    """Return our database service by kafka-python, into InfluxDB."""
    return _ours_into_influx(stage, server, "kafka-python")


def sqlite(stage: Stage, _server: InfluxServer) -> Contestant:
    """Return our database service by confluent-kafka, into a new SQLite file with its roll-ups."""
    number = len(list(stage.settings.data_dir.glob("sqlite-*")))
    folder = stage.settings.data_dir / f"sqlite-{number}"
    folder.mkdir()

    def stored() -> int:
        file = stage.settings.model_copy(update={"data_dir": folder}).database_file
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
            [(count,)] = db.execute(_COUNT_ROWS).fetchall()
            return int(count)

    return _ours(stage, "confluent", {"DATA_DIR": str(folder), "STORAGE": "sqlite"}, stored)


CONTESTANTS: Mapping[str, Callable[[Stage, InfluxServer], Contestant]] = {
    "telegraf": telegraf,
    "influx_fast": influx_fast,
    "influx_kafka_python": influx_kafka_python,
    "sqlite": sqlite,
}


def _ours_into_influx(stage: Stage, server: InfluxServer, client: str) -> Contestant:
    bucket = server.new_bucket(client)
    folder = stage.settings.data_dir / client
    folder.mkdir()
    more = {**server.settings, "INFLUX_BUCKET": bucket, "STORAGE": "influx", "DATA_DIR": str(folder)}
    return _ours(stage, client, more, lambda: server.count(bucket))


def _ours(stage: Stage, client: str, more: Mapping[str, str], stored: Callable[[], int]) -> Contestant:
    environment = {**more, "KAFKA_CLIENT": client}
    return Contestant(
        kafka_url=stage.settings.kafka_url,
        group="database",
        running=lambda: stage.process("-m", "dt.data.database.app", environment=environment),
        stored=stored,
    )


@contextlib.contextmanager
def _ended(process: Process) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _telegraf_config(kafka_url: str, influx: Mapping[str, str], bucket: str) -> str:
    os.umask(0o077)  # a token stands in it
    return f"""
[agent]
interval = "1s"
flush_interval = "1s"
metric_batch_size = {_TELEGRAF_BATCH}
metric_buffer_limit = {4 * _UNDELIVERED}
omit_hostname = true

[[inputs.kafka_consumer]]
brokers = ["{kafka_url}"]
kafka_version = "4.0.0"
topics = {topics()}
consumer_group = "telegraf"
offset = "oldest"
max_undelivered_messages = {_UNDELIVERED}
data_format = "json"
json_name_key = "data_type"
json_time_key = "timestamp"
json_time_format = "unix"
tag_keys = ["sensor_id", "zone_id", "unit"]
json_string_fields = ["boot_id", "correlation_id"]
fieldinclude = ["value", "sequence", "boot_id", "correlation_id"]

[[outputs.influxdb_v2]]
urls = ["{influx["INFLUX_URL"]}"]
token = "{influx["INFLUX_TOKEN"]}"
organization = "{influx["INFLUX_ORG"]}"
bucket = "{bucket}"
"""
