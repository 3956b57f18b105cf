"""A genuine PostgreSQL for tests, in a folder of its own, on a free port of this machine, without root's rights."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import lacking, wait_until
from tests.integration.broker import free_ports

_KEY = pytest.StashKey["Postgres"]()
_HOW = "on Debian: apt install postgresql; and .venv/bin/pip install --group db"


class Postgres:
    """One server; every test gets a database of its own."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.port = free_ports()
        self._programs = programs
        self._folder = folder
        self._names = itertools.count()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the cluster and return when it answers."""
        self._run("initdb", "-D", str(self._folder / "data"), "-A", "trust", "-U", "twin", "--no-sync", "-E", "UTF8")
        self.begin()

    def begin(self) -> None:
        """Start the server on what is there."""
        command = [str(self._programs / "postgres"), "-D", str(self._folder / "data"), "-p", str(self.port)]
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *options], stdout=log, stderr=log, cwd=self._folder, **_unprivileged()
            )
        wait_until(self._answers, "PostgreSQL answers", 30.0)

    def stop(self) -> None:
        """End the server."""
        if self._process is not None:
            self._process.terminate()  # waits for nobody but those who are connected
            self._process.send_signal(2)  # and this does not
            self._process.wait(20)
            self._process = None

    def new_database(self) -> str:
        """Make an empty database and return what DATABASE_URL takes."""
        name = f"t{next(self._names)}"
        self._execute(f"CREATE DATABASE {name}")
        return f"postgresql://twin@127.0.0.1:{self.port}/{name}"

    def _answers(self) -> bool:
        import psycopg

        try:
            self._execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _execute(self, statement: str) -> None:
        import psycopg

        where = f"host=127.0.0.1 port={self.port} user=twin dbname=postgres connect_timeout=5"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(statement.encode())

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            capture_output=True, text=True, check=False, cwd=self._folder, timeout=120, **_unprivileged(),
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")


def shared_postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """Yield the session's one server; skip without it, unless DT_REQUIRE_SERVERS=1 says that it has to be there."""
    found = request.config.stash.get(_KEY, None)
    if found is not None:
        yield found
        return
    try:
        import psycopg  # noqa: F401 - in the group db alone
    except ImportError:
        lacking(f"psycopg is missing; {_HOW}")
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    _give_away(folder)
    server = Postgres(_programs(), folder)
    try:
        server.start()
        request.config.stash[_KEY] = server
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Return the folder of the newest server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return Path(on_path).parent if on_path else lacking(f"PostgreSQL is missing; {_HOW}")


def _unprivileged() -> dict[str, int]:
    """Return as whom it runs: it refuses root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid}


def _give_away(folder: Path) -> None:
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)
