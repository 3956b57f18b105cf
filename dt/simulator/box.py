"""The box: pots in zones with their lamps, fans, heaters and pumps, stepped through time. Pure, seeded, deterministic.

Time advances on a grid of its own (a minute; a second while water runs or stands on the soil) and at the instants of
inputs. What lies beyond the last grid point is worked out anew at the next `advance`, so that it never matters how
often somebody looked.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dt.simulator import memory, truth
from dt.simulator.devices import Device, Fan, Heater, Lamp, Pump, Relay, Reservoir
from dt.simulator.pot import Pot
from dt.simulator.replay import Replay
from dt.simulator.spec import BoxSpec, SiteSpec, WeatherSpec
from dt.simulator.weather import Weather
from dt.simulator.zone import ZoneBox

MAX_STEP_S = 60.0
_WET_STEP_S = 1.0
_LONGEST_GAP_S = 30 * 86_400.0
_SMALLEST_STEP_S = 1e-3
_ON_GRID = 1e-6  # of a step; epoch seconds are exact to 2.4e-7 s

Pour = tuple[float, str, float]  # when (s), which plant, how much (ml)


class Box:
    """The truth of one rig; nobody but evaluation may look at `state()`."""

    def __init__(self, spec: BoxSpec, start_s: float) -> None:
        self.spec = spec
        self.now_s = start_s
        weathers: dict[tuple[SiteSpec, WeatherSpec | Replay], Weather] = {}
        self.zones: dict[str, ZoneBox] = {}
        for zone in spec.zones:
            key = (zone.site, zone.weather)
            weather = weathers.setdefault(key, Weather(*key, spec.seed))
            self.zones[zone.zone_id] = ZoneBox(zone, weather, start_s)
        self.pots = {pot.plant_id: Pot(pot, self.zones[pot.zone_id]) for pot in spec.pots}
        self.reservoirs = {can.name: Reservoir(can) for can in spec.reservoirs}
        self.devices: dict[str, Device[Any, Any]] = {}
        self._pumps: list[Pump] = []
        self._install()
        self.pours: list[Pour] = []
        self.grid_s = start_s
        self._aside: tuple[float, memory.State, list[Pour]] | None = None
        self._pot_list, self._zone_list = list(self.pots.values()), list(self.zones.values())
        for zone_box in self._zone_list:
            zone_box.begin(start_s)
        self._parts = memory.parts_of(self)

    def drive(self, actuator_id: str, level: float) -> None:
        """Set an actuator, 0 off to 1 full, from `now_s` on; KeyError when there is none of that id."""
        device = self.devices[actuator_id]
        wanted = min(1.0, max(0.0, level))
        if wanted != device.level:  # what changes nothing is no input
            self.settle()
            device.level = wanted

    def release(self) -> None:
        """Switch every actuator off, as a restart does."""
        for actuator_id in self.devices:
            self.drive(actuator_id, 0.0)

    def pour(self, plant_id: str, at_s: float, amount_ml: float) -> None:
        """Water a plant by hand at a time to come; KeyError when there is none of that id."""
        if not 0.0 <= amount_ml < float("inf"):
            msg = f"amount_ml must not be below 0, not {amount_ml:g}"
            raise ValueError(msg)
        insort(self.pours, (max(at_s, self.now_s), self.pots[plant_id].plant_id, amount_ml))

    def refill(self, reservoir: str, amount_ml: float) -> None:
        """Pour water into a can."""
        can = self.reservoirs[reservoir]
        self.settle()
        can.content_ml += amount_ml
        can.filled_ml += amount_ml

    def advance(self, to_s: float) -> None:
        """Let time pass until `to_s`; a clock that was set back moves nothing."""
        if to_s - self.now_s <= _SMALLEST_STEP_S:
            return
        self._undo()
        if to_s - self.now_s > _LONGEST_GAP_S:
            self.now_s = self.grid_s = to_s - _LONGEST_GAP_S
        while to_s - self.now_s > _SMALLEST_STEP_S:
            due = self._due_pours()
            end_s = self._next_stop_s(_WET_STEP_S if due or self._is_wet() else MAX_STEP_S)
            if end_s > to_s:
                self._aside = (self.now_s, memory.save(self._parts), due)
                end_s = to_s
            self._step(end_s - self.now_s, due)
            self.now_s = end_s

    def settle(self) -> None:
        """Make the present moment one that later steps begin from: an input takes effect here."""
        self._aside = None

    def state(self) -> dict[str, object]:
        """Return the truth, for evaluation only."""
        return truth.state(self)

    def snapshot(self) -> dict[str, object]:
        """Return all that the box needs to live on exactly so, as plain JSON."""
        return memory.snapshot(self)

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take up what `snapshot` returned; KeyError, TypeError or ValueError, and no change, when it does not fit."""
        self.restoring(snapshot)()

    def restoring(self, snapshot: Mapping[str, Any]) -> Callable[[], None]:
        """Check what `snapshot` returned, and return what takes it up; errors as those of `restore`."""
        return memory.restoring(self, snapshot)

    @contextmanager
    def at_grid_point(self) -> Iterator[list[Pour]]:
        """Show the settled moment that the present is worked out from, with the pours that are still to come then."""
        aside = self._aside
        if aside is None:
            yield self.pours
            return
        present, now_s = memory.save(self._parts), self.now_s
        self.now_s = aside[0]
        memory.load(self._parts, aside[1])
        yield [*aside[2], *self.pours]
        memory.load(self._parts, present)
        self.now_s = now_s

    def _install(self) -> None:
        """Make the devices, and let zones and pumps know them."""
        spec = self.spec
        for lamp_spec in spec.lamps:
            self.zones[lamp_spec.zone_id].lamps.append(lamp := Lamp(lamp_spec))
            self.devices[lamp.actuator_id] = lamp
        for fan_spec in spec.fans:
            self.zones[fan_spec.zone_id].fans.append(fan := Fan(fan_spec))
            self.devices[fan.actuator_id] = fan
        for heater_spec in spec.heaters:
            self.zones[heater_spec.zone_id].heaters.append(heater := Heater(heater_spec))
            self.devices[heater.actuator_id] = heater
        for pump_spec in spec.pumps:
            self._pumps.append(pump := Pump(pump_spec, self.reservoirs[pump_spec.reservoir], spec.seed))
            self.devices[pump.actuator_id] = pump
        self.devices |= {relay.actuator_id: Relay(relay) for relay in spec.relays}
        for device in self.devices.values():
            device.settle = self.settle

    def _undo(self) -> None:
        """Go back to the settled moment."""
        if self._aside is not None:
            self.now_s, state, due = self._aside
            memory.load(self._parts, state)
            self.pours[:0] = due
            self._aside = None

    def _due_pours(self) -> list[Pour]:
        count = 0
        while count < len(self.pours) and self.pours[count][0] <= self.now_s + _SMALLEST_STEP_S:
            count += 1
        due, self.pours[:count] = self.pours[:count], []
        return due

    def _next_stop_s(self, step_s: float) -> float:
        steps = math.floor((self.now_s - self.grid_s) / step_s + _ON_GRID) + 1
        stop_s = self.grid_s + steps * step_s
        return min(stop_s, self.pours[0][0]) if self.pours else stop_s

    def _is_wet(self) -> bool:
        for pot in self._pot_list:  # a loop costs half of what any() does, and this is asked at every step
            if pot.soil.pond_ml:
                return True
        return any(pump.is_moving for pump in self._pumps)

    def _step(self, dt_s: float, due: list[Pour]) -> None:
        middle_s = self.now_s + 0.5 * dt_s
        poured = {plant_id: 0.0 for _at, plant_id, _ml in due}
        for _at, plant_id, amount_ml in due:
            poured[plant_id] += amount_ml
            self.pots[plant_id].poured_by_hand_ml += amount_ml
        for pump in self._pumps:
            if pump.is_moving or pump.primed_s or pump.is_siphoning:
                poured[pump.spec.plant_id] = poured.get(pump.spec.plant_id, 0.0) + pump.draw(dt_s)
        for zone in self._zone_list:
            zone.warm(dt_s, middle_s)
        for pot in self._pot_list:
            pot.step(dt_s, poured.get(pot.spec.plant_id, 0.0))
        for zone in self._zone_list:
            zone.mix(dt_s)
