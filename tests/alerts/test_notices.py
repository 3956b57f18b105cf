"""What people are told of alerts, when and how often, by apprise to a webhook and a mail server of this machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits_of_search
from hypothesis import strategies as st

from dt.alerts.addresses import Address, load_addresses
from dt.alerts.notice import Notice
from dt.alerts.notice_queue import NoticeQueue
from dt.alerts.notice_sender import AppriseSender
from dt.alerts.notices import FIRST_RETRY_S, Notices
from dt.alerts.rules import AlertRules, Escalation, NoticeRule, QuietHours
from dt.operations.settings_list import list_settings
from dt.utils.clock import ManualClock
from dt.utils.config import Settings
from dt.utils.dataclasses import AlertEvent, AlertState, Severity
from dt.utils.exceptions import ConfigError
from tests.alerts.servers import MailServer, Webhook

NOON = 1_800_000_000.0  # 08:00 UTC

Open = Callable[..., Notices]


@pytest.fixture
def hook() -> Iterator[Webhook]:
    """Return a webhook that serves."""
    with Webhook().serving() as served:
        yield served


@pytest.fixture
def open_notices(tmp_path: Path, clock: ManualClock, hook: Webhook) -> Iterator[Open]:
    """Return a maker of notices to the webhook; the next one takes over what the one before left in its file."""
    queues: list[NoticeQueue] = []

    def make(*more: Address, **rules: Any) -> Notices:
        for queue in queues:
            queue.close()
        queues[:] = [NoticeQueue(tmp_path / "alerts" / "notices.db")]
        first = Address(name="json, NOTICE_URLS 1", url=f"json://127.0.0.1:{hook.port}/s3cret")
        made = AlertRules(**rules)
        return Notices([first, *more], queues[0], AppriseSender().send, lambda: made, clock)

    yield make
    for queue in queues:
        queue.close()


def event(number: int = 1, at: float = 0.0, **more: Any) -> AlertEvent:
    """Return a step of an alert about a silent sensor, `at` seconds after noon."""
    fields: dict[str, Any] = {
        "alert_id": f"alert-{number}",
        "key": f"sensor_silent:s{number}",
        "severity": Severity.WARNING,
        "description": f"Sensor s{number} is silent for 60 s; a reading every 2 s is expected.",
        "advice": "Look at its cable and power.",
        "active": True,
        "state": AlertState.OPEN,
        "by": "alerts",
        "timestamp": NOON + at,
        "correlation_id": f"c-{number}",
        "zone_id": "box",
    }
    return AlertEvent(**{**fields, **more})


def told(hook: Webhook) -> list[str]:
    """Return the titles that the webhook took."""
    return [message["title"] for message in hook.taken]


def test_a_notice_says_what_is_wrong_and_what_to_do(open_notices: Open, clock: ManualClock, hook: Webhook) -> None:
    """It goes out once the wait for more of its cause is over, and once however often its event is delivered."""
    notices = open_notices()
    notices.hear([event(), event()])
    assert notices.step() == 0

    clock.advance(20)
    notices.hear([event()])
    notices.step()
    notices.step()

    [message] = hook.taken
    assert message["title"] == "Plant Twin: warning"
    assert message["message"] == (
        "Sensor s1 is silent for 60 s; a reading every 2 s is expected.\nLook at its cable and power."
    )
    assert message["type"] == "warning"


def test_a_mail_server_gets_the_same_as_a_mail(open_notices: Open, clock: ManualClock, hook: Webhook) -> None:
    """By SMTP, with subject and addresses."""
    with MailServer().serving() as server:
        url = f"mailto://127.0.0.1:{server.port}?from=twin@example.org&to=ada@example.org&format=text"
        notices = open_notices(Address(name="mailto, NOTICE_URLS 2", url=url))
        notices.hear([event()])
        clock.advance(20)
        notices.step()

        [mail] = server.mails
    assert mail["Subject"] == "Plant Twin: warning"
    assert "ada@example.org" in mail["To"]
    assert "Look at its cable and power." in mail.get_body().get_content()
    assert len(hook.taken) == 1


def test_many_alerts_of_one_cause_are_one_notice(open_notices: Open, clock: ManualClock, hook: Webhook) -> None:
    """A bus that fails silences all its sensors; those that follow soon are told together, later."""
    notices = open_notices()
    for number in range(1, 6):
        notices.hear([event(number)])
        clock.advance(2)
    clock.advance(10)
    notices.step()
    assert told(hook) == ["Plant Twin: 5 alerts, warning"]

    notices.hear([event(6), event(7)])
    clock.advance(60)
    notices.step()
    assert len(hook.taken) == 1
    clock.advance(300)
    notices.step()

    assert told(hook)[1:] == ["Plant Twin: 2 alerts, warning"]
    assert hook.taken[0]["message"].count("\n\n") == 4


def test_a_notice_that_is_not_taken_is_tried_again_ever_later_and_survives_a_restart(
    open_notices: Open, clock: ManualClock, hook: Webhook
) -> None:
    """The queue is a file: who starts next sends what waits, once."""
    hook.status = 503
    notices = open_notices()
    notices.hear([event()])
    clock.advance(20)
    for pause_s in (0.0, FIRST_RETRY_S, 2 * FIRST_RETRY_S):
        clock.advance(max(0.0, pause_s - 1.0))
        notices.step()
        clock.advance(1.0)
        notices.step()
    assert len(hook.paths) == 3
    [address] = notices.status()["addresses"]  # type: ignore[misc]
    assert (address["waiting"], address["last_success_at"]) == (1, None)

    hook.status = 200
    notices = open_notices()
    notices.step()
    assert hook.taken == []
    clock.advance(4 * FIRST_RETRY_S)
    notices.step()
    notices = open_notices()
    notices.hear([event()])
    clock.advance(3600)
    notices.step()

    assert told(hook) == ["Plant Twin: warning"]


def test_a_notice_is_given_up_in_the_end(open_notices: Open, clock: ManualClock, hook: Webhook) -> None:
    """What nobody could be told for a day is no news."""
    hook.status = 503
    notices = open_notices()
    notices.hear([event()])
    for _hour in range(30):
        clock.advance(3600)
        notices.step()
    tries = len(hook.paths)

    hook.status = 200
    clock.advance(3600)
    notices.step()

    assert tries < 30
    assert hook.taken == []


def test_what_is_over_is_not_told_as_open_by_a_retry(open_notices: Open, clock: ManualClock, hook: Webhook) -> None:
    """While the webhook fails, its sensor comes back: people hear that it is over, and nothing after that."""
    hook.status = 500
    notices = open_notices()
    notices.hear([event()])
    for _try in range(6):  # the next try is 16 min away
        clock.advance(320)
        notices.step()
    over = event(at=1930, state=AlertState.RESOLVED, active=False, description="Sensor s1 is back.")
    notices.hear([over])
    hook.status = 200
    for _minute in range(120):
        clock.advance(60)
        notices.step()

    assert [message["message"] for message in hook.taken] == ["Over: Sensor s1 is back."]


def test_what_a_person_resolved_is_not_told_by_a_retry(open_notices: Open, clock: ManualClock, hook: Webhook) -> None:
    """Nor when the person's step is delivered again after the alert was reopened, which is news."""
    hook.status = 500
    notices = open_notices(escalation=Escalation(after_s=60))
    critical = event(severity=Severity.CRITICAL)
    notices.hear([critical])
    clock.advance(65)
    notices.repeat([critical])
    notices.step()
    resolved = event(at=70, severity=Severity.CRITICAL, state=AlertState.RESOLVED, by="ada", active=False)
    notices.hear([resolved])
    hook.status = 200
    clock.advance(3600)
    notices.step()
    assert hook.taken == []

    notices.hear([event(at=3600, state=AlertState.REOPENED, description="Sensor s1 is silent anew."), resolved])
    clock.advance(60)
    notices.step()
    [message] = hook.taken
    assert message["message"].startswith("Again: Sensor s1 is silent anew.")


