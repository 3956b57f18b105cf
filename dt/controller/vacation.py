"""While nobody is there: the water of a reservoir in daily shares of its plants."""

from __future__ import annotations

from dataclasses import dataclass

from dt.utils.codec import Message, Timestamp, require_text
from dt.utils.dataclasses import PlantLimits
from dt.utils.exceptions import MessageError

DAY_S = 86_400.0
LONGEST_S = 60 * DAY_S
_FLOOR_PART = 0.5  # of the way from the lower limit to the target


@dataclass(frozen=True, slots=True, kw_only=True)
class Vacation(Message):
    """Who goes, since when, and until when the water has to last."""

    by: str
    since: Timestamp
    until: Timestamp

    def ensure_consistent(self) -> None:
        """Refuse a vacation that is over, or longer than any reservoir lasts."""
        require_text(self, "by")
        if not 0 < self.until - self.since <= LONGEST_S:
            days = (self.until - self.since) / DAY_S
            raise MessageError(
                "until", f"must lie in the future, at most 60 days from now, and lies {days:.1f} days away"
            )


def share_ml(
    *, vacation: Vacation, now: float, reservoir_left_ml: float, spent_ml: float, volume_l: float, all_volumes_l: float
) -> float:
    """Return what a plant may get in any 24 h so that its part of the reservoir lasts until the end.

    Parts go by the volumes of the pots, which is what plants of a kind drink by. What was given in the last 24 h counts
    as part of what is shared, so the share stays the same while it is used.

    >>> trip = Vacation(by="ada", since=0.0, until=10 * 86400.0)
    >>> share_ml(vacation=trip, now=0.0, reservoir_left_ml=5000.0, spent_ml=0.0, volume_l=2.0, all_volumes_l=4.0)
    250.0
    >>> at = dict(vacation=trip, now=5 * 86400.0, volume_l=2.0, all_volumes_l=4.0)
    >>> share_ml(**at, reservoir_left_ml=2500.0, spent_ml=250.0)
    250.0
    """
    left_days = max(0.0, vacation.until - now) / DAY_S
    gone_days = min(1.0, max(0.0, now - vacation.since) / DAY_S)
    part_ml = reservoir_left_ml * volume_l / all_volumes_l
    return (part_ml + spent_ml * gone_days) / max(left_days + gone_days, 1.0)


def floor_of(limits: PlantLimits) -> float:
    """Return up to where deficits are served meanwhile (m3/m3): above the lower limit, well below the target.

    >>> round(floor_of(PlantLimits(soil_moisture_low=0.25, soil_moisture_target=0.35)), 3)
    0.3
    """
    return limits.soil_moisture_low + _FLOOR_PART * (limits.soil_moisture_target - limits.soil_moisture_low)
