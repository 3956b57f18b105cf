"""The camera's own process: takes, judges and reduces pictures, so that the collector loads no picture library.

It is started as `python -m dt.collector.camera_process FD SPEC`. Over the socket FD it answers each request with
`[jpeg, width, height, flags]` or the text of an error. It ends when the other end hangs up, also while a picture hangs,
and after an error of a library, whose state nobody knows then.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence

import msgspec

from dt.collector.camera_pictures import prepared
from dt.collector.camera_sources import JpegSource, open_source
from dt.collector.camera_spec import CameraSpec
from dt.communication.wire_frames import Frames
from dt.utils.exceptions import DTError

_ENDS_WITHIN_S = 1.5  # after the collector is gone; a picture that hangs longer is left behind


def main(arguments: Sequence[str]) -> int:
    """Serve until the other end hangs up or SIGTERM, and return the exit code."""
    frames = Frames(socket.socket(fileno=int(arguments[0])))
    spec = CameraSpec.from_json(arguments[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at a terminal is the collector's, which then hangs up
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    requests: queue.SimpleQueue[object] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(frames, requests), name="collector", daemon=True).start()
    _serve(frames, requests, spec)
    return 0


def _listen(frames: Frames, requests: queue.SimpleQueue[object]) -> None:
    try:
        while True:
            requests.put(frames.receive())
    except (OSError, EOFError, msgspec.MsgspecError):
        requests.put(None)
    time.sleep(_ENDS_WITHIN_S)
    os._exit(1)


def _serve(frames: Frames, requests: queue.SimpleQueue[object], spec: CameraSpec) -> None:
    source: JpegSource | None = None
    is_sound = True
    try:
        while is_sound and requests.get() is not None:
            try:
                source = source or open_source(spec)
                picture = prepared(source.jpeg(), spec.dark_below, spec.sharp_above)
                answer: object = [picture.jpeg, picture.width, picture.height, picture.flags]
            except DTError as error:
                answer = str(error)
            except Exception as error:  # noqa: BLE001 - camera libraries raise anything, and it is all told
                answer, is_sound = f"{type(error).__name__}: {error}", False
            frames.send(answer)
    except OSError:
        pass  # the collector hung up while it was answered
    finally:
        if source is not None:
            source.close()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
