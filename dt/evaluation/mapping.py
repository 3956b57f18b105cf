"""Which column of a file is which quantity: `COL=QUANTITY[:UNIT[:inverted]]`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dt.utils.exceptions import MessageError
from dt.utils.quantities import NEEDS_CALIBRATION, QUANTITIES, Quantity, Unit, to_canonical

INVERTED = "inverted"
_FULL = {Unit.FRACTION: 1.0, Unit.PERCENT: 100.0, Unit.VWC: 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMapping:
    """One column; `is_inverted` when a higher value means drier."""

    column: str
    quantity: Quantity
    unit: Unit
    is_inverted: bool = False

    def value_of(self, measured: float) -> float:
        """Return what the reading says: an inverted fraction or percentage is turned round.

        A count keeps its number: only its calibration knows both ends of its scale.
        """
        full = _FULL.get(self.unit)
        return full - measured if self.is_inverted and full is not None else measured


def parse_mapping(text: str) -> ColumnMapping:
    """Return the mapping that one `--map` asks for; raises MessageError (field `map`) that says what is wrong.

    >>> parse_mapping("fraction=soil_moisture:fraction").unit
    <Unit.FRACTION: 'fraction'>
    """
    column, equals, rest = text.rpartition("=")
    parts = rest.split(":")
    if not equals or not column.strip() or len(parts) > 3:
        raise MessageError("map", f"must be COL=QUANTITY[:UNIT[:inverted]], not {text!r}")
    quantity = _quantity(parts[0])
    unit = _unit(quantity, parts[1]) if len(parts) > 1 and parts[1] else QUANTITIES[quantity].unit
    if len(parts) == 3 and parts[2] != INVERTED:
        raise MessageError("map", f"the third part can only be {INVERTED!r}, not {parts[2]!r}")
    is_inverted = len(parts) == 3
    if is_inverted and quantity is not Quantity.SOIL_MOISTURE:
        raise MessageError("map", f"only soil_moisture can be inverted (higher is drier), not {quantity}")
    return ColumnMapping(column=column.strip(), quantity=quantity, unit=unit, is_inverted=is_inverted)


def parse_mappings(texts: Sequence[str]) -> tuple[ColumnMapping, ...]:
    """Return all mappings; refuses a column that is named twice."""
    mappings = tuple(parse_mapping(text) for text in texts)
    names = [mapping.column for mapping in mappings]
    for name in names:
        if names.count(name) > 1:
            raise MessageError("map", f"column {name!r} is mapped twice")
    return mappings


def _quantity(text: str) -> Quantity:
    measured = [
        quantity for quantity, spec in QUANTITIES.items() if not spec.is_derived and spec.unit is not Unit.IMAGE
    ]
    if text not in measured:
        raise MessageError("map", f"{text!r} is no quantity; there are {', '.join(measured)}")
    return Quantity(text)


def _unit(quantity: Quantity, text: str) -> Unit:
    if text not in set(Unit):
        raise MessageError(
            "map", f"{text!r} is no unit; there are {', '.join(unit for unit in Unit if unit != Unit.IMAGE)}"
        )
    unit = Unit(text)
    if (quantity, unit) not in NEEDS_CALIBRATION:
        try:
            to_canonical(quantity, 0.0, unit)
        except MessageError as error:
            raise MessageError("map", error.why) from error
    return unit
