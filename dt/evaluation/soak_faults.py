"""The faults of a soak: which are drawn, at which severity, which of these threaten a plant, and what tells of them.

A fault threatens when, left alone, it leaves a plant without water or gives it too much within days. One of air, light
or camera does not: nothing that waters looks at these. What lasts some hours does not either: a pot outlives a day.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dt.simulator.faults.catalogue import HOST
from dt.utils.rig import Rig

_DAY_S = 86_400.0
_FIRST_S, _SPACING_S = 1.5 * _DAY_S, 3 * _DAY_S
_HOURS, _DAYS = (1.0, 10.0), (24.0, 96.0)  # how long faults last, h

SOIL, WARMTH, PUMP = "soil", "warmth", "pump"  # one of each pot
AIR, HUMID, LIGHT, CAMERA = "air-t", "air-h", "light", "camera"
HEATER, FAN, LAMP = "heater", "fan", "lamp"  # of some boxes


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A fault at a severity; it begins to threaten after `after_s`, or `by_demand`: when the pump is wanted."""

    fault: str
    parameters: Mapping[str, Any]
    on: str
    threatens: bool
    why: str
    hours: tuple[float, float] = _DAYS
    by_demand: bool = False
    after_s: float = 0.0

    @property
    def name(self) -> str:
        """Return how the table calls it."""
        said = [
            f"{key} {value:g}" if isinstance(value, float) else str(value) for key, value in self.parameters.items()
        ]
        return f"{self.fault} {', '.join(said)} on {self.on}".replace("  ", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnFault:
    """A fault of one box: what the desk is ordered, and which row of the table it is."""

    row: Row
    order: Mapping[str, Any]
    target: str
    plant_id: str | None
    pump_id: str | None
    since_s: float
    until_s: float

    @property
    def repairs(self) -> tuple[str, ...]:
        """Return the pumps that a person releases once it is over."""
        return () if self.pump_id is None else (self.pump_id,)


def _row(fault: str, on: str, threatens: bool, why: str, **parameters: Any) -> Row:  # noqa: FBT001 - a column
    return Row(fault=fault, parameters=parameters, on=on, threatens=threatens, why=why)


def _pump(mode: str, why: str, *, by_demand: bool = True, threatens: bool = True) -> Row:
    return Row(fault="F13", parameters={"mode": mode}, on=PUMP, threatens=threatens, why=why, by_demand=by_demand)


def _host(fault: str, why: str, **parameters: Any) -> Row:
    return Row(fault=fault, parameters=parameters, on=HOST, threatens=False, why=why, hours=_HOURS)


_MEDIAN = "the median of three looks passes it over"
_SILENT = "no moisture, so no water (S4)"
_WRONG = "water by a wrong reading, or none"
_ELSEWHERE = "nothing that waters looks at it"
_SHORT = "some hours; the pots outlive them"

ROWS = (
    _row("F1", SOIL, False, _MEDIAN, share=0.2),
    _row("F1", SOIL, True, _SILENT, share=1.0),
    _row("F2", WARMTH, False, _ELSEWHERE),
    _row("F3", SOIL, False, _MEDIAN, share=0.2),
    _row("F3", SOIL, True, _SILENT),
    _row("F4", AIR, False, _ELSEWHERE),
    _row("F5", HUMID, False, _ELSEWHERE),
    _row("F6", AIR, False, _ELSEWHERE),
    _row("F7", AIR, False, _ELSEWHERE),
    _row("F8", LIGHT, False, _ELSEWHERE),
    _row("F9", SOIL, True, _SILENT, mode="no_acknowledge"),
    _row("F9", SOIL, True, _SILENT, mode="hang"),
    _row("F9", SOIL, False, "looks fail now and then", mode="no_acknowledge", share=0.1),
    _row("F9", LIGHT, False, _ELSEWHERE, mode="no_acknowledge"),
    _row("F10", SOIL, True, _SILENT, mode="pulled_out"),
    _row("F10", SOIL, True, _WRONG, mode="air_gap", gap=0.4),
    _row("F10", SOIL, False, "it still sits in the same soil", mode="moved"),
    _row("F10", SOIL, False, "within its days it waters up to the upper limit", mode="drift", counts_per_day=-80.0),
    replace(
        _row(
            "F10", SOIL, True, "too little water, once it reads 150 counts too wet", mode="drift", counts_per_day=80.0
        ),
        after_s=150.0 / 80.0 * _DAY_S,
    ),
    _row("F11", SOIL, True, _WRONG, mode="stuck"),
    _row("F11", SOIL, False, "a spike is outvoted", mode="spike", share=0.05),
    _row("F11", SOIL, True, _WRONG, mode="jump", size=-0.3),
    _row("F11", SOIL, True, _WRONG, mode="jump", size=0.3),
    _row("F11", SOIL, True, _SILENT, mode="noise", size=1.0),
    _row("F11", AIR, False, _ELSEWHERE, mode="stuck"),
    _row("F12", SOIL, False, "less than the band between the limits", counts_per_k=4.0),
    _pump("welded", "water until the supply's timer cuts off", by_demand=False),
    _pump("never_closes", "no water"),
    _pump("dry", "no water"),
    _pump("blocked", "no water"),
    _pump("siphon", "the siphon break ends it", threatens=False),
    _pump("leak", "half of the water misses the pot"),
    _row("F14", HEATER, False, "forty watts warm a box by some kelvin", mode="stuck"),
    _row("F14", FAN, False, "the vents' own exchange goes on", mode="blocked"),
    _row("F14", LAMP, False, "a plant bears some dark days", mode="dead"),
    _host("F15", _SHORT, mode="away"),
    _host("F15", _SHORT, mode="slow"),
    _host("F15", _SHORT, mode="half_open"),
    _host("F16", _SHORT, mode="jump", year=2000.0),
    _host("F16", _SHORT, mode="jump", year=2049.0),
    _host("F16", _SHORT, mode="daylight_saving"),
    _host("F16", _SHORT, mode="duplicates"),
    _host("F16", _SHORT, mode="out_of_order"),
    _host("F17", "it is over at once", mode="kill"),
    _host("F17", "it is over at once", mode="power_cut"),
    _host("F17", _SHORT, mode="disk_full"),
    _host("F17", _SHORT, mode="read_only"),
    _row("F18", CAMERA, False, _ELSEWHERE, mode="dark"),
    _row("F18", CAMERA, False, _ELSEWHERE, mode="gone"),
)


def draw_faults(
    dice: random.Random, rig: Rig, start_s: float, days: int, only: Collection[str] = ()
) -> tuple[DrawnFault, ...]:
    """Draw one fault every three days or so, `only` of these; none on the first day and none that outlasts the run."""
    end_s = start_s + days * _DAY_S
    at_s = start_s + _FIRST_S + dice.random() * _DAY_S
    found: list[DrawnFault] = []
    there = {sensor.sensor_id for sensor in rig.sensors} | {one.actuator_id for one in rig.actuators} | {HOST}
    rows = [row for row in ROWS if row.on in there or f"{row.on}-0" in there]
    rows = [row for row in rows if row.fault in only] if only else rows
    if not rows:
        return ()
    while True:
        row = dice.choice(rows)
        until_s = at_s + 3600.0 * dice.uniform(*row.hours)
        if until_s + _DAY_S > end_s:
            return tuple(found)
        found.append(_drawn(row, dice, rig, at_s, until_s))
        at_s = max(until_s + 0.5 * _DAY_S, at_s + _SPACING_S * dice.uniform(0.6, 1.4))


def _drawn(row: Row, dice: random.Random, rig: Rig, since_s: float, until_s: float) -> DrawnFault:
    index = dice.randrange(len(rig.plants))
    is_of_a_pot = row.on in (SOIL, WARMTH, PUMP)
    target = f"{row.on}-{index}" if is_of_a_pot else row.on
    order = {"fault": row.fault, "target": target, "since": since_s, "until": until_s, **row.parameters}
    return DrawnFault(
        row=row,
        order=order,
        target=target,
        plant_id=f"p{index}" if is_of_a_pot else None,
        pump_id=f"pump-{index}" if row.on in (SOIL, PUMP) else None,
        since_s=since_s,
        until_s=until_s,
    )
