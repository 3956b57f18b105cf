"""Notices to people: what is told to whom and when; every step is kept on disk before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from dt.alerts.addresses import Address
from dt.alerts.notice import RECENT_S, Notice, message_of, notice_of, repetition
from dt.alerts.notice_queue import NoticeQueue, Waiting
from dt.alerts.rules import AlertRules
from dt.utils.clock import Clock
from dt.utils.dataclasses import AlertEvent, AlertState, Severity
from dt.utils.logger import get_logger

FIRST_RETRY_S = 30.0
_LONGEST_RETRY_S = 3600.0
_HOUR_S = 3600.0
_CRITICAL_SHARE = 3  # of the hourly rate
_CRITICAL_WAIT = 0.25  # of the wait for more of the same cause
_AS_ONE_FROM = 3  # causes that are due at once, as after quiet hours, come in one message
_KINDS = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}

Send = Callable[[Address, str, str, str], str]

log = get_logger(__name__)


class Notices:
    """Puts news of alerts in the queue and sends what is due; without threads of its own."""

    def __init__(
        self,
        addresses: Sequence[Address],
        queue: NoticeQueue,
        send: Send,
        rules: Callable[[], AlertRules],
        clock: Clock,
        zone_name: str = "UTC",
    ) -> None:
        self._addresses = addresses
        self._queue = queue
        self._send = send
        self._rules = rules
        self._clock = clock
        self._zone_name = zone_name

    def hear(self, events: Iterable[AlertEvent]) -> None:
        """Take events of alerts; those that were heard before change nothing. Raises StorageError."""
        rules, now = self._rules(), self._clock.wall()
        for event in events:
            is_asking = event.state in (AlertState.OPEN, AlertState.REOPENED) and event.severity is Severity.CRITICAL
            self._queue.ask(event.alert_id, event.timestamp if is_asking else None)
            notice = notice_of(event, rules)
            if notice is not None and now - event.timestamp <= RECENT_S:
                self._put(notice, rules, now)
            elif event.state in (AlertState.ACKNOWLEDGED, AlertState.RESOLVED):
                self._note_untold(event, now)

    def repeat(self, open_alerts: Iterable[AlertEvent]) -> None:
        """Put what nobody acknowledged in the queue again, once it is time."""
        rules, now = self._rules(), self._clock.wall()
        critical = [event for event in open_alerts if event.severity is Severity.CRITICAL]
        asked = self._queue.asked() if critical else {}
        for event in critical:
            notice = repetition(event, rules.escalation, asked.get(event.alert_id, event.timestamp), now)
            if notice is not None:
                self._put(notice, rules, now)

    def step(self) -> int:
        """Send what is due now, and return how many messages were taken; may block while addresses answer."""
        self._queue.look()
        waiting = self._queue.waiting()
        known = {address.address_id: address for address in self._addresses}
        taken = 0
        for address_id in dict.fromkeys(one.address for one in waiting):
            own = self._not_too_old([one for one in waiting if one.address == address_id])
            if address_id in known:
                for bundle in self._due(address_id, own):
                    taken += self._try(known[address_id], bundle)
        return taken

    @property
    def why(self) -> str:
        """Return what keeps notices from being kept on disk; empty while all is well."""
        return self._queue.why

    def test(self) -> list[dict[str, object]]:
        """Send a message to every address at once, whatever the hour, and return what became of it."""
        body = "This is a test of Plant Twin's notices. Nothing needs doing."
        return [self._tested(address, body) for address in self._addresses]

    def status(self) -> dict[str, object]:
        """Return the addresses without their secrets, what waits for them, and what became of the last message."""
        rules, now = self._rules(), self._clock.wall()
        return {
            "addresses": [self._status_of(address) for address in self._addresses],
            "quiet_until": rules.quiet_hours.ends_at(now, self._zone_name),
        }

    def _put(self, notice: Notice, rules: AlertRules, now: float) -> None:
        quiet_until = rules.quiet_hours.ends_at(now, self._zone_name)
        is_critical = notice.severity is Severity.CRITICAL and not notice.is_over
        wait_s = rules.notices.group_wait_s * (_CRITICAL_WAIT if is_critical else 1.0)
        due_at = now + (0.0 if notice.escalated else wait_s)
        if quiet_until is not None and not is_critical:
            due_at = max(due_at, quiet_until)
        addresses = [one for one in self._addresses if notice.escalated or not one.is_second]
        ids = dict.fromkeys(address.address_id for address in addresses)
        self._queue.put([(notice, address_id, due_at) for address_id in ids], now)

    def _note_untold(self, event: AlertEvent, now: float) -> None:
        """Let what still waits of an alert go that is over, or the repetitions of one that somebody heeds."""
        addresses = {address.address_id for address in self._addresses}
        step_id = f"{event.alert_id}/{event.state}/untold/{event.timestamp:.3f}"
        is_over = event.state is AlertState.RESOLVED
        self._queue.note_step(step_id, event.alert_id, addresses, now, is_over=is_over)

    def _not_too_old(self, waiting: list[Waiting]) -> list[Waiting]:
        now, limit_s = self._clock.wall(), self._rules().notices.give_up_after_s
        old = [one for one in waiting if one.attempts and now - one.made_at > limit_s]
        if old:
            self._queue.end(old, "given_up", now)
            log.error("%d notices are given up after %.0f h: no address took them", len(old), limit_s / _HOUR_S)
        return [one for one in waiting if one not in old]

    def _due(self, address_id: str, waiting: list[Waiting]) -> list[list[Waiting]]:
        """Return the bundles to send now; those that come too often for people wait on."""
        now, rule = self._clock.wall(), self._rules().notices
        critical, other = [], []
        for name in dict.fromkeys(one.bundle for one in waiting if one.due_at <= now):
            bundle = [one for one in waiting if one.bundle == name and one.due_at <= now + rule.group_wait_s]
            is_critical = any(one.severity is Severity.CRITICAL and not one.is_over for one in bundle)
            if is_critical:
                critical.append(bundle)
            elif not self._queue.sent_since(address_id, now - rule.group_every_s, name):
                other.append(bundle)
        if len(other) >= _AS_ONE_FROM:
            other = [sorted(chain.from_iterable(other), key=lambda one: one.made_at)]
        sent = self._queue.sent_since(address_id, now - _HOUR_S)
        room_critical = max(0, rule.per_hour * _CRITICAL_SHARE - sent)
        room = max(0, rule.per_hour - sent - len(critical))
        return critical[:room_critical] + other[:room]

    def _try(self, address: Address, bundle: list[Waiting]) -> bool:
        bundle = self._queue.still_waiting(bundle)  # an address before this one may have taken its time
        if not bundle:
            return False
        title, body = message_of([(one.alert_id, one.severity, one.is_over, one.text) for one in bundle])
        severity = max((one.severity for one in bundle if not one.is_over), default=None, key=list(Severity).index)
        why = self._send(address, title, body, "success" if severity is None else _KINDS[severity])
        now = self._clock.wall()
        for name in dict.fromkeys(one.bundle for one in bundle):
            self._queue.note_sending(address.address_id, name, now, why)
        if why:
            attempts = max(one.attempts for one in bundle)
            pause_s = min(FIRST_RETRY_S * 2.0**attempts, _LONGEST_RETRY_S)
            self._queue.postpone(bundle, now + pause_s, is_attempt=True)
            log.warning("a notice was not taken by %s, and is tried again in %.0f s: %s", address.name, pause_s, why)
            return False
        self._queue.end(bundle, "sent", now)
        return True

    def _said(self, address: Address, title: str, body: str, kind: str) -> str:
        return self._send(address, title, body, kind)

    def _tested(self, address: Address, body: str) -> dict[str, object]:
        why = self._send(address, "Plant Twin: test", body, "info")
        self._queue.note_sending(address.address_id, "test", self._clock.wall(), why)
        return {"name": address.name, "is_taken": not why, "why": why}

    def _status_of(self, address: Address) -> dict[str, object]:
        taken = self._queue.last(address.address_id, is_ok=True)
        failed = self._queue.last(address.address_id, is_ok=False)
        return {
            "name": address.name,
            "list": "escalation" if address.is_second else "people",
            "waiting": self._queue.count_waiting(address.address_id),
            "last_success_at": taken[0] if taken else None,
            "last_failure_at": failed[0] if failed else None,
            "last_failure": failed[1] if failed else None,
        }
