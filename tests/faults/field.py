"""A rig in the field: the simulator service with its REST, the wire's socket, real drivers, manager and processing."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from dt.collector.hardware import SimulatedHardware
from dt.collector.main import collector_outbox, sensor_sources
from dt.collector.mocks.host import Machine, machine_of
from dt.collector.sensor_manager import SensorManager
from dt.communication.frames import frame_from_headers
from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Record
from dt.communication.topics import Topics
from dt.communication.wire import WireClient
from dt.data.processing.main import create_service as create_processing
from dt.simulator.main import SimulatorService
from dt.simulator.main import create_service as create_simulator
from dt.utils.clock import Clock, ManualClock, SystemClock
from dt.utils.config import Settings, load_settings
from dt.utils.dataclasses import CameraFrame, HealthReport, SensorData, Verdict
from dt.utils.quantities import Quantity
from dt.utils.rig import Rig, load_rig
from dt.utils.service import Service
from tests.conftest import wait_until
from tests.data.readings import register

TOKEN = "test-token"
START = 1_800_014_400.0  # 2027-01-15 12:00 UTC
COUNTS = """calibration = { version = 1, points = [[300.0, 0.00], [419.1, 0.15], [579.5, 0.25], [763.7, 0.35],
    [898.3, 0.45], [967.8, 0.55], [1008.7, 0.75]] }"""


class FieldClock(SystemClock):
    """Runs like the machine's, from a fixed moment on, so that every run has the same weather."""

    def __init__(self) -> None:
        self._offset_s = START - time.monotonic()

    def wall(self) -> float:
        """Return epoch seconds of the field."""
        return time.monotonic() + self._offset_s


class LeapingClock(ManualClock):
    """A clock on which waiting takes no time: it leaps to where the wait ends."""

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Be at the end of the wait."""
        self.advance(max(0.0, timeout_s))
        return event.is_set()


@dataclass(slots=True)
class Seen:
    """What came of one sensor."""

    readings: list[SensorData] = field(default_factory=list)
    processed: list[SensorData] = field(default_factory=list)
    frames: list[CameraFrame] = field(default_factory=list)
    reports: list[HealthReport] = field(default_factory=list)
    health: dict[str, Any] = field(default_factory=dict)

    @property
    def values(self) -> list[float]:
        """Return what was published."""
        return [reading.value for reading in self.readings]

    @property
    def misses(self) -> int:
        """Return how many looks gave nothing."""
        return int(self.health["failures"])

    @property
    def whys(self) -> list[str]:
        """Return what the health page said of it, each text once."""
        return list(
            dict.fromkeys(
                [report.why for report in self.reports if report.why] + [*filter(None, [self.health.get("why")])]
            )
        )

    @property
    def doubts(self) -> list[str]:
        """Return what stands beside its readings that are not good, each text once."""
        ill = [r.quality for r in self.processed if r.quality is not None and r.quality.verdict is not Verdict.GOOD]
        return list(dict.fromkeys(f"{quality.verdict}: {quality.why}" for quality in ill))


@dataclass(frozen=True, slots=True)
class Past:
    """What came of a field that is over."""

    rig: Rig
    sensors: Mapping[str, Seen]

    def seen(self, sensor_id: str) -> Seen:
        """Return what came of a sensor."""
        return self.sensors[sensor_id]


class Field:
    """Everything between chip and processed reading, in real time; faults are ordered by REST."""

    def __init__(
        self, folder: Path, rig_text: str, *, clock: Clock | None = None, scenario: Path | None = None
    ) -> None:
        self.clock = clock or FieldClock()
        rig_file = folder / "rig.toml"
        rig_file.write_text(rig_text, "utf-8")
        self.settings = field_settings(folder, rig_file, scenario)
        self.rig: Rig = load_rig(rig_file)
        self.messaging = MemoryMessaging(self.clock)
        self.simulator: SimulatorService = create_simulator(self.settings, self.clock)
        self.manager: SensorManager | None = None
        self.machine: Machine | None = None
        self._services: list[Service] = []
        self._closers: list[Any] = []

    def __enter__(self) -> Self:
        register(self.messaging, *self.rig.sensors)
        self._run(self.simulator)
        self._run(create_processing(self.settings, self.messaging, self.clock))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for close in reversed(self._closers):
            close()
        for service in reversed(self._services):
            service.stop()
        self.messaging.close()

    def collect(self, *, is_stepped: bool = False) -> SensorManager:
        """Start a manager over the socket; one that is stepped reads when `step` lets time pass."""
        client = WireClient(self.settings.wire_path)
        hardware = SimulatedHardware(client, client.close)
        self.machine = machine_of(client, self.messaging, self.clock)
        hardware.clock = self.machine.clock
        outbox = collector_outbox(
            self.settings, self.machine.messaging, self.machine.clock, disk_check=self.machine.disk_check
        )
        self.manager = SensorManager(
            sensor_sources(self.rig.sensors, hardware), outbox, self.machine.clock, clock_synced=lambda: True
        )
        (self.manager.open if is_stepped else self.manager.start)()
        self._closers += [hardware.close, self.manager.close if is_stepped else self.manager.stop]
        return self.manager

    def looks(self) -> int:
        """Return how often the sensor that was looked at least was looked at."""
        assert self.manager is not None
        return min(health.reads + health.failures for _sensor_id, health in self.manager.sensors())

    def step(self, seconds: float) -> None:
        """Let time pass, read what is due, and let what was read go on its way."""
        assert isinstance(self.clock, ManualClock)
        assert self.manager is not None
        end_s = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end_s:
            pause_s = min(self.manager.seconds_to_next_read(), end_s - self.clock.monotonic())
            self.clock.advance(max(0.01, pause_s))
            self.manager.read_due_sensors()

    def arrived(self) -> None:
        """Wait until nothing waits for the log; its sender's pauses pass, and reading goes on meanwhile."""
        manager = self.manager
        assert manager is not None

        def is_drained() -> bool:
            self.step(0.5)
            return manager.outbox.is_drained

        wait_until(is_drained, "everything arrived")

    def order(self, fault: str, target: str, **parameters: object) -> str:
        """Order a fault by REST and return its id."""
        answer = self.post({"fault": fault, "target": target, **parameters})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def post(self, body: object, token: str = TOKEN) -> requests.Response:
        """Send an order."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.post(f"{self.url}/faults", json=body, headers=headers, timeout=5)

    def end(self, fault_id: str) -> int:
        """End a fault by REST and return the answer's status."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return requests.delete(f"{self.url}/faults/{fault_id}", headers=headers, timeout=5).status_code

    @property
    def url(self) -> str:
        """Return where the simulator answers."""
        return self.settings.flask_simulator_url

    def seen(self, sensor_id: str) -> Seen:
        """Return what came of a sensor until now."""
        assert self.manager is not None
        sensor = next(sensor for sensor in self.rig.sensors if sensor.sensor_id == sensor_id)
        health: dict[str, Any] = self.manager.health()
        seen = Seen(health=health["sensors"][sensor_id])
        topic = Topics.of(sensor.data_type)
        if sensor.data_type is Quantity.CAMERA_IMAGE:
            frames = [frame_from_headers(record.headers) for record in self.messaging.read_all(topic.raw)]
            seen.frames = [frame for frame in frames if frame.sensor_id == sensor_id]
        else:
            seen.readings = _of(self.messaging.read_all(topic.raw), sensor_id)
            seen.processed = _of(self.messaging.read_all(topic.processed), sensor_id)
        records = self.messaging.read_all(Topics.HEALTH)
        seen.reports = [
            HealthReport.from_json(record.value or b"") for record in records if record.key == f"collector/{sensor_id}"
        ]
        return seen

    def _run(self, service: Service) -> None:
        service.start()
        self._services.append(service)


