"""`dt simulate`: a scenario lived through in lockstep, and what came of plants, water, alerts and safety."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from dt.evaluation.judge import Judge
from dt.evaluation.lockstep import Lockstep, LockstepRequest
from dt.evaluation.lockstep_diary import Diary
from dt.evaluation.lockstep_truth import Truth
from dt.evaluation.people import Answer, People, ensure_possible
from dt.evaluation.scenario import LockstepScenario
from dt.simulator.from_rig import box_spec
from dt.simulator.spec import BoxSpec, WeatherSpec
from dt.utils.dataclasses import Outcome
from dt.utils.rig import Rig

DAY_S = 86_400.0

Progress = Callable[[float, float], None]


class Simulation(AbstractContextManager["Simulation"]):
    """A run with everybody who looks at it; `live` lets it pass."""

    def __init__(
        self, scenario: LockstepScenario, rig: Rig, *, spec: BoxSpec | None = None, drivers: bool = False
    ) -> None:
        self.scenario = scenario
        self.spec = _spec(scenario, rig) if spec is None else spec
        ensure_possible(scenario.deeds, rig, self.spec, scenario.path)
        self.run = Lockstep(
            LockstepRequest(
                rig=rig,
                spec=self.spec,
                start_s=scenario.start_s,
                reads_every_s=scenario.reads_every_s,
                air_every_s=scenario.air_every_s,
                drivers=drivers,
            )
        )
        try:
            self.truth, self.judge, self.diary = Truth(self.run), Judge(self.run), Diary(self.run)
            self.people = People(self.run, self.judge, scenario.deeds)
            self.faults = [
                self.run.wire.order(order)
                for order in scenario.faults.orders(scenario.start_s, self.run.wire.targets())
            ]
        except BaseException:
            self.run.close()
            raise

    def live(self, days: float, progress: Progress = lambda _done, _total: None) -> None:
        """Let so many days pass, from where it stands."""
        began_s = self.run.now_s
        end_s = began_s + days * DAY_S
        while self.run.now_s < end_s - 1e-6:
            self.people.act()
            self.run.advance_to(min(end_s, self.people.next_at_s, self.run.now_s + 3600.0))
            progress(self.run.now_s - began_s, end_s - began_s)

    def report(self) -> dict[str, Any]:
        """Return the figures as plain JSON."""
        judge, truth = self.judge, self.truth
        return {
            "scenario": self.scenario.name or str(self.scenario.path),
            "seed": self.spec.seed,
            "since": _utc(self.scenario.start_s),
            "until": _utc(self.run.now_s),
            "plants": {plant_id: self._plant(plant_id) for plant_id in truth.plants},
            "doses": [one for one in self._results() if one["outcome"] == Outcome.DONE],
            "stopped": [one for one in self._results() if one["outcome"] in (Outcome.STOPPED, Outcome.FAILED)],
            "recommended": sum(r.outcome is Outcome.RECOMMENDED for _at, r in self.diary.results),
            "refusals": dict(sorted(judge.refusals.items())),
            "people": [_answer(answer) for answer in self.people.answers],
            "alerts": [
                {
                    "timestamp": _utc(at),
                    "key": event.key,
                    "state": str(event.state),
                    "severity": str(event.severity),
                    "description": event.description,
                }
                for at, event in self.diary.alerts
            ],
            "safety": {
                "violations": [_dated(asdict(one)) for one in judge.violations],
                "floods": [_dated(asdict(one)) for one in truth.floods],
                "checks": dict(sorted(judge.checks.items(), key=lambda item: int(item[0][1:]))),
                "by_invariant": dict(Counter(one.invariant for one in judge.violations)),
            },
        }

    def close(self) -> None:
        """Leave nothing."""
        self.run.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _plant(self, plant_id: str) -> dict[str, Any]:
        diary, pot = self.truth.plants[plant_id], self.run.box.pots[plant_id]
        return {
            "species": pot.spec.species.name,
            "days": diary.days,
            "days_below_wilting": diary.days_below_wilting,
            "mean_ks": round(diary.mean_ks, 4),
            "lowest_vwc": round(diary.lowest_vwc, 4),
            "growth": round(pot.growth.leaf_area_m2 / diary.grown_from, 4) if diary.grown_from else None,
            "damage": round(pot.growth.damage, 4),
            "water_ml": {name: round(ml, 1) for name, ml in self.truth.water_ml(plant_id).items()},
        }

    def _results(self) -> list[dict[str, Any]]:
        return [
            {
                "timestamp": _utc(at),
                "actuator_id": result.actuator_id,
                "outcome": str(result.outcome),
                "delivered_ml": result.delivered_ml,
                "on_s": result.on_s,
                "by": None if result.command is None else result.command.issuer,
                "why": None if result.refusal is None else result.refusal.why,
            }
            for at, result in self.diary.results
        ]


def simulate(
    scenario: LockstepScenario, rig: Rig, days: float, progress: Progress, *, drivers: bool = False
) -> dict[str, Any]:
    """Live through a scenario, and return the figures."""
    began = time.monotonic()
    with Simulation(scenario, rig, drivers=drivers) as simulation:
        simulation.live(days, progress)
        report = simulation.report()
    return {**report, "days": days, "seconds": round(time.monotonic() - began, 2)}


def _spec(scenario: LockstepScenario, rig: Rig) -> BoxSpec:
    if not isinstance(scenario.weather, WeatherSpec):
        return box_spec(rig, scenario.seed, scenario.weather)
    spec = box_spec(rig, scenario.seed)
    return replace(spec, zones=tuple(replace(zone, weather=scenario.weather) for zone in spec.zones))


def _utc(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _dated(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "timestamp": _utc(entry["timestamp"])}


def _answer(answer: Answer) -> dict[str, Any]:
    result = answer.result
    refusal = None if result is None or result.refusal is None else result.refusal.to_dict()
    outcome = str(result.outcome) if result is not None else answer.why or "accepted"
    return {"timestamp": _utc(answer.deed.at_s), "does": answer.deed.does, "outcome": outcome, "refusal": refusal}
