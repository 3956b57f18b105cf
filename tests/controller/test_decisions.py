"""The file of decisions: its older form, what is told to the records, and modes against wrong clocks and full disks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dt.controller.decision_outlet import DecisionOutlet
from dt.controller.decisions import Decisions
from dt.controller.modes import Mode
from dt.controller.vacation import Vacation
from dt.utils.clock import ManualClock
from dt.utils.dataclasses import Grant, KeptGrant, Policy
from dt.utils.exceptions import RefusedRequestError, RemoteServiceError, StorageError

_DEFAULTS = {
    name: Policy(plant_id=plant, actuator_id=name, zone_id="box")
    for name, plant in (("one", "basil"), ("two", "basil"), ("three", "mint"))
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of decisions."""
    return tmp_path / "controller" / "decisions.json"


@pytest.fixture
def decisions(path: Path, clock: ManualClock) -> Decisions:
    """Decisions of a rig with three pumps."""
    return Decisions(path, clock, _DEFAULTS)


def test_a_file_of_the_older_form_keeps_grants_and_policies(path: Path, clock: ManualClock) -> None:
    """A plant's policy holds for each of its actuators; what is decided next is saved in the new form."""
    grant = Grant(actuator_id="one", by="anna", since=clock.wall())
    path.parent.mkdir()
    old = {"grants": {"one": grant.to_dict()}, "policies": {"basil": {"policy": "recommendation", "enabled": False}}}
    path.write_text(json.dumps(old))

    decisions = Decisions(path, clock, _DEFAULTS)
    decisions.withdraw("three")

    for again in (decisions, Decisions(path, clock, _DEFAULTS)):
        chosen = {name: policy.enabled for name in _DEFAULTS if (policy := again.policy_of(name)) is not None}
        assert chosen == {"one": False, "two": False, "three": True}
        assert again.grant_of("one") == grant


def test_s14_a_clock_set_back_prolongs_no_manual_mode(decisions: Decisions, clock: ManualClock) -> None:
    """Ten minutes are ten minutes by the monotonic clock, too; and what was off before is off again."""
    decisions.set_mode("one", Mode.OFF, "anna")
    decisions.set_mode("one", Mode.MANUAL, "anna", until=clock.wall() + 600.0)
    clock.advance(300.0)
    clock.set_wall(clock.wall() - 300.0)
    assert decisions.mode_of("one").mode is Mode.MANUAL

    clock.advance(301.0)

    assert decisions.mode_of("one").mode is Mode.OFF


def test_s14_a_mode_that_gives_freedom_holds_only_once_it_is_saved(path: Path, clock: ManualClock) -> None:
    """Off holds at once, disk or no disk; automatic does not."""
    path.parent.touch()
    decisions = Decisions(path, clock, _DEFAULTS)

    with pytest.raises(StorageError):
        decisions.set_mode("one", Mode.AUTOMATIC, "anna")
    assert decisions.mode_of("one").mode is Mode.RECOMMEND
    with pytest.raises(StorageError):
        decisions.set_mode("one", Mode.OFF, "anna")
    assert decisions.mode_of("one").mode is Mode.OFF
    with pytest.raises(StorageError):
        decisions.set_mode("one", Mode.MANUAL, "anna", until=clock.wall() + 60.0)
    assert decisions.mode_of("one").mode is Mode.OFF


def test_a_vacation_ends_by_either_clock_and_stays_ended(decisions: Decisions, path: Path, clock: ManualClock) -> None:
    """Over a restart and a clock that is set back."""
    decisions.start_vacation(Vacation(by="anna", since=clock.wall(), until=clock.wall() + 3600.0))
    assert Decisions(path, clock).vacation is not None

    clock.advance(3600.0)
    assert decisions.vacation is None
    clock.set_wall(clock.wall() - 3000.0)

    assert decisions.vacation is None
    assert Decisions(path, clock).vacation is None


class _Records:
    """The database's REST, away or refusing as told."""

    def __init__(self) -> None:
        self.kept: list[Policy | KeptGrant] = []
        self.fails: Callable[[Policy | KeptGrant], Exception | None] = lambda _told: None

    def put_policy(self, policy: Policy) -> Policy:
        self._keep(policy)
        return policy

    def put_grant(self, grant: KeptGrant) -> bool:
        self._keep(grant)
        return True

    def _keep(self, told: Policy | KeptGrant) -> None:
        error = self.fails(told)
        if error is not None:
            raise error
        self.kept.append(told)


def test_what_was_decided_while_the_database_was_away_is_told_later_in_order(
    decisions: Decisions, path: Path, clock: ManualClock
) -> None:
    """Over a restart of the controller too: nothing is lost, and nothing told twice."""
    records = _Records()
    records.fails = lambda _told: RemoteServiceError("away")
    decisions.grant(Grant(actuator_id="one", by="anna", since=clock.wall()))
    clock.advance(10.0)
    decisions.withdraw("one", "ben")
    decisions.set_policy(replace(_DEFAULTS["one"], policy="schedule", by="anna"))
    assert DecisionOutlet(decisions, records, clock).send() is False

    again = Decisions(path, clock, _DEFAULTS)
    records.fails = lambda _told: None
    outlet = DecisionOutlet(again, records, clock)

    assert outlet.send() is True
    assert outlet.send() is True
    told = [(type(one).__name__, getattr(one, "revoked_by", None)) for one in records.kept]
    assert told == [("KeptGrant", ""), ("KeptGrant", "ben"), ("Policy", None)]
    assert Decisions(path, clock, _DEFAULTS).unsent() == ()


def test_a_policy_whose_plant_the_database_does_not_know_yet_waits_and_holds_nothing_up(
    decisions: Decisions, clock: ManualClock
) -> None:
    """404 comes before the collector has registered the plants; any other refusal is for good."""
    records = _Records()
    decisions.set_policy(replace(_DEFAULTS["one"], by="anna"))
    decisions.grant(Grant(actuator_id="one", by="anna", since=clock.wall()))
    records.fails = lambda told: RefusedRequestError(404, {}) if isinstance(told, Policy) else None

    assert DecisionOutlet(decisions, records, clock).send() is False
    assert [type(one) for one in decisions.unsent()] == [Policy]
    records.fails = lambda _told: RefusedRequestError(422, {})

    assert DecisionOutlet(decisions, records, clock).send() is True
    assert decisions.unsent() == ()
