"""The alerts service on the log in memory: what opens, gets worse, resolves, and survives."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests

from dt.alerts.app import AlertService, create_service
from dt.alerts.desk import MOST_OPEN, AlertDesk
from dt.alerts.log_watch import LogWatch
from dt.communication.memory import Chaos, MemoryMessaging
from dt.communication.messaging import MessagingService, Outgoing, Record
from dt.communication.topics import Topics
from dt.utils.clock import ManualClock
from dt.utils.config import Settings
from dt.utils.dataclasses import AlertCondition, AlertEvent, AlertState, HealthReport, HealthStatus, Origin, Severity
from dt.utils.exceptions import ConfigError, MessagingError
from tests.alerts.servers import Webhook

ROOT = Path(__file__).parent.parent.parent
NOON = 1_800_000_000.0
KEY = "soil_dry:basil"

Eventually = Callable[..., None]
Start = Callable[..., AlertService]


@pytest.fixture
def start(settings: Settings, clock: ManualClock) -> Iterator[Start]:
    """Return a starter of services at free ports; all are stopped afterwards."""
    services: list[AlertService] = []

    def start_one(messaging: MessagingService, **more: Any) -> AlertService:
        free = settings.model_copy(update={"flask_alerts_url": "http://127.0.0.1:0", **more})
        service = create_service(free, messaging, clock)
        services.append(service)
        service.start()
        return service

    yield start_one
    for service in services:
        service.stop()


def tell(messaging: MessagingService, at: float, *, active: bool = True, **more: Any) -> AlertCondition:
    """Publish a condition made `at` seconds after noon."""
    fields: dict[str, Any] = {
        "key": KEY,
        "plant_id": "basil",
        "severity": Severity.WARNING,
        "description": "The soil of Basil is dry.",
        "advice": "Give about 150 ml of water.",
        "recommended_dose_ml": 150.0 if active else None,
        "timestamp": NOON + at,
        "correlation_id": f"reading-{at:g}",
    }
    condition = AlertCondition(active=active, **{**fields, **more})
    messaging.publish(Topics.ALERT_CONDITIONS, condition, key=condition.plant_id)
    return condition


def events(messaging: MessagingService) -> list[AlertEvent]:
    """Return every step of every alert."""
    return [AlertEvent.from_json(record.value or b"") for record in messaging.read_all(Topics.ALERTS)]


def dealt_with(service: AlertService) -> bool:
    """Return whether no condition waits."""
    subscription = service._subscription
    return subscription is not None and subscription.is_assigned and subscription.lag() == 0


def test_active_condition_opens_an_alert_with_its_fields(
    messaging: MemoryMessaging, start: Start, eventually: Eventually
) -> None:
    """The condition's id goes on, so that the trace is whole."""
    start(messaging)

    condition = tell(messaging, 0)
    eventually(lambda: events(messaging))

    [event] = events(messaging)
    assert event.state is AlertState.OPEN
    assert event.by == "alerts"
    for name in ("key", "plant_id", "description", "advice", "recommended_dose_ml", "timestamp", "correlation_id"):
        assert getattr(event, name) == getattr(condition, name)
    assert messaging.read_all(Topics.ALERTS)[0].key == "basil"


def test_repeated_condition_opens_no_second_alert(
    messaging: MemoryMessaging, start: Start, eventually: Eventually
) -> None:
    """One open alert per key, however often it is reported."""
    service = start(messaging)

    for at in range(0, 600, 60):
        tell(messaging, at)
    eventually(lambda: dealt_with(service))

    assert len(events(messaging)) == 1


def test_ended_condition_resolves_the_same_alert(
    messaging: MemoryMessaging, start: Start, eventually: Eventually
) -> None:
    """The end names the reading that ended it, and the one that began it."""
    start(messaging)

    tell(messaging, 0)
    tell(messaging, 60, active=False)
    eventually(lambda: len(events(messaging)) == 2)

    opened, resolved = events(messaging)
    assert resolved.state is AlertState.RESOLVED
    assert resolved.alert_id == opened.alert_id
    assert resolved.correlation_id == "reading-60"
    assert resolved.caused_by == ("reading-0",)


