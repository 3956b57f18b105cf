"""The camera: pictures go to the raw topic as they are, what is said of them as headers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dt.collector.camera_spec import Picture
from dt.collector.kinds.base_sensor import Camera, Hardware, RawReading, Sensor, Stamp, chip_errors
from dt.communication.frames import frame_headers
from dt.communication.messaging import Outgoing
from dt.utils.dataclasses import CameraFrame, SensorDescriptor
from dt.utils.quantities import Quantity, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFrame(RawReading):
    """A picture; `value` is its size in bytes."""

    picture: Picture


class CameraSensor(Sensor):
    """Pictures of the plant from above, as JPEG of at most 700 kB, with what is wrong with them."""

    quantity: ClassVar[Quantity] = Quantity.CAMERA_IMAGE
    unit: ClassVar[Unit] = Unit.IMAGE

    def __init__(self, descriptor: SensorDescriptor, camera: Camera) -> None:
        super().__init__(descriptor)
        self._camera = camera

    @classmethod
    def open(cls, descriptor: SensorDescriptor, hardware: Hardware) -> CameraSensor:
        """Open the camera that the descriptor's pin names; its process starts with the first picture."""
        return cls(descriptor, hardware.camera(descriptor.pin or "camera0", descriptor.options))

    def read_sensor(self) -> RawFrame:
        """Take a picture."""
        with chip_errors(f"camera {self.descriptor.sensor_id}"):
            picture = self._camera.capture()
        return RawFrame(value=float(len(picture.jpeg)), picture=picture)

    def frame(self, raw: RawFrame, stamp: Stamp) -> CameraFrame:
        """Describe a picture."""
        return CameraFrame(
            sensor_id=self.descriptor.sensor_id,
            zone_id=self.descriptor.zone_id,
            plant_id=self.descriptor.plant_id,
            timestamp=stamp.timestamp,
            correlation_id=stamp.correlation_id,
            width=raw.picture.width,
            height=raw.picture.height,
            flags=raw.picture.flags,
            size_bytes=len(raw.picture.jpeg),
            boot_id=stamp.boot_id,
            sequence=stamp.sequence,
            origin=stamp.origin,
        )

    def outgoing(self, raw: RawReading, stamp: Stamp) -> Outgoing:
        """Return the record: the JPEG itself, described by its headers."""
        assert isinstance(raw, RawFrame)
        frame = self.frame(raw, stamp)
        return Outgoing(self.topic.raw, raw.picture.jpeg, self.descriptor.zone_id, frame_headers(frame))

    def interrupt(self) -> None:
        """End a picture that hangs."""
        self._camera.interrupt()

    def close(self) -> None:
        """End the camera's process."""
        self._camera.close()