def field_settings(folder: Path, rig_file: Path, scenario: Path | None = None) -> Settings:
    """Return settings of a rig of its own, on free ports."""
    urls = {
        name: f"http://127.0.0.1:{free_port()}"
        for name in ("flask_simulator_url", "flask_processing_url", "flask_collector_url")
    }
    return load_settings(
        env_file=None, data_dir=folder / "data", log_dir=folder / "logs", rig_file=rig_file, dt_token=TOKEN,
        hardware="simulated", messaging="memory", sim_scenario=scenario, **urls,
    )  # fmt: skip


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def zones(*plants: str) -> str:
    """Return the head of a rig file: a box, and pots in it."""
    pots = "".join(
        f'[plants.{plant}]\nzone = "box"\nspecies = "Ocimum basilicum"\npot_volume_l = 2.0\n' for plant in plants
    )
    return '[zones.box]\ntimezone = "Europe/Rome"\nlatitude = 45.07\nlongitude = 7.69\n' + pots


def sensor(sensor_id: str, kind: str, quantity: str, every_s: float = 1.0, **more: object) -> str:
    """Return a row of a rig file."""
    more = {"zone": "box", **more} if "plant" not in more else more
    lines = [f'id = "{sensor_id}"', f'kind = "{kind}"', f'quantity = "{quantity}"', f"every_s = {every_s:g}"]
    lines += [f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}" for name, value in more.items()]
    return "\n[[sensors]]\n" + "\n".join(lines) + (f"\n{COUNTS}\n" if quantity == "soil_moisture" else "\n")


def probe(sensor_id: str, address: int, plant: str = "basil", every_s: float = 1.0, **more: object) -> str:
    """Return the row of a soil probe."""
    return sensor(sensor_id, "seesaw", "soil_moisture", every_s, plant=plant, address=address, **more)


def dht22(name: str, pin: int, every_s: float = 2.2, **more: object) -> str:
    """Return the two rows of a DHT22."""
    rows = [
        sensor(f"{name}-{quantity}", "dht22", quantity, every_s, pin=f"GPIO{pin}", **more)
        for quantity in ("temperature", "humidity")
    ]
    return "".join(rows)


def masked(text: str) -> str:
    """Return a text with every number hidden: what depends on the moment."""
    return re.sub(r"\d+(?:\.\d+)?", "#", text)


def spread(values: Sequence[float]) -> float:
    """Return the distance between the largest and the smallest."""
    return max(values) - min(values)


def _of(records: Iterable[Record], sensor_id: str) -> list[SensorData]:
    found = [SensorData.from_json(record.value or b"") for record in records]
    return [reading for reading in found if reading.sensor_id == sensor_id]
