"""What one check of the doctor says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dt.utils.config import Settings


class Finding(StrEnum):
    """How a check ended; only `failed` makes `dt doctor` fail."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the report; what is not fine carries its remedy."""

    name: str
    finding: Finding
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What the checks look at: the settings, and where each came from."""

    settings: Settings
    origins: dict[str, str]


def fine(name: str, detail: str) -> Check:
    """Return a check that found nothing wrong."""
    return Check(name=name, finding=Finding.OK, detail=detail)


def failed(name: str, detail: str, remedy: str) -> Check:
    """Return a check that found what keeps the product from running."""
    return Check(name=name, finding=Finding.FAILED, detail=detail, remedy=remedy)


def warned(name: str, detail: str, remedy: str) -> Check:
    """Return a check that found what may bite later."""
    return Check(name=name, finding=Finding.WARNING, detail=detail, remedy=remedy)


def skipped(name: str, why: str) -> Check:
    """Return a check that does not apply here."""
    return Check(name=name, finding=Finding.SKIPPED, detail=why)
