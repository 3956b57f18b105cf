"""`dt solo`: the whole product in one process on a real rig, without a broker; the guard is a process of its own."""

from __future__ import annotations

import contextlib
import fcntl
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from dt.communication.health_beat import HealthBeat
from dt.communication.memory import MemoryMessaging
from dt.operations.kept_topics import KeptTopics
from dt.operations.one_process import OneProcess
from dt.operations.plan import SERVICES, is_port_free
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.exceptions import DTError
from dt.utils.hardware import is_simulated
from dt.utils.logger import get_logger
from dt.utils.rig import load_rig
from dt.utils.service import STOPS_WITHIN_S, Service, stopping_on_signals

if TYPE_CHECKING:
    from dt.operations.mirror import Mirror

FOLDER = "solo"  # under DATA_DIR
_LOOKS_EVERY_S = 10.0
_DRAINED_WITHIN_S = 1.5
_THE_REST_NEEDS_S = 0.7  # of the time for stopping, when everything before has used up its own
_MOST_HELD_BACK = 5_000  # readings that wait for an MQTT broker; more would stop the log in memory for everybody
_KEEP_SENT_S = 300.0  # what was published within it is published again after an end without warning
_KEPT_RECORDS, _KEPT_BYTES = 2_000, 4 * 1024 * 1024  # of a partition: who comes later reads the database
_DRAINED = ("processing", "ai", "alerts", "database")  # in the order in which a reading passes them

Say = Callable[[str], None]

log = get_logger(__name__)


class Solo:
    """Assembled by its settings; opens nothing before `start`."""

    def __init__(self, settings: Settings, clock: Clock, say: Say, stop: threading.Event) -> None:
        from dt.collector.main import create_service as create_collector
        from dt.controller.app import create_service as create_controller

        self._settings = settings
        self._clock = clock
        self._say = say
        self._stop = stop
        self._messaging = MemoryMessaging(clock, kept_records=_KEPT_RECORDS, kept_bytes=_KEPT_BYTES)
        self._process = OneProcess(settings, self._messaging, clock, load_rig(settings.rig_file))
        # What is wrong in settings or rig file is said now, before anything runs.
        self._collector = create_collector(settings, self._messaging, clock, keep_sent_s=_KEEP_SENT_S)
        self._controller: Service = create_controller(settings, self._messaging, clock)
        self._bridge = self._made_bridge()
        self._kept = KeptTopics(settings.data_dir / FOLDER / "topics.db")
        self._keeper = _Keeper(self._kept, self._process.waiting, self._messaging, clock)
        self._mirror = self._made_mirror()

    def start(self) -> None:
        """Give the log what outlived the last one, then start what reads it, and last what fills it."""
        self._require_free_ports()
        kept = self._kept.start(self._messaging)
        if kept:
            self._say(f"{kept} states and alerts of the run before are taken up")
        self._process.run(self._keeper)
        if self._mirror is not None:
            self._process.run(self._mirror)
            self._say(f"topics are mirrored to the Kafka at {self._settings.mirror_kafka_url}")
        self._process.start_reading_side(self._say, bears_ill_disk=True)
        if self._bridge is not None:
            self._process.run(self._bridge)
            self._say("readings go out by MQTT")
        self._process.run(self._collector)
        self._process.run_when_possible(self._controller)  # no guard, and so no dose, before its files are there
        where = f"the box at {self._settings.wire_path}" if is_simulated(self._settings) else "this Raspberry Pi"
        self._say(f"sensors of {where} are read; actuators are behind their guard")

    def live(self) -> None:
        """Run until told to stop; say when a service begins or ends to wait for something."""
        told: dict[str, str] = {}
        while not self._clock.wait(self._stop, _LOOKS_EVERY_S):
            self._process.try_again()
            for service in self._process.services:
                why = service.ready() or service.trouble() or ""
                if service.name in self._process.waiting:
                    why = f"waits for the disk: {self._process.waiting[service.name]}"
                if why != told.get(service.name, ""):
                    self._say(f"{service.name}: {why or 'is well'}")
                told[service.name] = why

    def look_at_rig(self) -> None:
        """Read the rig file again now."""
        self._collector.look_at_rig()

    def stop(self) -> None:
        """Outputs off first, then the sensors; what they gave is stored before the rest ends."""
        deadline_s = self._clock.monotonic() + STOPS_WITHIN_S - _THE_REST_NEEDS_S
        self._controller.stop()
        self._collector.stop()
        is_drained = self._is_drained(deadline_s)
        if is_drained:
            self._collector.forget_sent()
        else:
            log.warning("the log in memory was not stored to its end: the next run sends its last minutes again")
        for service in reversed(self._process.services):
            service.stop()
        self._kept.stop(is_drained=is_drained)
        self._process.stop()

    def _made_bridge(self) -> Service | None:
        if not self._settings.mqtt_url:
            return None
        from dt.communication.mqtt import create_service as create_bridge

        return create_bridge(self._settings, self._messaging, self._clock, most_held_back=_MOST_HELD_BACK)

    def _made_mirror(self) -> Mirror | None:
        if not self._settings.mirror_kafka_url:
            return None
        from dt.operations.mirror import Mirror  # the Kafka client comes with it

        return Mirror(self._settings, self._messaging, self._clock)

    def _require_free_ports(self) -> None:
        for spec in SERVICES:
            port = spec.port(self._settings)
            if not spec.needs_simulation and not is_port_free(self._settings.bind_host, port):
                name = spec.url_setting.upper()
                raise DTError(f"port {port} of the {spec.name} is taken by another program; {name} names another")

    def _is_drained(self, deadline_s: float) -> bool:
        """Wait until everything that was published has reached the database, the mirror and what is kept."""
        lags: list[Callable[[], object]] = [
            lambda service=service: service.health().get("lag", 0)  # type: ignore[misc]
            for name in _DRAINED
            for service in self._process.services
            if service.name == name and service.is_started
        ]
        lags.append(self._kept.lag)
        if self._mirror is not None:
            lags.append(self._mirror.lag)
        give_up = min(deadline_s, self._clock.monotonic() + _DRAINED_WITHIN_S)
        for lag in lags:
            while lag():
                if self._clock.monotonic() > give_up:
                    return False
                self._clock.wait(threading.Event(), 0.02)
        return True


