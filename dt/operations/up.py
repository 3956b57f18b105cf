"""`dt up`: broker, topics, one process per service under a supervisor of its own session; returns when all is ready."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dt.communication.kafka_topics import setup_kafka
from dt.operations.broker import OwnBroker, answers_as_kafka
from dt.operations.child import environment_with, make_room
from dt.operations.plan import SERVICES, fast_environment, is_port_free, rig_file_of, services_of
from dt.operations.run_folder import RunFolder
from dt.operations.status import StackStatus, stack_status
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.exceptions import ConfigError, DTError
from dt.utils.rig import load_rig
from dt.utils.secrets import ensure_token

READY_WITHIN_S = 60.0
_LOOKS_EVERY_S = 0.3
_READY_LOOKS = 2
_SUPERVISOR_WITHIN_S = 15.0

Say = Callable[[str], None]
Progress = Callable[[float, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpRequest:
    """What `dt up` was asked for; `is_broker_given` when the broker is somebody else's business."""

    settings: Settings
    is_broker_given: bool = False
    names: tuple[str, ...] = ()
    ready_within_s: float = READY_WITHIN_S


def up(request: UpRequest, clock: Clock, say: Say, progress: Progress = lambda _done, _total: None) -> StackStatus:
    """Start what does not run yet and return the stack's state; harmless when everything runs."""
    settings = request.settings
    refuse_unknown(request.names)
    folder = RunFolder.of(settings)
    with folder.alone("up"):
        for name in request.names or tuple(spec.name for spec in SERVICES):
            folder.release(name)
        if folder.supervisor() is not None:
            say("the stack runs already")
            _warn_of_another_broker(request, folder, say)
        else:
            _begin(request, folder, clock, say)
        return _wait_until_ready(request, folder, clock, progress)


def refuse_unknown(names: Sequence[str]) -> None:
    """Raise ConfigError for a service that does not exist."""
    known = [spec.name for spec in SERVICES]
    for name in names:
        if name not in known:
            raise ConfigError(f"{name}: no such service; there are {', '.join(known)}")


def _begin(request: UpRequest, folder: RunFolder, clock: Clock, say: Say) -> None:
    settings = request.settings
    load_rig(rig_file_of(settings))
    ensure_token(settings)
    _refuse_taken_ports(settings, folder)
    broker = None if request.is_broker_given else _own_broker(settings, say)
    changes = setup_kafka(settings)
    say(f"topics: {len(changes)} set up" if changes else "topics: as they should be")
    say(f"Kafka clients: {_clients_of(settings)}")
    _start_supervisor(settings, folder, clock, owns_broker=broker is not None)


def _clients_of(settings: Settings) -> str:
    fast = [spec.name for spec in services_of(settings) if fast_environment(spec, settings)]
    rest = f"{settings.kafka_client} (KAFKA_CLIENT)"
    return f"{rest}, for {' and '.join(fast)} confluent" if fast else rest


def _own_broker(settings: Settings, say: Say) -> OwnBroker | None:
    """Start the broker that KAFKA_URL asks for, unless another one answers there."""
    broker = OwnBroker.of(settings)
    if broker is None or (broker.process() is None and answers_as_kafka(settings.kafka_url)):
        say(f"Kafka: using the broker at {settings.kafka_url}")
        return None
    broker.start(lambda line: say(f"Kafka: {line}"))
    return broker


def _refuse_taken_ports(settings: Settings, folder: RunFolder) -> None:
    for spec in services_of(settings):
        port = spec.port(settings)
        if folder.process(spec.name, spec.module) is None and not is_port_free(settings.bind_host, port):
            name = spec.url_setting.upper()
            raise DTError(f"port {port} of the {spec.name} service is taken by another program: free it, or set {name}")


def _start_supervisor(settings: Settings, folder: RunFolder, clock: Clock, *, owns_broker: bool) -> None:
    output = settings.log_dir / "supervisor.log"
    make_room(output)
    with output.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "dt.operations.supervisor", *(["--own-broker"] if owns_broker else [])],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment_with(environment_of(settings)),
            start_new_session=True,
        )
    deadline = clock.monotonic() + _SUPERVISOR_WITHIN_S
    while folder.supervisor() is None:
        if process.poll() is not None or clock.monotonic() > deadline:
            raise DTError(f"the supervisor did not start: see {output}")
        clock.wait(threading.Event(), 0.05)
    # It outlives us on purpose: nobody waits for it.
    process.returncode = 0


def environment_of(settings: Settings) -> Mapping[str, str]:
    """Return what the services need to come to the same settings: only what was given as an option or decided here."""
    given = {"KAFKA_URL": settings.kafka_url, "MESSAGING": "kafka", "RIG_FILE": str(rig_file_of(settings).resolve())}
    if settings.hardware:
        given["HARDWARE"] = settings.hardware
    if settings.store == "influx":
        given |= {"STORAGE": "influx", "INFLUX_URL": settings.influx_url}  # the token comes to them as it came to us
    return given


def _wait_until_ready(request: UpRequest, folder: RunFolder, clock: Clock, progress: Progress) -> StackStatus:
    began = clock.monotonic()
    looks = 0  # in a row that found everything ready: once may be the moment before something falls over
    while True:
        status = _wanted(stack_status(request.settings), request.names, folder)
        elapsed_s = clock.monotonic() - began
        ready = sum(row.is_ready for row in status.services)
        progress(ready, len(status.services))
        looks = looks + 1 if status.is_ready else 0
        if looks >= _READY_LOOKS or elapsed_s > request.ready_within_s or folder.supervisor() is None:
            return status
        clock.wait(threading.Event(), _LOOKS_EVERY_S)


def _wanted(status: StackStatus, names: Sequence[str], folder: RunFolder) -> StackStatus:
    """Leave out what a person holds stopped, or what was not asked for."""
    rows = tuple(row for row in status.services if not folder.is_held(row.name) and (not names or row.name in names))
    return StackStatus(is_supervised=status.is_supervised, services=rows)


def _warn_of_another_broker(request: UpRequest, folder: RunFolder, say: Say) -> None:
    running_with = folder.state().get("kafka_url")
    if request.is_broker_given and running_with and running_with != request.settings.kafka_url:
        say(f"it uses the broker at {running_with}; to change that: dt down, then dt up again")
