"""Binding sensors to the database: at start, in the background, and again when it comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dt.collector.binding import Binding
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import SensorDescriptor
from dt.utils.exceptions import ConflictError, RemoteServiceError
from dt.utils.quantities import Quantity

Eventually = Callable[[Callable[[], object], str], None]


class Registry:
    """The far end: a database that can be away, forget everything, or disagree."""

    def __init__(self) -> None:
        self.is_away = False
        self.disagrees = False
        self.known: set[str] = set()

    def bind_sensor(self, descriptor: SensorDescriptor) -> None:
        if self.is_away:
            raise RemoteServiceError("no database")
        if self.disagrees:
            raise ConflictError("another kind is recorded")
        self.known.add(descriptor.sensor_id)


@pytest.fixture
def descriptors() -> list[SensorDescriptor]:
    """Return two sensors."""
    return [
        SensorDescriptor(sensor_id=name, zone_id="z", data_type=Quantity.HUMIDITY, kind="k", read_interval=1.0)
        for name in ("a", "b")
    ]


def test_sensors_are_bound_at_start(
    descriptors: list[SensorDescriptor], clock: ManualClock, eventually: Eventually
) -> None:
    """Every sensor is known soon after the start."""
    registry = Registry()
    binding = Binding(descriptors, registry, clock)

    binding.start()

    eventually(lambda: registry.known == {"a", "b"}, "both are known")
    eventually(lambda: binding.health() == {"unbound": [], "refused": {}}, "nothing is left to bind")
    binding.stop()


def test_database_that_is_away_is_tried_until_it_is_back(
    descriptors: list[SensorDescriptor], clock: ManualClock, eventually: Eventually
) -> None:
    """Starting before the database is no error."""
    registry = Registry()
    registry.is_away = True
    binding = Binding(descriptors, registry, clock)
    binding.start()
    assert binding.health()["unbound"] == ["a", "b"]
    registry.is_away = False

    def bound() -> bool:
        clock.advance(1.0)
        return registry.known == {"a", "b"}

    eventually(bound, "both are known")
    binding.stop()


def test_database_that_forgot_learns_the_sensors_anew(
    descriptors: list[SensorDescriptor], clock: ManualClock, eventually: Eventually
) -> None:
    """A database that was replaced knows every sensor within about a minute."""
    registry = Registry()
    binding = Binding(descriptors, registry, clock)
    binding.start()
    eventually(lambda: registry.known == {"a", "b"}, "both are known")
    registry.known.clear()

    def bound() -> bool:
        clock.advance(20.0)
        return registry.known == {"a", "b"}

    eventually(bound, "both are known again")
    binding.stop()


def test_refusal_is_kept_for_the_health_page(
    descriptors: list[SensorDescriptor], clock: ManualClock, eventually: Eventually
) -> None:
    """A conflict needs a person: it is shown, and does not stop the other sensors."""
    registry = Registry()
    registry.disagrees = True
    binding = Binding(descriptors, registry, clock)

    binding.start()

    refused = {"a": "another kind is recorded", "b": "another kind is recorded"}
    eventually(lambda: binding.health()["refused"] == refused, "both refusals are shown")
    binding.stop()
