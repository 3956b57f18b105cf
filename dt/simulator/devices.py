"""Pumps, lamps, fans and heaters, with their imperfections."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from dt.simulator.defects import FanDefect, HeaterDefect, LampDefect, NoDefect, PumpDefect
from dt.simulator.spec import FanSpec, HeaterSpec, LampSpec, PumpSpec, RelaySpec, ReservoirSpec

_LAMP_AT_ONCE = 0.8  # of a white LED's light; the rest comes as its phosphor and driver settle
_WIDEST_SPREAD = 2.0  # standard deviations


class _Named(Protocol):
    @property
    def actuator_id(self) -> str: ...


_Spec = TypeVar("_Spec", bound=_Named)
_Defect = TypeVar("_Defect")


class Device(Generic[_Spec, _Defect]):
    """An actuator: the level that its pin asks for, and the defect that physics obeys."""

    kind: ClassVar[str]
    healthy: ClassVar[Any]
    STATE: ClassVar[tuple[str, ...]] = ("level",)

    def __init__(self, spec: _Spec) -> None:
        self.spec = spec
        self.level = 0.0
        self.settle: Callable[[], None] = lambda: None
        self._defect: _Defect = self.healthy

    @property
    def actuator_id(self) -> str:
        """The actuator's id in the rig."""
        return self.spec.actuator_id

    @property
    def defect(self) -> _Defect:
        """What is wrong with it; setting it takes effect from the box's present moment on."""
        return self._defect

    @defect.setter
    def defect(self, defect: _Defect) -> None:
        if not isinstance(defect, type(self.healthy)):
            msg = f"{self.actuator_id}: a {self.kind} has a {type(self.healthy).__name__}, not {type(defect).__name__}"
            raise TypeError(msg)
        if defect != self._defect:
            self.settle()
            self._defect = defect


class Relay(Device[RelaySpec, NoDefect]):
    """A switch whose load the box does not feel."""

    kind = "relay"
    healthy = NoDefect()


class Reservoir:
    """A can of water."""

    STATE: ClassVar[tuple[str, ...]] = ("content_ml", "filled_ml")

    def __init__(self, spec: ReservoirSpec) -> None:
        self.spec = spec
        self.content_ml = spec.content_ml
        self.filled_ml = 0.0

    @property
    def fullness(self) -> float:
        """Level of the water, 0..1 of what the can held at first."""
        return min(1.0, self.content_ml / self.spec.content_ml) if self.spec.content_ml else 0.0