def test_end_without_a_beginning_says_nothing(messaging: MemoryMessaging, start: Start, eventually: Eventually) -> None:
    """Nothing was open, so nothing is resolved."""
    service = start(messaging)

    tell(messaging, 0, active=False)
    eventually(lambda: dealt_with(service))

    assert events(messaging) == []


def test_worse_condition_raises_the_open_alert(
    messaging: MemoryMessaging, start: Start, eventually: Eventually
) -> None:
    """Severity only rises while the alert is open."""
    service = start(messaging)

    tell(messaging, 0)
    tell(messaging, 1, severity=Severity.CRITICAL)
    tell(messaging, 2, severity=Severity.INFO)
    eventually(lambda: dealt_with(service))

    first, second = events(messaging)
    assert second.alert_id == first.alert_id
    assert [first.severity, second.severity] == [Severity.WARNING, Severity.CRITICAL]


def test_acknowledged_alert_that_gets_worse_asks_again(
    messaging: MemoryMessaging, start: Start, eventually: Eventually
) -> None:
    """A person has seen a warning; it is critical now."""
    first = start(messaging)
    tell(messaging, 0)
    eventually(lambda: events(messaging))
    first.stop()
    [event] = events(messaging)
    acknowledged = AlertEvent.from_dict({**event.to_dict(), "state": "acknowledged", "by": "ada"})
    messaging.publish(Topics.ALERTS, acknowledged, key="basil")

    start(messaging)
    tell(messaging, 5, severity=Severity.CRITICAL)
    eventually(lambda: len(events(messaging)) == 3)

    last = events(messaging)[-1]
    assert last.alert_id == event.alert_id
    assert last.state is AlertState.REOPENED


def test_next_dry_spell_is_another_alert(
    messaging: MemoryMessaging, start: Start, eventually: Eventually, clock: ManualClock
) -> None:
    """Alert ids differ from spell to spell, once the cool-down is over; within it the same alert is reopened."""
    start(messaging)
    tell(messaging, 0)
    tell(messaging, 60, active=False)
    tell(messaging, 120)
    tell(messaging, 180, active=False)
    eventually(lambda: len(events(messaging)) == 4)

    clock.advance(3600)
    tell(messaging, 3600)
    eventually(lambda: len(events(messaging)) == 5)

    first, *same, other = events(messaging)
    assert [event.state for event in same] == [AlertState.RESOLVED, AlertState.REOPENED, AlertState.RESOLVED]
    assert {event.alert_id for event in same} == {first.alert_id}
    assert other.state is AlertState.OPEN
    assert other.alert_id != first.alert_id


def test_redelivered_conditions_change_nothing(
    messaging: MemoryMessaging, start: Start, eventually: Eventually
) -> None:
    """Conditions that were sent again after their alert's end open nothing."""
    service = start(messaging)
    for _ in range(3):
        tell(messaging, 0)
        tell(messaging, 60, active=False)
    eventually(lambda: dealt_with(service))

    assert [event.state for event in events(messaging)] == [AlertState.OPEN, AlertState.RESOLVED]


def test_restarted_service_remembers_what_is_open(
    messaging: MemoryMessaging, start: Start, eventually: Eventually
) -> None:
    """Its memory is the topic of its own events."""
    first = start(messaging)
    tell(messaging, 0)
    eventually(lambda: events(messaging))
    first.stop()

    second = start(messaging)
    eventually(lambda: second.health()["open"] == [KEY])
    tell(messaging, 60)
    tell(messaging, 90, active=False)
    eventually(lambda: len(events(messaging)) == 2)

    assert len({event.alert_id for event in events(messaging)}) == 1


def test_alerts_of_one_plant_are_kept_apart_over_a_restart(
    messaging: MemoryMessaging, start: Start, eventually: Eventually
) -> None:
    """Several alerts share a plant's key on the topic, and are told apart by their own."""
    first = start(messaging)
    tell(messaging, 0)
    tell(messaging, 1, key="pump_dry:basil")
    eventually(lambda: len(events(messaging)) == 2)
    first.stop()

    second = start(messaging)

    eventually(lambda: second.health()["open"] == ["pump_dry:basil", KEY])


