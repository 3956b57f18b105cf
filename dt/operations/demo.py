"""`dt demo`: every service in one process, on the simulated box and the log in memory; history first, then live."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from dt.communication.database_api import DatabaseApiClient
from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Record, Start
from dt.communication.topics import Topics
from dt.communication.wire_pins import WireFactory
from dt.operations.demo_history import Progress, live_through, prepared_box, publish_history
from dt.operations.demo_pictures import Album
from dt.operations.demo_settings import DemoRequest, demo_folder, demo_settings
from dt.operations.one_process import OneProcess
from dt.simulator.beginning import beginning
from dt.simulator.box import Box
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.dataclasses import ActionResult, AlertEvent, AlertState, DBTimestampQuery, Grant, Outcome
from dt.utils.exceptions import DTError
from dt.utils.logger import get_logger
from dt.utils.quantities import Quantity
from dt.utils.rig import Rig, load_rig
from dt.utils.secrets import ensure_token
from dt.utils.service import stopping_on_signals

BY = "demo"
_ALIVE_EVERY_S = 5.0
_ALIVE_FILE = "alive"
_STORED_WITHIN_S = 120.0

Say = Callable[[str], None]

log = get_logger(__name__)


class Demo:
    """The whole product in one process; `start` returns when everything runs, `stop` leaves nothing."""

    def __init__(self, request: DemoRequest, settings: Settings, clock: Clock, say: Say, stop: threading.Event) -> None:
        self.settings = settings
        self._request = request
        self._clock = clock
        self._say = say
        self._began = clock.monotonic()
        self._rig = load_rig(settings.rig_file)
        self.begun = beginning(settings, request.seed)
        self._messaging = MemoryMessaging(clock)
        self._process = OneProcess(settings, self._messaging, clock, self._rig)
        self._stop = stop
        self._album: Album | None = None

    def start(self, progress: Progress = lambda _done, _total: None) -> None:
        """Page first, then the box's past, which travels through the pipeline while sensors and pump begin to live."""
        self._tell_what_happens()
        self._process.start_reading_side(self._note)
        until = self._clock.wall()
        box, since = prepared_box(self.begun.spec(self._rig), self._rig, self._request.days, until)
        past, moments = live_through(box, self._rig, since, until, self._kept_until(), self._heed)
        self._note(f"{len(past)} minutes of the box's past are lived through")
        self._start_acting_side(box)
        self._note("sensors are read live; the pump may follow the recommendations (granted by the demo)")
        sent = publish_history(past, self._rig, self._messaging, progress)
        self._note(f"{sent} readings of the last {self._request.days:g} days published")
        if past and self._is_stored(past[-1].timestamp):
            self._note("and stored")
        self._album = Album(box.spec, moments, self._rig.sensors, self._messaging, self._clock)
        self._album.start(self._note)

    def live(self) -> None:
        """Run until told to stop."""
        while not self._clock.wait(self._stop, _ALIVE_EVERY_S):
            (self.settings.data_dir / _ALIVE_FILE).touch()

    def stop(self) -> None:
        """Stop everything, the latest first."""
        if self._album is not None:
            self._album.stop()
        self._process.stop()

    def _is_stored(self, timestamp: float) -> bool:
        """Wait until the database has every sensor's reading of an instant; each sensor's readings come in order."""
        wanted = [sensor for sensor in self._rig.sensors if sensor.data_type is not Quantity.CAMERA_IMAGE]
        give_up = self._clock.monotonic() + _STORED_WITHIN_S
        with DatabaseApiClient(self.settings.flask_db_url, ensure_token(self.settings)) as database:
            while wanted and self._clock.monotonic() < give_up:
                sensor = wanted[-1]
                query = DBTimestampQuery(
                    data_type=sensor.data_type, sensor_id=sensor.sensor_id, since=timestamp, until=timestamp + 0.5
                )
                if database.query_timestamp(query):
                    wanted.pop()
                elif self._clock.wait(self._stop, 0.2):
                    break
        return not wanted

    def _start_acting_side(self, box: Box) -> None:
        from dt.collector.main import create_service as create_collector
        from dt.controller.app import create_service as create_controller
        from dt.controller.opening import open_guard_here
        from dt.simulator.main import create_service as create_simulator

        simulator = create_simulator(self.settings, self._clock, box, self.begun)
        self._process.run(simulator)
        guard = open_guard_here(self.settings, self._rig, self._clock, WireFactory(simulator.wire))
        controller = create_controller(self.settings, self._messaging, self._clock, guard)
        self._process.run(controller)
        for grant in grants_of(self._rig, self._clock.wall()):
            controller.decisions.grant(grant)
        self._process.run(create_collector(self.settings, self._messaging, self._clock, wire=simulator.wire))

    def _heed(self) -> None:
        if self._stop.is_set():
            raise InterruptedDemoError("stopped")

    def _kept_until(self) -> float:
        """Return when an earlier demo, whose readings are kept, was alive for the last time."""
        try:
            return (self.settings.data_dir / _ALIVE_FILE).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def _note(self, text: str) -> None:
        self._say(f"[{self._clock.monotonic() - self._began:5.1f} s] {text}")

    def _tell_what_happens(self) -> None:
        topics = (Topics.ALERTS, Topics.ACTION_RESULTS)
        self._messaging.subscribe(topics, "demo_narrator", self._tell, start=Start.LATEST)

    def _tell(self, records: Sequence[Record]) -> None:
        for record in records:
            text = narrate(record)
            if text is not None:
                self._note(text)