class Pump(Device[PumpSpec, PumpDefect]):
    """Moves water after it has primed, a little more or less than its nominal flow, less from a low can."""

    kind = "pump"
    healthy = PumpDefect()
    STATE = ("level", "primed_s", "is_siphoning", "delivered_ml", "leaked_ml")

    def __init__(self, spec: PumpSpec, reservoir: Reservoir, seed: int) -> None:
        super().__init__(spec)
        self.reservoir = reservoir
        self.primed_s = 0.0
        self.is_siphoning = False
        self.delivered_ml = 0.0
        self.leaked_ml = 0.0
        spread = random.Random(f"{seed}:{spec.actuator_id}:flow").gauss(0.0, 1.0)  # noqa: S311 - no secret
        self._flow_ml_s = spec.flow_ml_s * (1.0 + spec.spread * min(_WIDEST_SPREAD, max(-_WIDEST_SPREAD, spread)))

    @property
    def is_moving(self) -> bool:
        """True while it may move water."""
        may_flow = (self._drive > 0.0 and not self._is_cut_off) or self._siphons
        return may_flow and self.reservoir.content_ml > 0.0 and not self._defect.dry

    @property
    def has_leak(self) -> bool:
        """True while part of its water misses the pot."""
        return self._defect.leak > 0.0

    @property
    def flow_ml_s(self) -> float:
        """Flow of a primed pump at full level from its can as it is now, without a defect."""
        return self._flow_ml_s * (1.0 - self.spec.head_loss * (1.0 - self.reservoir.fullness))

    def draw(self, dt_s: float) -> float:
        """Move the water of one step out of the can; return what reaches the pot."""
        drive, defect = self._drive, self._defect
        if drive > 0.0 and self._is_cut_off:
            self.is_siphoning = False
            return 0.0
        if drive == 0.0:
            self.is_siphoning = self._siphons
            self.primed_s = 0.0
            wanted_ml = self.flow_ml_s * defect.siphon * dt_s if self.is_siphoning else 0.0
        else:
            wet_s = max(0.0, dt_s - max(0.0, self.spec.priming_s - self.primed_s))
            self.primed_s += dt_s
            self.is_siphoning = False
            wanted_ml = self.flow_ml_s * drive * wet_s
        if wanted_ml == 0.0 or defect.dry:
            return 0.0
        moved_ml = min(self.reservoir.content_ml, wanted_ml * (1.0 - defect.blocked))
        self.reservoir.content_ml -= moved_ml
        if self.reservoir.content_ml == 0.0:  # air in the hose
            self.is_siphoning, self.primed_s = False, 0.0
        leaked_ml = moved_ml * defect.leak
        self.leaked_ml += leaked_ml
        self.delivered_ml += moved_ml - leaked_ml
        return moved_ml - leaked_ml

    @property
    def _drive(self) -> float:
        defect = self._defect
        return 0.0 if defect.never_closes else 1.0 if defect.welded else self.level

    @property
    def _is_cut_off(self) -> bool:
        """True once the supply's own timer has cut it off, until it is switched off."""
        return self.primed_s >= self.spec.supply_timer_s

    @property
    def _siphons(self) -> bool:
        """A siphon begins when a pump that had filled its hose stops, and nothing breaks it."""
        may_siphon = self._defect.siphon > 0.0 and not self.spec.has_siphon_break
        return may_siphon and (self.is_siphoning or self.primed_s >= self.spec.priming_s)


class Lamp(Device[LampSpec, LampDefect]):
    """Light by its pin or its timer plug; not all of it at once."""

    kind = "lamp"
    healthy = LampDefect()
    STATE = ("level", "output")

    def __init__(self, spec: LampSpec) -> None:
        super().__init__(spec)
        self.output = 0.0

    def step(self, dt_s: float, hour: float) -> float:
        """Return the share of its light that it gives at a local hour, after a step."""
        level = 0.0 if self._defect.dead else max(self.level, 1.0 if self._timed(hour) else 0.0)
        least = _LAMP_AT_ONCE * level
        if self.output < least or self.output > level:
            self.output = least if self.output < least else level
        if self.output != level:
            self.output += (level - self.output) * -math.expm1(-dt_s / self.spec.warm_up_s)
        return self.output

    def _timed(self, hour: float) -> bool:
        on_h, off_h = self.spec.on_h, self.spec.off_h
        return on_h <= hour < off_h if on_h <= off_h else hour >= on_h or hour < off_h


class Fan(Device[FanSpec, FanDefect]):
    """Exchanges the zone's air with outside."""

    kind = "fan"
    healthy = FanDefect()

    @property
    def exchange_per_h(self) -> float:
        """Air changes that it makes."""
        return self.spec.exchange_per_h * self.level * (1.0 - self._defect.blocked)


class Heater(Device[HeaterSpec, HeaterDefect]):
    """Warms the zone's air, with the lag of its own mass."""

    kind = "heater"
    healthy = HeaterDefect()
    STATE = ("level", "heat_w")

    def __init__(self, spec: HeaterSpec) -> None:
        super().__init__(spec)
        self.heat_w = 0.0

    def step(self, dt_s: float) -> float:
        """Return the heat that it gives (W), after a step."""
        defect = self._defect
        level = 0.0 if defect.dead else 1.0 if defect.stuck_on else self.level
        wanted_w = level * self.spec.power_w
        if self.heat_w != wanted_w:
            self.heat_w += (wanted_w - self.heat_w) * -math.expm1(-dt_s / self.spec.lag_s)
        return self.heat_w
