"""Fuzz the whole REST facade with schemathesis: the real services on the log in memory, requests made of the document.

No answer may be a 5xx, and every answer must be as `/openapi.json` says. Exits with schemathesis's own code.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dt.alerts.app import create_service as create_alerts  # noqa: E402 - the checkout comes first on the path
from dt.communication.memory import MemoryMessaging  # noqa: E402
from dt.data.database.app import create_service as create_database  # noqa: E402
from dt.utils.clock import SystemClock  # noqa: E402
from dt.utils.config import load_settings  # noqa: E402
from tests.data.database.full_store import fill  # noqa: E402

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
# The first is 503 by design while a service is not ready.
LEFT_OUT = ("/ready",)
TOKEN = "fuzz"  # noqa: S105 - of a service that lives for a minute


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the services, fuzz them for a while, stop them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long (%(default)g)")
    parser.add_argument("--seed", type=int, help="repeat a run")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as url:
        return subprocess.run(_command(url, args.seconds, args.seed), cwd=folder, check=False).returncode


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Give the address of a database service with one of everything in it, and an alerts service behind it."""
    messaging, clock = MemoryMessaging(), SystemClock()
    settings = load_settings(
        env_file=None,
        data_dir=folder / "data",
        rig_file=ROOT / "rig.toml",
        flask_db_url="http://127.0.0.1:0",
        flask_alerts_url="http://127.0.0.1:0",
        dt_token=TOKEN,
    )
    alerts = create_alerts(settings, messaging, clock)
    alerts.start()
    named = settings.model_copy(update={"flask_alerts_url": f"http://127.0.0.1:{alerts.port}"})
    database = create_database(named, messaging, clock)
    database.start()
    try:
        fill(database, messaging, wait_until, TOKEN)
        yield f"http://127.0.0.1:{database.port}"
    finally:
        database.stop()
        alerts.stop()
        messaging.close()


def wait_until(is_so: Callable[[], object], what: str) -> None:
    """Wait for what comes by the log; 20 s at most."""
    deadline = time.monotonic() + 20.0
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit(f"fuzz: {what}: not within 20 s")
        time.sleep(0.05)


def _command(url: str, seconds: float, seed: int | None) -> list[str]:
    left_out = [word for path in LEFT_OUT for word in ("--exclude-path", path)]
    chosen = [] if seed is None else ["--seed", str(seed)]
    return [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"),
        *("--max-time", f"{seconds:g}", "--checks", ",".join(CHECKS), "--header", f"Authorization: Bearer {TOKEN}"),
        *("--workers", "1", "--continue-on-failure", "--no-color", "--generation-database", "none"),
        *("--request-timeout", "20", "--warnings", "off", *left_out, *chosen),
    ]


if __name__ == "__main__":
    sys.exit(main())
