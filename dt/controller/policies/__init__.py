"""One file a policy, in one table; policies of other packages are found by the entry points `dt.policies`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from dt.controller.policies.base_policy import BasePolicy, fitting, made_policy
from dt.utils.dataclasses import PlantLimits
from dt.utils.exceptions import MessageError

RECOMMENDATION = "recommendation"
POLICIES: Mapping[str, str] = {
    RECOMMENDATION: "dt.controller.policies.recommendation:Recommendation",
    "hysteresis": "dt.controller.policies.hysteresis:Hysteresis",
    "schedule": "dt.controller.policies.schedule:Schedule",
    "soil_water_deficit": "dt.controller.policies.soil_water_deficit:SoilWaterDeficit",
    "daily_light": "dt.controller.policies.daily_light:DailyLight",
    "pid": "dt.controller.policies.pid:Pid",
}
ENTRY_POINTS = "dt.policies"


def policy_type(name: str) -> type[BasePolicy]:
    """Return the class of a policy; raises MessageError that lists those that there are."""
    place = POLICIES.get(name)
    if place is not None:
        module, _, class_name = place.partition(":")
        made: type[BasePolicy] = getattr(import_module(module), class_name)
        return made
    others = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name not in others:
        raise MessageError("policy", f"must be one of {', '.join(sorted({*POLICIES, *others}))}, not {name[:80]!r}")
    loaded: type[BasePolicy] = others[name].load()
    return loaded


def make_policy(
    name: str, parameters: Mapping[str, Any], actuator_kind: str, limits: PlantLimits | None = None
) -> BasePolicy:
    """Return a policy for an actuator's kind and a plant's limits; raises MessageError with the field and its limit."""
    cls = policy_type(name)
    fitting(cls, actuator_kind)
    made = made_policy(cls, cls.parameters_type, parameters)
    made.check_use(actuator_kind, limits)
    return made


def describe_policies() -> list[dict[str, Any]]:
    """Return every policy with its parameters, for people."""
    others = {point.name for point in entry_points(group=ENTRY_POINTS)}
    return [policy_type(name).describe() for name in [*POLICIES, *sorted(others - set(POLICIES))]]
