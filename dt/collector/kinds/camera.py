"""The camera: pictures go to the raw topic as they are, what is said of them as headers."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import ClassVar

from PIL import Image, UnidentifiedImageError

from dt.collector.kinds.base_sensor import Camera, Hardware, RawReading, Sensor, Stamp, chip_errors
from dt.communication.frames import frame_headers
from dt.communication.messaging import Outgoing
from dt.utils.dataclasses import CameraFrame, SensorDescriptor
from dt.utils.exceptions import SensorError
from dt.utils.quantities import Quantity, Unit

MAX_JPEG_BYTES = 700_000


@dataclass(frozen=True, slots=True)
class RawFrame(RawReading):
    """A picture; `value` is its size in bytes."""

    jpeg: bytes = b""


class CameraSensor(Sensor):
    """Pictures of the plant from above, as JPEG of at most 700 kB."""

    quantity: ClassVar[Quantity] = Quantity.CAMERA_IMAGE
    unit: ClassVar[Unit] = Unit.IMAGE

    def __init__(self, descriptor: SensorDescriptor, camera: Camera) -> None:
        super().__init__(descriptor)
        self._camera = camera

    @classmethod
    def open(cls, descriptor: SensorDescriptor, hardware: Hardware) -> CameraSensor:
        """Open the camera that the descriptor's pin names."""
        return cls(descriptor, hardware.camera(descriptor.pin or "camera0"))

    def read_sensor(self) -> RawFrame:
        """Take a picture."""
        with chip_errors(f"camera {self.descriptor.sensor_id}"):
            jpeg = self._camera.capture()
        if len(jpeg) > MAX_JPEG_BYTES:
            msg = f"camera {self.descriptor.sensor_id}: a picture of {len(jpeg)} bytes exceeds {MAX_JPEG_BYTES}"
            raise SensorError(msg)
        return RawFrame(float(len(jpeg)), jpeg=jpeg)

    def frame(self, raw: RawFrame, stamp: Stamp) -> CameraFrame:
        """Describe a picture; raises `SensorError` when it is none."""
        width, height = size_of(raw.jpeg)
        return CameraFrame(
            sensor_id=self.descriptor.sensor_id,
            zone_id=self.descriptor.zone_id,
            plant_id=self.descriptor.plant_id,
            timestamp=stamp.timestamp,
            correlation_id=stamp.correlation_id,
            width=width,
            height=height,
            size_bytes=len(raw.jpeg),
            boot_id=stamp.boot_id,
            sequence=stamp.sequence,
            origin=stamp.origin,
        )

    def outgoing(self, raw: RawReading, stamp: Stamp) -> Outgoing:
        """Return the record: the JPEG itself, described by its headers."""
        assert isinstance(raw, RawFrame)
        frame = self.frame(raw, stamp)
        return Outgoing(self.topic.raw, raw.jpeg, self.descriptor.zone_id, frame_headers(frame))


def size_of(jpeg: bytes) -> tuple[int, int]:
    """Return width and height of a JPEG; raises `SensorError`."""
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as picture:
            return picture.size
    except (UnidentifiedImageError, OSError, ValueError) as error:
        msg = f"the camera gave {len(jpeg)} bytes that are no JPEG"
        raise SensorError(msg) from error
