"""The camera above the pot: a drawn picture, lit by daylight or lamp, dark at night."""

# ruff: noqa: S311 - noise of a simulation, no secret

from __future__ import annotations

import io
import math
import random
from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from dt.simulator.box import Box
from dt.simulator.pot import Pot
from dt.simulator.zone import ZoneBox

WIDTH, HEIGHT = 640, 480
_CENTRE = (320, 240)
_POT_RADIUS, _SOIL_RADIUS = 205, 178
_DRY_SOIL, _WET_SOIL = (146, 112, 82), (58, 40, 28)
_DAYLIGHT, _LAMP = (1.0, 1.0, 0.97), (1.0, 0.86, 1.0)
_LEAVES = 17
_FULL_LIGHT_LUX = 2500.0
_QUALITY = 86


def draw(box: Box, zone_id: str, plant_id: str | None = None) -> bytes:
    """Return the JPEG that a camera above a plant, or a zone's first, would take now, well below 700 kB."""
    noise = random.Random(f"{box.spec.seed}:{box.now_s:.3f}")
    pots = [
        pot
        for pot in box.pots.values()
        if pot.plant_id == plant_id or (plant_id is None and pot.zone is box.zones[zone_id])
    ]
    scene = _table().copy()
    for pot in pots[:1]:
        _draw_soil(scene, pot, box.spec.seed)
        _draw_leaves(scene, pot, box.spec.seed)
    picture = _expose(scene, box.zones[zone_id], noise)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


@lru_cache(maxsize=1)
def _table() -> Image.Image:
    """The table and the pot's rim, drawn once."""
    grain = random.Random("table")
    table = Image.new("RGB", (WIDTH, HEIGHT), (186, 178, 166))
    pen = ImageDraw.Draw(table)
    for y in range(0, HEIGHT, 3):
        shade = grain.randint(-7, 7)
        pen.line([(0, y), (WIDTH, y)], fill=(186 + shade, 178 + shade, 166 + shade), width=3)
    _disc(pen, (_CENTRE[0] + 10, _CENTRE[1] + 14), _POT_RADIUS + 6, (120, 112, 104))
    _disc(pen, _CENTRE, _POT_RADIUS, (184, 98, 66))
    _disc(pen, _CENTRE, _POT_RADIUS - 10, (150, 76, 50))
    return table.filter(ImageFilter.GaussianBlur(1.2))


def _draw_soil(scene: Image.Image, pot: Pot, seed: int) -> None:
    wet = min(1.0, max(0.0, (pot.soil.vwc_top - 0.10) / 0.40))
    colour = _blend(_DRY_SOIL, _WET_SOIL, wet)
    pen = ImageDraw.Draw(scene)
    _disc(pen, _CENTRE, _SOIL_RADIUS, colour)
    crumbs = random.Random(f"{seed}:crumbs")
    for _ in range(900):
        angle, part = crumbs.uniform(0.0, math.tau), math.sqrt(crumbs.random())
        x = _CENTRE[0] + part * (_SOIL_RADIUS - 4) * math.cos(angle)
        y = _CENTRE[1] + part * (_SOIL_RADIUS - 4) * math.sin(angle)
        shade = crumbs.randint(-26, 22)
        _disc(pen, (x, y), crumbs.uniform(0.8, 3.2), _lighter(colour, shade))
    if pot.soil.pond_ml > 5.0:
        _disc(pen, (_CENTRE[0] + 60, _CENTRE[1] - 40), min(70.0, 14.0 + pot.soil.pond_ml / 4.0), (88, 84, 84))


def _draw_leaves(scene: Image.Image, pot: Pot, seed: int) -> None:
    """A rosette; leaves hang, and so look shorter and duller, as water stress grows."""
    turgor = 0.55 + 0.45 * pot.growth.turgor
    growth = random.Random(f"{seed}:leaves")
    pen = ImageDraw.Draw(scene)
    for index in range(_LEAVES):
        angle = index * math.pi * (3.0 - math.sqrt(5.0)) + growth.uniform(-0.12, 0.12)  # the golden angle
        length = (188.0 - 6.6 * index) * growth.uniform(0.9, 1.08) * turgor
        green = _blend((150, 148, 62), (52, 122 + 4 * index, 50), turgor)
        _draw_leaf(pen, angle, length, length * growth.uniform(0.26, 0.32), green)


def _draw_leaf(
    pen: ImageDraw.ImageDraw, angle: float, length: float, width: float, colour: tuple[int, int, int]
) -> None:
    def place(along: float, across: float) -> tuple[float, float]:
        cosine, sine = math.cos(angle), math.sin(angle)
        return _CENTRE[0] + along * cosine - across * sine, _CENTRE[1] + along * sine + across * cosine

    steps = [i / 12.0 for i in range(13)]
    edge = [place(8.0 + s * length, width * math.sin(math.pi * math.pow(s, 0.8))) for s in steps]
    edge += [place(8.0 + s * length, -width * math.sin(math.pi * math.pow(s, 0.8))) for s in reversed(steps)]
    shadow = [(x + 4.0, y + 6.0) for x, y in edge]
    pen.polygon(shadow, fill=_lighter(colour, -62))
    pen.polygon(edge, fill=colour, outline=_lighter(colour, -24))
    pen.line([place(4.0, 0.0), place(8.0 + 0.93 * length, 0.0)], fill=_lighter(colour, 34), width=2)


def _expose(scene: Image.Image, zone: ZoneBox, noise: random.Random) -> Image.Image:
    """Light the scene by what shines on it; the camera gains less than the dark takes, and noise grows."""
    lux = max(0.0, zone.light_lux)
    brightness = 0.035 + 0.965 * min(1.0, math.pow(lux / _FULL_LIGHT_LUX, 0.4))
    lamp_part = (lux - zone.daylight_lux) / lux if lux > 0.0 else 0.0
    bands = [
        band.point([min(255, round(level * brightness * (day + (lamp - day) * lamp_part))) for level in range(256)])
        for band, day, lamp in zip(scene.split(), _DAYLIGHT, _LAMP, strict=True)
    ]
    picture = Image.merge("RGB", bands)
    grain = _grain(noise.randrange(4)).point(_spread(4 + round(10.0 * (1.0 - brightness))))
    grain = ImageChops.offset(grain, noise.randrange(WIDTH), noise.randrange(HEIGHT))
    return ImageChops.add(picture, Image.merge("RGB", [grain] * 3), scale=1.0, offset=-128)


@lru_cache(maxsize=4)
def _grain(variant: int) -> Image.Image:
    levels = random.Random(f"grain {variant}").randbytes(WIDTH * HEIGHT)
    return Image.frombytes("L", (WIDTH, HEIGHT), levels)


def _spread(amplitude: int) -> list[int]:
    """Table that maps even noise to at most `amplitude` around 128."""
    return [128 + round((level - 127.5) / 127.5 * amplitude) for level in range(256)]


def _disc(pen: ImageDraw.ImageDraw, centre: tuple[float, float], radius: float, colour: tuple[int, int, int]) -> None:
    x, y = centre
    pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)


def _blend(a: tuple[int, int, int], b: tuple[int, int, int], part: float) -> tuple[int, int, int]:
    return (
        round(a[0] + (b[0] - a[0]) * part),
        round(a[1] + (b[1] - a[1]) * part),
        round(a[2] + (b[2] - a[2]) * part),
    )


def _lighter(colour: tuple[int, int, int], by: int) -> tuple[int, int, int]:
    red, green, blue = (max(0, min(255, part + by)) for part in colour)
    return red, green, blue
