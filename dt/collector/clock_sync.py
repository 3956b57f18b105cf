"""What becomes of readings that were taken before the kernel believed its own clock."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from dt.communication.messaging import Outgoing
from dt.communication.topics import Topics
from dt.utils.clock import Clock
from dt.utils.codec import LATEST_TIMESTAMP
from dt.utils.dataclasses import GapNotice, SensorData
from dt.utils.exceptions import MessageError
from dt.utils.kernel_clock import is_clock_synced
from dt.utils.logger import get_logger

_MACHINE_BOOT = Path("/proc/sys/kernel/random/boot_id")

log = get_logger("dt.collector.clock")


def machine_boot() -> str:
    """Return what tells one start of the machine from the next; empty where the kernel does not say."""
    try:
        return _MACHINE_BOOT.read_text("ascii").strip()
    except OSError:
        return ""


class ClockBook:
    """Says whether the clock can be believed; `poll` notices when that begins, and then `on_sync` may correct."""

    def __init__(
        self, clock: Clock, is_synced: Callable[[], bool] = is_clock_synced, machine: str | None = None
    ) -> None:
        self._clock = clock
        self._is_synced = is_synced
        self._machine = machine_boot() if machine is None else machine
        self.is_synced = False
        self._was_polled = False

    def poll(self) -> bool:
        """Look at the clock; return whether it has just become believable."""
        before, self.is_synced = self.is_synced, self._is_synced()
        has_begun = self.is_synced and not before
        if has_begun and self._was_polled:
            log.info("the clock is synchronised now")
        self._was_polled = True
        return has_begun

    def mark(self) -> str | None:
        """Return by what a reading of this moment can be corrected later; None when it need not be."""
        return None if self.is_synced else f"{self._machine} {self._ahead_s():.3f}"

    def corrected(self, record: Outgoing, mark: str) -> Outgoing | None:
        """Return a record moved by how far the clock was set since it was made; None when that is not known."""
        machine, _, ahead_s = mark.rpartition(" ")
        if machine != self._machine or not self._machine:
            return None
        return moved(record, self._ahead_s() - float(ahead_s))

    def _ahead_s(self) -> float:
        return self._clock.wall() - self._clock.monotonic()


def moved(record: Outgoing, shift_s: float) -> Outgoing | None:
    """Return a reading, picture or gap notice at another time, its clock believed; None for what is none."""
    try:
        if record.topic == Topics.GAPS:
            return _with(
                record, _moved(GapNotice.from_json(record.value or b""), shift_s, "since", "until", "timestamp")
            )
        if record.topic == Topics.CAMERA_IMAGE.raw:
            at = float(msgspec.json.decode(record.headers["timestamp"])) + shift_s
            return msgspec.structs.replace(record, headers={**record.headers, "timestamp": b"%.3f" % at})
        reading = _moved(SensorData.from_json(record.value or b""), shift_s, "timestamp")
        return _with(record, dataclasses.replace(reading, clock_synced=True))
    except (MessageError, msgspec.DecodeError, KeyError):
        return None


def _moved(message: Any, shift_s: float, *names: str) -> Any:
    times = {name: min(LATEST_TIMESTAMP, max(0.0, getattr(message, name) + shift_s)) for name in names}
    return dataclasses.replace(message, **times)


def _with(record: Outgoing, message: SensorData | GapNotice) -> Outgoing:
    return msgspec.structs.replace(record, value=message.to_json())
