"""`scripts/setup_influxdb.sh` and the hands-on scripts for InfluxDB, as a person would call them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dt.data.database.influx_rollups import Rollups
from dt.data.database.influx_server import InfluxServer
from dt.operations.checkup import Finding, Patient
from dt.operations.doctor_influx import check_influx
from dt.utils.clock import SystemClock
from dt.utils.config import Settings, load_settings
from tests.integration.broker import free_ports
from tests.integration.conftest import influx
from tests.integration.influx import ORG, SCRIPT, Influx

__all__ = ["influx"]

FOLDER = Path(__file__).resolve().parents[2] / "scripts" / "hands-on-scripts" / "software"

Call = Callable[..., subprocess.CompletedProcess[str]]


def set_up(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run setup_influxdb.sh to its end."""
    command = [str(SCRIPT), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment}
    )


def hands_on(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a hands-on script to its end, with no setting of this machine's."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("INFLUX_")}
    command = [sys.executable, str(FOLDER / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={**own, **environment})


def patient(influx: Influx, **changes: object) -> Patient:
    """Return a patient whose readings are kept on the server."""
    given = {"influx_url": influx.url, "influx_token": influx.token, "influx_org": ORG, **changes}
    settings: Settings = load_settings(env_file=None, **given)
    return Patient(settings=settings, origins={})


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--port", "70000"], "--port needs a port from 1 to 65535, not '70000'"),
        (["--port"], "--port needs a value"),
        (["--bucket", "a b"], "--bucket needs a name of letters, digits"),
        (["--start"], "--start needs --dir DIR"),
        (["--frobnicate"], "unknown argument '--frobnicate'"),
    ],
)
def test_wrong_use_is_told_with_exit_code_2(arguments: list[str], why: str) -> None:
    """Before anything is done."""
    outcome = set_up(*arguments)

    assert outcome.returncode == 2
    assert why in outcome.stderr


def test_an_empty_cache_names_the_remedy(tmp_path: Path) -> None:
    """Tests ask for what is there; they never build for minutes unasked."""
    outcome = set_up("--from-cache", INFLUXDB_CACHE_DIR=str(tmp_path), PATH="/usr/bin:/bin")

    assert outcome.returncode == 1
    assert "build it with --from-source" in outcome.stderr


def test_an_old_go_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    """With the version that is needed."""
    program = tmp_path / "go"
    program.write_text("#!/bin/sh\necho go1.19.8\n")
    program.chmod(0o755)

    outcome = set_up("--from-source", INFLUXDB_CACHE_DIR=str(tmp_path / "cache"), PATH=f"{tmp_path}:/usr/bin:/bin")

    assert outcome.returncode == 1
    assert "Go is 1.19.8: 1.23 or newer is needed" in outcome.stderr
    assert not (tmp_path / "cache" / "build").exists()


@pytest.mark.skipif(shutil.which("gpg") is None or os.geteuid() != 0, reason="needs gpg and root")
def test_a_wrong_key_installs_nothing(tmp_path: Path) -> None:
    """The key of a repository is checked by its fingerprint before apt trusts it."""
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    make = [*gpg, "--passphrase", "", "--quick-generate-key", "somebody@example.org", "ed25519"]
    subprocess.run(make, check=True, capture_output=True, timeout=60)
    exported = subprocess.run([*gpg, "--armor", "--export"], check=True, capture_output=True, timeout=60)
    (tmp_path / "key.asc").write_bytes(exported.stdout)

    outcome = set_up(INFLUXDB_KEY_URL=(tmp_path / "key.asc").as_uri(), PATH="/usr/sbin:/usr/bin:/sbin:/bin")

    assert outcome.returncode == 1
    assert "24C975CBA61A024EE1B631787C3D57159FC2F927: nothing was installed" in outcome.stderr
    assert not Path("/etc/apt/sources.list.d/influxdata.list").exists()


