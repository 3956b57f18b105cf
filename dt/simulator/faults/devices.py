"""Faults of actuators (F13, F14) as defects that the box's physics obeys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dt.simulator.box import Box
from dt.simulator.defects import FanDefect, HeaterDefect, LampDefect, PumpDefect
from dt.simulator.devices import Fan, Heater, Lamp, Pump
from dt.simulator.faults.desk import FaultDesk
from dt.simulator.faults.order import Fault

_SIPHON_SHARE = 0.4  # of the pump's flow: what a hose of an aquarium pump lets through without it
_LEAK_SHARE = 0.5

_PUMP_DEFECTS: dict[str, dict[str, float | bool]] = {
    "welded": {"welded": True},
    "never_closes": {"never_closes": True},
    "dry": {"dry": True},
    "blocked": {"blocked": 1.0},
    "siphon": {"siphon": _SIPHON_SHARE},
    "leak": {"leak": _LEAK_SHARE},
}


class Defects:
    """Sets the defects of a box's devices as the desk has them, and takes them away again."""

    def __init__(self, box: Box, desk: FaultDesk) -> None:
        self._box = box
        self._desk = desk
        self._defective: dict[str, list[Fault]] = {}

    def settle(self, now_s: float) -> None:
        """Make the box's devices as defective as they should be now."""
        faults = [fault for fault in self._desk.active(now_s) if fault.fault in ("F13", "F14")]
        if not faults and not self._defective:
            return
        by_target: dict[str, list[Fault]] = {actuator_id: [] for actuator_id in self._defective}
        for fault in faults:
            by_target.setdefault(fault.target, []).append(fault)
        for actuator_id, own in by_target.items():
            if own != self._defective.get(actuator_id):
                self._set(actuator_id, own)
        self._defective = {actuator_id: own for actuator_id, own in by_target.items() if own}

    def begin_anew(self, now_s: float) -> None:
        """Make every device as the desk has it now, whatever it was before."""
        self._defective = {actuator_id: [] for actuator_id in self._box.devices}
        active = {fault.target for fault in self._desk.active(now_s)}
        for actuator_id, device in self._box.devices.items():
            if actuator_id not in active:
                device.defect = device.healthy
        self.settle(now_s)

    def _set(self, actuator_id: str, faults: Sequence[Fault]) -> None:
        device = self._box.devices.get(actuator_id)
        if isinstance(device, Pump):
            pump = PumpDefect()
            for fault in faults:
                pump = replace(pump, **_PUMP_DEFECTS[fault.word("mode")])  # type: ignore[arg-type]
            device.defect = pump
        elif isinstance(device, Heater):
            device.defect = HeaterDefect(stuck_on=bool(faults))
        elif isinstance(device, Fan):
            device.defect = FanDefect(blocked=1.0 if faults else 0.0)
        elif isinstance(device, Lamp):
            device.defect = LampDefect(dead=bool(faults))
