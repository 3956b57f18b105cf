"""Sensors that measure the same air: how far each is from the others, and how far it usually is."""

from __future__ import annotations

import msgspec

LEARNT_S = 48 * 3600.0  # two days show what the sun does to each of them
_OVER_S = 72 * 3600.0
_FRESH_S = 900.0
PERSISTS_S = 1800.0
# Of a mean over 8 h, a day at another level makes three quarters: before that, it does not pass for the usual distance.
_KNOWN_S = 8 * 3600.0
_TIMES_THE_USUAL = 5.0
_CLIP = 1.5  # a drift must not widen what is usual as fast as it grows
_MOST = 20


class Seat(msgspec.Struct, array_like=True):
    """One sensor: its last value, its usual distance from the others (degC, %), and since when it is further away."""

    at: float = 0.0
    value: float = 0.0
    since: float = -1.0
    usual: float = 0.0
    spread: float = 0.0
    apart_since: float = -1.0
    agrees_since: float = -1.0  # with the others, after a step


class Neighbourhood(msgspec.Struct, array_like=True):
    """The sensors of one quantity in one air, by id."""

    seats: dict[str, Seat] = {}

    def accept(self, sensor_id: str, timestamp: float, value: float, margin: float) -> float | None:
        """Take a value; return how much further than usual it is from the others, once that has lasted."""
        seat = self.seats.get(sensor_id)
        if seat is None:
            if len(self.seats) >= _MOST:
                del self.seats[min(self.seats, key=lambda name: self.seats[name].at)]
            seat = self.seats[sensor_id] = Seat()
        if timestamp <= seat.at:
            return None
        elapsed_s, seat.at, seat.value = timestamp - seat.at, timestamp, value
        if len(self.seats) == 1:
            return None
        beside = self._beside(sensor_id, timestamp)
        return None if beside is None else _apart(seat, value - beside, elapsed_s, margin)

    def agrees_since(
        self, sensor_id: str, timestamp: float, value: float, within: float, step_at: float
    ) -> float | None:
        """Return since when a value, of a level that a step led to, is where the others say; None where it is not.

        That is as far from them as it was before the step, or beside them where nobody knows how far it was.
        """
        seat, beside = self.seats.get(sensor_id), self._beside(sensor_id, timestamp)
        if seat is None:
            return None
        is_known = 0.0 <= seat.since <= step_at - _KNOWN_S
        usual = seat.usual if is_known else 0.0
        if beside is None or abs(value - beside - usual) > within or timestamp - seat.at > _FRESH_S:
            seat.agrees_since = -1.0
            return None
        if seat.agrees_since < step_at:
            seat.agrees_since = timestamp
        return seat.agrees_since

    def _beside(self, sensor_id: str, timestamp: float) -> float | None:
        """Return the median of what the others last said, if that is not long ago."""
        others = sorted(
            other.value
            for name, other in self.seats.items()
            if name != sensor_id and abs(timestamp - other.at) <= _FRESH_S
        )
        return others[len(others) // 2] if others else None


def _apart(seat: Seat, distance: float, elapsed_s: float, margin: float) -> float | None:
    if seat.since < 0.0:
        seat.since, seat.usual = seat.at, distance
        return None
    further = distance - seat.usual
    is_learnt = seat.at - seat.since >= LEARNT_S
    is_apart = is_learnt and abs(further) > margin + _TIMES_THE_USUAL * seat.spread
    if not is_apart:
        seat.apart_since = -1.0
    elif seat.apart_since < 0.0:
        seat.apart_since = seat.at
    # What is far off moves the usual slowly: after a week the sensors count as moved.
    over_s = 2.0 * _OVER_S if is_apart else min(_OVER_S, seat.at - seat.since)
    part = min(0.5, elapsed_s / over_s)
    seat.usual += part * further
    if not is_apart:
        size = min(abs(further), _CLIP * seat.spread) if is_learnt else abs(further)
        seat.spread += part * (size - seat.spread)
    return further if is_apart and seat.at - seat.apart_since >= PERSISTS_S else None
