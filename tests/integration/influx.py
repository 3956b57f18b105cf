"""A genuine InfluxDB 2 for tests, by `scripts/setup_influxdb.sh`, on a free port of this machine."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.broker import free_ports

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "setup_influxdb.sh"
ORG = "plant-twin"
_KEY = pytest.StashKey["Influx"]()
_numbers = itertools.count()


class Influx:
    """One server in a folder of its own, with an organisation and a token; it can be stopped and started again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_ports()

    @property
    def url(self) -> str:
        """Return what INFLUX_URL takes."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """Return the token that the set-up wrote."""
        return dict(line.split("=", 1) for line in self.token_file.read_text().split())["INFLUX_TOKEN"]

    @property
    def token_file(self) -> Path:
        """Return where the set-up wrote settings."""
        return self.home / "influx.env"

    def new_bucket(self) -> str:
        """Make a bucket that no other test has, and return its name."""
        from influxdb_client import InfluxDBClient

        name = f"b{next(_numbers)}"
        with InfluxDBClient(self.url, self.token, org=ORG) as client:
            client.buckets_api().create_bucket(bucket_name=name, org=ORG)
        return name

    def start(self) -> None:
        """Return when the server answers."""
        self.run("--start", "--port", str(self.port))

    def stop(self) -> None:
        """Return when the process has ended."""
        self.run("--stop")

    def run(self, *arguments: str) -> str:
        """Run the script on this server's folder, with the program that is in the cache."""
        command = [str(SCRIPT), "--from-cache", "--dir", str(self.home), *arguments]
        outcome = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if outcome.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {outcome.stdout}{outcome.stderr}")
        return outcome.stdout


def shared_influx(request: pytest.FixtureRequest, factory: pytest.TempPathFactory) -> Iterator[Influx]:
    """Yield the session's one server; skip without it, unless DT_REQUIRE_SERVERS=1 says that it has to be there."""
    found = request.config.stash.get(_KEY, None)
    if found is not None:
        yield found
        return
    server = Influx(factory.mktemp("influx"))
    try:
        server.start()
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        if os.environ.get("DT_REQUIRE_SERVERS") == "1":
            pytest.fail(f"no InfluxDB can be had: {error}")
        pytest.skip(f"no InfluxDB can be had: {error}")
    request.config.stash[_KEY] = server
    yield server
    server.stop()
    shutil.rmtree(server.home, ignore_errors=True)
