"""`dt down`: stops the stack, the broker last; also what a supervisor that died has left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

import psutil

from dt.operations.broker import OwnBroker
from dt.operations.child import wait_or_kill
from dt.operations.plan import SERVICES, ServiceSpec
from dt.operations.run_folder import RunFolder
from dt.operations.up import refuse_unknown
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.exceptions import DTError
from dt.utils.service import STOPS_WITHIN_S

_SUPERVISOR_WITHIN_S = 60.0  # two rounds of services, then the broker
_HELD_WITHIN_S = STOPS_WITHIN_S + 3.0


def down(settings: Settings, clock: Clock, say: Callable[[str], None], names: Sequence[str] = ()) -> bool:
    """Stop everything, or only the named services; return whether anything ran."""
    refuse_unknown(names)
    folder = RunFolder.of(settings)
    with folder.alone("down"):
        return _hold(folder, clock, names) if names else _stop_all(settings, folder, say)


def _stop_all(settings: Settings, folder: RunFolder, say: Callable[[str], None]) -> bool:
    supervisor = folder.supervisor()
    if supervisor is not None:
        say("stopping the stack")
        with suppress(psutil.Error):
            supervisor.terminate()
        if wait_or_kill([supervisor], _SUPERVISOR_WITHIN_S):
            say("the supervisor did not end and was killed")
    left = _stop_orphans(folder, say)
    for spec in SERVICES:
        folder.release(spec.name)
    return supervisor is not None or left | _stop_broker(settings, say)


def _stop_orphans(folder: RunFolder, say: Callable[[str], None]) -> bool:
    """Stop services whose supervisor was killed; the simulated box last, so that pins can be driven safe."""
    found = False
    for last in (False, True):
        specs = [spec for spec in SERVICES if spec.needs_simulation is last]
        found |= _stop_services(folder, specs, say)
    return found


def _stop_services(folder: RunFolder, specs: Sequence[ServiceSpec], say: Callable[[str], None]) -> bool:
    processes = []
    for spec in specs:
        process = folder.process(spec.name, spec.module)
        if process is not None:
            say(f"stopping {spec.name}, which had no supervisor")
            with suppress(psutil.Error):
                process.terminate()
            processes.append(process)
        folder.forget_pid(spec.name)
    wait_or_kill(processes, STOPS_WITHIN_S)
    return bool(processes)


def _stop_broker(settings: Settings, say: Callable[[str], None]) -> bool:
    broker = OwnBroker.of(settings)
    if broker is None or broker.process() is None:
        return False
    say("stopping Kafka")
    broker.stop()
    return True


def _hold(folder: RunFolder, clock: Clock, names: Sequence[str]) -> bool:
    """Have the supervisor stop some services and leave them so until `dt up`."""
    if folder.supervisor() is None:
        raise DTError("the stack does not run")
    specs = [spec for spec in SERVICES if spec.name in names]
    ran = any(folder.process(spec.name, spec.module) for spec in specs)
    for spec in specs:
        folder.hold(spec.name)
    deadline = clock.monotonic() + _HELD_WITHIN_S
    while any(folder.process(spec.name, spec.module) for spec in specs):
        if clock.monotonic() > deadline:
            raise DTError(f"{', '.join(names)}: did not stop")
        clock.wait(threading.Event(), 0.05)
    return ran
