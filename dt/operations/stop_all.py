"""`dt stop-all`: the emergency stop from the command line; the guard's own socket first, the controller's REST else."""

from __future__ import annotations

import contextlib

from dt.communication.controller_api import ControllerApiClient
from dt.controller.guard_line import Line
from dt.controller.guard_sockets import ORDERS_SOCKET, STOP_SOCKET
from dt.controller.guard_types import GuardUnreachableError
from dt.controller.rig_limits import guard_folder
from dt.utils.config import Settings
from dt.utils.exceptions import DTError, RefusedRequestError, RemoteServiceError
from dt.utils.secrets import ensure_token

_REST_WITHIN_S = 3.0


class StopError(DTError):
    """The emergency stop was not pressed, or not released; the text says what to do instead."""

    retriable = True


def stop_all(settings: Settings, by: str) -> bool:
    """Press the emergency stop; True when every output is known to be off. Raises StopError when nobody took it."""
    with contextlib.closing(Line(guard_folder(settings) / STOP_SOCKET, None)) as door:
        try:
            return bool(door.ask({"by": by})["quiet"])
        except GuardUnreachableError as error:
            why_not = str(error)
    try:
        with _controller(settings) as controller:
            return controller.stop(by)
    except (RemoteServiceError, RefusedRequestError) as error:
        advice = "If anything is on, cut its supply. Without a guard outputs are off: see dt status"
        raise StopError(f"nobody took the emergency stop: {why_not}; {error}. {advice}") from error


def release_all(settings: Settings, by: str) -> None:
    """Release the emergency stop in a person's name; raises StopError, and then it stays."""
    with contextlib.closing(Line(guard_folder(settings) / ORDERS_SOCKET, None)) as door:
        try:
            door.ask({"op": "release_stop", "by": by})
            return
        except GuardUnreachableError as error:
            why_not = str(error)
    try:
        with _controller(settings) as controller:
            controller.release(by)
    except (RemoteServiceError, RefusedRequestError) as error:
        raise StopError(f"the emergency stop stays: {why_not}; {error}") from error


def _controller(settings: Settings) -> ControllerApiClient:
    return ControllerApiClient(settings.flask_controller_url, ensure_token(settings), _REST_WITHIN_S)
