"""The step before a killed broker starts again."""

from __future__ import annotations

import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "kraft" / "settle.sh"


def test_a_new_broker_has_nothing_to_settle(tmp_path: Path) -> None:
    """No Java is started where there is no storage yet."""
    assert _settle(tmp_path).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_broker_that_ended_by_itself_has_nothing_to_settle(tmp_path: Path) -> None:
    """Kafka leaves a mark when it ends cleanly."""
    (tmp_path / "data" / "__cluster_metadata-0").mkdir(parents=True)
    (tmp_path / "data" / ".kafka_cleanshutdown").touch()

    assert _settle(tmp_path).returncode == 0
    assert not (tmp_path / "logs").exists()


def test_a_controller_that_does_not_start_is_told(tmp_path: Path) -> None:
    """Starting regardless could lose readings, so the start fails and names the log."""
    (tmp_path / "data" / "__cluster_metadata-0").mkdir(parents=True)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "server.properties").write_text(
        "process.roles=broker,controller\nlisteners=INTERNAL://127.0.0.1:1,CONTROLLER://127.0.0.1:2,EXTERNAL://127.0.0.1:3\n"
        "advertised.listeners=INTERNAL://127.0.0.1:1\nbroker.session.timeout.ms=9000\n"
        "listener.name.external.ssl.keystore.password=secret\n"
    )

    outcome = _settle(tmp_path)

    assert outcome.returncode == 1
    assert f"does not start, see {tmp_path}/logs" in outcome.stderr
    assert (tmp_path / "logs" / "settle.properties").read_text().splitlines() == [
        "process.roles=controller",
        "listeners=CONTROLLER://127.0.0.1:2",
        "broker.session.timeout.ms=600",
    ]


def _settle(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, root, "false"], capture_output=True, text=True, timeout=60, check=False)
