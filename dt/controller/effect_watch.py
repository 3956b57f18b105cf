"""S7: whether each dose reached its pot; where it did not, the pump is locked out and people hear of it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from dt.controller.books import Books
from dt.controller.condition_desk import ConditionDesk
from dt.controller.effect import Effect, Measured, expected_rise, judge, measured_rise, slope_of, warmth_of
from dt.controller.effect_causes import WEAK_EFFECT, Cause, Evidence, likely_causes
from dt.controller.effect_file import EffectFile, KeptDose
from dt.controller.effect_usual import Fall, HealthyDose, PumpPast, Usual, UsualFile
from dt.controller.kinds.pump import Pump
from dt.controller.live_readings import OLDEST_S
from dt.controller.locks import LockOut, Locks
from dt.controller.results import ResultBook
from dt.controller.watch_words import ExcessWords, WeakWords
from dt.utils.clock import Clock
from dt.utils.dataclasses import ActionResult
from dt.utils.logger import get_logger
from dt.utils.quantities import Quantity

SETTLES_S = 15 * 60.0  # until water has sunk in past a probe of some 5 cm
_LONGEST_S = 60 * 60.0  # then what is there is judged, or nothing can be said
_SAMPLE_EVERY_S = 60.0
_SAMPLES = 60
_DRIFT_OF_S = 45 * 60.0
_UNCERTAIN_IN_A_ROW = 3
_FEWEST_GOOD = 3
_LOOKS_EVERY_S = 1.0

log = get_logger(__name__)

Budget = Callable[[str], Mapping[str, float | None]]
"""Return what the ledger says of an actuator; empty while the guard is away."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A pot while its pump is off: when (monotonic), median, half range, warmth of soil or air in degC."""

    at_s: float
    median: float
    spread: float
    degc: float | None


@dataclass(slots=True, kw_only=True)
class Waiting:
    """Doses whose effect is waited for: what was there before, what was given, the results to publish again."""

    before: Sample
    drift_per_s: float
    began_s: float
    ended_s: float
    delivered_ml: float = 0.0
    results: list[ActionResult] = field(default_factory=list)


class Kept(NamedTuple):
    """What is kept over a restart: doses that wait to be judged, and what each pump's doses usually do."""

    waiting: EffectFile
    usual: UsualFile


