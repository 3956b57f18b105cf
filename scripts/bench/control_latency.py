"""How soon a command reaches a pin, in one process and by a genuine broker, and how soon the emergency stop does."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from control_house import RELAYS, House, Pins, rig_text
from stage import wait_for

from dt.communication.kafka import KafkaMessaging
from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import MessagingService
from dt.communication.topics import Topics
from dt.communication.wire_pins import WireFactory
from dt.controller.app import create_service
from dt.controller.intake import SIGNATURE_HEADER
from dt.controller.opening import open_guard_here
from dt.operations.plan import free_port
from dt.utils.clock import SystemClock
from dt.utils.config import load_settings
from dt.utils.dataclasses import ActionCommand, Command
from dt.utils.ids import new_correlation_id
from dt.utils.rig import parse_rig
from dt.utils.secrets import sign

_ON_S = 30.0
_WITHIN_S = 5.0
_TOKEN = "bench"  # noqa: S105 - of a stack that lives for some minutes


def in_one_process(folder: Path, count: int) -> list[float]:
    """Return seconds from a command's publishing on the log in memory to its pin, the guard in this process."""
    rig_file = folder / "rig.toml"
    rig_file.write_text(rig_text(), encoding="utf-8")
    url = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    settings = load_settings(
        env_file=None, data_dir=folder, log_dir=folder / "logs", rig_file=rig_file, hardware="simulated",
        dt_token=_TOKEN, flask_controller_url=url,
    )  # fmt: skip
    rig, clock = parse_rig(rig_text(), rig_file), SystemClock()
    pins = Pins(rig)
    guard = open_guard_here(settings, rig, clock, WireFactory(pins.wire))
    with closing(MemoryMessaging(clock)) as messaging:
        controller = create_service(settings, messaging, clock, guard)
        controller.start()
        try:
            wait_for(lambda: controller.ready() is None, "the controller is not ready")
            return _timed(messaging, pins, count)
        finally:
            controller.stop()


def by_broker(house: House, count: int) -> list[float]:
    """Return seconds from a command's publishing on the genuine broker to its pin."""
    with closing(KafkaMessaging(house.settings, "bench", SystemClock())) as messaging:
        return _timed(messaging, house.pins, count)


def stops_while_the_disk_stalls(house: House, count: int) -> list[float]:
    """Return seconds from pressing the emergency stop to a pin that is low, while nobody can write the ledger."""
    taken = []
    for number in range(count):
        relay = RELAYS[number % len(RELAYS)]
        asked_s = time.monotonic()
        answer = house.ask("POST", f"/actuators/{relay}/commands", {"command": "on", "duration_s": _ON_S})
        if answer.status_code != 202:
            raise RuntimeError(f"{relay}: {answer.status_code} {answer.text}")
        _rose(house.pins, relay, asked_s)
        with _stalled(house.ledger):
            pressed_s = time.monotonic()
            presser = threading.Thread(target=house.ask, args=("POST", "/emergency_stop", {"by": "bench"}))
            presser.start()
            fell_s = house.pins.wait(relay, is_on=False, since_s=pressed_s, within_s=_WITHIN_S)
            taken.append(_WITHIN_S if fell_s is None else fell_s - pressed_s)
        presser.join()
        wait_for(lambda: house.ask("DELETE", "/emergency_stop", {"by": "bench"}).status_code == 200, "no release")
    return taken


@contextmanager
def _stalled(ledger: Path) -> Iterator[None]:
    """Hold the file so that every write of the guard waits, as it does for a disk that stalls."""
    with closing(sqlite3.connect(ledger, isolation_level=None, timeout=5.0)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            holder.execute("ROLLBACK")


def _timed(messaging: MessagingService, pins: Pins, count: int) -> list[float]:
    """Switch relays on and off again by signed commands, the first few not counted."""
    taken: list[float] = []
    for number in range(count + 4):
        relay = RELAYS[number % len(RELAYS)]
        sent_s = _send(messaging, relay, Command.ON)
        taken.append(_rose(pins, relay, sent_s) - sent_s)
        sent_s = _send(messaging, relay, Command.OFF)
        if pins.wait(relay, is_on=False, since_s=sent_s, within_s=_WITHIN_S) is None:
            raise TimeoutError(f"{relay} stays on")
    return taken[4:]


def _send(messaging: MessagingService, relay: str, what: Command) -> float:
    now = time.time()
    command = ActionCommand(
        action_id=new_correlation_id(now), actuator_id=relay, command=what, issuer="bench", timestamp=now,
        correlation_id=new_correlation_id(now), duration_s=_ON_S if what is Command.ON else None,
    )  # fmt: skip
    value = command.to_json()
    sent_s = time.monotonic()
    messaging.publish(Topics.ACTIONS, value, key=relay, headers={SIGNATURE_HEADER: sign(value, _TOKEN)})
    return sent_s


def _rose(pins: Pins, relay: str, since_s: float) -> float:
    at_s = pins.wait(relay, is_on=True, since_s=since_s, within_s=_WITHIN_S)
    if at_s is None:
        raise TimeoutError(f"{relay} does not go on")
    return at_s
