"""How much of a dose's rise a pump's own probe usually shows, and whether the last one fell short of that (S7).

A bucket of the pot's volume does not know where the probe sits: in one pot it shows twice the bucket's rise, in another
half of it, but each time the same. A leak that loses half of the flow passes the bucket, and not the pump's own usual.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from dt.utils.codec import Message
from dt.utils.exceptions import DTError, MessageError
from dt.utils.logger import get_logger
from dt.utils.whole_file import whole_file

FEWEST = 1  # healthy dose, before a usual is spoken of: one says little, and only half of it is then a fall
_MOST = 12  # that count: a plant grows, and soil settles
_ALIKE = 1.5  # times as much or as little water: what ran off a large dose says nothing of a small one
_LEAST_FALL, _UNSURE = 0.25, 0.2  # pumps spread by 10 % from dose to dose; a few doses tell their spread badly
_LEAST_SPREAD, _SPREADS = 0.05, 4.0
_MOST_FALL = 0.5  # a usual that spreads so widely says nothing
_FAR_FALL = 0.4  # so much missing is no chance where the usual is steady
_JUMP, _JUMPS = 1.5, 2  # times the usual, and so often in a row: a person's can is seen once
_TO_SIGMA = 1.4826  # of a median absolute deviation, of a normal distribution

log = get_logger(__name__)


class Fall(IntEnum):
    """How far a dose fell short of the usual."""

    NONE = 0
    TOLD = 1
    FAR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """The median share of the bucket's rise that the probe shows, and its relative spread."""

    share: float
    spread: float
    doses: int

    @property
    def least(self) -> float:
        """Return the smallest share that is still usual; 0 where the spread is too wide to say.

        >>> round(Usual(share=2.0, spread=0.05, doses=4).least, 2)
        1.4
        >>> Usual(share=2.0, spread=0.3, doses=12).least
        0.0
        """
        fall = max(_LEAST_FALL + _UNSURE / self.doses, _SPREADS * self.spread)
        return 0.0 if fall > _MOST_FALL else self.share * (1.0 - fall)

    def fall_of(self, most_share: float) -> Fall:
        """Return how far a share falls short; it is the most that warmth may have hidden.

        >>> usual = Usual(share=2.0, spread=0.05, doses=4)
        >>> [usual.fall_of(share).name for share in (1.8, 1.3, 1.0)]
        ['NONE', 'TOLD', 'FAR']
        """
        if most_share >= self.least:
            return Fall.NONE
        return Fall.FAR if most_share <= self.share * (1.0 - _FAR_FALL) else Fall.TOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthyDose(Message):
    """A dose with its effect: the rise of a bucket (m3/m3), and the share of it that the probe showed."""

    poured: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpPast(Message):
    """The healthy doses of a pump, by its calibration and its pot."""

    flow_ml_s: float
    pot_volume_l: float
    doses: tuple[HealthyDose, ...] = ()


def usual_of(doses: Sequence[HealthyDose], poured: float) -> Usual | None:
    """Return the usual of doses about as large as this one; None while there are too few.

    >>> doses = [HealthyDose(poured=0.1, share=share) for share in (2.0, 2.1, 1.9)]
    >>> usual_of(doses, 0.12)
    Usual(share=2.0, spread=0.07413, doses=3)
    >>> round(usual_of(doses[:1], 0.1).least, 2)
    1.1
    >>> usual_of(doses, 0.02) is None
    True
    """
    shares = [one.share for one in doses if poured / _ALIKE <= one.poured <= poured * _ALIKE]
    if len(shares) < FEWEST:
        return None
    middle = statistics.median(shares)
    deviation = statistics.median(abs(share - middle) for share in shares)
    spread = max(_LEAST_SPREAD, _TO_SIGMA * deviation / middle)
    return Usual(share=middle, spread=round(spread, 6), doses=len(shares))


def since_jump(doses: Sequence[HealthyDose]) -> tuple[HealthyDose, ...]:
    """Return the doses from a lasting jump upwards on: what was learnt before it was learnt from a leak.

    >>> leaky = [HealthyDose(poured=0.1, share=share) for share in (1.0, 1.1, 1.0)]
    >>> healthy = [HealthyDose(poured=0.1, share=share) for share in (2.0, 2.1)]
    >>> [one.share for one in since_jump([*leaky, *healthy])]
    [2.0, 2.1]
    >>> [one.share for one in since_jump([*leaky, healthy[0]])]
    [1.0, 1.1, 1.0, 2.0]
    """
    before, last = doses[:-_JUMPS], doses[-_JUMPS:]
    for one in last:
        usual = usual_of(before, one.poured)
        if usual is None or one.share < _JUMP * usual.share:
            return tuple(doses)
    return tuple(last)


class UsualFile:
    """The healthy doses of every pump, on disk, replaced whole; what cannot be written or read is only logged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._past = self._load()

    def usual(self, name: str, setting: PumpPast, poured: float) -> Usual | None:
        """Return a pump's usual; None where another flow was calibrated since, or it has another pot."""
        past = self._past.get(name)
        if past is None or (past.flow_ml_s, past.pot_volume_l) != (setting.flow_ml_s, setting.pot_volume_l):
            return None
        return usual_of(past.doses, poured)

    def learn(self, name: str, setting: PumpPast, dose: HealthyDose) -> None:
        """Add a healthy dose."""
        past = self._past.get(name)
        if past is None or (past.flow_ml_s, past.pot_volume_l) != (setting.flow_ml_s, setting.pot_volume_l):
            past = setting
        doses = since_jump((*past.doses[1 - _MOST :], dose))
        self._past[name] = PumpPast(flow_ml_s=past.flow_ml_s, pot_volume_l=past.pot_volume_l, doses=doses)
        self._save()

    def forget(self, name: str) -> None:
        """Begin anew with a pump."""
        if self._past.pop(name, None) is not None:
            self._save()

    def _save(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self._path) as file:
                file.write(json.dumps({name: past.to_dict() for name, past in self._past.items()}).encode())
        except OSError as error:
            log.warning("what doses usually do cannot be kept over a restart: %s", error)

    def _load(self) -> dict[str, PumpPast]:
        try:
            body = json.loads(self._path.read_text("utf-8"))
            if not isinstance(body, dict):
                raise MessageError("$", "must be an object")
            return {name: PumpPast.from_dict(past) for name, past in body.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, DTError) as error:
            log.warning("%s cannot be read, so what doses usually do is learnt anew: %s", self._path, error)
            return {}