@pytest.mark.integration
def test_its_server_is_set_up_once_and_its_token_is_for_its_owner_alone(influx: Influx) -> None:
    """A second start finds it running; secrets lie in files of mode 0600, in a folder of mode 0700."""
    before = influx.token_file.read_text()

    said = influx.run("--start", "--port", str(influx.port))

    assert "runs already" in said
    assert influx.token not in said
    assert influx.token_file.read_text() == before
    assert influx.token_file.stat().st_mode & 0o777 == 0o600
    assert influx.home.stat().st_mode & 0o777 == 0o700
    assert influx.url in influx.run("--status")


@pytest.mark.integration
def test_a_taken_port_is_told(influx: Influx, tmp_path: Path) -> None:
    """Nothing is left behind."""
    outcome = set_up("--from-cache", "--dir", str(tmp_path / "second"), "--start", "--port", str(influx.port))

    assert outcome.returncode == 1
    assert f"port {influx.port} is taken" in outcome.stderr
    assert not (tmp_path / "second" / "influxd.pid").exists()


@pytest.mark.integration
def test_what_the_writer_writes_the_reader_shows(influx: Influx) -> None:
    """By the settings that the set-up wrote, without any of ours."""
    given = {"INFLUX_URL": influx.url, "INFLUX_TOKEN": influx.token, "INFLUX_BUCKET": influx.new_bucket()}

    written = hands_on("influx_write.py", "--count", "30", "--sensor", 'shelf "top", a=b', **given)
    read = hands_on("influx_read.py", "--count", "5", "--json", **given)
    shown = hands_on("influx_read.py", "--count", "1", **given)

    assert (written.returncode, read.returncode, shown.returncode) == (0, 0, 0)
    rows = [json.loads(row) for row in read.stdout.splitlines()]
    assert [row["value"] for row in rows] == [22.8, 22.55, 22.28, 22.0, 21.72]
    assert {row["sensor_id"] for row in rows} == {'shelf "top", a=b'}
    assert shown.stdout.endswith('shelf "top", a=b  21.72 degC\n')


@pytest.mark.parametrize("script", ["influx_write.py", "influx_read.py"])
def test_scripts_tell_in_one_line_what_is_missing(script: str) -> None:
    """No token, or no server: no traceback."""
    nobody = f"http://127.0.0.1:{free_ports()}"

    for arguments, why in (((), "no token: set INFLUX_TOKEN"), (("--token", "x", "--url", nobody), nobody)):
        outcome = hands_on(script, *arguments)
        assert outcome.returncode == 1
        assert len(outcome.stderr.splitlines()) == 1
        assert why in outcome.stderr


@pytest.mark.integration
def test_the_doctor_sees_what_is_wrong_with_influx(influx: Influx) -> None:
    """Token, bucket, roll-ups, server: each with its remedy."""
    bucket = influx.new_bucket()
    bare = check_influx(patient(influx, influx_bucket=bucket))
    server = InfluxServer(influx.url, influx.token, ORG, bucket)
    Rollups(server, SystemClock()).set_up()
    server.close()

    assert (bare.finding, check_influx(patient(influx, influx_bucket=bucket)).finding) == (Finding.WARNING, Finding.OK)
    assert "no roll-ups yet: 1h, 5m, 1m" in bare.detail
    wrong = {
        "INFLUX_TOKEN is not one of this server's": {"influx_token": "wrong"},
        "there is no bucket 'nowhere'": {"influx_bucket": "nowhere"},
        "is nothing that answers": {"influx_url": f"http://127.0.0.1:{free_ports()}"},
        "not set: INFLUX_TOKEN": {"influx_token": "", "storage": "influx"},
    }
    for why, changes in wrong.items():
        check = check_influx(patient(influx, **changes))
        assert check.finding is Finding.FAILED
        assert why in check.detail
        assert check.remedy
    assert check_influx(patient(influx, storage="sqlite")).finding is Finding.SKIPPED
