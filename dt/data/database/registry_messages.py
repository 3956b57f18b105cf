"""What `dt.registry` says of each record; the id is the key of the compacted topic."""

from __future__ import annotations

from dt.utils.codec import Message
from dt.utils.dataclasses import (
    KeptGrant,
    ModelRecord,
    Plant,
    Policy,
    RegistryRecord,
    SensorCalibration,
    SensorDescriptor,
)
from dt.utils.rig import Zone


def sensor_record(descriptor: SensorDescriptor, now: float) -> RegistryRecord:
    """Return what `dt.registry` says of a sensor."""
    return _record("sensor", descriptor.sensor_id, descriptor, now)


def plant_record(plant: Plant, now: float) -> RegistryRecord:
    """Return what `dt.registry` says of a plant."""
    return _record("plant", plant.plant_id, plant, now)


def zone_record(zone: Zone, now: float) -> RegistryRecord:
    """Return what `dt.registry` says of a zone."""
    return _record("zone", zone.zone_id, zone, now)


def calibration_record(calibration: SensorCalibration, now: float) -> RegistryRecord:
    """Return what `dt.registry` says of one version of a calibration: all of them stay there."""
    return _record("calibration", f"{calibration.sensor_id}:{calibration.version}", calibration, now)


def policy_record(policy: Policy, now: float) -> RegistryRecord:
    """Return what `dt.registry` says of a policy: of a plant, or of one actuator of a plant or zone."""
    name = policy.place if policy.actuator_id is None else f"{policy.place}:{policy.actuator_id}"
    return _record("policy", name, policy, now)


def grant_record(grant: KeptGrant, now: float) -> RegistryRecord:
    """Return what `dt.registry` says of an actuator's last grant, revoked or not."""
    return _record("grant", grant.actuator_id, grant, now)


def model_record(model: ModelRecord, now: float) -> RegistryRecord:
    """Return what `dt.registry` says of one version of a model."""
    return _record("model", f"{model.name}:{model.version}", model, now)


def _record(kind: str, name: str, body: Message, now: float) -> RegistryRecord:
    return RegistryRecord(record_id=f"{kind}:{name}", kind=kind, timestamp=now, body=body.to_dict())
