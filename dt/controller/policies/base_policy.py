"""What every policy is: a pure function from what is known to a wish, with checked parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from dt.controller.live_readings import Latest
from dt.controller.policies.parameters import describe_parameters, read_parameters
from dt.controller.situation import MoistureEstimate
from dt.utils.dataclasses import PlantLimits
from dt.utils.exceptions import MessageError
from dt.utils.quantities import Quantity
from dt.utils.rig import Zone

Memory = Mapping[str, float]

AIR_FRESH_S = 5 * 60.0  # how old a reading of the air may be that something is held by


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyView:
    """One actuator and its world at one instant: wall time, monotonic time, readings, limits, the output's state.

    `memory` is what the last wish of this policy gave back; `level` is what the output is held at by this policy;
    `largest_dose_ml` is what a pump gives at once, or less where a vacation's share is smaller.
    """

    actuator_id: str
    kind: str
    now: float
    now_s: float
    zone: Zone
    limits: PlantLimits | None = None
    pot_volume_l: float = 1.0
    moisture: MoistureEstimate | None = None
    air: Mapping[Quantity, Latest] = field(default_factory=dict)
    level: float = 0.0
    is_settling: bool = False
    largest_dose_ml: float = 0.0
    floor: float | None = None
    memory: Memory = field(default_factory=dict)

    def fresh(self, quantity: Quantity) -> float | None:
        """Return the newest value of the air or soil that is young enough to act by, or None."""
        if quantity is Quantity.SOIL_MOISTURE:
            return None if self.moisture is None else self.moisture.median
        latest = self.air.get(quantity)
        return latest.value if latest is not None and latest.age_s <= AIR_FRESH_S else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a policy wants: a level to hold an output at, or one dose in ml; `key` names an occasion that comes once.

    `at` is the instant of that occasion; `memory` comes back in the next view. Neither level nor dose: just remember.
    """

    reason: str
    level: float | None = None
    dose_ml: float | None = None
    key: str = ""
    at: float | None = None
    memory: Memory = field(default_factory=dict)


class BasePolicy(ABC):
    """Decides for one actuator; it keeps nothing but its parameters."""

    name: ClassVar[str]
    words: ClassVar[str]
    kinds: ClassVar[frozenset[str]]
    parameters_type: ClassVar[type[Any]]

    @abstractmethod
    def decide(self, view: PolicyView) -> Wish | None:
        """Return a wish; None when nothing is to be done, or nobody knows enough: then a held output goes off."""

    def check(self) -> None:  # noqa: B027 - most policies have nothing more to check
        """Refuse parameters that do not fit together; raises MessageError."""

    def check_use(self, kind: str, limits: PlantLimits | None) -> None:  # noqa: B027 - most suit every use
        """Refuse parameters that make no sense for an actuator's kind or its plant's limits; raises MessageError."""

    @classmethod
    def describe(cls) -> dict[str, Any]:
        """Return name, words, kinds of actuators and a JSON schema of the parameters."""
        return {
            "policy": cls.name,
            "description": cls.words,
            "kinds": sorted(cls.kinds),
            "parameters": describe_parameters(cls.parameters_type),
        }


def made_policy(cls: Callable[[Any], BasePolicy], parameters_type: type[Any], said: Mapping[str, Any]) -> BasePolicy:
    """Return a policy with checked parameters; raises MessageError that names the parameter and its limit."""
    made = cls(read_parameters(parameters_type, said))
    made.check()
    return made


def fitting(cls: type[BasePolicy], actuator_kind: str) -> None:
    """Refuse a policy for an actuator of another kind; raises MessageError."""
    if actuator_kind not in cls.kinds:
        can = ", ".join(sorted(cls.kinds))
        raise MessageError("policy", f"{cls.name} is for {can}; this actuator is a {actuator_kind}")
