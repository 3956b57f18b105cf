"""A fault as it is ordered: checked against the table and the rig, with the field and the limit in every refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dt.simulator.faults.catalogue import ANY_I2C, ANY_SENSOR, CATALOGUE, F14_MODES, HOST, FaultSpec, Parameter, Value
from dt.utils.codec import Message, Timestamp
from dt.utils.exceptions import MessageError
from dt.utils.quantities import Quantity

_SHOWN_DIGITS = 40
_ENDS_AT_ONCE = "F17"  # a kill is over in the instant in which it is told
_TIMES = ("since", "until")
_FIELDS = frozenset({"fault", "target", "id", *_TIMES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, active from `since` to `until` (epoch s) on a sensor, an actuator or the host."""

    id: str
    fault: str
    target: str
    since: float
    until: float | None = None
    parameters: Mapping[str, Value] = field(default_factory=dict)

    def is_active(self, now_s: float) -> bool:
        """Return whether it acts now."""
        return self.since <= now_s and (self.until is None or now_s < self.until)

    def number(self, name: str) -> float:
        """Return a parameter that is a number."""
        return float(self.parameters[name])

    def word(self, name: str) -> str:
        """Return a parameter that is a word."""
        return str(self.parameters[name])

    def to_dict(self) -> dict[str, Any]:
        """Return the fault in the shape in which it is ordered."""
        own = {"id": self.id, "fault": self.fault, "target": self.target, "since": self.since, "until": self.until}
        return {**own, **self.parameters}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span(Message):
    """When a fault acts."""

    since: Timestamp
    until: Timestamp | None = None

    def ensure_consistent(self) -> None:
        """Refuse what ends before it begins."""
        if self.until is not None and self.until < self.since:
            raise MessageError("until", f"must be after since ({self.since:.3f}), and is {self.until:.3f}")


@dataclass(frozen=True, slots=True)
class Targets:
    """What can have a fault: kinds of sensors and actuators and what sensors measure, by id, and who sits on I2C."""

    sensors: Mapping[str, str]
    quantities: Mapping[str, Quantity]
    actuators: Mapping[str, str]
    i2c: frozenset[str] = frozenset()

    def kind_of(self, target: str) -> str:
        """Return the kind of a target; raises MessageError."""
        kind = HOST if target == HOST else self.sensors.get(target) or self.actuators.get(target)
        if kind is None:
            known = ", ".join([*sorted(self.sensors), *sorted(self.actuators), HOST])
            raise MessageError("target", f"{target!r} is not in the rig; there are: {known}")
        return kind


def read_order(order: Mapping[str, Any], fault_id: str, targets: Targets, now_s: float) -> Fault:
    """Return the fault that an order describes; raises MessageError with the field and its limit."""
    spec = _spec_of(order.get("fault"))
    target = order.get("target")
    if not isinstance(target, str) or not target:
        raise MessageError("target", f"must be the id of a sensor or actuator, or {HOST}")
    _ensure_fitting(spec, target, targets)
    span = _Span.from_dict({"since": now_s, **{name: order[name] for name in _TIMES if order.get(name) is not None}})
    if span.until == span.since and spec.fault != _ENDS_AT_ONCE:
        raise MessageError("until", f"must be after since ({span.since:.3f}), and is the same")
    parameters = _parameters(spec, {name: value for name, value in order.items() if name not in _FIELDS})
    _ensure_device_mode(spec, targets.kind_of(target), parameters)
    return Fault(
        id=fault_id, fault=spec.fault, target=target, since=span.since, until=span.until, parameters=parameters
    )


def _spec_of(name: object) -> FaultSpec:
    spec = CATALOGUE.get(name) if isinstance(name, str) else None
    if spec is None:
        raise MessageError("fault", f"must be one of F1 to F{len(CATALOGUE)}, not {name!r}")
    return spec


def _ensure_fitting(spec: FaultSpec, target: str, targets: Targets) -> None:
    kind = targets.kind_of(target)
    fits = (
        kind in spec.kinds
        or (ANY_I2C in spec.kinds and target in targets.i2c)
        or (ANY_SENSOR in spec.kinds and target in targets.sensors and kind != "camera")
    )
    if not fits:
        wanted = ", ".join(sorted(spec.kinds))
        raise MessageError("target", f"{spec.fault} befalls {wanted}; {target} is of kind {kind}")
    measures = targets.quantities.get(target)
    if spec.quantity is not None and measures is not spec.quantity:
        why = f"{spec.fault} falsifies {spec.quantity}; {target} measures {measures}: name the chip's other sensor"
        raise MessageError("target", why)


def _ensure_device_mode(spec: FaultSpec, kind: str, parameters: Mapping[str, Value]) -> None:
    """A heater cannot be a dead lamp."""
    if spec.fault == "F14" and parameters["mode"] not in ("own", F14_MODES[kind]):
        raise MessageError("mode", f"of a {kind} must be own or {F14_MODES[kind]}, not {parameters['mode']!r}")


def _parameters(spec: FaultSpec, given: Mapping[str, Any]) -> dict[str, Value]:
    known = {parameter.name: parameter for parameter in spec.parameters}
    for name in given:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise MessageError(name, f"is no parameter of {spec.fault}; it has: {listed}")
    return {name: _checked(parameter, given.get(name, parameter.default)) for name, parameter in known.items()}


def _checked(parameter: Parameter, value: object) -> Value:
    if parameter.words:
        if value not in parameter.words:
            raise MessageError(parameter.name, f"must be one of {', '.join(parameter.words)}, not {value!r}")
        return str(value)
    limits = f"must be a number from {parameter.low:g} to {parameter.high:g}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MessageError(parameter.name, f"{limits}, not {value!r}")
    if not parameter.low <= value <= parameter.high:  # before it becomes a float: a whole number may be too large
        raise MessageError(parameter.name, f"{limits}, not {str(value)[:_SHOWN_DIGITS]}")
    return float(value)
