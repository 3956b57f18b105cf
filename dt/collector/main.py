"""The collector service: the rig's sensors, read and published raw."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from dt.collector.binding import Binder, Binding
from dt.collector.hardware import MQTT, PiHardware, SimulatedHardware, open_hardware
from dt.collector.kinds import check_options, find_kind, load_kind
from dt.collector.kinds.base_sensor import Hardware, Sensor
from dt.collector.metrics import SensorMetrics
from dt.collector.sensor_manager import SERVICE, SensorManager, SensorSource
from dt.communication.database_api import DatabaseApiClient
from dt.communication.health_beat import HealthBeat
from dt.communication.messaging import MessagingService
from dt.communication.mqtt_connection import MqttLogin
from dt.communication.process import run_process
from dt.communication.wire import Wire
from dt.utils.clock import Clock
from dt.utils.config import Settings
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import ConfigError
from dt.utils.hardware import is_simulated
from dt.utils.http_server import health_app, server_for
from dt.utils.rig import Rig, load_rig
from dt.utils.secrets import ensure_token
from dt.utils.service import Service


class CollectorService(Service):
    """Reads what the rig file declares, for as long as it runs."""

    def __init__(
        self,
        settings: Settings,
        messaging: MessagingService,
        clock: Clock,
        *,
        wire: Wire | None = None,
        database: Binder | None = None,
    ) -> None:
        super().__init__(SERVICE, clock)
        self._settings = settings
        self._messaging = messaging
        self._wire = wire
        self._database = database
        rig = load_rig(settings.rig_file)
        check_kinds(rig)
        if any(sensor.kind == MQTT for sensor in rig.sensors):
            MqttLogin.of(settings)  # says what is wrong with the broker's settings before anything is opened
        self._descriptors = rig.sensors
        if wire is None:
            is_simulated(settings)  # says which HARDWARE to set before anything is opened
        self._hardware: PiHardware | SimulatedHardware | None = None
        self._manager: SensorManager | None = None
        self._binding: Binding | None = None

    def on_start(self) -> None:
        """Open the hardware, bind the sensors in the background, read."""
        hardware = open_hardware(self._settings, self._wire)
        self._hardware = hardware
        self.closing("hardware", hardware.close)
        listen_ahead(self._descriptors, hardware)
        self._manager = SensorManager(sensor_sources(self._descriptors, hardware), self._messaging, self.clock)
        metrics = SensorMetrics(self._manager)
        self.metrics.register(metrics)
        self.closing("metrics", lambda: self.metrics.unregister(metrics))
        self._binding = Binding(self._descriptors, self._database or self._database_client(), self.clock)
        self._binding.start()
        self.closing("binding", self._binding.stop)
        self._manager.start()
        self.closing("sensors", self._manager.stop)
        self.closing("health beat", HealthBeat(self, self._messaging, self.clock).start())
        server = server_for(health_app(self), self._settings, self._settings.flask_collector_url, threads=2)
        server.start()
        self.closing("http", server.stop)

    def ready(self) -> str | None:
        """Return which sensors give nothing, if any."""
        waits_for = super().ready()
        if waits_for is not None or self._manager is None:
            return waits_for
        failing = self._manager.failing()
        return f"no values from {', '.join(failing)}" if failing else None

    def health(self) -> dict[str, object]:
        """Return every sensor's counts, what waits to be published, and what the database does not know yet."""
        if self._manager is None or self._binding is None or self._hardware is None:
            return {}
        return {**self._manager.health(), "binding": self._binding.health(), **self._hardware.health()}

    def _database_client(self) -> Binder:
        client = DatabaseApiClient(self._settings.flask_db_url, ensure_token(self._settings))
        self.closing("database client", client.close)
        return client


def create_service(
    settings: Settings,
    messaging: MessagingService,
    clock: Clock,
    wire: Wire | None = None,
    database: Binder | None = None,
) -> CollectorService:
    """Assemble the service; a wire that is given is used instead of HARDWARE and WIRE_SOCKET. Opens nothing yet."""
    return CollectorService(settings, messaging, clock, wire=wire, database=database)


def check_kinds(rig: Rig) -> None:
    """Raise `ConfigError`, with file and line, for a sensor that no kind can read."""
    for descriptor in rig.sensors:
        try:
            find_kind(descriptor)
            check_options(descriptor)
        except ConfigError as error:
            msg = f"{rig.place_of(descriptor.sensor_id)}: {error}"
            raise ConfigError(msg) from error


def sensor_sources(
    descriptors: Sequence[SensorDescriptor], hardware: PiHardware | SimulatedHardware
) -> list[SensorSource]:
    """Return for every sensor how it is opened; sensors on one pin or address share a lane."""
    return [
        SensorSource(descriptor=descriptor, open=partial(_open, descriptor, hardware), lane=_lane(descriptor))
        for descriptor in descriptors
    ]


def listen_ahead(descriptors: Sequence[SensorDescriptor], hardware: Hardware) -> None:
    """Let every MQTT device's topic be listened to before the client connects and gets what the broker kept."""
    for descriptor in descriptors:
        if descriptor.kind == MQTT:
            _open(descriptor, hardware)


def main() -> int:
    """Run the service on the broker until a signal, and return the exit code."""
    return run_process(SERVICE, create_service)


def _open(descriptor: SensorDescriptor, hardware: Hardware) -> Sensor:
    """Open a sensor; its class is loaded now, with the library that it needs."""
    return load_kind(descriptor).open(descriptor, hardware)


def _lane(descriptor: SensorDescriptor) -> str:
    if descriptor.address is not None:
        return f"i2c {descriptor.address:#04x}"
    return descriptor.pin or descriptor.sensor_id


if __name__ == "__main__":
    raise SystemExit(main())
