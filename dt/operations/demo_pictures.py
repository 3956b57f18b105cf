"""The demo's past pictures: what the camera in the lid would have taken, drawn beside the running demo.

While the box lives through its past only its numbers are kept, once an hour, as pictures are later thinned to. Drawing
costs more than all physics, and is done in a thread of its own once everything runs.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dt.communication.frames import frame_headers
from dt.communication.messaging import MessagingService, Outgoing
from dt.communication.topics import Topics
from dt.simulator.box import Box
from dt.simulator.chips import camera as camera_chip
from dt.simulator.spec import BoxSpec
from dt.utils.clock import Clock
from dt.utils.dataclasses import CameraFrame, Origin, SensorDescriptor
from dt.utils.ids import new_correlation_id
from dt.utils.logger import get_logger
from dt.utils.quantities import Quantity

PICTURE_EVERY_S = 3600.0
_BREATH_S = 0.02  # between two pictures, for the readings that arrive meanwhile
_STOPS_WITHIN_S = 3.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Moment:
    """The numbers of a box at an instant."""

    timestamp: float
    snapshot: dict[str, Any]


def cameras(sensors: Iterable[SensorDescriptor]) -> list[SensorDescriptor]:
    """Return the rig's cameras."""
    return [sensor for sensor in sensors if sensor.data_type is Quantity.CAMERA_IMAGE]


class Album:
    """Publishes the pictures of moments as backfill, newest first: the page's slider goes back from now."""

    def __init__(
        self,
        spec: BoxSpec,
        moments: Sequence[Moment],
        sensors: Iterable[SensorDescriptor],
        messaging: MessagingService,
        clock: Clock,
    ) -> None:
        self._spec = spec
        self._moments = moments
        self._cameras = cameras(sensors)
        self._messaging = messaging
        self._clock = clock
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._boot_id = f"history-{secrets.token_hex(4)}"

    def start(self, note: Callable[[str], None]) -> None:
        """Begin in the background; `note` hears when all are published."""
        self._thread = threading.Thread(target=self._run, args=(note,), name="demo album", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the picture that is being drawn."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOPS_WITHIN_S)

    def publish(self) -> int:
        """Draw and publish until all is done or it is stopped, and return how many pictures that were."""
        sent = 0
        if not self._cameras or not self._moments:
            return sent
        box = Box(self._spec, self._moments[0].timestamp)
        for sequence, moment in reversed(list(enumerate(self._moments))):
            box.restore(moment.snapshot)
            for camera in self._cameras:
                if self._stop.is_set():
                    return sent
                self._messaging.publish_batch([self._record(box, camera, moment.timestamp, sequence)])
                sent += 1
                self._clock.wait(self._stop, _BREATH_S)
        return sent

    def _run(self, note: Callable[[str], None]) -> None:
        try:
            sent = self.publish()
        except Exception:  # the demo goes on without pictures of its past
            log.exception("the pictures of the past ended")
            return
        if sent and not self._stop.is_set():
            note(f"{sent} pictures of that time published")

    def _record(self, box: Box, camera: SensorDescriptor, timestamp: float, sequence: int) -> Outgoing:
        """Return a picture as the collector publishes it."""
        from dt.collector.camera_pictures import prepared  # with it comes the picture library

        picture = prepared(camera_chip.draw(box, camera.zone_id, camera.plant_id))
        frame = CameraFrame(
            sensor_id=camera.sensor_id,
            zone_id=camera.zone_id,
            plant_id=camera.plant_id,
            timestamp=timestamp,
            correlation_id=new_correlation_id(timestamp),
            width=picture.width,
            height=picture.height,
            flags=picture.flags,
            size_bytes=len(picture.jpeg),
            boot_id=self._boot_id,
            sequence=sequence,
            origin=Origin.BACKFILL,
        )
        return Outgoing(Topics.CAMERA_IMAGE.raw, picture.jpeg, camera.zone_id, frame_headers(frame))