def test_condition_of_the_future_does_not_silence_its_key(
    messaging: MemoryMessaging, start: Start, eventually: Eventually
) -> None:
    """A clock that was in 2049 for a while leaves the alert as open to news as any."""
    start(messaging)
    tell(messaging, 8e8)
    eventually(lambda: events(messaging))

    tell(messaging, 60, active=False)

    eventually(lambda: len(events(messaging)) == 2)


@pytest.mark.parametrize("origin", [Origin.BACKFILL, Origin.REPLAY, Origin.SIMULATED])
def test_conditions_of_history_open_nothing(
    messaging: MemoryMessaging, start: Start, eventually: Eventually, origin: Origin
) -> None:
    """Only what is live raises alerts."""
    service = start(messaging)

    tell(messaging, 0, origin=origin)
    eventually(lambda: dealt_with(service))

    assert events(messaging) == []


def test_unreadable_condition_is_a_dead_letter(
    messaging: MemoryMessaging, start: Start, eventually: Eventually
) -> None:
    """The next condition is dealt with as ever."""
    start(messaging)

    messaging.publish(Topics.ALERT_CONDITIONS, b"{}", key="basil")
    tell(messaging, 0)
    eventually(lambda: events(messaging))

    assert len(messaging.read_all(Topics.DEAD_LETTERS)) == 1


@pytest.mark.parametrize("seed", range(4))
def test_chaos_changes_no_alert(start: Start, eventually: Eventually, seed: int) -> None:
    """Duplicates, redelivery and aborted transactions leave each step once."""
    messaging = MemoryMessaging(chaos=Chaos(seed))
    service = start(messaging)

    for at in range(20):
        tell(messaging, at, active=at % 10 < 5)
    eventually(lambda: dealt_with(service))

    states = [event.state for event in events(messaging)]
    assert states == [AlertState.OPEN, AlertState.RESOLVED, AlertState.REOPENED, AlertState.RESOLVED]
    service.stop()
    messaging.close()


def test_health_pages_are_served(messaging: MemoryMessaging, start: Start, eventually: Eventually) -> None:
    """Ready once the group has its partition; the number of open alerts is a metric."""
    service = start(messaging)
    url = f"http://127.0.0.1:{service.port}"
    tell(messaging, 0)
    eventually(lambda: events(messaging))

    assert requests.get(f"{url}/ready", timeout=5).json()["ready"]
    assert "dt_alerts_open 1.0" in requests.get(f"{url}/metrics", timeout=5).text


def test_a_condition_that_comes_late_opens_nothing_and_still_resolves(
    messaging: MemoryMessaging, start: Start, eventually: Eventually
) -> None:
    """Backlog corrects history: what was dry hours ago is no alert now, and the end of an open one is believed."""
    service = start(messaging)

    tell(messaging, -901)
    eventually(lambda: dealt_with(service), "the late condition was read")
    assert events(messaging) == []

    tell(messaging, -800)
    tell(messaging, -700, active=False)
    eventually(lambda: len(events(messaging)) == 2, "a recent one opened and ended")
    assert [event.state for event in events(messaging)] == [AlertState.OPEN, AlertState.RESOLVED]


def test_unreadable_conditions_cost_no_new_beginning(clock: ManualClock) -> None:
    """Each is a dead letter beside the others' events; the events so far are read once, however many there are."""
    log, reads = MemoryMessaging(clock), []

    def read_events() -> list[Record]:
        reads.append(1)
        return log.read_all(Topics.ALERTS)

    desk = AlertDesk(read_events, clock)
    desk.restore([])
    good = AlertCondition(
        key=KEY, severity=Severity.INFO, description="dry", active=True, timestamp=NOON, correlation_id="r-1"
    )
    values = [b"{", good.to_json(), b'"text"', None]

    outputs = desk.transform(
        [Record(Topics.ALERT_CONDITIONS, 0, n, None, value, {}, NOON) for n, value in enumerate(values)]
    )

    assert [output.topic for output in outputs] == [
        Topics.DEAD_LETTERS, Topics.ALERTS, Topics.DEAD_LETTERS, Topics.DEAD_LETTERS, Topics.STATE_ALERTS
    ]  # fmt: skip
    assert len(reads) == 1


