"""The ai service on the log in memory: readings in, conditions out, restarts, REST."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from dt.ai.app import AiService, create_service
from dt.ai.models.rule_based.dry_soil import DrySoilModel, DrySoilParameters
from dt.ai.registry import ModelRegistry
from dt.ai.storage import FileModelStorage
from dt.communication.memory import Chaos, MemoryMessaging
from dt.communication.messaging import MessagingService, outgoing
from dt.communication.topics import Topics
from dt.utils.clock import ManualClock
from dt.utils.config import Settings
from dt.utils.dataclasses import AlertCondition, Origin, Plant, RegistryRecord, SensorData
from tests.ai.soil_readings import BASIL, NOON, reading

Eventually = Callable[..., None]
Start = Callable[[MessagingService], AiService]


@pytest.fixture
def start(settings: Settings, clock: ManualClock) -> Iterator[Start]:
    """Return a starter of services at free ports; all are stopped afterwards."""
    services: list[AiService] = []

    def start_one(messaging: MessagingService) -> AiService:
        service = create_service(settings.model_copy(update={"flask_ai_url": "http://127.0.0.1:0"}), messaging, clock)
        services.append(service)
        service.start()
        return service

    yield start_one
    for service in services:
        service.stop()


def register(messaging: MessagingService, plant: Plant) -> None:
    """Publish a plant as the database does."""
    record = RegistryRecord(record_id=f"plant:{plant.plant_id}", kind="plant", timestamp=NOON, body=plant.to_dict())
    messaging.publish(Topics.REGISTRY, record, key=record.record_id)


def send(messaging: MessagingService, *readings: SensorData) -> None:
    """Publish processed readings."""
    topic = Topics.SOIL_MOISTURE.processed
    messaging.publish_batch([outgoing(topic, each, key=each.zone_id) for each in readings])


def conditions(messaging: MessagingService) -> list[AlertCondition]:
    """Return what was reported."""
    return [AlertCondition.from_json(record.value or b"") for record in messaging.read_all(Topics.ALERT_CONDITIONS)]


def dealt_with(service: AiService) -> bool:
    """Return whether nothing waits for the service."""
    return all(subscription.is_assigned and subscription.lag() == 0 for subscription in service._subscriptions)


def test_dry_readings_become_one_condition(messaging: MemoryMessaging, start: Start, eventually: Eventually) -> None:
    """The plant's own limits and pot come from the registry topic."""
    register(messaging, BASIL)
    service = start(messaging)

    send(messaging, *(reading(0.2, at) for at in range(10)))
    eventually(lambda: conditions(messaging), "the soil is reported dry")
    eventually(lambda: dealt_with(service))

    [condition] = conditions(messaging)
    assert condition.recommended_dose_ml == pytest.approx(225.0)
    assert [record.key for record in messaging.read_all(Topics.ALERT_CONDITIONS)] == ["basil"]


def test_restarted_service_neither_repeats_nor_forgets(
    messaging: MemoryMessaging, start: Start, eventually: Eventually
) -> None:
    """What it knows lies in its state topic: the second life resolves what the first one opened."""
    register(messaging, BASIL)
    first = start(messaging)
    send(messaging, *(reading(0.2, at) for at in range(5)))
    eventually(lambda: conditions(messaging))
    eventually(lambda: dealt_with(first))
    first.stop()

    second = start(messaging)
    eventually(lambda: second.health()["dry"] == ["basil"] and second.health()["plants"] == 1)
    send(messaging, *(reading(0.2, at) for at in range(5, 10)))
    eventually(lambda: dealt_with(second))
    assert len(conditions(messaging)) == 1

    send(messaging, *(reading(0.3, at) for at in range(10, 20)))
    eventually(lambda: len(conditions(messaging)) == 2)
    assert [condition.active for condition in conditions(messaging)] == [True, False]


@pytest.mark.parametrize("origin", [Origin.BACKFILL, Origin.REPLAY, Origin.SIMULATED])
def test_history_raises_nothing(
    messaging: MemoryMessaging, start: Start, eventually: Eventually, origin: Origin
) -> None:
    """Fourteen days of dry history are no reason to water now."""
    register(messaging, BASIL)
    service = start(messaging)

    send(messaging, *(reading(0.1, at, origin=origin) for at in range(50)))
    eventually(lambda: dealt_with(service))

    assert conditions(messaging) == []
    assert messaging.read_all(Topics.STATE_AI) == []


def test_history_is_passed_over_without_decoding(
    messaging: MemoryMessaging, start: Start, eventually: Eventually
) -> None:
    """The header says enough: 5,000 records that nobody could decode leave no dead letter, and take no time."""
    service = start(messaging)
    headers = {"origin": b"backfill"}

    began = time.monotonic()
    for _ in range(5000):
        messaging.publish(Topics.SOIL_MOISTURE.processed, b"{", key="box", headers=headers)
    eventually(lambda: dealt_with(service))

    assert time.monotonic() - began < 5.0
    assert messaging.read_all(Topics.DEAD_LETTERS) == []


