"""`dt stop-all`: the emergency stop from the command line, of all under DATA_DIR: the installation, and its demo.

The guard's own socket comes first, then the controller's REST; where no guard takes the stop, it is left for the next.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path

from dt.communication.controller_api import ControllerApiClient
from dt.controller.guard_latch import latch_left_by, leave_latch
from dt.controller.guard_line import Line
from dt.controller.guard_sockets import ORDERS_SOCKET, STOP_SOCKET
from dt.controller.guard_types import GuardUnreachableError
from dt.controller.rig_limits import CONFIG_FILE, GUARD_FOLDER, guard_folder
from dt.operations.demo_settings import demo_dir, is_demo_running
from dt.utils.config import Settings
from dt.utils.exceptions import DTError, RefusedRequestError, RemoteServiceError
from dt.utils.secrets import ensure_token

_REST_WITHIN_S = 3.0
_GUARD_WITHIN_S = 2.0  # it answers at once, and at most 1.5 s after a stop that does not take effect


class StopError(DTError):
    """The emergency stop was not released; the text says what to do instead."""

    retriable = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """What became of the stop in one folder: taken by a guard or controller, left for the next guard, or neither.

    `is_quiet` says that every output is known to be off.
    """

    place: Path
    is_taken: bool = False
    is_quiet: bool = False
    is_left: bool = False
    why: str = ""


def stop_all(settings: Settings, by: str) -> list[Pressed]:
    """Press the emergency stop of the installation and of its demo, if one runs; the installation comes first."""
    has_demo = is_demo_running(settings)
    own = _press_installation(settings, by, is_alone=not has_demo)
    demo = [_press(_demo_guard(settings), demo_dir(settings), by)] if has_demo else []
    return ([] if own is None else [own]) + demo


def release_all(settings: Settings, by: str) -> list[Path]:
    """Release the emergency stop in a person's name, and return where; raises StopError where it stays."""
    released, stays = [], []
    places = [(demo_dir(settings), _release_at(_demo_guard(settings), by))] if is_demo_running(settings) else []
    folder = guard_folder(settings)
    if not places or _was_ever_used(folder) or latch_left_by(folder) is not None:
        why_not = _release_at(folder, by)
        places.append((settings.data_dir, why_not and _release_by_rest(settings, by, why_not)))
    for place, why_not in places:
        if why_not is None:
            released.append(place)
        else:
            stays.append(f"{place}: {why_not}")
    if stays:
        done = f"; released in {', '.join(map(str, released))}" if released else ""
        raise StopError(f"the emergency stop stays: {'; '.join(stays)}{done}. Only a guard that runs can release it")
    return released


# -- pressing ---------------------------------------------------------------------------------------------------------


def _press_installation(settings: Settings, by: str, *, is_alone: bool) -> Pressed | None:
    """Press the installation's own; None where only the demo was ever run, so that nothing of it can be on."""
    folder = guard_folder(settings)
    pressed = _ask(folder, settings.data_dir, by)
    if pressed.is_taken:
        return pressed
    if not is_alone and not _was_ever_used(folder):
        return None
    pressed = _ask_controller(settings, by, pressed)
    # A controller that took it while its guard does not answer has it in its memory alone.
    return pressed if pressed.is_quiet else _leave(folder, by, pressed)


def _press(folder: Path, place: Path, by: str) -> Pressed:
    pressed = _ask(folder, place, by)
    return pressed if pressed.is_taken else _leave(folder, by, pressed)


def _ask(folder: Path, place: Path, by: str) -> Pressed:
    """Ask the guard's own socket."""
    with contextlib.closing(Line(folder / STOP_SOCKET, None)) as door:
        try:
            answer = door.ask({"by": by}, timeout_s=_GUARD_WITHIN_S)
        except GuardUnreachableError as error:
            return Pressed(place=place, why=str(error))
    if not answer["told"]:  # its ledger may be closed already, and its parent gone: nobody would remember
        return Pressed(place=place, why="the guard that took it was ending")
    return Pressed(place=place, is_taken=True, is_quiet=bool(answer["quiet"]))


def _ask_controller(settings: Settings, by: str, pressed: Pressed) -> Pressed:
    try:
        with _controller(settings) as controller:
            return replace(pressed, is_taken=True, is_quiet=controller.stop(by))
    except (RemoteServiceError, RefusedRequestError) as error:
        return replace(pressed, why=f"{pressed.why}; {error}")


def _leave(folder: Path, by: str, pressed: Pressed) -> Pressed:
    """Leave the stop for the next guard, and ask again: one that opened its doors meanwhile may have looked before."""
    try:
        leave_latch(folder, by)
    except OSError as error:
        left = replace(pressed, why=f"{pressed.why}; it could not be left for the next guard: {error}")
    else:
        left = replace(pressed, is_left=True)
    again = _ask(folder, pressed.place, by)
    return again if again.is_taken else left


# -- releasing --------------------------------------------------------------------------------------------------------


def _release_at(folder: Path, by: str) -> str | None:
    """Ask a guard to release the stop, and return why it did not, or None."""
    with contextlib.closing(Line(folder / ORDERS_SOCKET, None)) as door:
        try:
            door.ask({"op": "release_stop", "by": by})
        except GuardUnreachableError as error:
            return str(error)
    return None


def _release_by_rest(settings: Settings, by: str, why_not: str) -> str | None:
    try:
        with _controller(settings) as controller:
            controller.release(by)
    except (RemoteServiceError, RefusedRequestError) as error:
        return f"{why_not}; {error}"
    return None


# -- places -----------------------------------------------------------------------------------------------------------


def _demo_guard(settings: Settings) -> Path:
    return (demo_dir(settings) / GUARD_FOLDER).absolute()


def _was_ever_used(folder: Path) -> bool:
    """Return whether a guard was ever given something to drive from there."""
    return (folder / CONFIG_FILE).exists()


def _controller(settings: Settings) -> ControllerApiClient:
    return ControllerApiClient(settings.flask_controller_url, ensure_token(settings), _REST_WITHIN_S)
