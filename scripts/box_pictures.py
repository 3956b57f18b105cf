"""Pictures of the simulated box by its own camera, labelled as simulated: by day, at night under the lamp, opened."""

from __future__ import annotations

import argparse
import io
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from PIL import Image, ImageDraw, ImageFont

from dt.simulator.box import Box
from dt.simulator.chips import camera
from dt.simulator.from_rig import box_spec
from dt.simulator.spec import BoxSpec
from dt.utils.exceptions import ConfigError
from dt.utils.rig import load_rig

ROOT = Path(__file__).resolve().parent.parent
_SETTLED_S, _OPENED_S = 2 * 86_400.0, 1200.0
_QUALITY = 88
_BAR = 30


def main(argv: list[str] | None = None) -> int:
    """Write the three pictures and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rig", type=Path, default=ROOT / "rig.toml", help="whose box to draw (default: rig.toml)")
    parser.add_argument("--folder", type=Path, default=ROOT / "notes", help="where to write (default: notes)")
    chosen = parser.parse_args(argv)
    try:
        write_pictures(box_spec(load_rig(chosen.rig)), chosen.folder)
    except (ConfigError, OSError) as error:
        sys.stderr.write(f"box_pictures: {error}\n")
        return 1
    return 0


def write_pictures(spec: BoxSpec, folder: Path) -> None:
    """Write dt_box_1.jpg, dt_box_night.jpg and dt_box_open.jpg into a folder."""
    zone = spec.zones[0]
    tz = ZoneInfo(zone.site.timezone)
    noon, night = (datetime(2026, 6, 20, hour, 30, tzinfo=tz).timestamp() for hour in (12, 22))
    late = tuple(replace(lamp, on_h=20.0, off_h=23.0) for lamp in spec.lamps)
    opened = replace(zone, air=replace(zone.air, window_share=0.9, exchange_per_h=400.0))
    for name, words, at_s, settled_s, made in (
        ("dt_box_1", "by day", noon, _SETTLED_S, spec),
        ("dt_box_night", "at night, lamp on", night, _SETTLED_S, replace(spec, lamps=late)),
        ("dt_box_open", "opened, in daylight", noon, _OPENED_S, replace(spec, zones=(opened, *spec.zones[1:]))),
    ):
        box = Box(made, at_s - settled_s)
        box.advance(at_s)
        _labelled(camera.draw(box, zone.zone_id), words).save(folder / f"{name}.jpg", quality=_QUALITY)


def _labelled(jpeg: bytes, words: str) -> Image.Image:
    """Write under a picture that nobody took it."""
    picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
    sheet = Image.new("RGB", (picture.width, picture.height + _BAR), (28, 32, 30))
    sheet.paste(picture)
    text = f"SIMULATED plant box, drawn by its own camera: {words}"
    ImageDraw.Draw(sheet).text((10, picture.height + 7), text, fill=(236, 238, 232), font=ImageFont.load_default(15))
    return sheet


if __name__ == "__main__":
    raise SystemExit(main())
