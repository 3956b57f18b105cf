"""The collector service: the rig's sensors, read and published raw."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from functools import partial

from dt.collector.binding import Binder, Binding
from dt.collector.hardware import MQTT, PiHardware, SimulatedHardware, open_hardware
from dt.collector.kinds import load_kind
from dt.collector.kinds.base_sensor import Hardware, Sensor
from dt.collector.metrics import SensorMetrics
from dt.collector.mocks.host import machine_of
from dt.collector.outbox import Drop, Limits, Outbox
from dt.collector.rig_check import check_kinds, guarded_pins, refuse_guarded_pins
from dt.collector.rig_watch import RigWatch
from dt.collector.sensor_manager import SERVICE, SensorManager, SensorSource
from dt.communication.binding_api import BindingApiClient
from dt.communication.health_beat import HealthBeat
from dt.communication.messaging import MessagingService, outgoing
from dt.communication.mqtt_connection import MqttLogin
from dt.communication.process import run_process
from dt.communication.wire import Wire
from dt.utils.clock import Clock
from dt.utils.codec import Message
from dt.utils.config import Settings
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.hardware import is_simulated
from dt.utils.http_server import health_app, server_for
from dt.utils.logger import get_logger
from dt.utils.memory import keep_heap_small
from dt.utils.rig import Rig, load_rig
from dt.utils.secrets import ensure_token
from dt.utils.service import Service

log = get_logger("dt.collector")


class CollectorService(Service):
    """Reads what the rig file declares, for as long as it runs; a changed file is followed."""

    def __init__(
        self,
        settings: Settings,
        messaging: MessagingService,
        clock: Clock,
        *,
        wire: Wire | None = None,
        database: Binder | None = None,
        outbox: Outbox | None = None,
        keep_sent_s: float = 0.0,
    ) -> None:
        super().__init__(SERVICE, clock)
        self._settings = settings
        self._messaging = messaging
        self._wire = wire
        self._database = database
        self._outbox = outbox
        self._keep_sent_s = keep_sent_s
        rig = load_rig(settings.rig_file)
        check_kinds(rig)
        if any(sensor.kind == MQTT for sensor in rig.sensors):
            MqttLogin.of(settings)  # says what is wrong with the broker's settings before anything is opened
        self._descriptors = rig.sensors
        self._guarded = guarded_pins(rig)
        if wire is None:
            is_simulated(settings)  # says which HARDWARE to set before anything is opened
        self._manager: SensorManager | None = None
        self._binding: Binding | None = None
        self._hardware: PiHardware | SimulatedHardware | None = None
        self._watch: RigWatch | None = None

    def on_start(self) -> None:
        """Open the hardware, bind the sensors in the background, read."""
        self._hardware = open_hardware(self._settings, self._wire)
        self._hardware.leave_to_guard(self._guarded)
        self.closing("hardware", self._hardware.close)
        machine = machine_of(self._hardware.wire, self._messaging, self.clock)
        self._hardware.clock = machine.clock
        self.closing("machine", machine.close)
        listen_ahead(self._descriptors, self._hardware)
        outbox = self._outbox
        if outbox is None:  # an empty one that was given is falsy
            outbox = collector_outbox(
                self._settings,
                machine.messaging,
                machine.clock,
                keep_sent_s=self._keep_sent_s,
                disk_check=machine.disk_check,
            )
        machine.on_power_cut(outbox.cut_power)
        self._manager = SensorManager(sensor_sources(self._descriptors, self._hardware), outbox, machine.clock)
        metrics = SensorMetrics(self._manager)
        self.metrics.register(metrics)
        self.closing("metrics", lambda: self.metrics.unregister(metrics))
        database = machine.database(self._database or self._database_client())
        self._binding = Binding(self._descriptors, database, self.clock)
        self._binding.start()
        self.closing("binding", self._binding.stop)
        self._manager.start()
        self.closing("sensors", self._manager.stop)
        self._watch = RigWatch(self._settings.rig_file, self._check, self._follow, self.clock)
        self._watch.start()
        self.closing("rig watch", self._watch.stop)
        self.closing("health beat", HealthBeat(self, _Latest(outbox), machine.clock).start())
        server = server_for(health_app(self), self._settings, self._settings.flask_collector_url, threads=2)
        server.start()
        self.closing("http", server.stop)

    def look_at_rig(self) -> None:
        """Read the rig file again now; safe in a signal handler."""
        if self._watch is not None:
            self._watch.look_soon()

    def forget_sent(self) -> None:
        """Say after `stop` that what the log got has reached its readers: the next run need not send it again."""
        if self._manager is not None:
            self._manager.outbox.forget_sent()

    def ready(self) -> str | None:
        """Return what is not well: the rig, the outbox's disk and log, sensors that give nothing or are not bound."""
        waits_for = super().ready()
        if waits_for is not None or self._manager is None or self._watch is None:
            return waits_for
        if self._watch.refusal:
            return f"the changed rig is refused: {self._watch.refusal}"
        if self._manager.outbox.disk_why:
            return f"the outbox is in memory alone: {self._manager.outbox.disk_why}"
        if log_why := self._manager.outbox.log_trouble():
            return log_why
        failing = self._manager.failing()
        if failing:
            return f"no values from {', '.join(failing)}"
        return self._binding.trouble() if self._binding is not None else None

    def health(self) -> dict[str, object]:
        """Return every sensor's counts, what waits to be published, and what the database does not know yet."""
        if self._manager is None or self._binding is None or self._watch is None or self._hardware is None:
            return {}
        beside = {"binding": self._binding.health(), "rig": self._watch.health(), **self._hardware.health()}
        return {**self._manager.health(), **beside}

    def _check(self, rig: Rig) -> None:
        assert self._hardware is not None
        check_kinds(rig)
        refuse_guarded_pins(rig, self._hardware.guarded)

    def _follow(self, rig: Rig) -> None:
        assert self._manager is not None
        assert self._binding is not None
        assert self._hardware is not None
        self._hardware.leave_to_guard(guarded_pins(rig))
        done = self._manager.reload(sensor_sources(rig.sensors, self._hardware))
        self._binding.replace(rig.sensors)
        for what, names in done.items():
            if names:
                log.info("%s by the changed rig: %s", what, ", ".join(names))

    def _database_client(self) -> Binder:
        return BindingApiClient(self._settings.flask_db_url, ensure_token(self._settings))