def test_who_acknowledges_ends_the_repetitions_that_wait(open_notices: Open, clock: ManualClock, hook: Webhook) -> None:
    """'Nobody has acknowledged this' is not true any more."""
    notices = open_notices(escalation=Escalation(after_s=60))
    critical = event(severity=Severity.CRITICAL)
    notices.hear([critical])
    clock.advance(10)
    notices.step()
    hook.status = 500
    clock.advance(60)
    notices.repeat([critical])
    notices.step()
    notices.hear([event(at=75, severity=Severity.CRITICAL, state=AlertState.ACKNOWLEDGED, by="ada")])
    hook.status = 200
    clock.advance(3600)
    notices.step()

    assert len(hook.taken) == 1


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["open", "worse", "over", "resolved", "acknowledged", "redelivered"]),
            st.integers(0, 2),
            st.sampled_from([1.0, 10.0, 70.0, 700.0]),
            st.booleans(),
        ),
        min_size=3,
        max_size=40,
    )
)
@limits_of_search(max_examples=25, deadline=None)
def test_however_an_address_fails_news_of_an_alert_come_in_order_and_none_after_its_end(
    steps: list[tuple[str, int, float, bool]],
) -> None:
    """Numbered news of three alerts: those that are taken only rise, and an open one is never told once it is over."""
    with TemporaryDirectory() as folder:
        clock = ManualClock(wall=NOON)
        told: list[str] = []
        is_well = [True]

        def send(_address: Address, _title: str, body: str, _kind: str) -> str:
            told.extend(re.findall(r"news \d+ of \d", body) if is_well[0] else [])
            return "" if is_well[0] else "500"

        rules = AlertRules(escalation=Escalation(after_s=60, every_s=60, times=2))
        queue = NoticeQueue(Path(folder) / "notices.db")
        notices = Notices([Address(name="one", url="json://one")], queue, send, lambda: rules, clock)
        alerts: dict[int, AlertEvent] = {}
        heard: list[AlertEvent] = []
        for number, (does, which, pause_s, is_well_then) in enumerate(steps, 1):
            is_well[0] = is_well_then
            step = _step_of(does, which, number, alerts.get(which), clock.wall())
            if does == "redelivered":
                notices.hear(heard[-3:])
            elif step is not None:
                alerts[which] = step
                heard.append(step)
                notices.hear([step])
            open_now = {f"of {one}" for one, last in alerts.items() if last.state is not AlertState.RESOLVED}
            notices.repeat([last for last in alerts.values() if last.state is not AlertState.RESOLVED])
            before = len(told)
            clock.advance(pause_s)
            notices.step()
            for news in told[before:]:
                last_over = alerts[int(news[-1])]
                assert news[-4:] in open_now or f"news {int(last_over.description.split()[1])} " in news
        queue.close()

    for which in range(3):
        numbers = [int(news.split()[1]) for news in told if news.endswith(f"of {which}")]
        assert numbers == sorted(numbers)


