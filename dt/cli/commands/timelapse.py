"""`dt timelapse`: a plant's pictures as a film."""

from __future__ import annotations

import argparse
from pathlib import Path

from dt.cli.exits import SUCCESS
from dt.cli.loading import settings_for
from dt.cli.output import say
from dt.cli.progress import Progress
from dt.utils.exceptions import MessageError

HELP = "make a film (MP4 or GIF) of a plant's pictures"
_FLAGS = ("dark", "blurred", "blocked")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own arguments."""
    parser.add_argument("plant", metavar="PLANT", help="the plant (left out with --sensor)")
    out = parser.add_argument("out", metavar="OUT", type=Path, help="*.mp4 or *.gif")
    out.required = False  # with --sensor it is the only one
    parser.add_argument("--sensor", metavar="ID", help="a camera, instead of a plant or where a plant has several")
    parser.add_argument("--since", metavar="TIME", help="ISO 8601 or epoch seconds (the first picture)")
    parser.add_argument("--until", metavar="TIME", help="ISO 8601 or epoch seconds (the last picture)")
    parser.add_argument("--fps", type=float, default=12.0, metavar="N", help="pictures a second (%(default)g)")
    parser.add_argument("--width", type=int, metavar="W", help="pixels (that of the pictures, at most 1280)")
    parser.add_argument("--no-dark", action="store_true", help="leave out pictures that are dark")
    parser.add_argument("--only-good", action="store_true", help="leave out dark, blurred and blocked ones")
    parser.add_argument("--no-time", action="store_true", help="do not write the time into the picture")


def run(args: argparse.Namespace) -> int:
    """Write the film and print its name."""
    # Pillow and the database come with these.
    from dt.operations.timelapse import TimelapseRequest, make_timelapse, time_words
    from dt.operations.timelapse_frames import open_frames

    settings = settings_for("WARNING")
    plant_id, out = _places(args)
    since, until = _time("since", args.since), _time("until", args.until)
    if since is not None and until is not None and until < since:
        raise MessageError("until", f"must not be before since ({args.since}), and is {args.until}")
    request = TimelapseRequest(
        out=out,
        plant_id=plant_id,
        sensor_id=args.sensor,
        since=since,
        until=until,
        fps=args.fps,
        width=args.width,
        without=frozenset(_FLAGS if args.only_good else _FLAGS[:1] if args.no_dark else ()),
        zone=settings.zone_name,
        is_stamped=not args.no_time,
    )
    with open_frames(settings) as source, Progress("filming") as progress:
        made = make_timelapse(request, source, progress)
    left = f", {made.left_out} left out" if made.left_out else ""
    gone = f", {made.gone} whose file is gone" if made.gone else ""
    damaged = f", {len(made.unreadable)} whose file is damaged" if made.unreadable else ""
    say(f"{made.frames} pictures of {made.width} x {made.height} px{left}{gone}{damaged}")
    for at in made.unreadable:
        say(f"damaged: the picture of {time_words(at, settings.zone_name)}")
    print(out)
    return SUCCESS


def _places(args: argparse.Namespace) -> tuple[str | None, Path]:
    """Return plant and file; the only place that is given is the file, and then a camera must be said."""
    if args.out is not None:
        if not args.plant.strip():
            raise MessageError("plant", "must not be empty; a camera's pictures are those of --sensor ID")
        return args.plant, args.out
    if args.sensor is None:
        raise MessageError("out", "is missing: dt timelapse PLANT OUT.mp4, or dt timelapse --sensor ID OUT.mp4")
    return None, Path(args.plant)


def _time(name: str, text: str | None) -> float | None:
    from dt.data.database.records import PageQuery  # reads times as every query does

    return None if text is None else getattr(PageQuery.from_dict({name: text}), name)
