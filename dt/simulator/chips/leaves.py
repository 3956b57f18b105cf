"""How a plant looks from above: leaves by species, as many and as large as it has grown, hanging when it wilts."""

# ruff: noqa: S311 - noise of a simulation, no secret

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image, ImageDraw

from dt.simulator.pot import Pot

Colour = tuple[int, int, int]
Point = tuple[float, float]

_GOLDEN_ANGLE = math.pi * (3.0 - math.sqrt(5.0))
_WILTED, _DEAD = (150, 148, 62), (148, 118, 74)
_REACH = 1.06  # of the soil's radius, of a plant whose leaves close over it
_LEAST_TURGOR = 0.55  # of the length that hanging leaves still show
_SOIL_SHARE = 0.87  # of the pot's radius


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafForm:
    """Leaves of one species: how many, how they follow each other, and their shape; widths are shares of the length."""

    count: int
    turn: float  # between one leaf and the next, radians
    width: float
    colour: Colour
    blunt: float = 0.8  # below 1 the widest place lies near the stem, above it near the tip
    wave: float = 0.0
    leaflets: int = 0  # pairs, of a compound leaf
    shrink: float = 0.6  # from the oldest to the youngest leaf


_GENERIC = LeafForm(count=17, turn=_GOLDEN_ANGLE, width=0.29, colour=(52, 150, 50))
_FORMS: Mapping[str, LeafForm] = {
    "Ocimum basilicum": LeafForm(count=18, turn=math.pi / 2 + 0.14, width=0.36, colour=(58, 152, 48), shrink=0.7),
    "Solanum lycopersicum": LeafForm(
        count=9, turn=_GOLDEN_ANGLE, width=0.10, colour=(60, 112, 48), leaflets=3, shrink=0.35
    ),
    "Lactuca sativa": LeafForm(
        count=20, turn=_GOLDEN_ANGLE, width=0.42, colour=(136, 190, 74), blunt=1.5, wave=0.10, shrink=0.75
    ),
    "Capsicum annuum": LeafForm(count=15, turn=_GOLDEN_ANGLE, width=0.24, colour=(38, 118, 46)),
    "Fragaria x ananassa": LeafForm(
        count=11, turn=_GOLDEN_ANGLE, width=0.18, colour=(50, 124, 50), leaflets=1, wave=0.06
    ),
    "Mentha spicata": LeafForm(count=24, turn=math.pi / 2 + 0.1, width=0.27, colour=(70, 148, 70), wave=0.05),
    "Cucumis sativus": LeafForm(
        count=8, turn=_GOLDEN_ANGLE, width=0.55, colour=(64, 130, 52), blunt=1.1, wave=0.12, shrink=0.5
    ),
}


def draw_plant(scene: Image.Image, pot: Pot, place: tuple[float, float, float], seed: int) -> None:
    """Draw the leaves of a pot at its place (centre and radius in pixels), the oldest first."""
    form = _FORMS.get(pot.spec.species.name, _GENERIC)
    growth = pot.growth
    grown = growth.leaf_area_index / pot.spec.species.leaf_area_index
    hang = _LEAST_TURGOR + (1.0 - _LEAST_TURGOR) * growth.turgor
    reach = _REACH * _SOIL_SHARE * place[2] * math.sqrt(growth.cover) * hang
    vary = random.Random(f"{seed}:{pot.plant_id}:leaves")
    pen = ImageDraw.Draw(scene)
    count = max(2, round(form.count * math.sqrt(grown)))
    for index in range(count):
        age = index / count
        angle = index * form.turn + vary.uniform(-0.12, 0.12)
        length = reach * (1.0 - form.shrink * age) * vary.uniform(0.92, 1.06)
        fresh = lighter(form.colour, round(-14 + 44 * age))
        colour = blend(blend(_WILTED, fresh, growth.turgor), _DEAD, growth.damage)
        _Leaf(pen, place[:2], angle, length, colour, form).draw()


@dataclass(frozen=True, slots=True)
class _Leaf:
    """One leaf from the stem outwards."""

    pen: ImageDraw.ImageDraw
    stem: Point
    angle: float
    length: float
    colour: Colour
    form: LeafForm

    def draw(self) -> None:
        """Draw the blade, or the leaflets of a compound leaf."""
        if not self.form.leaflets:
            _blade(self.pen, self.stem, self.angle, self.length, self.form.width, self.colour, self.form)
            return
        pairs = self.form.leaflets
        tip = _moved(self.stem, self.angle, self.length * 0.68)
        self.pen.line([self.stem, tip], fill=lighter(self.colour, -18), width=max(1, round(self.length / 60)))
        for pair in range(pairs):
            node = _moved(self.stem, self.angle, self.length * (0.68 if pairs == 1 else 0.26 + 0.42 * pair / pairs))
            for side in (-1.0, 1.0):
                reach = self.length * 0.34
                _blade(self.pen, node, self.angle + side * 1.15, reach, 0.30, lighter(self.colour, 6 * pair), self.form)
        _blade(self.pen, tip, self.angle, self.length * 0.36, 0.30, lighter(self.colour, 12), self.form)


def _blade(
    pen: ImageDraw.ImageDraw, foot: Point, angle: float, length: float, width: float, colour: Colour, form: LeafForm
) -> None:
    """A leaf's blade with its shadow and its middle rib."""
    steps = [i / 16.0 for i in range(17)]

    def edge(side: float) -> list[Point]:
        points = []
        for i, step in enumerate(steps):
            half = width * length * math.sin(math.pi * math.pow(step, form.blunt)) * (1.0 + form.wave * (-1.0) ** i)
            points.append(_moved(_moved(foot, angle, step * length), angle + math.pi / 2, side * half))
        return points

    outline = edge(1.0) + edge(-1.0)[::-1]
    thickness = max(1.0, length / 40.0)
    pen.polygon([(x + thickness, y + 1.5 * thickness) for x, y in outline], fill=lighter(colour, -62))
    pen.polygon(outline, fill=colour, outline=lighter(colour, -24))
    pen.line([foot, _moved(foot, angle, 0.93 * length)], fill=lighter(colour, 30), width=max(1, round(length / 90)))


def _moved(point: Point, angle: float, by: float) -> Point:
    return point[0] + by * math.cos(angle), point[1] + by * math.sin(angle)


def blend(a: Colour, b: Colour, part: float) -> Colour:
    """Return a colour on the way from one to another."""
    return (
        round(a[0] + (b[0] - a[0]) * part),
        round(a[1] + (b[1] - a[1]) * part),
        round(a[2] + (b[2] - a[2]) * part),
    )


def lighter(colour: Colour, by: int) -> Colour:
    """Return a colour made lighter, or darker by a negative number."""
    red, green, blue = (max(0, min(255, part + by)) for part in colour)
    return red, green, blue
