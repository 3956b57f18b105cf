"""What `dt status` shows: each process of the stack, and what it says of itself."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import psutil
import requests

from dt.operations.broker import KAFKA, answers_as_kafka
from dt.operations.plan import SERVICES, ServiceSpec, services_of
from dt.operations.run_folder import RunFolder, living
from dt.utils.config import Settings

_PATIENCE_S = 1.5


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
    """Ask every service at once; takes two seconds at most."""
    folder = RunFolder.of(settings)
    state = folder.state()
    rows: Mapping[str, Any] = state.get("services", {})
    specs = [spec for spec in SERVICES if spec.name in rows] or list(services_of(settings))
    with ThreadPoolExecutor(len(specs) + 1) as pool:
        kafka = pool.submit(_kafka_row, rows.get(KAFKA, {}), str(state.get("kafka_url") or settings.kafka_url))
        services = list(pool.map(lambda spec: _service_row(spec, rows.get(spec.name, {}), settings), specs))
        return StackStatus(is_supervised=folder.supervisor() is not None, services=(kafka.result(), *services))


def _service_row(spec: ServiceSpec, row: Mapping[str, Any], settings: Settings) -> ServiceStatus:
    url = str(row.get("url") or spec.url(settings))
    process = _process_of(row, spec.module)
    health = ask(f"{url}/health")
    ready = ask(f"{url}/ready") if health is not None else None
    state = str(row.get("state", "stopped")) if process is not None or row.get("state") != "running" else "died"
    if process is None and health is not None:
        state = "running"  # by itself, not by the supervisor
    if ready is None:
        why = str(row.get("why") or "") if process is None else f"does not answer at {url}"
    else:
        why = str(ready.get("why") or "")
    return ServiceStatus(
        name=spec.name,
        state=state,
        is_ready=bool(ready and ready.get("ready")),
        why=why or ("" if ready else "not running"),
        pid=None if process is None else process.pid,
        up_s=_uptime_s(process, health),
        port=spec.port(settings) if "url" not in row else int(url.rpartition(":")[2]),
        restarts=int(row.get("restarts", 0)),
        lag=_lag(health or {}),
    )


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
