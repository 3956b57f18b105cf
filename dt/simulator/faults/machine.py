"""Faults of the machine that the collector runs on (F15-F17), as the wire's `host()` tells them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from dt.communication.wire_calls import Disk, Ending, HostState, Link
from dt.simulator.faults.desk import FaultDesk
from dt.simulator.faults.order import Fault

_WORST_FIRST = (Link.AWAY, Link.HALF_OPEN, Link.SLOW)
_ENDINGS = {"kill": Ending.KILL, "power_cut": Ending.POWER_CUT}
_DISKS = {"disk_full": Disk.FULL, "read_only": Disk.READ_ONLY}


def host_state(desk: FaultDesk, now_s: float) -> HostState:
    """Return what befalls the machine now; an end is told once, and with that is over."""
    faults = desk.of_host(now_s)
    if not faults:
        return HostState()
    endings = [fault for fault in faults if fault.fault == "F17" and fault.word("mode") in _ENDINGS]
    for fault in endings:
        desk.end(fault.id, now_s)
    networks = [fault for fault in faults if fault.fault == "F15"]
    first = endings[0] if endings else None
    return HostState(
        broker=_link(networks, "broker"),
        database=_link(networks, "database"),
        delay_s=max((fault.number("delay_s") for fault in networks), default=0.0),
        clock_shift_s=_clock_shift_s([fault for fault in faults if fault.fault == "F16"], now_s),
        duplicates=_share(faults, "duplicates"),
        out_of_order=_share(faults, "out_of_order"),
        disk=next((_DISKS[f.word("mode")] for f in faults if f.fault == "F17" and f.word("mode") in _DISKS), Disk.FINE),
        ending=_ENDINGS[first.word("mode")] if first else Ending.NONE,
        ends_after_s=desk.chance(first).uniform(0.0, first.number("within_s")) if first else 0.0,
    )


def _link(faults: Sequence[Fault], what: str) -> Link:
    modes = {fault.word("mode") for fault in faults if fault.word("what") in (what, "network")}
    return next((link for link in _WORST_FIRST if link in modes), Link.UP)


def _clock_shift_s(faults: Sequence[Fault], now_s: float) -> float:
    """A clock is set to one time: the latest jump counts, daylight saving adds to it, and none is before the epoch."""
    jumps = [fault for fault in faults if fault.word("mode") == "jump"]
    hours = sum(fault.number("hours") for fault in faults if fault.word("mode") == "daylight_saving")
    latest = max(reversed(jumps), key=lambda fault: fault.since, default=None)
    return max(-now_s, (_jump_s(latest) if latest else 0.0) + 3600.0 * hours)


def _jump_s(fault: Fault) -> float:
    return datetime(round(fault.number("year")), 1, 1, tzinfo=UTC).timestamp() - fault.since


def _share(faults: Sequence[Fault], mode: str) -> float:
    return max((f.number("share") for f in faults if f.fault == "F16" and f.word("mode") == mode), default=0.0)
