"""The simulator service: a box behind the wire's socket, and its truth over HTTP for evaluation."""

from __future__ import annotations

import contextlib
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
from flask import Flask, Response

from dt.communication.wire import WireServer
from dt.simulator.beginning import Beginning, beginning
from dt.simulator.board import BoxWire
from dt.simulator.box import Box
from dt.simulator.fault_pages import add_fault_pages
from dt.simulator.hand_pages import add_hand_pages
from dt.simulator.rig_watch import RigWatch
from dt.simulator.wiring import wiring
from dt.utils.clock import Clock, SystemClock
from dt.utils.config import Settings, load_settings
from dt.utils.exceptions import ConfigError
from dt.utils.http import create_api, json_response
from dt.utils.http_server import server_for
from dt.utils.logger import configure_logging, get_logger
from dt.utils.rig import load_rig
from dt.utils.secrets import ensure_token
from dt.utils.service import Service, run_service

_SAVES_EVERY_S = 2.0
_SETTLES_S = 2 * 86_400.0

log = get_logger("dt.simulator")


class SimulatorService(Service):
    """Runs one box in real time; its soil and its faults survive a restart, its outputs do not.

    A box that was prepared belongs to a process that runs everything, and is not kept.
    """

    def __init__(
        self, settings: Settings, clock: Clock, box: Box | None = None, begun: Beginning | None = None
    ) -> None:
        super().__init__("simulator", clock)
        self._settings = settings
        self._rig = load_rig(settings.rig_file)
        self._kept = settings.data_dir / "box.json"
        self._stop = threading.Event()
        begun = begun or beginning(settings)
        self.box = box or Box(begun.spec(self._rig), clock.wall() - _SETTLES_S)
        self._is_given = box is not None
        self.wire = BoxWire(self.box, clock, wiring(self._rig), is_one_process=self._is_given)
        self._scenario = begun.scenario
        self._orders = begun.scenario.orders(clock.wall(), self.wire.targets())
        self._rig_watch = RigWatch(self._rig, self.wire, clock)

    def on_start(self) -> None:
        """Take up the box where it was left, listen on the wire and on HTTP."""
        is_new = self._is_given or not self._take_up()
        if is_new:
            self._order_scenario()
        server = WireServer(self.wire, self._settings.wire_path)
        server.start()
        self.closing("wire", server.stop)
        token = ensure_token(self._settings)
        http = server_for(self._app(token), self._settings, self._settings.flask_simulator_url)
        http.start()
        self.closing("http", http.stop)
        self._rig_watch.start()
        self.closing("rig watch", self._rig_watch.stop)
        if not self._is_given:
            self._save()
            self._stop.clear()
            keeper = threading.Thread(target=self._keep, name="box keeper", daemon=True)
            keeper.start()
            self.closing("keeper", lambda: self._end_keeping(keeper))

    def health(self) -> dict[str, object]:
        """Return where the wire is, how many faults act, and why the rig file was refused; the truth is at /state."""
        faults = self.wire.desk.active(self.clock.wall())
        health: dict[str, object] = {"wire": str(self._settings.wire_path), "faults": len(faults)}
        if self._scenario.faults:
            health["scenario"] = self._scenario.name or str(self._scenario.path)
        return {**health, "rig_refused": self._rig_watch.refused} if self._rig_watch.refused else health

    def _app(self, token: str) -> Flask:
        app = create_api(self, self._settings, token, __name__)

        @app.get("/state")
        def state() -> Response:
            return json_response(self.wire.state())

        add_fault_pages(app, self.wire)
        add_hand_pages(app, self.wire)
        return app

    def _order_scenario(self) -> None:
        """The scenario begins with a box's life, and is not begun anew when that goes on."""
        for order in self._orders:
            fault = self.wire.order(order)
            log.info("scenario: %s on %s from %.0f on", fault.fault, fault.target, fault.since)

    def _take_up(self) -> bool:
        """Let the box live on that was kept; False when there is none."""
        try:
            left_out = self.wire.restore(_decode(self._kept))
        except FileNotFoundError:
            log.info("a new box begins")
            return False
        except (OSError, msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            aside = self._kept.with_suffix(".unusable")
            log.warning("%s is unusable (%s) and is now %s; a new box begins", self._kept, error, aside.name)
            with contextlib.suppress(OSError):
                self._kept.replace(aside)
            return False
        for why in left_out:
            log.warning("a fault that the rig no longer has: %s", why)
        return True

    def _keep(self) -> None:
        while not self.clock.wait(self._stop, _SAVES_EVERY_S):
            self._save()

    def _end_keeping(self, keeper: threading.Thread) -> None:
        self._stop.set()
        keeper.join(2.0)
        self._save()

    def _save(self) -> None:
        aside = self._kept.with_suffix(".new")
        try:
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(msgspec.json.encode(self.wire.snapshot()))
            aside.replace(self._kept)
        except (OSError, ValueError, TypeError) as error:  # also what JSON cannot hold: the keeper must not end
            log.warning("the box cannot be kept in %s: %s", self._kept, error)


def create_service(
    settings: Settings, clock: Clock, box: Box | None = None, begun: Beginning | None = None
) -> SimulatorService:
    """Assemble the service around a new box, or around one that was prepared as it was `begun`; opens nothing yet."""
    return SimulatorService(settings, clock, box, begun)


def main() -> int:
    """Read settings, run until a signal, return the exit code."""
    try:
        settings = load_settings()
        configure_logging(settings.log_dir, settings.log_level)
        service = create_service(settings, SystemClock())
    except ConfigError as error:
        sys.stderr.write(f"dt.simulator: {error}\n")
        return 2
    return run_service(service)


def _decode(path: Path) -> dict[str, Any]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])


if __name__ == "__main__":
    raise SystemExit(main())