class _Keeper(Service):
    """Tells on `dt.health`, as any service does, whether what must outlive the log is kept."""

    def __init__(self, kept: KeptTopics, waiting: Mapping[str, str], messaging: MemoryMessaging, clock: Clock) -> None:
        super().__init__(FOLDER, clock)
        self._kept = kept
        self._waiting = waiting
        self._messaging = messaging

    def on_start(self) -> None:
        """Begin to tell."""
        self.closing("health beat", HealthBeat(self, self._messaging, self.clock).start())

    def ready(self) -> str | None:
        """Return what waits for the disk, or why states are not kept, if so."""
        waiting = dict(self._waiting)
        late = "; ".join(f"{name} waits for the disk: {why}" for name, why in sorted(waiting.items()))
        return super().ready() or late or self._kept.why or None


@contextlib.contextmanager
def solo_lock(settings: Settings) -> Iterator[None]:
    """Hold DATA_DIR for this process; raises DTError while another `dt solo` has it."""
    with _opened_lock(settings.data_dir / FOLDER) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DTError(f"another dt solo runs on {settings.data_dir}: stop it first, or set DATA_DIR") from error
        yield


def _opened_lock(folder: Path) -> TextIO:
    """Return the lock's file; one that an earlier run left is enough where the disk takes nothing now."""
    path = folder / "lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return path.open("w", encoding="ascii")
    except OSError as error:
        if not path.is_file():
            raise DTError(f"DATA_DIR: {folder} cannot be written: {error.strerror}") from error
        return path.open(encoding="ascii")


def run_solo(settings: Settings, clock: Clock, say: Say) -> int:
    """Run until Ctrl-C or SIGTERM, and return the exit code; raises ConfigError for wrong settings."""
    stop = threading.Event()
    running: list[Solo] = []

    def look_at_rig() -> None:
        for solo in running:
            solo.look_at_rig()

    with stopping_on_signals(stop, look_at_rig), solo_lock(settings):
        solo = Solo(settings, clock, say, stop)
        running.append(solo)
        try:
            solo.start()
            say(f"Token for writing requests: {settings.data_dir / 'dt_token'}")
            solo.live()
        finally:
            say("stopping ...")
            solo.stop()
    return 0