def test_keys_that_are_remembered_have_a_bound(clock: ManualClock) -> None:
    """So many alerts may be open and no more; those that are can still be resolved, and make room again."""
    desk = AlertDesk(list, clock)
    desk.restore([])

    def tell_all(numbers: range, at: float, *, active: bool) -> int:
        conditions = [
            AlertCondition(
                key=f"k-{n}",
                severity=Severity.INFO,
                description="x",
                active=active,
                timestamp=at,
                correlation_id=f"{n}",
            )
            for n in numbers
        ]
        records = [Record(Topics.ALERT_CONDITIONS, 0, 0, None, each.to_json(), {}, at) for each in conditions]
        return sum(output.topic == Topics.ALERTS for output in desk.transform(records))

    assert tell_all(range(MOST_OPEN + 5), NOON, active=True) == MOST_OPEN
    assert tell_all(range(10), NOON + 1, active=False) == 10
    assert tell_all(range(MOST_OPEN, MOST_OPEN + 20), NOON + 2, active=True) == 10
    assert len(desk.open) == MOST_OPEN


def test_a_timer_that_runs_over_a_restart_runs_out(
    messaging: MemoryMessaging, start: Start, eventually: Eventually, clock: ManualClock, tmp_path: Path
) -> None:
    """How long a condition has held is remembered with the log's commit, and no record is needed to open the alert."""
    rules = tmp_path / "alerts.toml"
    rules.write_text("[keys.soil_dry]\nopens_after_s = 60\nresolves_after_s = 60")
    first = start(messaging, alerts_file=rules)
    tell(messaging, 0)
    eventually(lambda: dealt_with(first))
    first.stop()

    second = start(messaging, alerts_file=rules)
    eventually(lambda: dealt_with(second))
    assert events(messaging) == []
    clock.advance(61)
    eventually(lambda: clock.advance(1) or events(messaging), "the timer opened the alert")
    tell(messaging, 61, active=False)
    eventually(lambda: clock.advance(1) or len(events(messaging)) == 2, "the timer resolved it")

    opened, resolved = events(messaging)
    assert (opened.state, opened.timestamp) == (AlertState.OPEN, NOON + 60)
    assert (resolved.state, resolved.timestamp) == (AlertState.RESOLVED, NOON + 121)


def test_what_the_log_did_not_take_of_a_timer_is_due_again(clock: ManualClock) -> None:
    """The event is the same to the byte, so that it may be there already."""
    desk = AlertDesk(list, clock)
    desk.restore([])
    condition = AlertCondition(
        key=KEY, severity=Severity.INFO, description="dry", active=True, timestamp=NOON, correlation_id="r-1"
    )
    desk.transform([Record(Topics.ALERT_CONDITIONS, 0, 0, None, condition.to_json(), {}, NOON)])
    clock.advance(900)
    tries: list[Sequence[Outgoing]] = []

    def refuse(batch: Sequence[Outgoing]) -> None:
        tries.append(batch)
        raise MessagingError("the broker is away")

    with pytest.raises(MessagingError):
        desk.tick(refuse)
    assert desk.tick(tries.append, lambda: False) == []
    [stale] = desk.tick(tries.append)

    assert stale.stale
    assert tries[0] == tries[1]
    assert desk.tick(tries.append) == []


