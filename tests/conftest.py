"""What all tests share: a log in memory, clocks, quiet logs, a rig and real HTTP servers on free ports."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings as hypothesis_settings

from dt.communication.memory import MemoryMessaging
from dt.utils.clock import ManualClock
from dt.utils.config import Settings, load_settings
from dt.utils.logger import configure_logging

hypothesis_settings.register_profile("steady", deadline=None, derandomize=True, print_blob=True)
hypothesis_settings.register_profile("seeded", deadline=None, print_blob=True)  # a steady one heeds no seed
hypothesis_settings.load_profile("steady")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True, scope="session")
def _logs_aside(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the tests' logs out of `logs/`."""
    configure_logging(tmp_path_factory.mktemp("logs"), "ERROR")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no setting of the machine reach a test."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings whose files lie in the test's own folder."""
    return load_settings(
        env_file=None,
        data_dir=tmp_path / "data",
        log_dir=tmp_path / "logs",
        rig_file=ROOT / "rig.toml",
        dt_token="test-token",
        hardware="simulated",
        messaging="memory",
    )


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands still."""
    return ManualClock()


@pytest.fixture
def messaging() -> Iterator[MemoryMessaging]:
    """Return a log in memory, closed afterwards."""
    service = MemoryMessaging()
    yield service
    service.close()


@pytest.fixture
def eventually() -> Callable[[Callable[[], object], str], None]:
    """Return a wait for a condition: `eventually(lambda: x == 1, "x became 1")`, at most 10 s."""
    return wait_until


def lacking(what: str) -> NoReturn:
    """Skip a test for want of something, unless DT_REQUIRE_SERVERS=1 says that it has to be there."""
    if os.environ.get("DT_REQUIRE_SERVERS") == "1":
        pytest.fail(what)
    pytest.skip(what)


def wait_until(
    condition: Callable[[], object],
    what: str = "the condition holds",
    within_s: float = 10.0,
    every_s: float = 0.01,
) -> None:
    """Poll until the condition is true; fail saying what did not happen."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"after {within_s:g} s it is still not so that {what}")
        time.sleep(every_s)