def create_service(
    settings: Settings,
    messaging: MessagingService,
    clock: Clock,
    wire: Wire | None = None,
    database: Binder | None = None,
    outbox: Outbox | None = None,
    keep_sent_s: float = 0.0,
) -> CollectorService:
    """Assemble the service; what is given is used instead of what the settings name. Opens nothing yet.

    `keep_sent_s` is for a log that dies with the process: the next run sends again what was sent within it, unless
    `forget_sent` was called.
    """
    return CollectorService(
        settings, messaging, clock, wire=wire, database=database, outbox=outbox, keep_sent_s=keep_sent_s
    )


def collector_outbox(
    settings: Settings,
    messaging: MessagingService,
    clock: Clock,
    *,
    keep_sent_s: float = 0.0,
    disk_check: Callable[[], None] = lambda: None,
) -> Outbox:
    """Return the collector's outbox under DATA_DIR; `keep_sent_s` for a log that dies with the process."""
    return Outbox(
        messaging,
        clock,
        settings.data_dir / "outbox",
        name=SERVICE,
        limits=Limits(
            records=settings.outbox_records,
            bytes=settings.outbox_mb * 1024 * 1024,
            drop=Drop(settings.outbox_drop),
        ),
        keep_sent_s=keep_sent_s,
        disk_check=disk_check,
    )


def sensor_sources(
    descriptors: Sequence[SensorDescriptor], hardware: PiHardware | SimulatedHardware
) -> list[SensorSource]:
    """Return for every sensor how it is opened; sensors on one pin or address share a lane."""
    return [
        SensorSource(
            descriptor=descriptor,
            open=partial(_open, descriptor, hardware),
            lane=_lane(descriptor),
            leave=partial(_leave, descriptor, hardware),
        )
        for descriptor in descriptors
    ]


def listen_ahead(descriptors: Sequence[SensorDescriptor], hardware: Hardware) -> None:
    """Let every MQTT device's topic be listened to before the client connects and gets what the broker kept."""
    for descriptor in descriptors:
        if descriptor.kind == MQTT:
            _open(descriptor, hardware)


def main() -> int:
    """Run the service on the broker until a signal, and return the exit code; SIGHUP reads the rig file again."""

    def create(settings: Settings, messaging: MessagingService, clock: Clock) -> CollectorService:
        service = create_service(settings, messaging, clock)
        signal.signal(signal.SIGHUP, lambda _number, _frame: service.look_at_rig())
        return service

    keep_heap_small()
    return run_process(SERVICE, create)


class _Latest:
    """The service's own word by the outbox: through an outage its newest waits, and not one for every ten seconds."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def publish(self, topic: str, value: Message | bytes | None, *, key: str | None = None) -> None:
        """Say it when the log is there."""
        if isinstance(value, Message):
            self._outbox.put_latest(outgoing(topic, value, key))


def _open(descriptor: SensorDescriptor, hardware: Hardware) -> Sensor:
    """Open a sensor; its class is loaded now, with the library that it needs."""
    return load_kind(descriptor).open(descriptor, hardware)


def _leave(descriptor: SensorDescriptor, hardware: Hardware) -> None:
    """Let go of what a sensor left behind that the rig has no more."""
    load_kind(descriptor).leave(descriptor, hardware)


def _lane(descriptor: SensorDescriptor) -> str:
    if descriptor.address is not None:
        return f"i2c {descriptor.address:#04x}"
    return descriptor.pin or descriptor.sensor_id


if __name__ == "__main__":
    raise SystemExit(main())
