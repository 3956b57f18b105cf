"""A soak: thousands of plant-days in lockstep, half of them with faults, and the figures that they come to."""

from __future__ import annotations

import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dt.evaluation.simulation import Simulation
from dt.evaluation.soak_faults import DrawnFault
from dt.evaluation.soak_plan import DAYS, POTS, SoakBox, soak_box
from dt.evaluation.soak_timer import TimerDay, one_knob, smallest_doses
from dt.utils.dataclasses import AlertEvent, AlertState, Severity

_DAY_S = 86_400.0
_TOLD_WITHIN_S = 24 * 3600.0
_KNOB_EVERY = 2  # of the boxes without faults are asked for the knob of all
_TIMED_EVERY = 16  # and for a knob per pot, which costs as much as the loop
_KS_TOLERANCE = 0.005
_MONTH_DAYS = 30.0

Progress = Callable[[float, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of one fault: did it threaten for a day, and after how long did an alert name it (s)?"""

    fault: DrawnFault
    threatened_s: float
    told_after_s: float | None


@dataclass(slots=True, kw_only=True)
class BoxResult:
    """What one box came to."""

    box: SoakBox
    floods: list[str]
    violations: list[str]
    checks: Counter[str]
    days: dict[str, int]
    days_below: dict[str, int]
    mean_ks: dict[str, float]
    water_ml: dict[str, float]
    told: list[Told] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    alerts: int = 0
    opened: Counter[str] = field(default_factory=Counter)  # alerts by kind, without everyday dryness
    went_ml: Counter[str] = field(default_factory=Counter)
    own_timer_ml: dict[str, float] | None = None
    timer_same_ks_ml: dict[str, float] | None = None
    is_asked: bool = False


@dataclass(slots=True, kw_only=True)
class Soak:
    """All boxes, and how long they took."""

    results: list[BoxResult] = field(default_factory=list)
    seconds: float = 0.0
    knob_ml: float = 0.0  # a day per litre of pot, by a timer that gives all pots the same
    knob_same_ks_ml: float = 0.0
    loop_seconds: float = 0.0  # of one core, without the search for the timer's dose

    @property
    def plant_days(self) -> int:
        """Return how many days of how many plants were lived through."""
        return sum(result.box.plant_days for result in self.results)

    def figures(self) -> dict[str, float]:
        """Return the flat figures."""
        healthy = [result for result in self.results if not result.box.faults]
        told = [one for result in self.results for one in result.told if one.threatened_s >= _TOLD_WITHIN_S]
        in_time = [one for one in told if one.told_after_s is not None and one.told_after_s <= _TOLD_WITHIN_S]
        days, below = _summed(healthy, "days"), _summed(healthy, "days_below")
        return {
            "plant_days": self.plant_days,
            "floods": sum(len(result.floods) for result in self.results),
            "violations": sum(len(result.violations) for result in self.results),
            "below_wilting_share": below / days if days else 0.0,
            "faulty_alerted_share": len(in_time) / len(told) if told else 1.0,
            "false_alarms": _MONTH_DAYS * sum(self.false_alarms().values()) / days if days else 0.0,
            "water_vs_timer": _knob_ratio(healthy, self.knob_ml),
            "timer_ml_per_l": self.knob_ml,
            "water_vs_timer_all_same_ks": _knob_ratio(healthy, self.knob_same_ks_ml),
            "water_vs_own_timer": _ratio(healthy, "own_timer_ml"),
            "water_vs_timer_same_ks": _ratio(healthy, "timer_same_ks_ml"),
            "faults": sum(len(result.box.faults) for result in self.results),
            "threatening_faults": len(told),
            "mean_ks": sum(sum(r.mean_ks.values()) for r in healthy) / max(1, sum(len(r.mean_ks) for r in healthy)),
            "transpired_share": sum(r.went_ml["transpired"] for r in healthy)
            / max(1e-9, sum(sum(r.went_ml.values()) for r in healthy)),
            "checks": sum(sum(result.checks.values()) for result in self.results),
            "seconds": self.seconds,
            "plant_days_per_core_hour": 3600.0 * self.plant_days / self.loop_seconds if self.loop_seconds else 0.0,
        }

    def false_alarms(self) -> Counter[str]:
        """Return by kind how many alerts there were where nothing was wrong."""
        return sum((result.opened for result in self.results if not result.box.faults), Counter[str]())


def soak(
    plant_days: int,
    seed: int,
    progress: Progress = lambda _done, _total: None,
    *,
    days: int = DAYS,
    asks_timer: bool = True,
    only: Collection[str] = (),
    boxes: Collection[int] = (),
) -> Soak:
    """Live through about so many plant-days, every second box with faults; or through these `boxes` of them alone."""
    made = Soak()
    began, numbers = time.process_time(), sorted(boxes) or range(-(-plant_days // (days * POTS)))
    with tempfile.TemporaryDirectory(prefix="plant-twin-soak-") as folder:
        for done, number in enumerate(numbers, 1):
            box = soak_box(number, seed, Path(folder), faulty=number % 2 == 1, days=days, only=only)
            box_began = time.process_time()
            result = lived(box)
            made.loop_seconds += time.process_time() - box_began
            if asks_timer and not box.faults:
                _ask_timers(made, result, number // 2)
            made.results.append(result)
            progress(done, len(numbers))
    made.seconds = time.process_time() - began
    return made


def lived(box: SoakBox) -> BoxResult:
    """Live through one box, and say what it came to."""
    with Simulation(box.scenario, box.rig, spec=box.spec) as simulation:
        simulation.live(box.days)
        plants = simulation.truth.plants
        result = BoxResult(
            box=box,
            floods=[
                f"box {box.number} day {_day(box, f.timestamp)} {f.plant_id}: {f.why}" for f in simulation.truth.floods
            ],
            violations=[
                f"box {box.number} day {_day(box, v.timestamp)} {v.invariant} {v.what}: {v.why}"
                for v in simulation.judge.violations
            ],
            checks=simulation.judge.checks,
            days={name: diary.days for name, diary in plants.items()},
            days_below={name: diary.days_below_wilting for name, diary in plants.items()},
            mean_ks={name: diary.mean_ks for name, diary in plants.items()},
            water_ml={name: simulation.truth.water_ml(name)["pumped"] for name in plants},
            refusals=simulation.judge.refusals,
            went_ml=Counter(
                {
                    name: sum(simulation.truth.water_ml(plant_id)[name] for plant_id in plants)
                    for name in ("transpired", "evaporated", "spilt")
                }
            ),
            alerts=len(simulation.diary.alerts),
            opened=_opened(simulation.diary.alerts),
        )
        result.told = [_told(fault, simulation) for fault in box.faults if fault.row.threatens]
    return result


def _told(fault: DrawnFault, simulation: Simulation) -> Told:
    """Say how long a fault threatened, and when an alert named its sensor, pump or plant first."""
    since_s: float | None = fault.since_s + fault.row.after_s
    if fault.row.by_demand:
        wanted = [at for at, name in simulation.judge.starts if name == fault.pump_id]
        since_s = next((at for at in wanted if fault.since_s <= at < fault.until_s), None)
    if since_s is None:
        return Told(fault=fault, threatened_s=0.0, told_after_s=None)
    at_s = _first_word(fault, simulation.diary.alerts, fault.since_s)
    return Told(
        fault=fault,
        threatened_s=fault.until_s - since_s,
        told_after_s=None if at_s is None else max(0.0, at_s - since_s),
    )


def _first_word(fault: DrawnFault, alerts: list[tuple[float, AlertEvent]], since_s: float) -> float | None:
    names = {name for name in (fault.target, fault.pump_id, fault.plant_id) if name is not None}
    is_open: set[str] = set()
    for at_s, event in alerts:
        if not names & set(event.key.split(":")[1:]) or _is_everyday(event):
            continue
        if event.state is AlertState.RESOLVED:
            is_open.discard(event.key)
        elif at_s >= since_s:
            return since_s if is_open else at_s
        else:
            is_open.add(event.key)
    return since_s if is_open else None


def _opened(alerts: list[tuple[float, AlertEvent]]) -> Counter[str]:
    """Count by kind how often an alert began that is not everyday."""
    found: Counter[str] = Counter()
    is_open: set[str] = set()
    for _at, event in alerts:
        if event.state is AlertState.RESOLVED:
            is_open.discard(event.key)
        elif event.key not in is_open and not _is_everyday(event):
            is_open.add(event.key)
            found[event.key.partition(":")[0]] += 1
    return found


def _is_everyday(event: AlertEvent) -> bool:
    """Soil that is dry is told before each watering: it says nothing of a fault until it is critical."""
    return event.key.startswith("soil_dry:") and event.severity is not Severity.CRITICAL


def _ask_timers(made: Soak, result: BoxResult, number: int) -> None:
    """Turn the knob of all pots up as far as this box needs it; of some boxes, search the dose of each pot as well."""
    box = result.box

    def as_few_below(plant_id: str, lived_so: TimerDay) -> bool:
        return lived_so.days_below_wilting <= result.days_below[plant_id]

    def as_little_stress(plant_id: str, lived_so: TimerDay) -> bool:
        is_unstressed = lived_so.mean_ks >= result.mean_ks[plant_id] - _KS_TOLERANCE
        return is_unstressed and as_few_below(plant_id, lived_so)

    life = (box.spec, box.scenario.start_s, box.days)
    if number % _KNOB_EVERY == 0:
        result.is_asked = True
        made.knob_ml = one_knob(*life, as_few_below, made.knob_ml)
        made.knob_same_ks_ml = one_knob(*life, as_little_stress, made.knob_same_ks_ml)
    if number % _TIMED_EVERY == 0:
        for name, is_enough in (("own_timer_ml", as_few_below), ("timer_same_ks_ml", as_little_stress)):
            doses = smallest_doses(*life, is_enough)
            setattr(result, name, {plant_id: ml * box.days for plant_id, ml in doses.items()})


def fault_rows(results: list[BoxResult]) -> list[dict[str, Any]]:
    """Return for each fault at each severity: how often it was drawn, threatened, was told in time, and how fast."""
    drawn = Counter(fault.row.name for result in results for fault in result.box.faults)
    told: dict[str, list[Told]] = defaultdict(list)
    rows = {fault.row.name: fault.row for result in results for fault in result.box.faults}
    for result in results:
        for one in result.told:
            if one.threatened_s >= _TOLD_WITHIN_S:
                told[one.fault.row.name].append(one)
    return [
        {
            "name": name,
            "why": rows[name].why,
            "threatens": rows[name].threatens,
            "drawn": drawn[name],
            "threatened": len(told[name]),
            "told": sum(one.told_after_s is not None and one.told_after_s <= _TOLD_WITHIN_S for one in told[name]),
            "after_h": sorted(one.told_after_s / 3600.0 for one in told[name] if one.told_after_s is not None),
        }
        for name in sorted(drawn, key=lambda name: (int(rows[name].fault[1:]), name))
    ]


def _summed(results: list[BoxResult], name: str) -> int:
    return sum(sum(getattr(result, name).values()) for result in results)


def _ratio(results: list[BoxResult], name: str) -> float:
    timed = [result for result in results if getattr(result, name) is not None]
    timer_ml = sum(sum(getattr(result, name).values()) for result in timed)
    return sum(sum(result.water_ml.values()) for result in timed) / timer_ml if timer_ml else 0.0


def _knob_ratio(results: list[BoxResult], ml_per_l: float) -> float:
    """Return the loop's water by that of a timer, in the boxes that were asked how far its knob must be turned."""
    asked = [result for result in results if result.is_asked]
    litre_days = sum(result.box.days * pot.volume_ml / 1000.0 for result in asked for pot in result.box.spec.pots)
    water_ml = sum(sum(result.water_ml.values()) for result in asked)
    return water_ml / (ml_per_l * litre_days) if ml_per_l and litre_days else 0.0


def _day(box: SoakBox, timestamp: float) -> str:
    return f"{(timestamp - box.scenario.start_s) / _DAY_S:.2f}"
