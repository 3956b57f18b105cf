"""What the tests of dt/data begin with: readings, descriptors and a registry."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from dt.communication.memory import MemoryMessaging
from dt.communication.messaging import Outgoing, Record, headers_of
from dt.communication.topics import Topics
from dt.utils.dataclasses import RegistryRecord, SensorData, SensorDescriptor

NOW = 1_800_000_000.0  # where ManualClock stands

_UNITS = {
    "temperature": "degC",
    "humidity": "%",
    "soil_moisture": "m3/m3",
    "light_intensity": "lux",
    "vpd": "kPa",
}
_offsets = itertools.count()


def make_reading(
    sensor_id: str = "air-t", data_type: str = "temperature", value: float = 21.5, **more: object
) -> SensorData:
    """Return a reading; whatever is not given is ordinary."""
    timestamp = more.get("timestamp", NOW)
    fields = {
        "sensor_id": sensor_id,
        "data_type": data_type,
        "value": value,
        "unit": _UNITS[data_type],
        "timestamp": timestamp,
        "correlation_id": f"{sensor_id}@{timestamp}",
        "zone_id": "box",
    }
    return SensorData.from_dict({**fields, **more})


def make_descriptor(sensor_id: str = "air-t", data_type: str = "temperature", **more: object) -> SensorDescriptor:
    """Return a sensor as a rig declares it."""
    fields = {"sensor_id": sensor_id, "data_type": data_type, "zone_id": "box", "kind": "dht22", "read_interval": 5.0}
    return SensorDescriptor.from_dict({**fields, **more})


def register(messaging: MemoryMessaging, *descriptors: SensorDescriptor) -> None:
    """Say on the registry topic what the database would."""
    for descriptor in descriptors:
        record_id = f"sensor:{descriptor.sensor_id}"
        record = RegistryRecord(record_id=record_id, kind="sensor", timestamp=NOW, body=descriptor.to_dict())
        messaging.publish(Topics.REGISTRY, record, key=record_id)


def raw_record(reading: SensorData, received_at: float = NOW) -> Record:
    """Return the record of a raw reading as the log gives it."""
    topic = Topics.of(reading.data_type).raw
    return Record(topic, 0, next(_offsets), reading.zone_id, reading.to_json(), headers_of(reading), received_at)


def raw_bytes(value: bytes | None, topic: str = Topics.TEMPERATURE.raw, **headers: bytes) -> Record:
    """Return a record of anything."""
    return Record(topic, 0, next(_offsets), "box", value, headers, NOW)


def readings_in(outputs: Sequence[Outgoing]) -> list[SensorData]:
    """Return the processed readings among outputs."""
    return [
        SensorData.from_json(output.value or b"")
        for output in outputs
        if output.topic.endswith(".processed") and output.topic != Topics.CAMERA_IMAGE.processed
    ]
