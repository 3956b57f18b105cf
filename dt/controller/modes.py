"""What a person lets an actuator do: off, manual (with an end), recommend, automatic (under a grant, S14)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dt.utils.codec import Message, Timestamp, require_text
from dt.utils.dataclasses import Grant
from dt.utils.exceptions import MessageError

LONGEST_MANUAL_S = 30 * 86_400.0


class Mode(StrEnum):
    """Who may use an actuator."""

    OFF = "off"
    MANUAL = "manual"
    RECOMMEND = "recommend"
    AUTOMATIC = "automatic"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeChoice(Message):
    """What a person chose last for an actuator; at the end of `manual` the mode `before` comes back."""

    actuator_id: str
    mode: Mode
    by: str
    since: Timestamp
    until: Timestamp | None = None
    before: Mode = Mode.RECOMMEND

    def ensure_consistent(self) -> None:
        """Refuse a manual mode without an end, or with one that no person means."""
        require_text(self, "actuator_id", "by")
        if self.mode is not Mode.MANUAL:
            return
        if self.until is None:
            raise MessageError("until", "is missing; manual ends by itself, so say when (at most 30 days from now)")
        if not 0 < self.until - self.since <= LONGEST_MANUAL_S:
            raise MessageError("until", "must lie in the future, and at most 30 days from now")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeNow(Message):
    """The mode that holds now, who set it, since when, and until when (null: until somebody changes it)."""

    mode: Mode
    by: str = ""
    since: Timestamp | None = None
    until: Timestamp | None = None


def mode_now(choice: ModeChoice | None, grant: Grant | None, *, manual_holds: bool) -> ModeNow:
    """Return the mode that follows from a choice and the grant in force.

    >>> mode_now(None, None, manual_holds=False).mode
    <Mode.RECOMMEND: 'recommend'>
    """
    if choice is not None and choice.mode is Mode.MANUAL and manual_holds:
        return ModeNow(mode=Mode.MANUAL, by=choice.by, since=choice.since, until=choice.until)
    if choice is not None and _lasting(choice) is Mode.OFF:
        return ModeNow(mode=Mode.OFF, by=choice.by, since=choice.since)
    if grant is not None:
        return ModeNow(mode=Mode.AUTOMATIC, by=grant.by, since=grant.since, until=grant.until)
    if choice is None:
        return ModeNow(mode=Mode.RECOMMEND)
    return ModeNow(mode=Mode.RECOMMEND, by=choice.by, since=choice.since)


def takes_freedom(before: Mode, after: Mode) -> bool:
    """Return whether a change takes freedom away; such a one holds at once, any other only once it is saved."""
    return after is Mode.OFF or (after is not Mode.AUTOMATIC and before is not Mode.OFF)


def lasting_mode(choice: ModeChoice | None) -> Mode:
    """Return what comes back at the end of a manual mode that is set now."""
    return Mode.RECOMMEND if choice is None else _lasting(choice)


def _lasting(choice: ModeChoice) -> Mode:
    return choice.before if choice.mode is Mode.MANUAL else choice.mode
