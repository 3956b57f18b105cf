"""Judges a lockstep run by what can be seen from outside: pins, the box's truth, what the probes said, the results.

It asks neither controller nor guard nor ledger. What people did it is told by who acts for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from dt.communication.messaging import Record
from dt.communication.topics import Topics
from dt.evaluation.judge_outputs import Output, budgets_of, outputs_of
from dt.evaluation.lockstep import Lockstep
from dt.plant.calibration import parse_calibration
from dt.simulator.devices import Pump
from dt.simulator.faults.catalogue import HOST
from dt.utils.dataclasses import ActionResult, Outcome
from dt.utils.rig import pin_number

_TICK_S = 0.3  # a step of the run while something is on, and a bit
_ROUNDING_S = 0.01
_PEOPLE_S = 5.0  # within which a person's command starts an output, or never
_OLDEST_S = 900.0
_STOPS_WITHIN_S, _SAFE_WITHIN_S = 0.3, 1.0
_SHARE = 1.02  # of a budget: the last tick of each dose
_CALIBRATION_VWC = 0.005  # straight lines between points, and counts that come a moment later
_HEATER_CUT_OFF_DEGC = 35.0
_EFFECT_WITHIN_S = 75 * 60.0  # by then a dose was judged
_TELLING_SHARE, _NOTHING_SHARE = 0.04, 0.1  # of the pot's volume; of what was ordered
_HEATER_OVER_K, _HEATER_OVER_S = 2.0, 120.0  # the sensor's spread; the time between two of its readings


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """An invariant that did not hold: when (true time), which, of what, and how."""

    timestamp: float
    invariant: str
    what: str
    why: str


class _Said(msgspec.Struct):
    """What the judge wants to know of a raw reading."""

    sensor_id: str
    value: float
    plant_id: str | None = None


_said_in = msgspec.json.Decoder(_Said)


class Judge:
    """Looks at every step, and hears every edge of a pin."""

    def __init__(self, run: Lockstep) -> None:
        self._run = run
        self.outputs = outputs_of(run.rig)
        self._budgets = budgets_of(run.rig)
        self._reservoirs = _reservoirs_of(run)
        self._drawn: Counter[str] = Counter()
        self.violations: list[Violation] = []
        self.refusals: Counter[str] = Counter()
        self.checks: Counter[str] = Counter()
        self.granted: set[str] = set()
        self.starts: list[tuple[float, str]] = []  # true time, actuator
        self.stopped_since_s: float | None = None
        self._commanded: dict[str, float] = {}
        self._said: dict[str, tuple[float, float]] = {}  # by plant: when and what the probe said last (m3/m3)
        self._refused: set[str] = set()
        self._duds: dict[str, float] = {}  # when a dose gave nothing, by pump
        self._restarts = run.restarts
        self._hot_since_s: dict[str, float] = {}
        self._calibrations = {
            sensor.sensor_id: parse_calibration(sensor.calibration)
            for sensor in run.rig.sensors
            if sensor.calibration is not None
        }
        for actuator in run.rig.actuators:
            edge = partial(self._edge, self.outputs[actuator.actuator_id], active_high=actuator.active_high)
            run.wire.pin_edges(pin_number(actuator.pin), edge)
        run.messaging.subscribe([Topics.ACTION_RESULTS], "judge_results", self._hear_results)
        run.messaging.subscribe([Topics.SOIL_MOISTURE.raw], "judge_readings", self._hear_readings)
        run.watchers.append(self)

    # --- What people do --------------------------------------------------------------------------------------------

    def person_commands(self, actuator_id: str) -> None:
        """Take note that a person wants an output on, now."""
        self._commanded[actuator_id] = self._run.now_s

    def person_stops(self) -> None:
        """Take note that somebody pressed the emergency stop."""
        self.stopped_since_s = self._run.now_s if self.stopped_since_s is None else self.stopped_since_s

    def person_releases_stop(self) -> None:
        """Take note that a person released it."""
        self.stopped_since_s = None

    def person_refills(self, reservoir: str) -> None:
        """Take note that a can is full again."""
        self._drawn[reservoir] = 0

    def person_releases(self, actuator_id: str) -> None:
        """Take note that a person released a lock-out."""
        self._duds.pop(actuator_id, None)

    # --- What is seen ----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Check what must hold at every moment."""
        now_s = self._run.now_s
        on = [output for output in self.outputs.values() if output.on_since_s is not None]
        if self._run.restarts != self._restarts:
            self._restarts = self._run.restarts
            for output in on:
                self._blame("S10", output, "is on after a restart")
        self._check_excluded()
        for output in on:
            self._check_on(output, now_s - (output.on_since_s or now_s), now_s)

    def _check_on(self, output: Output, on_s: float, now_s: float) -> None:
        self._require("S1", output, on_s <= output.max_on_s + _TICK_S, f"is on for {on_s:.1f} s")
        gone = self._run.controller_gone_since_s
        is_safe = gone is None or now_s - gone <= _SAFE_WITHIN_S + _TICK_S
        self._require("S11", output, is_safe, "is on while no controller lives")
        stopped = self.stopped_since_s
        is_stopped = stopped is None or now_s - stopped <= _STOPS_WITHIN_S
        self._require("S9", output, is_stopped, "is on after an emergency stop")
        if output.kind == "heater":
            self._check_heater(output, now_s)

    def _check_heater(self, output: Output, now_s: float) -> None:
        degc = self._run.box.zones[output.zone_id].air_degc
        if degc <= _HEATER_CUT_OFF_DEGC + _HEATER_OVER_K:
            self._hot_since_s.pop(output.actuator_id, None)
            return
        since_s = self._hot_since_s.setdefault(output.actuator_id, now_s)
        self._require("S8", output, now_s - since_s <= _HEATER_OVER_S, f"heats air of {degc:.1f} degC")

    def _edge(self, output: Output, level: bool, *, active_high: bool) -> None:  # noqa: FBT001 - a level
        is_on = level is active_high
        if is_on and output.on_since_s is None:
            self._begin(output)
        elif not is_on and output.on_since_s is not None:
            self._end(output)

    def _begin(self, output: Output) -> None:
        now_s = self._run.now_s
        output.on_since_s = now_s
        self.starts.append((now_s, output.actuator_id))
        rested_s = float("inf") if output.off_since_s is None else now_s - output.off_since_s
        self._require("S2", output, rested_s >= output.pause_s - _ROUNDING_S, f"was off for {rested_s:.1f} s only")
        self._require("S9", output, self.stopped_since_s is None, "starts under an emergency stop")
        self._check_company(output)
        is_by_person = now_s - self._commanded.pop(output.actuator_id, float("-inf")) <= _PEOPLE_S
        if not is_by_person:
            self._require("S14", output, output.actuator_id in self.granted, "starts by itself without a grant")
            dud_s = self._duds.get(output.actuator_id, float("inf"))
            self._require("S7", output, now_s - dud_s <= _EFFECT_WITHIN_S, "waters on after a dose that gave nothing")
        if output.is_pump:
            output.given_before_ml = self._given_ml(output)
            self._check_soil(output, now_s, is_by_person=is_by_person)

    def _check_company(self, output: Output) -> None:
        others = [o for o in self.outputs.values() if o.on_since_s is not None and o is not output]
        beside = [o.actuator_id for o in others if o.is_pump and o.supply == output.supply]
        self._require("S6", output, not (output.is_pump and beside), f"runs beside {', '.join(beside)}")

    def _check_excluded(self) -> None:
        """A heater and a fan at full speed at once, where the rig says that these exclude each other (S6)."""
        for exclusion in self._run.rig.exclusions:
            heater = self.outputs[exclusion.heater]
            level = self._run.box.devices[exclusion.fan].level
            is_fine = heater.on_since_s is None or level < exclusion.above
            self._require("S6", heater, is_fine, f"is on beside {exclusion.fan} at {level:.2f}")

    def _check_soil(self, output: Output, now_s: float, *, is_by_person: bool) -> None:
        said_s, vwc = self._said.get(output.plant_id or "", (float("-inf"), 0.0))
        if not is_by_person:
            age_s = now_s - said_s
            self._require("S4", output, age_s <= _OLDEST_S, f"waters by a probe that last spoke {age_s:.0f} s ago")
        high = self._run.rig.plants[output.plant_id or ""].limits.soil_moisture_high
        is_dry = now_s - said_s > _OLDEST_S or vwc <= high + _CALIBRATION_VWC
        self._require("S5", output, is_dry, f"waters soil of {vwc:.3f} m3/m3, and {high:g} is its limit")

    def _end(self, output: Output) -> None:
        now_s = self._run.now_s
        on_s = output.end(now_s)
        self._require("S1", output, on_s <= output.max_on_s + _TICK_S, f"was on for {on_s:.1f} s")
        spent_s = output.seconds_of_a_day(now_s)
        self._require("S1", output, spent_s <= output.day_s + _TICK_S, f"was on for {spent_s:.0f} s of 24 h")
        if output.is_pump:
            self._check_water(output, on_s, now_s)
            self._note_dud(output, on_s, now_s)

    def _check_water(self, output: Output, on_s: float, now_s: float) -> None:
        pumps = [o for o in self.outputs.values() if o.is_pump and o.plant_id == output.plant_id]
        given_ml = sum(pump.seconds_of_a_day(now_s) * pump.flow_ml_s for pump in pumps)
        budget_ml = self._budgets.get(output.plant_id or "", float("inf"))
        why = f"gave {given_ml:.0f} ml in 24 h, and {budget_ml:.0f} ml is its limit"
        self._require("S3", output, given_ml <= _SHARE * budget_ml, why)
        if output.reservoir is None or output.reservoir not in self._reservoirs:
            return
        self._drawn[output.reservoir] += on_s * output.flow_ml_s  # type: ignore[assignment]
        drawn_ml, held_ml = self._drawn[output.reservoir], self._reservoirs[output.reservoir]
        why = f"drew {drawn_ml:.0f} ml of a can that holds {held_ml:.0f} ml"
        self._require("S3", output, drawn_ml <= _SHARE * held_ml, why)

    def _note_dud(self, output: Output, on_s: float, now_s: float) -> None:
        """Remember a dose of which the pot got next to nothing, while its probe was well (S7)."""
        plant = self._run.rig.plants[output.plant_id or ""]
        ordered_ml = on_s * output.flow_ml_s
        is_large = ordered_ml >= _TELLING_SHARE * 1000.0 * plant.pot_volume_l
        probes = [s.sensor_id for s in self._run.rig.sensors if s.plant_id == plant.plant_id]
        is_seen = not self._run.wire.desk.active(now_s, (*probes, HOST))
        if is_large and is_seen and self._given_ml(output) - output.given_before_ml < _NOTHING_SHARE * ordered_ml:
            self._duds.setdefault(output.actuator_id, now_s)

    def _given_ml(self, output: Output) -> float:
        pump = self._run.box.devices[output.actuator_id]
        return pump.delivered_ml if isinstance(pump, Pump) else 0.0

    # --- What is heard ---------------------------------------------------------------------------------------------

    def _hear_readings(self, records: Sequence[Record]) -> None:
        for record in records:
            reading = _said_in.decode(record.value or b"")
            calibration = self._calibrations.get(reading.sensor_id)
            if reading.plant_id is not None and calibration is not None:
                self._said[reading.plant_id] = self._run.now_s, calibration.apply(reading.value)

    def _hear_results(self, records: Sequence[Record]) -> None:
        for record in records:
            result = ActionResult.from_json(record.value or b"")
            refusal = result.refusal
            if result.outcome not in (Outcome.REFUSED, Outcome.EXPIRED) or result.action_id in self._refused:
                continue
            self._refused.add(result.action_id)
            self.refusals[refusal.invariant if refusal is not None else "none"] += 1
            is_told = refusal is not None and bool(refusal.invariant and refusal.why)
            is_measured = refusal is None or (refusal.value is None) == (refusal.limit is None)
            output = self.outputs[result.actuator_id]
            self._require("S13", output, is_told and is_measured, "was refused without a value and its limit")

    # --- Helpers ---------------------------------------------------------------------------------------------------

    def _require(self, invariant: str, output: Output, holds: bool, why: str) -> None:  # noqa: FBT001 - what is judged
        self.checks[invariant] += 1
        if not holds:
            self._blame(invariant, output, why)

    def _blame(self, invariant: str, output: Output, why: str) -> None:
        now_s = self._run.now_s
        last = next(
            (v for v in reversed(self.violations) if (v.invariant, v.what) == (invariant, output.actuator_id)), None
        )
        if last is None or now_s - last.timestamp > output.max_on_s:  # one run that does wrong is one violation
            self.violations.append(Violation(timestamp=now_s, invariant=invariant, what=output.actuator_id, why=why))


def _reservoirs_of(run: Lockstep) -> dict[str, float]:
    return {can.name: can.content_ml for can in run.request.spec.reservoirs}
