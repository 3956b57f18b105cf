"""A rig of pumps and relays on simulated pins that keep their level, and real processes that own and command them."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import requests
from crash_crew import Worker
from stage import Stage, wait_for

from dt.communication.wire import WireServer
from dt.controller.rig_limits import LEDGER_FILE, guard_folder
from dt.simulator.board import BoxWire
from dt.simulator.box import Box
from dt.simulator.from_rig import box_spec
from dt.simulator.wiring import wiring
from dt.utils.clock import SystemClock
from dt.utils.ids import new_correlation_id
from dt.utils.rig import Rig, parse_rig

PUMPS = 18
RELAYS = ("relay-a", "relay-b")
FLOW_ML_S = 50.0
_FIRST_PIN = 5
_PUMP = """
[plants.plant-{n:02d}]
zone = "bench"
pot_volume_l = 100.0

[[actuators]]
id = "pump-{n:02d}"
kind = "pump"
plant = "plant-{n:02d}"
pin = "GPIO{pin}"
flow_ml_s = {flow}
pause_s = 60
supply = "supply-{n:02d}"
reservoir = "can-{n:02d}"
reservoir_ml = 20000.0
"""
_RELAY = """
[[actuators]]
id = "{name}"
kind = "relay"
zone = "bench"
pin = "GPIO{pin}"
pause_s = 0
"""
_ASKS_FOR_S = 10.0


def rig_text() -> str:
    """Return the rig: pumps with a supply, a plant and a can of their own each, so that none waits for another."""
    pumps = (_PUMP.format(n=n, pin=_FIRST_PIN + n, flow=FLOW_ML_S) for n in range(PUMPS))
    relays = (_RELAY.format(name=name, pin=_FIRST_PIN + PUMPS + n) for n, name in enumerate(RELAYS))
    supplies = (f"[supplies.supply-{n:02d}]\nlimit_w = 100\n" for n in range(PUMPS))
    return "\n".join(['[zones.bench]\nname = "Bench"\n', *supplies, *pumps, *relays])


@dataclass(frozen=True, slots=True)
class Change:
    """A pin that changed its level, at a monotonic time."""

    at_s: float
    actuator_id: str
    is_on: bool


class Pins:
    """The box behind the wire, with every change of its output pins dated as it happens."""

    def __init__(self, rig: Rig) -> None:
        spec = box_spec(rig)
        exact = tuple(replace(pump, spread=0.0, head_loss=0.0, priming_s=1e-3) for pump in spec.pumps)
        clock = SystemClock()
        self.box = Box(replace(spec, pumps=exact), clock.wall())
        self.wire = BoxWire(self.box, clock, wiring(rig))
        self._changed = threading.Condition()
        self.changes: list[Change] = []
        for actuator in rig.actuators:
            self.wire.pin_edges(int(actuator.pin.removeprefix("GPIO")), self._noting(actuator.actuator_id))

    def is_on(self, actuator_id: str) -> bool:
        """Return whether a pin is high."""
        last = next((one for one in reversed(self.changes) if one.actuator_id == actuator_id), None)
        return last is not None and last.is_on

    def wait(self, actuator_id: str, *, is_on: bool, since_s: float, within_s: float) -> float | None:
        """Return when a pin first changed to a level after an instant; None when it did not in time."""

        def found() -> Change | None:
            mine = (one for one in self.changes if one.actuator_id == actuator_id and one.at_s >= since_s)
            return next((one for one in mine if one.is_on is is_on), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None, within_s)
            change = found()
        return None if change is None else change.at_s

    def delivered_ml(self, actuator_id: str) -> float:
        """Return the water that a pump has moved, by the box's own account."""
        pump: Any = self.box.devices[actuator_id]
        self.wire.now_s()  # lets the box catch up
        return float(pump.delivered_ml)

    def _noting(self, actuator_id: str) -> Callable[[bool], None]:
        def note(level: bool) -> None:  # noqa: FBT001 - a level, as every pin library passes it
            with self._changed:
                self.changes.append(Change(time.monotonic(), actuator_id, level))
                self._changed.notify_all()

        return note


