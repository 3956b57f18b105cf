"""What `dt status` shows: each process of the stack, and what it says of itself."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import psutil
import requests

from dt.operations.broker import KAFKA, answers_as_kafka
from dt.operations.plan import SERVICES, ServiceSpec, services_of
from dt.operations.run_folder import RunFolder, living
from dt.utils.config import Settings

CONTROLLER, GUARD = "controller", "guard"
_GUARD_MODULE = "dt.controller.guard_process"
_PATIENCE_S = 3.0  # a loaded machine answers late; a service that hangs is told from one that works


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """One row: who runs where, for how long (s), and whether it is ready."""

    name: str
    state: str
    is_ready: bool
    why: str = ""
    pid: int | None = None
    up_s: float | None = None
    port: int | None = None
    restarts: int = 0
    lag: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackStatus:
    """All rows, and whether a supervisor looks after them."""

    is_supervised: bool
    services: tuple[ServiceStatus, ...]

    @property
    def is_ready(self) -> bool:
        """Whether everything that should run does its work."""
        return self.is_supervised and all(row.is_ready for row in self.services)

    def to_dict(self) -> dict[str, Any]:
        """Return the whole as plain values."""
        rows = [row.to_dict() for row in self.services]
        return {"is_supervised": self.is_supervised, "is_ready": self.is_ready, "services": rows}


def stack_status(settings: Settings) -> StackStatus:
    """Ask every service at once, its two pages at the same time; takes three seconds at most."""
    folder = RunFolder.of(settings)
    state = folder.state()
    rows: Mapping[str, Any] = state.get("services", {})
    specs = [spec for spec in SERVICES if spec.name in rows] or list(services_of(settings))
    with ThreadPoolExecutor(len(specs) + 1) as pool:
        kafka = pool.submit(_kafka_row, rows.get(KAFKA, {}), str(state.get("kafka_url") or settings.kafka_url))
        found = list(pool.map(lambda spec: _service_rows(spec, rows.get(spec.name, {}), settings), specs))
        services = tuple(row for group in found for row in group)
        return StackStatus(is_supervised=folder.supervisor() is not None, services=(kafka.result(), *services))


def _service_rows(spec: ServiceSpec, row: Mapping[str, Any], settings: Settings) -> list[ServiceStatus]:
    """Return a service's row, and behind the controller's that of its guard."""
    url = str(row.get("url") or spec.url(settings))
    process = _process_of(row, spec.module)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, f"{url}/ready")
        health = ask(f"{url}/health")
        ready = asked.result()
    service = _service_row(spec, row, url, process, health, ready)
    if spec.name != CONTROLLER or process is None:
        return [service]
    return [service, _guard_row(process, health or {})]


def _guard_row(controller: psutil.Process, health: Mapping[str, Any]) -> ServiceStatus:
    """Return the row of the process that owns the pins; the controller starts it and knows how it does."""
    guard = None
    with suppress(psutil.Error):
        guard = next((child for child in controller.children() if living(child.pid, _GUARD_MODULE)), None)
    says = str(health.get(GUARD, "the controller does not answer"))
    return ServiceStatus(
        name=GUARD,
        state="waiting" if guard is None else "running",
        is_ready=says == "ok",
        why="" if says == "ok" else says,
        pid=None if guard is None else guard.pid,
        up_s=_uptime_s(guard, None),
    )


def _service_row(
    spec: ServiceSpec,
    row: Mapping[str, Any],
    url: str,
    process: psutil.Process | None,
    health: Mapping[str, Any] | None,
    ready: Mapping[str, Any] | None,
) -> ServiceStatus:
    return ServiceStatus(
        name=spec.name,
        state=_state(row, process, health),
        is_ready=bool(ready and ready.get("ready")),
        why=_why(row, process, ready, url),
        pid=None if process is None else process.pid,
        up_s=_uptime_s(process, health),
        port=urlsplit(url).port,
        restarts=int(row.get("restarts", 0)),
        lag=_lag(health or {}),
    )


def _state(row: Mapping[str, Any], process: psutil.Process | None, health: Mapping[str, Any] | None) -> str:
    if process is None and health is not None:
        return "running"  # by itself, not by the supervisor
    state = str(row.get("state", "stopped"))
    return "died" if process is None and state == "running" else state


def _why(row: Mapping[str, Any], process: psutil.Process | None, ready: Mapping[str, Any] | None, url: str) -> str:
    if ready is not None:
        return str(ready.get("why") or "")
    return f"does not answer at {url}" if process is not None else str(row.get("why") or "not running")


def _kafka_row(row: Mapping[str, Any], address: str) -> ServiceStatus:
    first = address.split(",", 1)[0]
    process = _process_of(row, "kafka.Kafka")
    is_there = answers_as_kafka(first, _PATIENCE_S)
    state = str(row["state"]) if row else "elsewhere" if is_there else "stopped"
    return ServiceStatus(
        name=KAFKA,
        state="died" if state == "running" and process is None else state,
        is_ready=is_there,
        why="" if is_there else f"no broker answers at {first}",
        pid=None if process is None else process.pid,
        up_s=_uptime_s(process, None),
        port=int(first.rpartition(":")[2]),
        restarts=int(row.get("restarts", 0)),
    )


def _process_of(row: Mapping[str, Any], mark: str) -> psutil.Process | None:
    pid = row.get("pid")
    return living(pid, mark) if isinstance(pid, int) else None


def _uptime_s(process: psutil.Process | None, health: Mapping[str, Any] | None) -> float | None:
    if process is not None:
        with suppress(psutil.Error):
            return round(max(0.0, time.time() - process.create_time()), 1)
    up_s = (health or {}).get("up_s")
    return float(up_s) if isinstance(up_s, int | float) else None


def _lag(health: Mapping[str, Any]) -> int | None:
    """Return the records that a service has not yet dealt with, where it says so."""
    lag = health.get("lag")
    if isinstance(lag, Mapping):
        return sum(int(part) for part in lag.values())
    return int(lag) if isinstance(lag, int | float) else None


def ask(url: str) -> dict[str, Any] | None:
    """Return the JSON object that a service answers with, also when it is not ready; None when there is none."""
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy lies between us and a service of this machine
            found = session.get(url, timeout=_PATIENCE_S).json()
    except (requests.RequestException, ValueError):
        return None
    return found if isinstance(found, dict) else None
