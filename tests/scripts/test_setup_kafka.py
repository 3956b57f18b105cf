"""`scripts/setup_kafka.sh` without a broker: sources, checksums, Java, options; Java and archive are stand-ins."""

from __future__ import annotations

import hashlib
import io
import shutil
import socket
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "setup_kafka.sh"
ARCHIVE = "kafka_2.13-4.3.1.tgz"
USED_PROGRAMS = (
    "bash",
    "env",
    "cat",
    "cp",
    "mv",
    "rm",
    "mkdir",
    "mktemp",
    "chmod",
    "cut",
    "tr",
    "sed",
    "grep",
    "head",
    "tail",
    "tar",
    "gzip",
    "sha256sum",
    "sha512sum",
    "flock",
    "realpath",
    "dirname",
    "base64",
    "ps",
    "id",
    "timeout",
    "od",
    "sleep",
    "setsid",
    "curl",
    "xargs",
)


@pytest.fixture
def java(tmp_path: Path) -> Path:
    """A JAVA_HOME whose `java` says that it is version 17."""
    return _java(tmp_path / "java17", "17.0.15")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive of the official shape, its jar a few bytes."""
    file = tmp_path / "given" / ARCHIVE
    file.parent.mkdir()
    with tarfile.open(file, "w:gz") as tar:
        for name, content in {"libs/kafka_2.13-4.3.1.jar": b"jar", "bin/kafka-topics.sh": b"#!/bin/sh\n"}.items():
            info = tarfile.TarInfo(f"kafka_2.13-4.3.1/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file


@pytest.fixture
def mirror(archive: Path) -> Iterator[str]:
    """The archive behind HTTP, its sum in Apache's own form beside it."""
    archive.with_name(f"{ARCHIVE}.sha512").write_text(_apache_form(_sha512(archive)))
    handler = partial(_SilentHandler, directory=str(archive.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_local_archive_with_its_sum_is_installed(tmp_path: Path, java: Path, archive: Path) -> None:
    """`--archive --sha512` unpacks jars and tools into the folder."""
    outcome = _run(tmp_path, "--archive", str(archive), "--sha512", _sha512(archive), java=java)

    assert outcome.returncode == 0, outcome.stderr
    assert (tmp_path / "kafka/libs/kafka_2.13-4.3.1.jar").read_bytes() == b"jar"
    assert (tmp_path / "kafka/bin/kafka-topics.sh").exists()


def test_local_archive_finds_the_sum_beside_it(tmp_path: Path, java: Path, archive: Path) -> None:
    """FILE.sha512 serves instead of `--sha512`, in Apache's form too."""
    archive.with_name(f"{ARCHIVE}.sha512").write_text(_apache_form(_sha512(archive)))

    outcome = _run(tmp_path, "--archive", str(archive), java=java)

    assert outcome.returncode == 0, outcome.stderr


def test_archive_without_any_sum_is_wrong_use(tmp_path: Path, java: Path, archive: Path) -> None:
    """Nothing unverified is unpacked."""
    outcome = _run(tmp_path, "--archive", str(archive), java=java)

    assert outcome.returncode == 2
    assert "--sha512" in outcome.stderr


def test_archive_with_another_sum_is_refused(tmp_path: Path, java: Path, archive: Path) -> None:
    """A damaged download leaves no jars behind."""
    outcome = _run(tmp_path, "--archive", str(archive), "--sha512", "0" * 128, java=java)

    assert outcome.returncode == 1
    assert "damaged" in outcome.stderr
    assert not (tmp_path / "kafka/libs").exists()


def test_archive_of_something_else_is_refused(tmp_path: Path, java: Path) -> None:
    """A good sum does not make any tar file a Kafka."""
    other = tmp_path / "other.tgz"
    with tarfile.open(other, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("other/readme"))

    outcome = _run(tmp_path, "--archive", str(other), "--sha512", _sha512(other), java=java)

    assert outcome.returncode == 1
    assert "does not hold Kafka 4.3.1" in outcome.stderr


def test_official_archive_is_fetched_and_checked(tmp_path: Path, java: Path, mirror: str) -> None:
    """`--download` reads archive and published sum from the archive's address."""
    outcome = _run(tmp_path, "--download", java=java, url=mirror)

    assert outcome.returncode == 0, outcome.stderr
    assert (tmp_path / "kafka/VERSION").read_text() == "4.3.1\n"


def test_archive_is_chosen_when_it_answers(tmp_path: Path, java: Path, mirror: str) -> None:
    """Without a wish the official archive comes first, and the script says so."""
    outcome = _run(tmp_path, java=java, url=mirror)

    assert outcome.returncode == 0, outcome.stderr
    assert f"using the official archive at {mirror}" in outcome.stderr


def test_nothing_at_hand_names_the_ways_out(tmp_path: Path, java: Path) -> None:
    """No archive, no Maven: the message says what a person can do."""
    outcome = _run(tmp_path, java=java, url=f"http://127.0.0.1:{_closed_port()}")

    assert outcome.returncode == 1
    assert "apt-get install maven" in outcome.stderr
    assert "--archive FILE" in outcome.stderr


def test_second_run_changes_nothing(tmp_path: Path, java: Path, archive: Path) -> None:
    """Idempotent: the same options leave the same files."""
    arguments = ("--archive", str(archive), "--sha512", _sha512(archive))
    _run(tmp_path, *arguments, java=java)
    before = _contents(tmp_path / "kafka")

    outcome = _run(tmp_path, *arguments, java=java)

    assert "is installed" in outcome.stdout
    assert _contents(tmp_path / "kafka") == before


def test_changed_jar_is_installed_again(tmp_path: Path, java: Path, archive: Path) -> None:
    """A run over a damaged installation mends it."""
    arguments = ("--archive", str(archive), "--sha512", _sha512(archive))
    _run(tmp_path, *arguments, java=java)
    jar = tmp_path / "kafka/libs/kafka_2.13-4.3.1.jar"
    jar.write_bytes(b"something else")

    _run(tmp_path, *arguments, java=java)

    assert jar.read_bytes() == b"jar"


def test_old_java_is_refused_with_a_remedy(tmp_path: Path, archive: Path) -> None:
    """Kafka 4 needs Java 17."""
    old = _java(tmp_path / "java8", "1.8.0_402")

    outcome = _run(tmp_path, "--archive", str(archive), "--sha512", _sha512(archive), java=old)

    assert outcome.returncode == 1
    assert "is Java 8" in outcome.stderr
    assert "openjdk-17" in outcome.stderr


def test_missing_java_is_said(tmp_path: Path, archive: Path) -> None:
    """No Java at all is another message than an old one."""
    outcome = _run(tmp_path, "--archive", str(archive), "--sha512", _sha512(archive), java=None)

    assert outcome.returncode == 1
    assert "no Java found" in outcome.stderr


def test_broker_of_a_user_listens_on_loopback_alone(tmp_path: Path, java: Path, archive: Path) -> None:
    """Every listener is 127.0.0.1, topics are never made by accident, time is the broker's."""
    _run(tmp_path, "--archive", str(archive), "--sha512", _sha512(archive), "--port", "19092", java=java)

    properties = _properties(tmp_path / "kafka")
    assert properties["listeners"] == "INTERNAL://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093"
    assert properties["auto.create.topics.enable"] == "false"
    assert properties["log.message.timestamp.type"] == "LogAppendTime"
    assert properties["transaction.state.log.replication.factor"] == "1"


def test_port_of_an_earlier_run_holds(tmp_path: Path, java: Path, archive: Path) -> None:
    """A later run without `--port` keeps the port."""
    arguments = ("--archive", str(archive), "--sha512", _sha512(archive))
    _run(tmp_path, *arguments, "--port", "19092", java=java)

    _run(tmp_path, *arguments, java=java)

    assert "127.0.0.1:19092" in _properties(tmp_path / "kafka")["listeners"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--port", "99999"], "port from 1 to 65535"),
        (["--port"], "needs a value"),
        (["--heap", "much"], "--heap needs a size"),
        (["--external", "a b"], "--external needs a host"),
        (["dance"], "unknown argument 'dance'"),
    ],
)
def test_wrong_use_ends_with_2_and_names_the_option(tmp_path: Path, arguments: list[str], word: str) -> None:
    """Options are checked before anything is done."""
    outcome = _run(tmp_path, *arguments, java=None)

    assert outcome.returncode == 2
    assert word in outcome.stderr


def test_status_of_nothing_is_1(tmp_path: Path) -> None:
    """A folder without a running broker says so."""
    outcome = _run(tmp_path, "status", java=None)

    assert outcome.returncode == 1
    assert "is not running" in outcome.stdout


def test_stop_of_nothing_is_harmless(tmp_path: Path) -> None:
    """Stopping twice is no failure."""
    outcome = _run(tmp_path, "stop", java=None)

    assert outcome.returncode == 0


def test_systemd_unit_runs_as_its_own_user(tmp_path: Path, java: Path) -> None:
    """The unit's program, user and writable folders."""
    unit = _script(tmp_path, ["--print-unit"], java=java, url="").stdout

    assert "User=kafka" in unit
    assert f"ExecStart={java}/bin/java -Xmx256m" in unit
    assert f"ExecStartPre=/opt/kafka/settle.sh /opt/kafka {java}/bin/java" in unit
    assert "ReadWritePaths=/opt/kafka/data /opt/kafka/logs" in unit


def test_start_of_the_system_broker_points_to_systemctl(tmp_path: Path) -> None:
    """start, stop and status belong to `--user`."""
    outcome = _script(tmp_path, ["start"], java=None, url="")

    assert outcome.returncode == 2
    assert "systemctl start kafka" in outcome.stderr


class _SilentHandler(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


def _run(tmp_path: Path, *arguments: str, java: Path | None, url: str = "") -> subprocess.CompletedProcess[str]:
    return _script(tmp_path, ["--user", str(tmp_path / "kafka"), *arguments], java=java, url=url)


def _script(tmp_path: Path, arguments: list[str], *, java: Path | None, url: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": str(_programs(tmp_path)),
        "HOME": str(tmp_path),
        "KAFKA_CACHE_DIR": str(tmp_path / "cache"),
        "KAFKA_DOWNLOAD_URL": url or f"http://127.0.0.1:{_closed_port()}",
    } | ({"JAVA_HOME": str(java)} if java else {})
    command = [str(SCRIPT), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def _programs(tmp_path: Path) -> Path:
    """A PATH with everyday programs, and neither Java nor Maven."""
    folder = tmp_path / "bin"
    if not folder.exists():
        folder.mkdir()
        for name in USED_PROGRAMS:
            if found := shutil.which(name):
                (folder / name).symlink_to(found)
    return folder


def _java(home: Path, version: str) -> Path:
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    program.chmod(0o755)
    return home


def _sha512(file: Path) -> str:
    return hashlib.sha512(file.read_bytes()).hexdigest()


def _apache_form(total: str) -> str:
    """As Apache publishes it: the name, then groups of eight digits over several lines."""
    groups = [total[i : i + 8].upper() for i in range(0, len(total), 8)]
    lines = [" ".join(groups[i : i + 4]) for i in range(0, len(groups), 4)]
    return f"{ARCHIVE}: " + "\n                      ".join(lines) + "\n"


def _properties(home: Path) -> dict[str, str]:
    lines = (home / "config/server.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
