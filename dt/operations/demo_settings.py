"""The demo's own settings: a folder of its own, ports that are free, the simulated box, the log in memory."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dt.operations.plan import SERVICES, free_port, is_port_free, rig_file_of
from dt.utils.config import Settings, load_settings
from dt.utils.exceptions import ConfigError, DTError

DEFAULT_DAYS = 14.0
MOST_DAYS = 365.0
_MARK = ".plant-twin-demo"
_DASHBOARD = "flask_dashboard_url"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRequest:
    """What `dt demo` was asked for.

    `port` None means 5000 or, when that is taken, another; `seed` None means the scenario's, or else 1.
    """

    days: float = DEFAULT_DAYS
    port: int | None = None
    seed: int | None = None
    keep: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be shown."""
        if not 0.0 < self.days <= MOST_DAYS:
            raise ConfigError(f"--days: must be more than 0 and at most {MOST_DAYS:g}, not {self.days:g}")
        if self.port is not None and not 1 <= self.port <= 65535:
            raise ConfigError(f"--port: must be from 1 to 65535, not {self.port}")


def demo_settings(request: DemoRequest, base: Settings) -> Settings:
    """Return the demo's settings; raises DTError when the dashboard's port was asked for and is taken."""
    folder = demo_dir(base)
    overrides: dict[str, Any] = {
        "messaging": "memory",
        "storage": "sqlite",
        "database_url": "",
        "hardware": "simulated",
        "rig_file": rig_file_of(base),
        "data_dir": folder,
        "models_dir": folder / "models",
        "wire_socket": folder / "wire.sock",
        "topic_prefix": "",
        "mqtt_url": "",
        "notice_urls": "",  # nobody is to be woken for a simulated plant
        "escalation_urls": "",
    }
    return load_settings(**overrides, **_urls(request, base))


def demo_dir(base: Settings) -> Path:
    """Return where the demo of an installation keeps everything."""
    return base.data_dir / "demo"


def is_demo_running(base: Settings) -> bool:
    """Return whether a demo holds that folder."""
    try:
        with _lock_file(demo_dir(base)).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextlib.contextmanager
def demo_folder(settings: Settings, *, keep: bool) -> Iterator[Path]:
    """Hold the demo's folder, emptied unless it is to be kept; raises DTError while another demo holds it."""
    folder = settings.data_dir
    folder.mkdir(parents=True, exist_ok=True)
    with _lock_file(folder).open("w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DTError(f"another demo runs in {folder}: stop it first, or set DATA_DIR for a second one") from error
        if not keep:
            _empty(folder)
        (folder / _MARK).touch()
        yield folder


def _lock_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _empty(folder: Path) -> None:
    """Remove what an earlier demo left, and nothing that is not a demo's."""
    left = [entry for entry in folder.iterdir() if entry.name != _MARK]
    if left and not (folder / _MARK).exists():
        raise DTError(f"{folder} holds files that no demo made: move them away, or set DATA_DIR")
    for entry in left:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _urls(request: DemoRequest, base: Settings) -> dict[str, str]:
    host = base.bind_host
    dashboard = _dashboard_port(request, base)
    taken = {dashboard}
    urls = {_DASHBOARD: _url(host, dashboard)}
    for spec in SERVICES:
        if spec.url_setting != _DASHBOARD:
            port = _port(host, spec.port(base), taken)
            taken.add(port)
            urls[spec.url_setting] = _url(host, port)
    return urls


def _dashboard_port(request: DemoRequest, base: Settings) -> int:
    if request.port is None:
        return _port(base.bind_host, urlsplit(base.flask_dashboard_url).port or 80, set())
    if not is_port_free(base.bind_host, request.port):
        raise DTError(f"port {request.port} is taken by another program: choose another with --port")
    return request.port


def _port(host: str, wanted: int, taken: Set[int]) -> int:
    """Return the wanted port, or a free one in its stead."""
    if wanted not in taken and is_port_free(host, wanted):
        return wanted
    while (port := free_port(host)) in taken:
        continue
    return port


def _url(host: str, port: int) -> str:
    reachable = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - recognised, not listened on
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
