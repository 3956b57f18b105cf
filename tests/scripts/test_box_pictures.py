"""The pictures of the box in the notes are made by a command, and say that they are simulated."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from PIL import Image, ImageChops

ROOT = Path(__file__).resolve().parents[2]


def test_the_command_makes_the_pictures_of_the_notes(tmp_path: Path) -> None:
    """Three pictures of a fitting size, with a line of text under each; the committed ones are these."""
    spec = importlib.util.spec_from_file_location("box_pictures", ROOT / "scripts" / "box_pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    assert module.main(["--folder", str(tmp_path)]) == 0

    for name in ("dt_box_1.jpg", "dt_box_night.jpg", "dt_box_open.jpg"):
        made, kept = Image.open(tmp_path / name).convert("L"), Image.open(ROOT / "notes" / name).convert("L")
        assert made.size == (640, 510)
        assert made.crop((0, 485, 640, 510)).getextrema()[1] > 200  # type: ignore[operator]
        difference = ImageChops.difference(made, kept).histogram()
        assert sum(level * count for level, count in enumerate(difference)) / (640 * 510) < 3.0