def test_people_are_told_by_the_service_and_over_rest(
    messaging: MemoryMessaging, start: Start, eventually: Eventually, clock: ManualClock
) -> None:
    """From the condition to the webhook, once over a restart; the page of addresses tells no secret."""
    with Webhook().serving() as hook:
        urls = f"json://127.0.0.1:{hook.port}/s3cret"
        first = start(messaging, notice_urls=urls)
        tell(messaging, 0)
        eventually(lambda: events(messaging))
        eventually(lambda: waiting(first) == [1], "the notice waits")
        first.stop()

        second = start(messaging, notice_urls=urls)
        eventually(lambda: dealt_with(second))
        eventually(lambda: clock.advance(1) or hook.taken, "the notice was sent")
        answer = requests.post(
            f"http://127.0.0.1:{second.port}/notices/test", headers={"Authorization": "Bearer test-token"}, timeout=20
        )
        eventually(lambda: clock.advance(1) or waiting(second) == [0])

    assert answer.json() == {"addresses": [{"name": "json, NOTICE_URLS 1", "is_taken": True, "why": ""}]}
    assert [message["title"] for message in hook.taken] == ["Plant Twin: warning", "Plant Twin: test"]
    assert "Give about 150 ml of water." in hook.taken[0]["message"]
    assert "s3cret" not in requests.get(f"http://127.0.0.1:{second.port}/notices", timeout=5).text


def waiting(service: AlertService) -> list[int]:
    """Return how many notices wait for each address."""
    answer = requests.get(f"http://127.0.0.1:{service.port}/notices", timeout=5).json()
    return [address["waiting"] for address in answer["addresses"]]


def test_a_test_of_notices_needs_the_token(messaging: MemoryMessaging, start: Start) -> None:
    """It sends something to people."""
    service = start(messaging)

    assert requests.post(f"http://127.0.0.1:{service.port}/notices/test", timeout=5).status_code == 401


def test_wrong_addresses_keep_the_service_from_starting(
    messaging: MemoryMessaging, settings: Settings, clock: ManualClock
) -> None:
    """They are said before anything runs."""
    with pytest.raises(ConfigError, match="NOTICE_URLS 1: apprise does not understand"):
        create_service(settings.model_copy(update={"notice_urls": "nobody://x"}), messaging, clock)


def test_wrong_rules_are_an_alert_and_the_last_good_ones_hold_over_a_restart(
    messaging: MemoryMessaging, start: Start, eventually: Eventually, clock: ManualClock, tmp_path: Path
) -> None:
    """Rules of alerts must not keep sensors and water from running; health is degraded until they are right."""
    rules = tmp_path / "alerts.toml"
    rules.write_text("[keys.soil_dry]\nopens_after_s = 60")
    first = start(messaging, alerts_file=rules)
    eventually(lambda: dealt_with(first))
    assert _health(first)["status"] == "ok"

    rules.write_text("[flapping]\nchanges = 0  # every alert would flap")
    eventually(lambda: clock.advance(1) or events(messaging), "the wrong file opened an alert")
    first.stop()
    second = start(messaging, alerts_file=rules)
    eventually(lambda: dealt_with(second))
    eventually(lambda: _health(second)["status"] == "degraded")
    [opened] = events(messaging)
    assert opened.key == "alert_rules_wrong"
    assert f"{rules}:2: flapping.changes: must be from 3 to 1000, not 0" in opened.description
    assert "the last good rules hold" in opened.description
    assert "flapping.changes" in _health(second)["why"]
    assert second._rules.rules.of("soil_dry:basil").opens_after_s == 60.0

    rules.write_text("[flapping]\nchanges = 9")
    eventually(lambda: clock.advance(1) or len(events(messaging)) == 2, "the file that was put right ended it")
    assert events(messaging)[1].state is AlertState.RESOLVED
    assert _health(second)["status"] == "ok"


def _health(service: AlertService) -> dict[str, Any]:
    body: dict[str, Any] = requests.get(f"http://127.0.0.1:{service.port}/health", timeout=5).json()
    return body


