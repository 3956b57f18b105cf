"""A plant's pictures as a film: which of them, how large, with their time, into MP4 or GIF."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from PIL import Image, ImageDraw, ImageFont, ImageOps

from dt.operations.timelapse_files import writer_for
from dt.operations.timelapse_frames import FrameSource
from dt.utils.dataclasses import CameraFrame
from dt.utils.exceptions import DTError, MessageError

WIDEST, NARROWEST = 3840, 64
DEFAULT_WIDEST = 1280
_TEXT_SHARE = 1 / 26  # height of the time's letters, in parts of the picture's

Progress = Callable[[float, float], None]


class TimelapseError(DTError):
    """There is nothing to make a film of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelapseRequest:
    """What to film: a plant or a camera, from `since` to `until` (epoch s, None: open), without these flags."""

    out: Path
    plant_id: str | None = None
    sensor_id: str | None = None
    since: float | None = None
    until: float | None = None
    fps: float = 12.0
    width: int | None = None
    without: frozenset[str] = frozenset()
    zone: str = "UTC"
    is_stamped: bool = True

    def __post_init__(self) -> None:
        if self.width is not None and not NARROWEST <= self.width <= WIDEST:
            raise MessageError("width", f"must be from {NARROWEST} to {WIDEST} px, not {self.width}")

    @property
    def subject(self) -> str:
        """Return who is filmed, for messages."""
        return f"camera {self.sensor_id}" if self.sensor_id else f"plant {self.plant_id}"

    def filters(self) -> dict[str, str]:
        """Return the query that finds the subject's pictures."""
        given = {"plant_id": self.plant_id, "sensor_id": self.sensor_id}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timelapse:
    """What was made: frames in the film, pictures left out for their flags, pictures whose file is gone, its size.

    `unreadable` are the times of pictures whose file is damaged.
    """

    frames: int
    left_out: int
    gone: int
    width: int
    height: int
    first: float
    last: float
    unreadable: tuple[float, ...] = ()


def make_timelapse(
    request: TimelapseRequest, source: FrameSource, progress: Progress = lambda _done, _total: None
) -> Timelapse:
    """Write the film; the file appears only when it is whole. Raises `TimelapseError`, `MessageError`."""
    writer = writer_for(request.out, request.fps)
    found = _frames(request, source, request.since, request.until)
    if not found:
        raise TimelapseError(_nothing(request, source))
    _refuse_several_cameras(request, found)
    chosen = [frame for frame in found if not request.without & set(frame.flags)]
    if not chosen:
        flags = ", ".join(sorted(request.without))
        raise TimelapseError(f"all {len(found)} pictures of {request.subject} in that time are {flags}")
    size = _size(chosen, request.width)
    gone: list[CameraFrame] = []
    damaged: list[CameraFrame] = []
    count = writer.write(_drawn(request, chosen, size, source, gone, damaged, progress))
    if not count and damaged:
        raise TimelapseError(f"the files of {len(damaged)} pictures of {request.subject} are damaged, {len(gone)} gone")
    if not count:
        raise TimelapseError(f"the files of all {len(chosen)} pictures of {request.subject} are gone")
    return Timelapse(
        frames=count, left_out=len(found) - len(chosen), gone=len(gone), width=size[0], height=size[1],
        first=chosen[0].timestamp, last=chosen[-1].timestamp,
        unreadable=tuple(frame.timestamp for frame in damaged),
    )  # fmt: skip


def _frames(
    request: TimelapseRequest, source: FrameSource, since: float | None, until: float | None
) -> list[CameraFrame]:
    """Return the subject's pictures; those of a plant without a camera of its own are its zone's."""
    found = source.frames(request.filters(), since, until)
    if found or request.plant_id is None:
        return found
    zone_id = source.zone_of(request.plant_id)
    shared = {} if zone_id is None else {**request.filters(), "zone_id": zone_id}
    shared.pop("plant_id", None)
    return [frame for frame in source.frames(shared, since, until) if frame.plant_id is None] if shared else []


def _drawn(
    request: TimelapseRequest,
    chosen: Sequence[CameraFrame],
    size: tuple[int, int],
    source: FrameSource,
    gone: list[CameraFrame],
    damaged: list[CameraFrame],
    progress: Progress,
) -> Iterator[Image.Image]:
    for index, frame in enumerate(chosen):
        progress(index, len(chosen))
        jpeg = source.picture(frame.sha256 or "")
        if jpeg is None:
            gone.append(frame)
            continue
        try:
            picture = fitted(jpeg, size)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # what Pillow raises for damage
            damaged.append(frame)
            continue
        if request.is_stamped:
            stamp(picture, time_words(frame.timestamp, request.zone))
        yield picture


def fitted(jpeg: bytes, size: tuple[int, int]) -> Image.Image:
    """Return a picture of exactly this size; one of another shape gets black borders."""
    with Image.open(io.BytesIO(jpeg)) as opened:
        opened.draft("RGB", size)
        picture = opened.convert("RGB")
    return ImageOps.pad(picture, size, Image.Resampling.LANCZOS, color="black")


def stamp(picture: Image.Image, words: str) -> None:
    """Write words into the lower left corner, readable on any ground."""
    height = max(10, round(picture.height * _TEXT_SHARE))
    place = (height // 2, picture.height - height // 2)
    ImageDraw.Draw(picture).text(
        place, words, "white", ImageFont.load_default(height), anchor="ls", stroke_width=max(1, height // 9),
        stroke_fill="black",
    )  # fmt: skip


def time_words(timestamp: float, zone: str) -> str:
    """Return an instant as people of a time zone write it.

    >>> time_words(1_800_000_000.0, "Europe/Rome")
    '2027-01-15 09:00'
    """
    return datetime.fromtimestamp(timestamp, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


def _size(frames: Sequence[CameraFrame], width: int | None) -> tuple[int, int]:
    """Return the film's size in even pixels, as video wants it, in the shape of the largest picture."""
    largest = max(frames, key=lambda frame: frame.width * frame.height)
    wide = width or min(largest.width, DEFAULT_WIDEST)
    return max(2, wide // 2 * 2), max(2, round(wide * largest.height / largest.width / 2) * 2)


def _refuse_several_cameras(request: TimelapseRequest, frames: Sequence[CameraFrame]) -> None:
    cameras = sorted({frame.sensor_id for frame in frames})
    if len(cameras) > 1:
        raise MessageError("sensor", f"{request.subject} has several cameras; say one of {', '.join(cameras)}")


def _nothing(request: TimelapseRequest, source: FrameSource) -> str:
    """Say which range has pictures, or which plants are known, or which cameras have some."""
    kept = _frames(request, source, None, None)
    if kept:
        span = f"{time_words(kept[0].timestamp, request.zone)} to {time_words(kept[-1].timestamp, request.zone)}"
        return f"no pictures of {request.subject} in that time; there are {len(kept)} from {span}"
    known_plants = source.plant_ids()
    if request.plant_id is not None and known_plants and request.plant_id not in known_plants:
        return f"no plant {request.plant_id} is known; there are {', '.join(known_plants)}"
    others = sorted({frame.sensor_id for frame in source.frames({}, None, None)})
    known = f"; there are some of camera {', '.join(others)}" if others else ", nor of any other"
    return f"there are no pictures of {request.subject}{known}"
