"""Which processes make up the real stack, in one table."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import dt
from dt.communication.opening import has_confluent
from dt.utils.config import Settings
from dt.utils.exceptions import ConfigError

REPOSITORY = Path(dt.__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """One service: its name, the module that runs it, and the setting that holds its URL."""

    name: str
    module: str
    url_setting: str
    needs_simulation: bool = False
    is_fast: bool = False  # carries every reading: uses the fast Kafka client where it is installed

    def url(self, settings: Settings) -> str:
        """Return where the service answers."""
        return str(getattr(settings, self.url_setting))

    def port(self, settings: Settings) -> int:
        """Return the port that the service listens on."""
        return urlsplit(self.url(settings)).port or 80


# In the order of starting; they wait for each other, so any order works.
SERVICES = (
    ServiceSpec(name="simulator", module="dt.simulator.main", url_setting="flask_simulator_url", needs_simulation=True),
    ServiceSpec(name="database", module="dt.data.database.app", url_setting="flask_db_url", is_fast=True),
    ServiceSpec(name="webapp", module="dt.webapp.app", url_setting="flask_dashboard_url"),
    ServiceSpec(name="processing", module="dt.data.processing.main", url_setting="flask_processing_url", is_fast=True),
    ServiceSpec(name="ai", module="dt.ai.app", url_setting="flask_ai_url"),
    ServiceSpec(name="alerts", module="dt.alerts.app", url_setting="flask_alerts_url"),
    ServiceSpec(name="controller", module="dt.controller.app", url_setting="flask_controller_url"),
    ServiceSpec(name="collector", module="dt.collector.main", url_setting="flask_collector_url"),
)


def services_of(settings: Settings) -> tuple[ServiceSpec, ...]:
    """Return the services of this installation; the simulator runs unless HARDWARE says pi."""
    is_simulated = settings.hardware != "pi"
    return tuple(spec for spec in SERVICES if is_simulated or not spec.needs_simulation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How a process is started, and what its command line holds that tells it from a stranger."""

    name: str
    arguments: tuple[str, ...]
    mark: str
    environment: Mapping[str, str] = field(default_factory=dict)
    stops_last: bool = False


def command_of(spec: ServiceSpec, environment: Mapping[str, str]) -> Command:
    """Return the command line of a service."""
    return Command(
        name=spec.name,
        arguments=(sys.executable, "-m", spec.module),
        mark=spec.module,
        environment=environment,
        stops_last=spec.needs_simulation,  # pins can be driven safe until the end
    )


def fast_environment(spec: ServiceSpec, settings: Settings) -> Mapping[str, str]:
    """Return what makes a service use confluent-kafka: nothing where it is not installed, or KAFKA_CLIENT decides."""
    is_chosen = "kafka_client" in settings.model_fields_set
    return {"KAFKA_CLIENT": "confluent"} if spec.is_fast and not is_chosen and has_confluent() else {}


def rig_file_of(settings: Settings) -> Path:
    """Return RIG_FILE, or the repository's where the default is not in this folder."""
    ours = REPOSITORY / "rig.toml"
    is_default = "rig_file" not in settings.model_fields_set
    if is_default and not settings.rig_file.is_file() and ours.is_file():
        return ours
    if not settings.rig_file.is_file():
        raise ConfigError(f"RIG_FILE: {settings.rig_file}: no such file")
    return settings.rig_file


def script(name: str) -> Path:
    """Return a file of the checkout's `scripts`."""
    path = REPOSITORY / "scripts" / name
    if not path.is_file():
        raise ConfigError(f"scripts/{name} is not beside the installed package: run dt from a checkout")
    return path


def is_port_free(host: str, port: int) -> bool:
    """Return whether a service could listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str) -> int:
    """Return a port that nobody listens on at the moment."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
