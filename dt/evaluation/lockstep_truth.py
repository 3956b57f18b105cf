"""How the plants of a run really do, day by day: water, stress, growth, and water where it should not be."""

from __future__ import annotations

from dataclasses import dataclass, field

from dt.evaluation.lockstep import Lockstep
from dt.simulator.devices import Pump
from dt.simulator.pot import Pot

_DAY_S = 86_400.0
_SPILT_ML = 1.0  # less is a drop
UNSEEN_LEAK_ML = 400.0
"""What one leak may lose before it can be seen: half of the largest dose of a soak, a tenth of eight litres.

A leak shows only by what a dose does to the soil, minutes after it: what its first dose loses no software keeps back.
"""
_SOAKED_S = 86_400.0
_SOAKED_VWC = 0.002  # above capacity; less is drainage that has not ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """Water on the floor, or soil above its capacity for a day."""

    timestamp: float
    plant_id: str
    why: str


@dataclass(slots=True, kw_only=True)
class PlantDiary:
    """One plant's days."""

    days: int = 0
    days_below_wilting: int = 0
    ks_s: float = 0.0  # integral of Ks over time
    seen_s: float = 0.0
    lowest_vwc: float = 1.0
    is_below_today: bool = False
    spilt_ml: float = 0.0
    soaked_since_s: float | None = None
    is_soaked: bool = False
    grown_from: float = 0.0
    dry_since_s: float | None = None  # below the plant's lower limit
    floods: list[Flood] = field(default_factory=list)

    @property
    def mean_ks(self) -> float:
        """Return the mean stress coefficient, 1 without stress."""
        return self.ks_s / self.seen_s if self.seen_s else 1.0


class Truth:
    """Looks into the box at every step."""

    def __init__(self, run: Lockstep) -> None:
        self._run = run
        self._last_s = self._began_s = run.now_s
        self.plants = {
            name: PlantDiary(grown_from=pot.growth.leaf_area_m2, spilt_ml=pot.soil.spilled_ml)
            for name, pot in run.box.pots.items()
        }
        self._leaked_ml = dict.fromkeys(run.box.pots, 0.0)
        self._is_leak_seen = dict.fromkeys(run.box.pots, False)
        run.watchers.append(self)

    @property
    def floods(self) -> list[Flood]:
        """Return all floods in order."""
        return sorted((flood for diary in self.plants.values() for flood in diary.floods), key=lambda f: f.timestamp)

    def look(self) -> None:
        """See every pot."""
        now_s = self._run.now_s
        passed_s = now_s - self._last_s
        day_before, day = int((self._last_s - self._began_s) // _DAY_S), int((now_s - self._began_s) // _DAY_S)
        self._last_s = now_s
        for name, pot in self._run.box.pots.items():
            diary = self.plants[name]
            self._see(diary, pot, passed_s, now_s)
            for _ in range(day - day_before):
                diary.days += 1
                diary.days_below_wilting += diary.is_below_today
                diary.is_below_today = pot.soil.root_vwc < pot.spec.wilting
        self._see_leaks(now_s)

    def water_ml(self, plant_id: str) -> dict[str, float]:
        """Return where a plant's water came from and went to."""
        pot, pumps = self._run.box.pots[plant_id], self._pumps()
        soil = pot.soil
        return {
            "pumped": sum(pump.delivered_ml for pump in pumps if pump.spec.plant_id == plant_id),
            "by_hand": pot.poured_by_hand_ml,
            "transpired": soil.transpired_ml,
            "evaporated": soil.evaporated_ml,
            "spilt": soil.spilled_ml,
        }

    def _see(self, diary: PlantDiary, pot: Pot, passed_s: float, now_s: float) -> None:
        soil = pot.soil
        root_vwc = soil.root_vwc
        diary.ks_s += soil.stress() * passed_s
        diary.seen_s += passed_s
        diary.lowest_vwc = min(diary.lowest_vwc, root_vwc)
        diary.is_below_today = diary.is_below_today or root_vwc < pot.spec.wilting
        if soil.spilled_ml - diary.spilt_ml > _SPILT_ML:
            ml = soil.spilled_ml - diary.spilt_ml
            diary.spilt_ml = soil.spilled_ml
            self._flood(diary, pot.plant_id, now_s, f"{ml:.0f} ml ran over pot and saucer")
        self._see_wetness(diary, pot, now_s)

    def _see_wetness(self, diary: PlantDiary, pot: Pot, now_s: float) -> None:
        if pot.soil.vwc <= pot.spec.capacity + _SOAKED_VWC:
            diary.soaked_since_s, diary.is_soaked = None, False
            return
        diary.soaked_since_s = now_s if diary.soaked_since_s is None else diary.soaked_since_s
        if not diary.is_soaked and now_s - diary.soaked_since_s > _SOAKED_S:
            diary.is_soaked = True
            diary.floods.append(
                Flood(timestamp=now_s, plant_id=pot.plant_id, why="the soil is above its capacity for 24 h")
            )

    def _see_leaks(self, now_s: float) -> None:
        """Count what leaked while a pump ran, once it rests; the first dose of each leak is forgiven up to a limit."""
        for pump in self._pumps():
            plant_id = pump.spec.plant_id
            if not pump.has_leak:
                self._is_leak_seen[plant_id] = False
            ml = pump.leaked_ml - self._leaked_ml[plant_id]
            if pump.level > 0.0 or ml <= _SPILT_ML:
                continue
            self._leaked_ml[plant_id] = pump.leaked_ml
            is_first, self._is_leak_seen[plant_id] = not self._is_leak_seen[plant_id], True
            if not is_first or ml > UNSEEN_LEAK_ML:
                self._flood(self.plants[plant_id], plant_id, now_s, f"{ml:.0f} ml leaked from the line")

    def _flood(self, diary: PlantDiary, plant_id: str, now_s: float, why: str) -> None:
        last = diary.floods[-1] if diary.floods else None
        if last is None or now_s - last.timestamp > 3600.0 or last.why[-10:] != why[-10:]:
            diary.floods.append(Flood(timestamp=now_s, plant_id=plant_id, why=why))

    def _pumps(self) -> list[Pump]:
        return [device for device in self._run.box.devices.values() if isinstance(device, Pump)]
