"""S6 as pure functions: one pump at a time on a supply, loads within the supply's limit, exclusions.

`levels` has for each output that is not known to be off the most that it may be at until the next tick: the larger of
its level and the one it is due to get, and full for one that could not be driven. None of the rules is ever broken by
less, so the pins may change in any order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from dt.controller.guard_types import Denial, GuardConfig, OutputConfig, denial

_ROUNDING_W = 1e-6


def why_not_at(config: GuardConfig, output: OutputConfig, level: float, levels: Mapping[str, float]) -> Denial | None:
    """Return why an output may not be at a level beside the others, or None."""
    others = {actuator_id: other for actuator_id, other in levels.items() if actuator_id != output.actuator_id}
    return (
        why_no_such_level(output, level)
        or _why_second_pump(config, output, others)
        or _why_overload(config, output, level, others)
        or _why_excluded(config, output, level, others)
    )


def why_no_such_level(output: OutputConfig, level: float) -> Denial | None:
    """Return why an output knows no such level, or None."""
    if not 0.0 <= level <= 1.0:
        return denial("S6", "a level is from 0 to 1", level if math.isfinite(level) else None, 1.0)
    if output.moves_water and level != 1.0:
        return denial("S6", "a pump runs fully or not at all", level, 1.0)
    if output.pwm_hz == 0 and level not in {0.0, 1.0}:
        return denial("S6", "the output is switched: its level is 0 or 1", level, 1.0)
    return None


def _why_second_pump(config: GuardConfig, output: OutputConfig, others: Mapping[str, float]) -> Denial | None:
    if not output.moves_water:
        return None
    for other in config.outputs:
        if other.moves_water and other.supply == output.supply and other.actuator_id in others:
            return denial("S6", f"{other.actuator_id} is on, and one pump at a time runs on a supply", 2.0, 1.0)
    return None


def _why_overload(
    config: GuardConfig, output: OutputConfig, level: float, others: Mapping[str, float]
) -> Denial | None:
    if output.supply is None:
        return None
    limit_w = config.supplies[output.supply]
    load_w = output.load_w * level + sum(
        other.load_w * others.get(other.actuator_id, 0.0) for other in config.outputs if other.supply == output.supply
    )
    if load_w <= limit_w + _ROUNDING_W:
        return None
    return denial("S6", f"more than supply {output.supply} may give (W)", load_w, limit_w)


def _why_excluded(
    config: GuardConfig, output: OutputConfig, level: float, others: Mapping[str, float]
) -> Denial | None:
    levels = {**others, output.actuator_id: level}
    for exclusion in config.exclusions:
        if output.actuator_id not in {exclusion.heater, exclusion.fan}:
            continue
        wind = levels.get(exclusion.fan, 0.0)
        if levels.get(exclusion.heater, 0.0) > 0 and wind >= exclusion.above:
            why = f"{exclusion.heater} is off while {exclusion.fan} is at {exclusion.above:g} or more"
            return denial("S6", why, wind, exclusion.above)
    return None
