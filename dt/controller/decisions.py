"""What people decided: grants, modes, policies, a vacation; on disk at once, and announced to the records later."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from dt.controller.decision_file import MOST_UNSENT, DecisionState, read_decisions, write_decisions
from dt.controller.modes import Mode, ModeChoice, ModeNow, lasting_mode, mode_now, takes_freedom
from dt.controller.vacation import Vacation
from dt.utils.clock import Clock
from dt.utils.dataclasses import Grant, KeptGrant, Policy
from dt.utils.exceptions import DTError, StorageError
from dt.utils.logger import get_logger

_EARLY_S = 5.0  # how far the clock may have been set back since a decision was made
_NOBODY = "the controller"

log = get_logger(__name__)


class Decisions:
    """Grants, modes and policies by actuator, in one JSON file that is replaced whole.

    What gives more freedom holds only once it is saved; what takes it away holds at once. What ends, ends by the wall
    clock or the monotonic one, whichever is first, and stays ended.
    """

    def __init__(self, path: Path, clock: Clock, defaults: Mapping[str, Policy] | None = None) -> None:
        self._path = path
        self._clock = clock
        self._defaults = dict(defaults or {})
        self._lock = threading.RLock()
        self._state = DecisionState()
        self._ends_s: dict[tuple[str, str], float] = {}  # monotonic, by kind and actuator
        self._load()

    # -- grants -------------------------------------------------------------------------------------------------

    def grant(self, grant: Grant) -> None:
        """Let policies use an actuator on their own; raises StorageError, and then they may not."""
        with self._lock:
            self._save(self._granted(grant, self._state))
            self._note_end("grant", grant.actuator_id, grant.since, grant.until)

    def withdraw(self, actuator_id: str, by: str = "person") -> bool:
        """Take a grant back; False when there was none. Raises StorageError when a restart would bring it back."""
        with self._lock:
            grant = self._state.grants.get(actuator_id)
            if grant is not None:
                self._state = self._revoked(grant, by)
            self._save(self._state)
        return grant is not None

    def grant_of(self, actuator_id: str) -> Grant | None:
        """Return the grant that holds now, or None."""
        with self._lock:
            grant = self._state.grants.get(actuator_id)
            if grant is None or grant.until is None:
                return grant
            if self._has_ended("grant", actuator_id, grant.until):
                self._forget(f"the grant of {actuator_id}", self._revoked(grant, _NOBODY))
                return None
            return grant if self._clock.wall() >= grant.since - _EARLY_S else None

    # -- modes --------------------------------------------------------------------------------------------------

    def mode_of(self, actuator_id: str) -> ModeNow:
        """Return what an actuator may do now."""
        with self._lock:
            choice = self._state.modes.get(actuator_id)
            holds = choice is not None and choice.until is not None and not self._manual_is_over(choice)
            return mode_now(choice, self.grant_of(actuator_id), manual_holds=holds)

    def set_mode(self, actuator_id: str, mode: Mode, by: str, *, until: float | None = None, note: str = "") -> ModeNow:
        """Choose a mode; automatic records a grant, recommend withdraws it. Raises StorageError, MessageError."""
        now = self._clock.wall()
        with self._lock:
            before = lasting_mode(self._state.modes.get(actuator_id))
            manual_until = until if mode is Mode.MANUAL else None
            choice = ModeChoice(
                actuator_id=actuator_id, mode=mode, by=by, since=now, until=manual_until, before=before
            )  # fmt: skip
            self._choose(choice, until, note)
            self._note_end("manual", actuator_id, now, choice.until)
            return self.mode_of(actuator_id)

    def _choose(self, choice: ModeChoice, until: float | None, note: str) -> None:
        name, held = choice.actuator_id, self._state.grants.get(choice.actuator_id)
        state = self._state
        if choice.mode is Mode.RECOMMEND and held is not None:
            state = self._revoked(held, choice.by)
        if choice.mode is Mode.AUTOMATIC:
            grant = Grant(actuator_id=name, by=choice.by, since=choice.since, until=until, note=note)
            state = self._granted(grant, state)
        state = replace(state, modes={**state.modes, name: choice})
        policy = self.policy_of(name)
        if policy is not None:
            state = _to_send(state, replace(policy, mode=str(choice.mode), by=choice.by))
        if takes_freedom(self.mode_of(name).mode, choice.mode):
            self._state = state
        self._save(state)
        if choice.mode is Mode.AUTOMATIC:
            self._note_end("grant", name, choice.since, until)

    # -- policies -----------------------------------------------------------------------------------------------

    def policy_of(self, actuator_id: str) -> Policy | None:
        """Return an actuator's policy; None for one that nobody gave any."""
        with self._lock:
            return self._state.policies.get(actuator_id, self._defaults.get(actuator_id))

    def set_policy(self, policy: Policy) -> Policy:
        """Choose an actuator's policy as a new version; raises StorageError, and one to be enabled then is not."""
        name = policy.actuator_id or ""
        with self._lock:
            before = self.policy_of(name)
            version = 1 if before is None else before.version + 1
            made = replace(policy, version=version, since=self._clock.wall())
            state = replace(self._state, policies={**self._state.policies, name: made})
            if not made.enabled:
                self._state = state
            self._save(_to_send(state, made))
            return made

    # -- vacation -----------------------------------------------------------------------------------------------

    @property
    def vacation(self) -> Vacation | None:
        """Return the vacation that is on, or None."""
        with self._lock:
            trip = self._state.vacation
            if trip is None or not self._has_ended("vacation", "", trip.until):
                return trip
            self._forget("the vacation", replace(self._state, vacation=None))
            return None

    def start_vacation(self, trip: Vacation) -> None:
        """Share the water out from now on; raises StorageError."""
        with self._lock:
            self._save(replace(self._state, vacation=trip))
            self._note_end("vacation", "", trip.since, trip.until)

    def end_vacation(self) -> bool:
        """Water as always again; False when there was no vacation. Raises StorageError."""
        with self._lock:
            was_on = self.vacation is not None
            self._save(replace(self._state, vacation=None))
            return was_on

    # -- what the records lack yet ------------------------------------------------------------------------------

    def unsent(self) -> tuple[Policy | KeptGrant, ...]:
        """Return what the database was not told yet, oldest first."""
        return self._state.unsent

    def was_sent(self, told: Policy | KeptGrant) -> None:
        """Cross off what the database has; unsaved, it is told once more after a restart, which changes nothing."""
        with self._lock:
            rest = list(self._state.unsent)
            with suppress(ValueError):
                rest.remove(told)
            self._state = replace(self._state, unsent=tuple(rest))
            with suppress(StorageError):
                write_decisions(self._path, self._state)

    # -- helpers; the lock is held ------------------------------------------------------------------------------

    def _revoked(self, grant: Grant, by: str) -> DecisionState:
        grants = {name: one for name, one in self._state.grants.items() if name != grant.actuator_id}
        kept = KeptGrant.from_dict({**grant.to_dict(), "revoked_at": self._clock.wall(), "revoked_by": by})
        return _to_send(replace(self._state, grants=grants), kept)

    def _granted(self, grant: Grant, state: DecisionState) -> DecisionState:
        """Return the state with a grant; the one that it takes the place of counts as taken back."""
        before = state.grants.get(grant.actuator_id)
        if before is not None and before.since != grant.since:
            state = self._revoked(before, grant.by)
        kept = KeptGrant.from_dict(grant.to_dict())
        return _to_send(replace(state, grants={**state.grants, grant.actuator_id: grant}), kept)

    def _manual_is_over(self, choice: ModeChoice) -> bool:
        return choice.until is not None and self._has_ended("manual", choice.actuator_id, choice.until)

    def _note_end(self, kind: str, name: str, since: float, until: float | None) -> None:
        self._ends_s.pop((kind, name), None)
        if until is not None:
            left_s = until - max(self._clock.wall(), since)
            self._ends_s[kind, name] = self._clock.monotonic() + left_s

    def _has_ended(self, kind: str, name: str, until: float) -> bool:
        ends_s = self._ends_s.get((kind, name), float("-inf"))
        if self._clock.wall() >= until:
            self._ends_s[kind, name] = float("-inf")  # a clock that is set back revives nothing
            return True
        return self._clock.monotonic() >= ends_s

    def _forget(self, what: str, state: DecisionState) -> None:
        """Drop what ended, from the disk too: no clock that is set back revives it."""
        self._state = state
        try:
            self._save(state)
        except StorageError as error:
            log.warning("%s ended: %s", what, error)

    def _load(self) -> None:
        """Read the file; a damaged one grants nothing and is put aside, for a person needs the rest of the service."""
        try:
            self._state = read_decisions(self._path, self._defaults)
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, AttributeError, DTError) as error:
            aside = self._path.with_name(f"{self._path.name}.unreadable")
            log.error("%s cannot be read, so nothing is granted: %s; it is kept as %s", self._path, error, aside.name)  # noqa: TRY400
            with suppress(OSError):
                self._path.replace(aside)
            return
        for name, grant in self._state.grants.items():
            self._note_end("grant", name, grant.since, grant.until)
        for name, choice in self._state.modes.items():
            self._note_end("manual", name, choice.since, choice.until)
        if self._state.vacation is not None:
            self._note_end("vacation", "", self._state.vacation.since, self._state.vacation.until)

    def _save(self, state: DecisionState) -> None:
        write_decisions(self._path, state)
        self._state = state


def _to_send(state: DecisionState, change: Policy | KeptGrant) -> DecisionState:
    return replace(state, unsent=(*state.unsent, change)[-MOST_UNSENT:])
