"""The camera in the lid: a drawn picture of one pot or of all of a zone, by daylight or lamp, dark at night."""

# ruff: noqa: S311 - noise of a simulation, no secret

from __future__ import annotations

import io
import math
import random
from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from dt.simulator.box import Box
from dt.simulator.chips.leaves import Colour, blend, draw_plant, lighter
from dt.simulator.pot import Pot
from dt.simulator.zone import ZoneBox

WIDTH, HEIGHT = 640, 480
_DRY_SOIL, _WET_SOIL = (146, 112, 82), (58, 40, 28)
_DAYLIGHT, _LAMP = (1.0, 1.0, 0.97), (1.0, 0.86, 1.0)
_FULL_LIGHT_LUX = 2500.0
_QUALITY = 86
_FILLS = 0.427  # a pot's share of the picture's height, as radius
_RIM, _WALL = 10.0, 27.0  # of a pot that fills the picture

Circle = tuple[float, float, float]  # centre and radius in pixels


def draw(box: Box, zone_id: str, plant_id: str | None = None) -> bytes:
    """Return the JPEG that a camera above a plant, or above all of a zone, would take now, well below 700 kB."""
    noise = random.Random(f"{box.spec.seed}:{box.now_s:.3f}")
    zone = box.zones[zone_id]
    pots = [box.pots[plant_id]] if plant_id is not None else [pot for pot in box.pots.values() if pot.zone is zone]
    scene = _table().copy()
    places = _places([pot.spec.volume_ml for pot in pots])
    for pot, place in zip(pots, places, strict=True):
        _draw_pot(scene, pot, place, box.spec.seed)
    for pot, place in zip(pots, places, strict=True):  # leaves may reach over a neighbour's rim
        draw_plant(scene, pot, place, box.spec.seed)
    buffer = io.BytesIO()
    _expose(scene, zone, noise).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def _places(volumes_ml: list[float]) -> list[Circle]:
    """Pots side by side, in as many rows as make them largest, each as wide as its volume makes it."""
    if not volumes_ml:
        return []
    count = len(volumes_ml)
    columns = max(range(1, count + 1), key=lambda c: min(WIDTH / c, HEIGHT / math.ceil(count / c)))
    rows = math.ceil(count / columns)
    cell = min(WIDTH / columns, HEIGHT / rows)
    largest = max(volumes_ml)
    found = []
    for index, volume_ml in enumerate(volumes_ml):
        row, column = divmod(index, columns)
        in_row = min(columns, count - row * columns)
        x = WIDTH * (column + 0.5) / in_row
        found.append((x, HEIGHT * (row + 0.5) / rows, cell * _FILLS * math.pow(volume_ml / largest, 1.0 / 3.0)))
    return found


@lru_cache(maxsize=1)
def _table() -> Image.Image:
    """The table, drawn once."""
    grain = random.Random("table")
    table = Image.new("RGB", (WIDTH, HEIGHT), (186, 178, 166))
    pen = ImageDraw.Draw(table)
    for y in range(0, HEIGHT, 3):
        shade = grain.randint(-7, 7)
        pen.line([(0, y), (WIDTH, y)], fill=(186 + shade, 178 + shade, 166 + shade), width=3)
    return table.filter(ImageFilter.GaussianBlur(1.2))


def _draw_pot(scene: Image.Image, pot: Pot, place: Circle, seed: int) -> None:
    x, y, radius = place
    scale = radius / (_FILLS * HEIGHT)
    pen = ImageDraw.Draw(scene)
    _disc(pen, (x + 10 * scale, y + 14 * scale), radius + 6 * scale, (120, 112, 104))
    _disc(pen, (x, y), radius, (184, 98, 66))
    _disc(pen, (x, y), radius - _RIM * scale, (150, 76, 50))
    colour = blend(_DRY_SOIL, _WET_SOIL, min(1.0, max(0.0, (pot.soil.vwc_top - 0.10) / 0.40)))
    soil_radius = radius - _WALL * scale
    _disc(pen, (x, y), soil_radius, colour)
    crumbs = random.Random(f"{seed}:{pot.plant_id}:crumbs")
    for _ in range(round(900 * scale)):
        angle, part = crumbs.uniform(0.0, math.tau), math.sqrt(crumbs.random()) * (soil_radius - 4 * scale)
        spot = (x + part * math.cos(angle), y + part * math.sin(angle))
        _disc(pen, spot, crumbs.uniform(0.8, 3.2) * max(0.6, scale), lighter(colour, crumbs.randint(-26, 22)))
    if pot.soil.pond_ml > 5.0:
        puddle = min(70.0, 14.0 + pot.soil.pond_ml / 4.0) * scale
        _disc(pen, (x + 60 * scale, y - 40 * scale), puddle, (88, 84, 84))


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


def _disc(pen: ImageDraw.ImageDraw, centre: tuple[float, float], radius: float, colour: Colour) -> None:
    x, y = centre
    pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)