def test_every_alert_says_what_to_do(clock: ManualClock) -> None:
    """Each condition that the product makes has an advice, and an alert has one even where its condition had none."""
    texts = {path: path.read_text("utf-8") for path in sorted((ROOT / "dt").rglob("*.py"))}
    made = [
        (path, call)
        for path, text in texts.items()
        if "AlertCondition(" in text
        for call in ast.walk(ast.parse(text))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "AlertCondition"
    ]
    assert len(made) >= 5
    for path, call in made:
        [advice] = [word.value for word in call.keywords if word.arg == "advice"]
        assert not (isinstance(advice, ast.Constant) and not advice.value), f"{path}:{call.lineno}"

    desk = AlertDesk(list, clock)
    desk.restore([])
    kinds = (
        "soil_dry:b",
        "sensor_silent:s",
        "output_on:pump",
        "storage_full",
        "storage_damaged",
        "alert_rules_wrong",
        "new_kind:x",
    )
    conditions = [
        AlertCondition(
            key=key,
            severity=Severity.WARNING,
            description="x",
            active=active,
            timestamp=NOON + at,
            correlation_id=f"{key}-{at}",
        )
        for at, active in enumerate([True, False])
        for key in kinds
    ]
    records = [Record(Topics.ALERT_CONDITIONS, 0, 0, None, one.to_json(), {}, NOON) for one in conditions]
    found = [AlertEvent.from_json(out.value or b"") for out in desk.transform(records) if out.topic == Topics.ALERTS]
    clock.advance(300)
    found += desk.tick(lambda _batch: None)
    assert {(event.key, event.state) for event in found} == {
        (key, state) for key in kinds for state in (AlertState.OPEN, AlertState.RESOLVED)
    }
    assert all(event.advice for event in found)


def beat_of(service: str, at: float, status: HealthStatus = HealthStatus.OK) -> Record:
    """Return what a service says of itself `at` seconds after noon."""
    report = HealthReport(service=service, status=status, timestamp=NOON + at)
    return Record(Topics.HEALTH, 0, 0, service, report.to_json(), {}, NOON + at)


def test_a_service_that_falls_silent_is_an_alert_until_it_is_heard_again(clock: ManualClock) -> None:
    """One that says that it stops is not missed; one that the log knew before this one began is."""
    desk = AlertDesk(list, clock, read_health=lambda: [beat_of("collector", -30), beat_of("gone", -90_000)])
    desk.restore([])
    desk.transform([beat_of("database", 0), beat_of("ai", 0), beat_of("mqtt", 0)])
    found: list[AlertEvent] = []
    for second in range(0, 150, 5):
        clock.advance(5)
        found += desk.tick(lambda _batch: None)
        desk.transform([beat_of("database", second)] + [beat_of("ai", second, HealthStatus.STOPPED)] * (second < 30))
        if second == 100:
            desk.transform([beat_of("collector", second)])

    states = [(event.key, event.state.value, event.severity.value) for event in found]
    assert states == [
        ("service_silent:collector", "open", "critical"),
        ("service_silent:mqtt", "open", "warning"),
        ("service_silent:collector", "resolved", "critical"),
    ]
    assert "has not been heard of for 65 s" in found[0].description


def test_a_log_that_is_away_is_told_once_and_recorded_when_it_is_back(clock: ManualClock) -> None:
    """No alert could be recorded meanwhile; the recorded ends are the ones that people were told."""
    watch = LogWatch(clock)
    told = []
    for second in range(0, 600, 10):
        told += watch.look(is_connected=second < 20)
        clock.advance(10)

    begun, ended = watch.look(is_connected=True)

    assert told == [begun]
    assert (begun.state, begun.timestamp, begun.severity) == (AlertState.OPEN, NOON + 140, Severity.CRITICAL)
    assert (ended.state, ended.alert_id) == (AlertState.RESOLVED, begun.alert_id)
    assert watch.look(is_connected=True) == []


def test_a_machine_that_slept_misses_no_service(clock: ManualClock) -> None:
    """Nobody could be heard while nobody looked."""
    desk = AlertDesk(list, clock)
    desk.restore([])
    desk.transform([beat_of("collector", 0)])
    desk.tick(lambda _batch: None)

    clock.advance(7 * 3600)

    assert desk.tick(lambda _batch: None) == []