def narrate(record: Record) -> str | None:
    """Return in one line what an alert or an action's result means; None for what says nothing new."""
    if record.value is None:
        return None
    if record.topic == Topics.ALERTS:
        event = AlertEvent.from_json(record.value)
        return None if event.state is AlertState.ACKNOWLEDGED else f"alert {event.state}: {event.description}"
    result = ActionResult.from_json(record.value)
    if result.outcome is Outcome.DONE:
        return f"{result.actuator_id} gave {result.delivered_ml or 0.0:.0f} ml in {result.on_s or 0.0:.1f} s"
    why = f": {result.refusal.why}" if result.refusal else ""
    return f"{result.actuator_id}: {result.outcome}{why}"


def grants_of(rig: Rig, now: float) -> list[Grant]:
    """Return the demo's own grant for every pump of the rig."""
    note = "given by the demo to itself, for as long as it runs"
    pumps = [actuator for actuator in rig.actuators if actuator.kind == "pump"]
    return [Grant(actuator_id=pump.actuator_id, by=BY, since=now, note=note) for pump in pumps]


def run_demo(request: DemoRequest, base: Settings, clock: Clock, say: Say, progress: Progress) -> int:
    """Run the demo until Ctrl-C or SIGTERM, and return the exit code."""
    settings = demo_settings(request, base)
    stop = threading.Event()
    with demo_folder(settings, keep=request.keep), stopping_on_signals(stop):
        demo = Demo(request, settings, clock, say, stop)
        try:
            _start(demo, stop, progress)
            if not stop.is_set():
                say(f"Token for writing requests: {_shown(settings.data_dir / 'dt_token')}")
                say("Ctrl-C stops it.")
                demo.live()
        finally:
            say("stopping ...")
            demo.stop()
    return 0


def _start(demo: Demo, stop: threading.Event, progress: Progress) -> None:
    """Start; a Ctrl-C meanwhile ends it at the next piece of history."""

    def look(done: float, total: float) -> None:
        progress(done, total)
        if stop.is_set():
            raise InterruptedDemoError("stopped")

    try:
        demo.start(look)
    except InterruptedDemoError:
        log.info("the demo was stopped while it started")


class InterruptedDemoError(DTError):
    """The person stopped the demo before it was up."""


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
