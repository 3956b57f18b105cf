"""Films as files: MP4 (H.264, by PyAV) that browsers play, and GIF (by Pillow)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Protocol

from PIL import Image

from dt.utils.exceptions import ConfigError, MessageError

LOWEST_FPS, HIGHEST_FPS = 0.1, 60.0
GIF_HIGHEST_FPS = 50.0  # its times are hundredths of a second, and browsers slow down what is below two
_QUALITY = "23"  # x264's constant rate factor; 18 is hardly seen, 28 is coarse


class FilmWriter(Protocol):
    """Writes pictures, all of one size in even pixels, as a film."""

    def write(self, pictures: Iterable[Image.Image]) -> int:
        """Write the file and return how many pictures are in it; none: no file."""
        ...


def writer_for(path: Path, fps: float) -> FilmWriter:
    """Return the writer that a file's name asks for; raises `MessageError` for another name or an impossible speed."""
    kinds: Mapping[str, tuple[Callable[[Path, float], FilmWriter], float]] = {
        ".mp4": (Mp4Writer, HIGHEST_FPS),
        ".gif": (GifWriter, GIF_HIGHEST_FPS),
    }
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK) or path.is_dir():
        raise MessageError("out", f"cannot be written: {path}")
    if path.suffix.lower() not in kinds:
        raise MessageError("out", f"must end in .mp4 or .gif, and is {path.name!r}")
    kind, highest = kinds[path.suffix.lower()]
    if not LOWEST_FPS <= fps <= highest:
        raise MessageError("fps", f"must be from {LOWEST_FPS:g} to {highest:g} for {path.suffix}, not {fps:g}")
    return kind(path, fps)


class Mp4Writer:
    """H.264 in MP4, laid out so that it plays while it loads."""

    def __init__(self, path: Path, fps: float) -> None:
        try:
            import av
        except ImportError as error:
            install = "pip install --constraint constraints.txt --group video"
            msg = f"PyAV is missing for {path.name}: {install}; a GIF needs nothing more"
            raise ConfigError(msg) from error
        self._av = av
        self._path = path
        self._fps = Fraction(fps).limit_denominator(1000)

    def write(self, pictures: Iterable[Image.Image]) -> int:
        """Encode as the pictures come; memory does not grow with them."""
        counted = _Counted(pictures)
        first = next(counted, None)
        if first is None:
            return 0
        with _aside(self._path) as path, self._av.open(str(path), "w", options={"movflags": "+faststart"}) as film:
            stream = film.add_stream("libx264", rate=self._fps, options={"crf": _QUALITY})
            stream.width, stream.height, stream.pix_fmt = *first.size, "yuv420p"
            for picture in chain([first], counted):
                film.mux(stream.encode(self._av.VideoFrame.from_image(picture)))  # type: ignore[no-untyped-call]
            film.mux(stream.encode(None))
        return counted.count


class GifWriter:
    """An animated GIF that repeats for ever."""

    def __init__(self, path: Path, fps: float) -> None:
        self._path = path
        self._duration_ms = round(1000.0 / fps)

    def write(self, pictures: Iterable[Image.Image]) -> int:
        """Write each picture with a palette of its own as it comes."""
        counted = _Counted(picture.quantize(256, dither=Image.Dither.NONE) for picture in pictures)
        first = next(counted, None)
        if first is None:
            return 0
        with _aside(self._path) as path:
            first.save(
                path, "GIF", save_all=True, append_images=counted, duration=self._duration_ms, loop=0, optimize=False
            )
        return counted.count


class _Counted(Iterator[Image.Image]):
    """Counts what passes."""

    def __init__(self, pictures: Iterable[Image.Image]) -> None:
        self._pictures = iter(pictures)
        self.count = 0

    def __next__(self) -> Image.Image:
        picture = next(self._pictures)
        self.count += 1
        return picture


@contextlib.contextmanager
def _aside(path: Path) -> Iterator[Path]:
    """Give a name beside the file's; it takes the file's name only when all went well."""
    aside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield aside
        if aside.exists():
            aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
