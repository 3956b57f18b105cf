"""How the limits for dark, blocked and blurred pictures were found, and what a picture costs.

Prints bright level, spread and sharpness of the simulated camera by hour and of real pictures (folder as argument,
default ../shared/data/canopy_timelapse), each sharp and blurred, then memory and time of the camera's process.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from PIL import Image, ImageFilter, ImageStat

from dt.collector.camera_client import ProcessCamera
from dt.collector.camera_pictures import bright_level, flags_of, prepared, sharpness
from dt.collector.camera_spec import CameraSource, CameraSpec
from dt.communication.wire import WireServer
from dt.simulator.board import BoxWire
from dt.simulator.box import Box
from dt.simulator.from_rig import box_spec
from dt.simulator.wiring import wiring
from dt.utils.clock import ManualClock
from dt.utils.rig import load_rig

ROOT = Path(__file__).resolve().parents[2]
MIDNIGHT = 1_799_967_600.0  # in Rome
BLURS = (0.0, 1.0, 2.0, 4.0, 8.0)  # px, standard deviation
PICTURES = 50


def main() -> int:
    """Measure and print."""
    folder = _parser().parse_args().folder
    clock = ManualClock(MIDNIGHT)
    rig = load_rig(ROOT / "rig.toml")
    board = BoxWire(Box(box_spec(rig), MIDNIGHT - 3600.0), clock, wiring(rig))
    print(f"{'picture':34} {'blur':>5} {'bright':>7} {'spread':>7} {'sharpness':>10}  flags")
    for name, picture in [*simulated(board, clock), *real(folder)]:
        show(name, picture)
    show_cost(board)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure how bright and sharp pictures are, and what one costs.")
    ours = ROOT.parent / "shared" / "data" / "canopy_timelapse"
    parser.add_argument("folder", nargs="?", type=Path, default=ours, help="folder of real pictures (*.jpg)")
    return parser


def simulated(board: BoxWire, clock: ManualClock) -> Iterator[tuple[str, Image.Image]]:
    """Yield the box's pictures of a day."""
    for hour in range(0, 24, 3):
        clock.advance(MIDNIGHT + 3600.0 * hour - clock.wall())
        yield f"simulated, {hour:02d}:00", Image.open(io.BytesIO(board.capture(0))).convert("RGB")


def real(folder: Path) -> Iterator[tuple[str, Image.Image]]:
    """Yield the pictures of a folder."""
    paths = sorted(folder.glob("*.jpg"))
    if not paths:
        print(f"no pictures in {folder}: only simulated ones are measured")
    for path in paths:
        yield path.stem[-34:], Image.open(path).convert("RGB")


def show(name: str, picture: Image.Image) -> None:
    """Print a picture's figures, sharp and blurred."""
    for blur in BLURS:
        changed = picture.filter(ImageFilter.GaussianBlur(blur)) if blur else picture
        grey = changed.convert("L")
        grey = grey.reduce(max(1, max(grey.size) // 320))
        spread = ImageStat.Stat(grey).stddev[0]
        figures = f"{bright_level(grey):7.0f} {spread:7.1f} {sharpness(grey):10.4f}"
        print(f"{name:34} {blur:5.1f} {figures}  {', '.join(flags_of(changed))}")


def show_cost(board: BoxWire) -> None:
    """Print what a picture costs in the camera's process, and judging one here."""
    with tempfile.TemporaryDirectory() as folder:
        server = WireServer(board, Path(folder) / "wire.sock")
        server.start()
        camera = ProcessCamera(CameraSpec(source=CameraSource.WIRE, device=str(Path(folder) / "wire.sock")))
        camera.capture()
        began = time.perf_counter()
        for _ in range(PICTURES):
            jpeg = camera.capture().jpeg
        each_ms = (time.perf_counter() - began) * 1000.0 / PICTURES
        memory = psutil.Process(camera.pid).memory_full_info()
        camera.close()
        server.stop()
    began = time.perf_counter()
    for _ in range(PICTURES):
        prepared(jpeg)
    judging_ms = (time.perf_counter() - began) * 1000.0 / PICTURES
    print(f"camera's process: {memory.rss / 1e6:.1f} MB resident, of which {memory.uss / 1e6:.1f} MB its own")
    print(f"a picture: {each_ms:.1f} ms, of which drawn by the box and sent most, judged in {judging_ms:.1f} ms")


if __name__ == "__main__":
    raise SystemExit(main())