def _step_of(does: str, which: int, number: int, last: AlertEvent | None, now: float) -> AlertEvent | None:
    """The next step of an alert, or None where it cannot take that one."""
    is_open = last is not None and last.state is not AlertState.RESOLVED
    states = {
        "open": None if is_open else AlertState.OPEN if last is None else AlertState.REOPENED,
        "worse": AlertState.REOPENED if is_open else None,
        "over": AlertState.RESOLVED if is_open else None,
        "resolved": AlertState.RESOLVED if is_open else None,
        "acknowledged": AlertState.ACKNOWLEDGED if is_open else None,
    }
    state = states.get(does)
    if state is None:
        return None
    severity = Severity.CRITICAL if does == "worse" or last is None else last.severity
    return event(
        which, now - NOON, state=state, severity=severity, description=f"news {number} of {which}",
        by="ada" if does in ("resolved", "acknowledged") else "alerts", active=state is not AlertState.RESOLVED,
    )  # fmt: skip


def test_in_quiet_hours_only_what_is_critical_is_told(open_notices: Open, clock: ManualClock, hook: Webhook) -> None:
    """The rest comes as one message in the morning, each alert as it stands then."""
    notices = open_notices(quiet_hours=QuietHours(begins="22:00", ends="09:00"))
    notices.hear([event(1), event(2, severity=Severity.CRITICAL)])
    notices.hear([event(3, key="soil_dry:basil"), event(4, key="storage_full")])
    clock.advance(1800)
    notices.hear([event(1, 1800, state=AlertState.RESOLVED, active=False, description="Sensor s1 is back.")])
    notices.step()
    assert told(hook) == ["Plant Twin: critical"]

    clock.advance(1801)
    notices.step()

    assert told(hook)[1:] == ["Plant Twin: 3 alerts, warning"]
    assert "Over: Sensor s1 is back." in hook.taken[1]["message"]
    assert "s1 is silent" not in hook.taken[1]["message"]


