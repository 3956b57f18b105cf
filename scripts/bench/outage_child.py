"""The process that `outage.py` kills: real SensorManager and Outbox, sensors and clock made up, no broker anywhere.

A journal beside the outbox says what the kernel has seen of it: B a boot, > a reading that is being put, < one whose
`put` has returned. It is what lost and found are measured against.
"""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from dt.collector.kinds.base_sensor import Hardware, RawReading, Sensor
from dt.collector.outbox import Outbox
from dt.collector.sensor_manager import SensorManager, SensorSource
from dt.communication.messaging import Outgoing
from dt.utils.clock import Clock, ManualClock
from dt.utils.dataclasses import SensorData, SensorDescriptor
from dt.utils.exceptions import MessagingError, SensorError
from dt.utils.logger import configure_logging
from dt.utils.quantities import Quantity, Unit

CADENCE_S = 5.0
SENSORS = 10
NAME = "collector"
JOURNAL = "journal"


def descriptors() -> list[SensorDescriptor]:
    """Return ten thermometers in two zones."""
    return [
        SensorDescriptor(
            sensor_id=f"t{number}",
            zone_id=f"zone{number % 2}",
            data_type=Quantity.TEMPERATURE,
            kind="bench",
            read_interval=CADENCE_S,
        )
        for number in range(SENSORS)
    ]


class Thermometer(Sensor):
    """Gives a value by the clock; one is dead for a while every hour, all miss single slots and single looks."""

    quantity: ClassVar[Quantity] = Quantity.TEMPERATURE
    unit: ClassVar[Unit] = Unit.DEGREE_CELSIUS

    def __init__(self, descriptor: SensorDescriptor, clock: Clock) -> None:
        super().__init__(descriptor)
        self._clock = clock
        self._number = int(descriptor.sensor_id[1:])
        self._tried: set[int] = set()

    @classmethod
    def open(cls, descriptor: SensorDescriptor, hardware: Hardware) -> Sensor:
        """Kinds open chips; this one is made by its source."""
        raise NotImplementedError

    def read_sensor(self) -> RawReading:
        """Look."""
        now = self._clock.wall()
        slot = int(now // CADENCE_S)
        whim = random.Random(slot * SENSORS + self._number).random()  # noqa: S311 - the same at every look of a slot
        if self._number == 3 and now % 3600.0 < 400.0:
            raise SensorError("unplugged")
        if whim < 0.01:
            raise SensorError("no answer")
        if whim > 0.99 and slot not in self._tried:
            self._tried = {slot}
            raise SensorError("no answer at the first look")
        return RawReading(round(20.0 + self._number + whim, 3))


class NoBroker:
    """A log that is away for good."""

    def publish_batch(self, batch: Sequence[Outgoing]) -> None:
        """Refuse for now."""
        raise MessagingError(f"no broker for {len(batch)} records")

    def flush(self, timeout_s: float = 10.0) -> None:
        """Nothing was queued."""

    def health(self) -> Mapping[str, object]:
        """Return that nobody is there."""
        return {"connected": False}


class JournalledOutbox(Outbox):
    """The outbox, each `put` of a reading framed by lines in a journal."""

    def __init__(self, journal: int, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._journal = journal

    def put_batch(self, records: Sequence[Outgoing], mark: str | None = None) -> None:
        """Take records in."""
        names = [_name_of(record) for record in records if record.topic.endswith(".raw")]
        self._write(">", names)
        super().put_batch(records, mark)
        self._write("<", names)

    def _write(self, sign: str, names: Sequence[str]) -> None:
        if names:
            os.write(self._journal, "".join(f"{sign} {name}\n" for name in names).encode())


def _name_of(record: Outgoing) -> str:
    reading = SensorData.from_json(record.value or b"")
    return f"{reading.sensor_id} {reading.boot_id} {reading.sequence} {reading.timestamp:.3f}"


def main() -> int:
    """Live from `--start` to `--until` as fast as it goes, unless the power is cut before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--start", type=float, required=True, help="epoch s")
    parser.add_argument("--until", type=float, required=True, help="epoch s")
    parser.add_argument("--cut", action="store_true", help="end as a power cut does")
    arguments = parser.parse_args()
    configure_logging(arguments.folder / "logs", "ERROR")
    clock = ManualClock(wall=arguments.start, monotonic=1000.0)
    journal = os.open(arguments.folder / JOURNAL, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    outbox = JournalledOutbox(journal, NoBroker(), clock, arguments.folder, name=NAME)
    sources = [
        SensorSource(descriptor=each, open=lambda each=each: Thermometer(each, clock), lane=each.sensor_id)  # type: ignore[misc]
        for each in descriptors()
    ]
    manager = SensorManager(sources, outbox, clock, clock_synced=lambda: True, machine=f"{arguments.start}")
    os.write(journal, f"B {manager.boot_id} {clock.wall():.3f}\n".encode())
    manager.open()
    while clock.wall() < arguments.until:
        manager.read_due_sensors()
        clock.advance(manager.seconds_to_next_read())
    if arguments.cut:
        outbox.cut_power()
        os._exit(9)
    manager.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