class EffectWatch:
    """Steps with the control loop; it never blocks, and locks out before it says so."""

    def __init__(
        self,
        *,
        pumps: Mapping[str, Pump],
        books: Books,
        results: ResultBook,
        locks: Locks,
        desk: ConditionDesk,
        budget: Budget,
        kept: Kept,
        clock: Clock,
    ) -> None:
        self._pumps = pumps
        self._plants, self._moisture, self._air = books.plants, books.moisture, books.air
        self._results = results
        self._locks = locks
        self._budget = budget
        self._clock = clock
        self._lock = threading.RLock()
        self._samples: dict[str, deque[Sample]] = {name: deque(maxlen=_SAMPLES) for name in pumps}
        self._waiting: dict[str, Waiting] = {}
        self._uncertain: dict[str, int] = {}
        self._next_s = float("-inf")
        self._file, self._usual = kept
        self._held = {name for name in pumps if locks.of(name) is not None}
        self._excess = ExcessWords(desk, clock)
        self._weak = WeakWords(desk, clock)
        self._load()

    def is_settling(self, actuator_id: str) -> bool:
        """Return whether a dose of this pump is still waited for."""
        return actuator_id in self._waiting

    def ended(self, result: ActionResult) -> None:
        """Wait for the effect of a dose that ended; one that gave nothing has none."""
        pump = self._pumps.get(result.actuator_id)
        if pump is None or not result.delivered_ml or not result.on_s:
            return
        now_s = self._clock.monotonic()
        with self._lock:
            waiting = self._waiting.get(result.actuator_id) or self._begin(pump, now_s, result.on_s)
            if waiting is None or result.action_id in {one.action_id for one in waiting.results}:
                return  # nothing is known of before, or the guard tells it again after a restart
            waiting.ended_s = now_s
            waiting.delivered_ml += result.delivered_ml
            waiting.results.append(result)
            self._waiting[result.actuator_id] = waiting
            self._save()

    def step(self, status: Mapping[str, Any]) -> None:
        """Look once a second: take samples of quiet pots, judge what has settled."""
        now_s = self._clock.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + _LOOKS_EVERY_S
        self._excess.step()
        self._weak.step()
        with self._lock:
            self._see_releases()
            for name, pump in self._pumps.items():
                state = status["outputs"].get(name)
                if state is not None:
                    self._look(pump, state, now_s)

    # -- helpers; the lock is held ------------------------------------------------------------------------------

    def _see_releases(self) -> None:
        """A person looked at a pump, its line or its probe: what its doses do is learnt anew."""
        held = {name for name in self._pumps if self._locks.of(name) is not None}
        for name in self._held - held:
            self._usual.forget(name)
            self._weak.end(name)
        self._held = held

    def _look(self, pump: Pump, state: Mapping[str, Any], now_s: float) -> None:
        waiting = self._waiting.get(pump.actuator_id)
        if waiting is not None:
            is_quiet = not state["desired"] and now_s - waiting.ended_s >= SETTLES_S
            if is_quiet or now_s - waiting.began_s >= _LONGEST_S:
                self._settle(pump, waiting, now_s)
        elif not state["desired"] and not state["on"]:
            self._sample(pump, now_s)

    def _sample(self, pump: Pump, now_s: float) -> None:
        samples = self._samples[pump.actuator_id]
        if samples and now_s - samples[-1].at_s < _SAMPLE_EVERY_S:
            return
        sample = self._now(pump, now_s, fewest=1)
        if sample is not None:
            samples.append(sample)

    def _now(self, pump: Pump, now_s: float, *, fewest: int, since_s: float = float("inf")) -> Sample | None:
        plant_id = pump.descriptor.plant_id or ""
        estimate = self._moisture.estimate(plant_id, since_s)
        if estimate.median is None or estimate.age_s > OLDEST_S or estimate.good < fewest:
            return None
        places = (plant_id, pump.descriptor.zone_id)
        soil = self._air.latest(Quantity.SOIL_TEMPERATURE, *places) or self._air.latest(Quantity.TEMPERATURE, *places)
        return Sample(now_s, estimate.median, estimate.spread, None if soil is None else soil.value)

    def _begin(self, pump: Pump, now_s: float, on_s: float) -> Waiting | None:
        """Return what is to be waited for; None where nobody knew how wet the pot was before."""
        began_s = now_s - on_s
        samples = [one for one in self._samples[pump.actuator_id] if one.at_s <= began_s + 1.0]
        if not samples or began_s - samples[-1].at_s > OLDEST_S:
            return None
        recent = [(one.at_s, one.median) for one in samples if one.at_s >= began_s - _DRIFT_OF_S]
        return Waiting(before=samples[-1], drift_per_s=slope_of(recent), began_s=began_s, ended_s=now_s)

    def _settle(self, pump: Pump, waiting: Waiting, now_s: float) -> None:
        after = self._now(pump, now_s, fewest=_FEWEST_GOOD, since_s=now_s - waiting.ended_s)
        if after is None and now_s - waiting.began_s < _LONGEST_S:
            return
        del self._waiting[pump.actuator_id]
        self._save()
        self._samples[pump.actuator_id].clear()
        if after is None:
            self._amend(waiting, Effect.UNKNOWN, None, None)
            return
        plant = self._plants.get(pump.descriptor.plant_id)
        if plant is None:
            return
        seen = _measured(waiting, after)
        high = plant.limits.soil_moisture_high
        expected = expected_rise(waiting.delivered_ml, plant.pot_volume_l, seen.before, high)
        poured = waiting.delivered_ml / (1000.0 * plant.pot_volume_l)
        effect = self._in_a_row(pump.actuator_id, judge(expected, seen, poured))
        if effect is Effect.SEEN:
            effect = self._beside_the_usual(pump, waiting, seen, plant.pot_volume_l)
        self._amend(waiting, effect, expected, measured_rise(seen))
        self._act(pump, waiting, effect, expected, seen)

    def _beside_the_usual(self, pump: Pump, waiting: Waiting, seen: Measured, pot_volume_l: float) -> Effect:
        """Learn from a dose, or say that it did much less than usual; far less, or twice, locks the pump out."""
        name, poured = pump.actuator_id, waiting.delivered_ml / (1000.0 * pot_volume_l)
        setting = PumpPast(flow_ml_s=pump.flow_ml_s, pot_volume_l=pot_volume_l)
        rise, usual = measured_rise(seen), self._usual.usual(name, setting, poured)
        fall = Fall.NONE if usual is None else usual.fall_of((rise + warmth_of(seen)) / poured)
        if usual is None or fall is Fall.NONE:
            self._weak.end(name)
            if self._locks.of(name) is None:
                self._usual.learn(name, setting, HealthyDose(poured=poured, share=rise / poured))
            return Effect.SEEN
        why = _weak_words(waiting, rise, poured, usual)
        if fall is Fall.FAR or self._weak.is_on(name):
            self._lock_for(pump, why, WEAK_EFFECT, rise, usual.least * poured)
        else:
            self._weak.begin(pump.descriptor, why, WEAK_EFFECT)
        return Effect.WEAK

    def _save(self) -> None:
        """Keep what is waited for by the wall clock: the monotonic one begins anew with the machine."""
        to_wall = self._clock.wall() - self._clock.monotonic()
        kept = {}
        for name, one in self._waiting.items():
            dose = KeptDose(
                before=one.before.median, spread=one.before.spread, degc=one.before.degc, drift_per_s=one.drift_per_s,
                before_at=max(0.0, one.before.at_s + to_wall), began_at=max(0.0, one.began_s + to_wall),
                ended_at=max(0.0, one.ended_s + to_wall), delivered_ml=one.delivered_ml,
            )  # fmt: skip
            kept[name] = (dose, one.results)
        self._file.save(kept)

    def _load(self) -> None:
        now_s, to_mono = self._clock.monotonic(), self._clock.monotonic() - self._clock.wall()
        for name, (dose, results) in self._file.load().items():
            if name not in self._pumps:
                continue
            before = Sample(min(now_s, dose.before_at + to_mono), dose.before, dose.spread, dose.degc)
            self._waiting[name] = Waiting(
                before=before, drift_per_s=dose.drift_per_s, began_s=min(now_s, dose.began_at + to_mono),
                ended_s=min(now_s, dose.ended_at + to_mono), delivered_ml=dose.delivered_ml, results=results,
            )  # fmt: skip

    def _in_a_row(self, name: str, effect: Effect) -> Effect:
        """Return the effect; what was uncertain three times in a row is missing."""
        if effect is not Effect.UNCERTAIN:
            if effect is not Effect.TOO_SMALL:
                self._uncertain.pop(name, None)
            return effect
        self._uncertain[name] = self._uncertain.get(name, 0) + 1
        return Effect.MISSING if self._uncertain[name] >= _UNCERTAIN_IN_A_ROW else effect

    def _amend(self, waiting: Waiting, effect: Effect, expected: float | None, measured: float | None) -> None:
        """Publish the results again, with what the doses did together."""
        for result in waiting.results:
            self._results.amend(
                replace(
                    result,
                    effect=str(effect),
                    expected_rise=None if expected is None else round(expected, 4),
                    measured_rise=None if measured is None else round(measured, 4),
                )
            )

    def _act(self, pump: Pump, waiting: Waiting, effect: Effect, expected: float, seen: Measured) -> None:
        if effect is Effect.MISSING:
            self._lock_out(pump, waiting, expected, seen)
        elif effect is Effect.EXCESSIVE:
            self._excess.begin(pump.descriptor, waiting.delivered_ml, measured_rise(seen))

    def _lock_out(self, pump: Pump, waiting: Waiting, expected: float, seen: Measured) -> None:
        causes = likely_causes(self._evidence(pump, waiting, seen))
        rise, limit = measured_rise(seen), expected / 3.0
        why = (
            f"{waiting.delivered_ml:.0f} ml should have raised the soil moisture by {expected:.3f} m3/m3, and it rose "
            f"by {rise:.3f}"
        )
        self._lock_for(pump, why, causes, rise, limit)

    def _lock_for(self, pump: Pump, why: str, causes: Sequence[Cause], rise: float, limit: float) -> None:
        advice = " ".join([*(cause.advice for cause in causes), "Then release the pump."])
        words = f"{why}: {', or '.join(cause.words for cause in causes)}"
        self._locks.lock(
            LockOut(
                actuator_id=pump.actuator_id, invariant="S7", why=words, since=self._clock.wall(),
                value=round(rise, 4), limit=round(limit, 4), advice=advice,
            )
        )  # fmt: skip

    def _evidence(self, pump: Pump, waiting: Waiting, seen: Measured) -> Evidence:
        budget = self._budget(pump.actuator_id)
        others = [
            name
            for name, other in self._pumps.items()
            if name != pump.actuator_id and other.reservoir == pump.reservoir and pump.reservoir is not None
        ]
        locked = [name for name in others if (lock := self._locks.of(name)) is not None and lock.invariant == "S7"]
        return Evidence(
            before=seen.before,
            after=seen.after,
            reservoir_left_ml=budget.get("reservoir_left_ml"),
            reservoir_ml=float(pump.options.get("reservoir_ml", 0.0)),
            dose_ml=waiting.delivered_ml,
            others_without_effect=len(locked),
        )


def _measured(waiting: Waiting, after: Sample) -> Measured:
    before = waiting.before
    warming_k = 0.0 if before.degc is None or after.degc is None else after.degc - before.degc
    return Measured(
        before=before.median, after=after.median, spread=max(before.spread, after.spread), warming_k=warming_k,
        drift_per_s=waiting.drift_per_s, seconds=after.at_s - before.at_s,
    )  # fmt: skip


def _weak_words(waiting: Waiting, rise: float, poured: float, usual: Usual) -> str:
    return (
        f"{waiting.delivered_ml:.0f} ml raised the soil moisture by {rise:.3f} m3/m3, which is less than "
        f"{usual.least * poured:.3f}; after its last {usual.doses} doses of that size it rose by about "
        f"{usual.share * poured:.3f}"
    )
