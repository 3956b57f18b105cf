"""Checks of the stack: ports, broker, topics, database service, wire."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

from dt.communication.kafka_topics import setup_kafka
from dt.operations.broker import answers_as_kafka
from dt.operations.checkup import Check, Patient, failed, fine, skipped
from dt.operations.plan import ServiceSpec, is_port_free, services_of
from dt.operations.status import ask
from dt.utils.config import Settings
from dt.utils.exceptions import ConfigError, DTError
from dt.utils.hardware import is_simulated

_UP = "make up (dt up) starts the whole stack; the demo needs none of it"


def check_ports(patient: Patient) -> Check:
    """Look whether every service's port is free or answered by the service itself."""
    settings = patient.settings
    strangers = [spec for spec in services_of(settings) if not _is_usable(settings, spec)]
    if strangers:
        ports = ", ".join(f"{spec.port(settings)} ({spec.name})" for spec in strangers)
        names = ", ".join(spec.url_setting.upper() for spec in strangers)
        return failed("ports", f"taken by other programs: {ports}", f"stop those programs, or set {names}")
    return fine("ports", "every service's port is free or served by it")


def check_kafka(patient: Patient) -> Check:
    """Look whether Kafka answers and has the topics that it should have."""
    settings = patient.settings
    if settings.messaging == "memory":
        return skipped("kafka", "MESSAGING is memory")
    first = settings.kafka_url.split(",", 1)[0]
    if settings.kafka_security_protocol == "PLAINTEXT" and not answers_as_kafka(first):
        return failed("kafka", f"no broker answers at {first}", f"{_UP}; or set KAFKA_URL to a broker that runs")
    try:
        missing = setup_kafka(settings, is_dry_run=True)
    except DTError as error:
        return failed("kafka", str(error), "see the KAFKA_ settings: dt settings")
    if missing:
        return failed("kafka", f"{len(missing)} topics are not as they should be", "make kafka-topics")
    return fine("kafka", f"{settings.kafka_url}, topics as they should be")


def check_database(patient: Patient) -> Check:
    """Look whether the database service answers and is ready."""
    url = patient.settings.flask_db_url
    ready = ask(f"{url}/ready")
    if ready is None or "ready" not in ready:
        return failed("database", f"no database service answers at {url}", f"{_UP}; make run-database starts it alone")
    if not ready["ready"]:
        return failed("database", f"not ready: {ready.get('why')}", f"see the log in {patient.settings.log_dir}")
    return fine("database", f"ready at {url}")


def check_wire(patient: Patient) -> Check:
    """Look whether the simulated box answers at its socket."""
    try:
        if not is_simulated(patient.settings):
            return skipped("wire", "this rig is real")
    except ConfigError:
        return skipped("wire", "HARDWARE is not chosen")
    path = patient.settings.wire_path
    if not _listens(path):
        return failed("wire", f"no plant box listens at {path}", f"{_UP}; make run-simulator starts the box alone")
    return fine("wire", f"the plant box listens at {path}")


STACK_CHECKS: tuple[Callable[[Patient], Check], ...] = (check_ports, check_kafka, check_database, check_wire)


def _is_usable(settings: Settings, spec: ServiceSpec) -> bool:
    if is_port_free(settings.bind_host, spec.port(settings)):
        return True
    health = ask(f"{spec.url(settings)}/health")
    return health is not None and health.get("service") == spec.name


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except OSError:
            return False
    return True
