"""What a fault desk remembers from run to run: checked as a whole before any of it is taken up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from dt.simulator.faults.order import Fault, Targets, read_order
from dt.utils.exceptions import MessageError

_ENDS_THE_PROCESS = frozenset({"kill", "power_cut"})
_MOST_THROWS = 10**15
_LARGEST = 1e9  # of a value at which a sensor is stuck, in its chip's unit
_SHOWN_DIGITS = 40
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskPlan:
    """A snapshot that was found sound, and why some of its faults are left out (the rig may have changed)."""

    count: int
    faults: Mapping[str, Fault]
    throws: Mapping[str, int]
    held: Mapping[str, float]
    left_out: tuple[str, ...]


def ends_the_process(fault: Fault) -> bool:
    """Return whether a fault ends the process that asks what befalls it (F17)."""
    return fault.fault == "F17" and fault.word("mode") in _ENDS_THE_PROCESS


def planned(snapshot: object, targets: Targets, *, is_one_process: bool, most: int) -> DeskPlan:
    """Check a desk's snapshot; ValueError with the part that no desk can have had."""
    kept = _object(snapshot, "faults")
    rows = kept.get("faults")
    if not isinstance(rows, list) or len(rows) > most:
        msg = f"faults: must be a list of at most {most}"
        raise ValueError(msg)
    count = _whole(kept.get("count"), "faults.count", len(rows))
    faults: dict[str, Fault] = {}
    left_out: list[str] = []
    seen: set[str] = set()
    for index, row in enumerate(rows):
        name = _id(_object(row, f"faults[{index}]"), index, count)
        if name in seen:
            msg = f"faults[{index}].id: {name!r} is there twice"
            raise ValueError(msg)
        seen.add(name)
        why = _taken(row, name, targets, faults, is_one_process=is_one_process)
        left_out += [f"{name}: {why}"] if why else []
    return DeskPlan(
        count=count,
        faults=faults,
        throws=_by_fault(kept.get("throws", {}), "throws", seen, faults, _whole),
        held=_by_fault(kept.get("held", {}), "held", seen, faults, _finite),
        left_out=tuple(left_out),
    )


def _taken(
    row: Mapping[str, Any], name: str, targets: Targets, faults: dict[str, Fault], *, is_one_process: bool
) -> str | None:
    """Put a fault among the others, or return why it cannot be here."""
    if row.get("since") is None:
        msg = f"{name}: since: is missing"
        raise ValueError(msg)
    is_over_at_once = row.get("until") == row["since"]  # ended when it had just begun: no order, but a fault
    try:
        fault = read_order({**row, "until": None} if is_over_at_once else row, name, targets, 0.0)
    except MessageError as error:
        return str(error)
    if is_one_process and ends_the_process(fault):
        return "it would end the process of the box"
    faults[name] = replace(fault, until=fault.since) if is_over_at_once else fault
    return None


def _id(row: Mapping[str, Any], index: int, count: int) -> str:
    """Return a fault's id: its kind and a number up to the count, so that the next one is new."""
    name = row.get("id")
    kind, _, number = name.partition("-") if isinstance(name, str) else ("", "", "")
    is_number = number.isdecimal() and len(number) <= _SHOWN_DIGITS and 1 <= int(number) <= count
    if kind != str(row.get("fault")).lower() or not is_number:
        msg = f"faults[{index}].id: must be a fault and a number from 1 to {count}, not {str(name)[:_SHOWN_DIGITS]!r}"
        raise ValueError(msg)
    return str(name)


def _by_fault(
    kept: object, name: str, seen: set[str], faults: Mapping[str, Fault], check: Callable[[object, str], _Value]
) -> dict[str, _Value]:
    values = {}
    for fault_id, value in _object(kept, name).items():
        if fault_id not in seen:
            msg = f"faults.{name}: there is no fault {fault_id[:_SHOWN_DIGITS]!r}"
            raise ValueError(msg)
        values[fault_id] = check(value, f"faults.{name}.{fault_id}")
    return {fault_id: value for fault_id, value in values.items() if fault_id in faults}


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        msg = f"{name}: must be an object"
        raise ValueError(msg)  # noqa: TRY004 - one kind of error for a file that cannot be
    return value


def _whole(value: object, name: str, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MOST_THROWS:
        msg = f"{name}: must be a whole number from {least} to {_MOST_THROWS}, not {str(value)[:_SHOWN_DIGITS]}"
        raise ValueError(msg)
    return value


def _finite(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST <= value <= _LARGEST:
        msg = f"{name}: must be a number of at most {_LARGEST:g}, not {str(value)[:_SHOWN_DIGITS]}"
        raise ValueError(msg)
    return float(value)
