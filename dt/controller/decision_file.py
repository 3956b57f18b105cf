"""The file of what people decided: read with its older form, replaced whole."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dt.controller.modes import ModeChoice
from dt.controller.vacation import Vacation
from dt.utils.dataclasses import Grant, KeptGrant, Policy
from dt.utils.exceptions import MessageError, StorageError
from dt.utils.whole_file import make_names_durable

_SCHEMA = 2
MOST_UNSENT = 1000  # of more, the oldest goes: the database then lacks a line of history, and nothing else


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionState:
    """Grants, modes and policies by actuator, a vacation, and what the records of the database lack yet."""

    grants: Mapping[str, Grant] = field(default_factory=dict)
    modes: Mapping[str, ModeChoice] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)
    vacation: Vacation | None = None
    unsent: tuple[Policy | KeptGrant, ...] = ()


def read_decisions(path: Path, defaults: Mapping[str, Policy]) -> DecisionState:
    """Return what a file says; OSError, ValueError or MessageError for one that cannot be read.

    The older form had a policy a plant: it holds for each of the plant's actuators in `defaults`.
    """
    saved = json.loads(path.read_text("utf-8"))
    if not isinstance(saved, dict):
        raise MessageError("$", "must be an object")
    policies = _section(saved, "policies")
    is_old = "schema" not in saved
    return DecisionState(
        grants={grant.actuator_id: grant for grant in map(Grant.from_dict, _section(saved, "grants").values())},
        modes={mode.actuator_id: mode for mode in map(ModeChoice.from_dict, _section(saved, "modes").values())},
        policies=_of_plants(policies, defaults) if is_old else _of_actuators(policies),
        vacation=None if saved.get("vacation") is None else Vacation.from_dict(saved["vacation"]),
        unsent=tuple(_unsent(entry) for entry in saved.get("unsent", ())),
    )


def write_decisions(path: Path, state: DecisionState) -> None:
    """Replace the file, durably; raises StorageError, and then the old one stands."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("w", encoding="utf-8") as file:
            json.dump(_body(state), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        make_names_durable(path.parent)
    except OSError as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise StorageError(f"the decision cannot be saved: {error}") from error


def _body(state: DecisionState) -> dict[str, Any]:
    return {
        "schema": _SCHEMA,
        "grants": {name: grant.to_dict() for name, grant in state.grants.items()},
        "modes": {name: mode.to_dict() for name, mode in state.modes.items()},
        "policies": {name: policy.to_dict() for name, policy in state.policies.items()},
        "vacation": None if state.vacation is None else state.vacation.to_dict(),
        "unsent": [
            {"kind": "policy" if isinstance(one, Policy) else "grant", "body": one.to_dict()}
            for one in state.unsent[-MOST_UNSENT:]
        ],
    }


def _section(saved: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = saved.get(name, {})
    if not isinstance(section, dict):
        raise MessageError(name, "must be an object")
    return section


def _of_actuators(saved: Mapping[str, Any]) -> dict[str, Policy]:
    return {name: Policy.from_dict(body) for name, body in saved.items()}


def _of_plants(saved: Mapping[str, Any], defaults: Mapping[str, Policy]) -> dict[str, Policy]:
    made: dict[str, Policy] = {}
    for plant_id, body in saved.items():
        if not isinstance(body, dict) or not isinstance(body.get("enabled"), bool):
            raise MessageError("policies", f"must say whether they are enabled, not {body!r}")
        for name, default in defaults.items():
            if default.plant_id == plant_id:
                made[name] = Policy.from_dict({**default.to_dict(), **body, "plant_id": plant_id, "version": 1})
    return made


def _unsent(entry: Any) -> Policy | KeptGrant:
    if not isinstance(entry, dict) or entry.get("kind") not in ("policy", "grant"):
        raise MessageError("unsent", f"must be policies and grants, not {entry!r:.80}")
    kind: type[Policy] | type[KeptGrant] = Policy if entry["kind"] == "policy" else KeptGrant
    return kind.from_dict(entry["body"])