def test_what_is_critical_and_not_acknowledged_is_told_again_and_to_others(
    open_notices: Open, clock: ManualClock, hook: Webhook
) -> None:
    """The second list hears of it after the time of the rule, then both as often as it says."""
    second = Address(name="json, ESCALATION_URLS 1", url=f"json://127.0.0.1:{hook.port}/second", is_second=True)
    rule = Escalation(after_s=600, every_s=1200, times=2)
    notices = open_notices(second, escalation=rule)
    critical = event(severity=Severity.CRITICAL)
    notices.hear([critical])
    for _minute in range(120):
        clock.advance(60)
        notices.repeat([critical])
        notices.step()
    assert hook.paths == ["/s3cret", "/s3cret", "/second", "/s3cret", "/second"]
    assert "Nobody has acknowledged this for 10 min." in hook.taken[1]["message"]

    other = event(2, 7200, severity=Severity.CRITICAL)
    notices.hear([other, event(2, 7260, severity=Severity.CRITICAL, state=AlertState.ACKNOWLEDGED, by="ada")])
    for _minute in range(30):
        clock.advance(60)
        notices.repeat([event(2, 7260, severity=Severity.CRITICAL, state=AlertState.ACKNOWLEDGED, by="ada")])
        notices.step()

    assert hook.paths[5:] == ["/s3cret"]


def test_nobody_gets_more_notices_an_hour_than_the_rule_says(
    open_notices: Open, clock: ManualClock, hook: Webhook
) -> None:
    """What is beyond waits and is told together; what is critical has three times the room."""
    notices = open_notices(notices=NoticeRule(per_hour=3, group_wait_s=0, group_every_s=0))
    for number in range(8):
        notices.hear([event(number, number * 60, key=f"kind{number}:x")])
        notices.step()
        clock.advance(60)
    assert len(hook.taken) == 3

    notices.hear([event(9, 480, severity=Severity.CRITICAL)])
    notices.step()
    assert told(hook)[3] == "Plant Twin: critical"
    clock.advance(3600)
    notices.step()

    assert told(hook)[4:] == ["Plant Twin: 5 alerts, warning"]


@pytest.mark.parametrize(
    "step",
    [
        event(state=AlertState.ACKNOWLEDGED, by="ada"),
        event(state=AlertState.RESOLVED, by="ada", active=False),
        event(severity=Severity.INFO),
        event(at=-4000),
    ],
    ids=["acknowledged", "resolved by a person", "of little matter", "long ago"],
)
def test_what_is_no_news_to_people_is_not_told(
    open_notices: Open, clock: ManualClock, hook: Webhook, step: AlertEvent
) -> None:
    """People know what they did, and history is none."""
    notices = open_notices()
    notices.hear([step])
    clock.advance(600)

    notices.step()

    assert hook.paths == []


def test_the_test_button_reaches_every_address_and_says_which_took_it(open_notices: Open, hook: Webhook) -> None:
    """At once, in quiet hours too; why an address did not is said without its secrets."""
    dead = Address(name="json, NOTICE_URLS 2", url="json://ada:passw0rd@127.0.0.1:1/t0ken?cto=1&rto=1")
    notices = open_notices(dead, quiet_hours=QuietHours(begins="00:00", ends="23:59"))

    first, second = notices.test()

    assert (first["is_taken"], second["is_taken"]) == (True, False)
    assert told(hook) == ["Plant Twin: test"]
    text = str([second, notices.status()])
    assert "Connection error" in text
    assert not any(secret in text for secret in ("passw0rd", "t0ken", "s3cret"))