class House:
    """Controller (with the guard that it starts) and database, on a stage whose broker may be away."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        rig_file = folder / "rig.toml"
        rig_file.write_text(rig_text(), encoding="utf-8")
        stage.settings = stage.settings.model_copy(update={"rig_file": rig_file, "wire_socket": folder / "wire.sock"})
        self.settings = stage.settings
        self.pins = Pins(parse_rig(rig_text(), rig_file))
        self._wire = WireServer(self.pins.wire, folder / "wire.sock")
        self.controller = Worker("controller", stage, "1")
        self.database = Worker("database", stage, "1")
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {stage.settings.dt_token}"

    @property
    def ledger(self) -> Path:
        """Return the guard's ledger."""
        return guard_folder(self.settings) / LEDGER_FILE

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run all, and leave nothing behind."""
        self._wire.start()
        try:
            for worker in (self.database, self.controller):
                worker.start()
                worker.wait_until_ready()
            yield
        finally:
            family = self.family()
            for worker in (self.controller, self.database):
                worker.let_go()
            _, alive = psutil.wait_procs(family, 3.0)
            for one in alive:
                one.kill()
            self._wire.stop()

    def family(self) -> list[psutil.Process]:
        """Return the controller's children: the guard's parent, and the child that owns the pins."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.controller.pid).children(recursive=True)
        return []

    def guard(self) -> tuple[psutil.Process, psutil.Process]:
        """Return the guard's parent and child."""

        def both() -> tuple[psutil.Process, psutil.Process] | None:
            found = self.family()
            return (found[0], found[1]) if len(found) == 2 else None

        pair: tuple[psutil.Process, psutil.Process] = wait_for(both, "the guard has no child")
        return pair

    def wait_for_another_guard(self, child: psutil.Process) -> None:
        """Return when another child than this one owns the pins: one that is dying may still answer."""
        wait_for(lambda: child not in self.family() and self.family(), "the guard does not begin anew", 30.0)
        self.guard()

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> requests.Response:
        """Ask the controller."""
        return self._session.request(method, f"{self.controller.url}{path}", json=body, timeout=_ASKS_FOR_S)

    def dose(self, pump: str, dose_ml: float, action_id: str = "") -> str:
        """Ask for a dose, and return its action; raises RuntimeError unless it is accepted."""
        action_id = action_id or new_correlation_id(time.time())
        body = {"command": "dose", "dose_ml": dose_ml, "action_id": action_id}
        answer = self.ask("POST", f"/actuators/{pump}/commands", body)
        if answer.status_code != 202:
            raise RuntimeError(f"{pump}: {answer.status_code} {answer.text}")
        return action_id

    def pause_left_s(self, actuator_id: str) -> float:
        """Return the pause that an actuator has left."""
        items = self.ask("GET", "/actuators").json()["items"]
        return float(next(one["pause_left_s"] for one in items if one["actuator_id"] == actuator_id) or 0.0)

    def entry(self, action_id: str) -> dict[str, Any] | None:
        """Return the ledger's entry of an action, read past the guard."""
        with sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True, timeout=5.0) as db:
            db.row_factory = sqlite3.Row
            row = db.execute("SELECT * FROM entries WHERE action_id = ?", (action_id,)).fetchone()
        db.close()
        return None if row is None else dict(row)

    def wait_until_ready(self) -> None:
        """Return when the controller commands its guard, and the guard its ledger."""
        self.controller.wait_until_ready()
        wait_for(self._is_commanding, "the guard does not answer its controller", 60.0, every_s=0.1)
        self.guard()

    def _is_commanding(self) -> bool:
        try:
            return self.ask("GET", "/ledger?limit=1").status_code == 200 and self.controller.is_ready()
        except requests.RequestException:
            return False


def write_figures(path: Path, figures: dict[str, float]) -> None:
    """Write figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({name: round(value, 4) for name, value in figures.items()}, indent=1) + "\n")