def test_unreadable_record_is_a_dead_letter_and_the_rest_counts(
    messaging: MemoryMessaging, start: Start, eventually: Eventually
) -> None:
    """Garbage in the middle of a batch neither stops the stream nor loses a reading."""
    register(messaging, BASIL)
    start(messaging)
    send(messaging, reading(0.2, 0), reading(0.2, 1))

    messaging.publish(Topics.SOIL_MOISTURE.processed, b"\xff garbage", key="box")
    send(messaging, reading(0.2, 2))

    eventually(lambda: conditions(messaging))
    assert len(messaging.read_all(Topics.DEAD_LETTERS)) == 1


def test_unknown_plant_is_not_watched_until_it_is_registered(
    messaging: MemoryMessaging, start: Start, eventually: Eventually
) -> None:
    """Without a pot and limits there is nothing to say; afterwards the next readings count."""
    service = start(messaging)
    send(messaging, *(reading(0.2, at) for at in range(5)))
    eventually(lambda: dealt_with(service))
    assert conditions(messaging) == []

    register(messaging, BASIL)
    eventually(lambda: service.health()["plants"] == 1)
    send(messaging, *(reading(0.2, at) for at in range(5, 10)))

    eventually(lambda: conditions(messaging))


@pytest.mark.parametrize("seed", range(4))
def test_chaos_changes_no_conclusion(start: Start, eventually: Eventually, seed: int) -> None:
    """Duplicates, redelivery and aborted transactions leave one opening and one end."""
    messaging = MemoryMessaging(chaos=Chaos(seed))
    register(messaging, BASIL)
    service = start(messaging)

    for at in range(40):
        send(messaging, reading(0.2 if at < 20 else 0.3, at))
    eventually(lambda: dealt_with(service))
    eventually(lambda: len(conditions(messaging)) >= 2)

    assert [condition.active for condition in conditions(messaging)] == [True, False]
    service.stop()
    messaging.close()


def test_promoted_rule_decides(
    messaging: MemoryMessaging, start: Start, settings: Settings, clock: ManualClock, eventually: Eventually
) -> None:
    """With five readings asked for, three say nothing yet."""
    register(messaging, BASIL)
    service = start(messaging)
    registry = ModelRegistry(FileModelStorage(settings.models_path), "test-token", clock)
    registry.register(DrySoilModel(DrySoilParameters(min_readings=5), version="2"))
    _post(f"http://127.0.0.1:{service.port}/models/dry_soil/promote", {"version": "2"})

    send(messaging, *(reading(0.2, at) for at in range(6)))
    eventually(lambda: conditions(messaging))

    assert conditions(messaging)[0].timestamp == NOON + 4


def test_models_are_listed_and_promoted_over_rest(
    messaging: MemoryMessaging, start: Start, settings: Settings, clock: ManualClock
) -> None:
    """A promoted version is in use at once; promoting needs the token."""
    service = start(messaging)
    url = f"http://127.0.0.1:{service.port}"
    registry = ModelRegistry(FileModelStorage(settings.models_path), "test-token", clock)
    registry.register(DrySoilModel(DrySoilParameters(min_readings=5), version="2"))

    refused = requests.post(f"{url}/models/dry_soil/promote", json={"version": "2"}, timeout=5)
    done = _post(f"{url}/models/dry_soil/promote", {"version": "2"})
    [one, two] = requests.get(f"{url}/models", timeout=5).json()["items"]

    assert (refused.status_code, done.status_code) == (401, 200)
    assert (one["promoted"], two["promoted"]) == (False, True)
    assert service.health()["model"] == "dry_soil 2"


@pytest.mark.parametrize(
    ("name", "body", "status", "field"),
    [
        ("dry_soil", {"version": "9"}, 404, None),
        ("nothing", {"version": "1"}, 404, None),
        ("dry_soil", {}, 422, "version"),
        ("dry_soil", {"version": 2}, 422, "version"),
    ],
)
def test_wrong_promotion_is_a_problem_that_names_the_field(
    messaging: MemoryMessaging, start: Start, name: str, body: dict[str, object], status: int, field: str | None
) -> None:
    """Errors are problem+json."""
    service = start(messaging)

    answer = _post(f"http://127.0.0.1:{service.port}/models/{name}/promote", body)

    assert answer.status_code == status
    assert answer.json().get("field") == field


def test_model_that_was_tampered_with_is_replaced_by_the_built_in_rule(
    messaging: MemoryMessaging, start: Start, settings: Settings, eventually: Eventually
) -> None:
    """The plants stay watched, and the service says that it is not well."""
    start(messaging).stop()
    Path(settings.models_path, "rule_based", "dry_soil-1.json").write_text('{"window": 900}')

    service = start(messaging)
    eventually(lambda: dealt_with(service))

    assert "SHA-256" in str(service.ready())
    assert service.health()["model"] == "dry_soil 1"


def _post(url: str, body: object) -> requests.Response:
    return requests.post(url, json=body, headers={"Authorization": "Bearer test-token"}, timeout=5)