def test_addresses_are_secrets_everywhere(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """`dt settings` shows stars, and a wrong address is named by its number."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOTICE_URLS", "ntfy://t0pic tgram://123:t0ken/5")
    shown = {row.name: row.value for row in list_settings(None)}
    assert shown["NOTICE_URLS"] == "********"

    found = load_addresses(settings.model_copy(update={"notice_urls": "ntfy://t0pic json://h0st/x"}))
    assert [one.name for one in found] == ["ntfy, NOTICE_URLS 1", "json, NOTICE_URLS 2"]
    assert "t0pic" not in repr(found)
    with pytest.raises(ConfigError, match="NOTICE_URLS: number 2 must be a URL") as refused:
        load_addresses(settings.model_copy(update={"notice_urls": "ntfy://t0pic t0ken"}))
    assert "t0ken" not in str(refused.value)
    with pytest.raises(ConfigError, match="json, NOTICE_URLS 1: apprise does not understand") as unknown:
        AppriseSender().check(Address(name="json, NOTICE_URLS 1", url="nobody://t0ken"))
    assert "t0ken" not in str(unknown.value)
    assert "t0ken" not in "".join(capfd.readouterr())


def test_addresses_in_a_file_need_its_mode(settings: Settings) -> None:
    """A file that others may read is refused with what to type."""
    path = settings.data_dir / "alerts" / "notices.toml"
    path.parent.mkdir(parents=True)
    path.write_text('urls = ["ntfy://t0pic"]\nescalation_urls = ["json://h0st/x"]')
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="must be of mode 0600, and is 0644: chmod 600"):
        load_addresses(settings)

    path.chmod(0o600)
    assert [(one.name, one.is_second) for one in load_addresses(settings)] == [
        ("ntfy, notices.toml urls 1", False),
        ("json, notices.toml escalation_urls 1", True),
    ]
    path.write_text("uris = []")
    with pytest.raises(ConfigError, match="uris: is not known"):
        load_addresses(settings)


def test_notices_wait_in_memory_while_the_disk_takes_nothing(tmp_path: Path, clock: ManualClock, hook: Webhook) -> None:
    """People are told of a full disk too; what waits is in the file again once the disk is well."""
    path = tmp_path / "alerts" / "notices.db"
    path.parent.mkdir()
    path.mkdir()  # no file can be made of it
    queue = NoticeQueue(path)
    rules = AlertRules()
    address = Address(name="json, NOTICE_URLS 1", url=f"json://127.0.0.1:{hook.port}/s3cret")
    notices = Notices([address], queue, AppriseSender().send, lambda: rules, clock)
    notices.hear([event(1, severity=Severity.CRITICAL)])
    clock.advance(10)
    notices.step()
    assert told(hook) == ["Plant Twin: critical"]
    assert "a restart would forget them" in notices.why

    path.rmdir()
    notices.hear([event(2)])
    notices.step()
    queue.close()
    assert notices.why == ""
    again = NoticeQueue(path)
    notices = Notices([address], again, AppriseSender().send, lambda: rules, clock)
    notices.hear([event(1, severity=Severity.CRITICAL)])
    clock.advance(600)
    notices.step()
    again.close()

    assert told(hook)[1:] == ["Plant Twin: warning"]


def test_notices_go_on_in_memory_when_the_file_fails_later(tmp_path: Path, clock: ManualClock) -> None:
    """What the file had is not lost while it can be read."""
    path = tmp_path / "notices.db"
    queue = NoticeQueue(path)
    queue.put([(notice(1), "a", NOON)], NOON)
    queue._db.execute("PRAGMA query_only = 1")  # as of a file system that became read-only
    queue.put([(notice(2), "a", NOON)], NOON)
    assert "a restart would forget them" in queue.why
    assert [one.notice_id for one in queue.waiting()] == ["n1", "n2"]

    queue.look()

    assert queue.why == ""
    assert [one.notice_id for one in queue.waiting()] == ["n1", "n2"]
    queue.close()


def notice(number: int) -> Notice:
    """Return one to keep."""
    return Notice(
        notice_id=f"n{number}",
        alert_id=f"a{number}",
        group="g",
        severity=Severity.WARNING,
        is_over=False,
        text="x",
        at=NOON,
    )
