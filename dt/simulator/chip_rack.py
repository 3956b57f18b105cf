"""The chips that hang on a box, each with senses of its own and the faults that it was ordered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from dt.simulator.box import Box
from dt.simulator.chip_memory import Shift, checked, plain
from dt.simulator.chips import I2C_CHIPS, I2cChip
from dt.simulator.chips.dht22 import Dht22Chip
from dt.simulator.faults.chip_answers import FaultyI2c, faulty_frame
from dt.simulator.faults.desk import FaultDesk
from dt.simulator.faults.sensed import FaultySenses
from dt.simulator.sensing import Placement, Senses, Spot
from dt.simulator.wiring import Place, Wiring, chip_name
from dt.utils.clock import Clock
from dt.utils.exceptions import ConfigError

_Chip = TypeVar("_Chip")
_Take = Callable[[], None]
_LONG_AGO = float("-inf")


@dataclass(slots=True)
class _Unit(Generic[_Chip]):
    """A chip where it hangs; without power it is deaf."""

    site: Place
    chip: _Chip
    is_powered: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """A chip in a snapshot: what it was and where, so that another one at its place begins anew."""

    kind: str
    zone_id: str
    plant_id: str | None
    depth: float
    is_powered: bool
    chip: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class _Memory:
    """All chips by their names, at an instant of the chip clock."""

    clock_s: float
    chips: dict[str, _Kept]


class ChipRack:
    """Chips by address and pin."""

    def __init__(self, box: Box, desk: FaultDesk, clock: Clock, wiring: Wiring) -> None:
        self._box = box
        self._desk = desk
        self._clock = clock
        self._i2c: dict[int, _Unit[I2cChip]] = {}
        self._dht22: dict[int, _Unit[Dht22Chip]] = {}
        self._wiring = wiring
        self._hang(wiring, inserted_s=_LONG_AGO)

    def i2c(self, address: int) -> I2cChip | None:
        """Return the chip that answers at an address."""
        return _answering(self._i2c.get(address))

    def dht22(self, pin: int) -> Dht22Chip | None:
        """Return the chip that answers on a pin."""
        return _answering(self._dht22.get(pin))

    def rewire(self, wiring: Wiring) -> None:
        """Hang other chips; those that stay where they were keep their registers."""
        self._hang(wiring, inserted_s=self._box.now_s)

    def power(self, pin: int, *, is_on: bool) -> None:
        """Switch what a power pin feeds; a power cycle ends F6, and chips begin anew."""
        for place, unit in list(self._dht22.items()):
            if unit.site.power_pin == pin:
                if is_on and not unit.is_powered:
                    self._end_hangs(unit.site)
                    unit.chip = self._new_dht22(place, unit.site)
                unit.is_powered = is_on
        for place, other in list(self._i2c.items()):
            if other.site.power_pin == pin:
                if is_on and not other.is_powered:
                    other.chip = self._new_i2c(place, other.site, _LONG_AGO)
                other.is_powered = is_on

    def snapshot(self) -> Any:
        """Return what keeps the chips over a restart, as plain JSON."""
        chips = {
            name: _Kept(**_identity(unit.site), is_powered=unit.is_powered, chip=unit.chip.snapshot())
            for name, unit in self._units().items()
        }
        return plain(_Memory(clock_s=self._clock.monotonic(), chips=chips))

    def restoring(self, kept: object) -> _Take:
        """Check what `snapshot` returned, and return what takes it up; ValueError when it cannot be.

        Nothing holds a power pin after a restart: a chip that was without power gets it, and begins anew.
        """
        memory = checked(kept, _Memory)
        shift = Shift(clock_s=memory.clock_s, later_s=self._clock.monotonic() - memory.clock_s)
        fresh = ChipRack(self._box, self._desk, self._clock, self._wiring)
        units, takes, woken = fresh._units(), [], []
        for name, known in memory.chips.items():
            unit = units.get(name)
            if unit is None or _identity(unit.site) != _identity(known):
                continue
            if known.is_powered:
                takes.append(unit.chip.restoring(known.chip, shift))
            else:
                woken.append(unit.site)

        def take() -> None:
            self._i2c, self._dht22 = fresh._i2c, fresh._dht22
            for step in takes:
                step()
            for site in woken:
                self._end_hangs(site)

        return take

    def _units(self) -> dict[str, _Unit[I2cChip] | _Unit[Dht22Chip]]:
        """Return every chip on bus and pins by its name."""
        on_bus = {chip_name(address): unit for address, unit in self._i2c.items()}
        return {**on_bus, **{chip_name(pin=pin): unit for pin, unit in self._dht22.items()}}

    def _end_hangs(self, site: Place) -> None:
        for fault in self._desk.active(self._box.now_s, site.sensors.values()):
            if fault.fault == "F6":
                self._desk.end(fault.id, self._box.now_s)

    def _hang(self, wiring: Wiring, inserted_s: float) -> None:
        for site in wiring.sites:
            self._require_place(site)
        self._wiring = wiring
        self._i2c = {
            address: _kept(self._i2c, address, site)
            or _Unit(site, self._new_i2c(address, site, self._inserted_s(address, site, inserted_s)))
            for address, site in wiring.i2c.items()
        }
        self._dht22 = {
            pin: _kept(self._dht22, pin, site) or _Unit(site, self._new_dht22(pin, site))
            for pin, site in wiring.dht22.items()
        }

    def _inserted_s(self, address: int, site: Place, inserted_s: float) -> float:
        """A probe of which more is read than before was not moved by that."""
        old = self._i2c.get(address)
        return _LONG_AGO if old is not None and replace(old.site, sensors=site.sensors) == site else inserted_s

    def _require_place(self, site: Place) -> None:
        names = ", ".join(site.sensors.values())
        if site.zone_id not in self._box.zones:
            msg = f"sensor {names}: the box has no zone {site.zone_id!r}; a new one needs a new box"
            raise ConfigError(msg)
        if site.plant_id is not None and site.plant_id not in self._box.pots:
            msg = f"sensor {names}: the box has no pot of {site.plant_id!r}; a new one needs a new box"
            raise ConfigError(msg)

    def _new_i2c(self, address: int, site: Place, inserted_s: float) -> I2cChip:
        make = I2C_CHIPS[site.kind]
        senses = self._senses(site, chip_name(address), inserted_s)

        def stray() -> I2cChip:
            """A second chip on the same address lies about in the air."""
            senses = Senses(self._spot(site), self._box.spec.seed, f"stray {address}", placement=Placement(is_out=True))
            return make(senses, self._clock, address)

        ids = tuple(site.sensors.values())
        return FaultyI2c(make(senses, self._clock, address), address, ids, self._desk, self._now, stray)

    def _new_dht22(self, pin: int, site: Place) -> Dht22Chip:
        senses = self._senses(site, chip_name(pin=pin), _LONG_AGO)
        return Dht22Chip(
            senses, self._clock, lambda frame: faulty_frame(frame, site.sensors, self._desk, self._box.now_s)
        )

    def _senses(self, site: Place, name: str, inserted_s: float) -> Senses:
        return Senses(
            self._spot(site),
            self._box.spec.seed,
            name,
            placement=Placement(depth=site.depth, inserted_s=inserted_s),
            sways=FaultySenses(site.sensors, self._desk, self._now),
        )

    def _spot(self, site: Place) -> Spot:
        return Spot(self._box, site.zone_id, site.plant_id)

    def _now(self) -> float:
        return self._box.now_s


def _answering(unit: _Unit[_Chip] | None) -> _Chip | None:
    return unit.chip if unit is not None and unit.is_powered else None


def _identity(chip: Place | _Kept) -> dict[str, Any]:
    return {"kind": chip.kind, "zone_id": chip.zone_id, "plant_id": chip.plant_id, "depth": chip.depth}


def _kept(units: Mapping[int, _Unit[_Chip]], place: int, site: Place) -> _Unit[_Chip] | None:
    unit = units.get(place)
    return unit if unit is not None and unit.site == site else None
