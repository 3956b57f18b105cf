"""Doses whose effect is waited for, on disk: a controller that dies meanwhile judges them when it is back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dt.utils.codec import Message, Timestamp
from dt.utils.dataclasses import ActionResult
from dt.utils.exceptions import DTError, MessageError
from dt.utils.logger import get_logger
from dt.utils.whole_file import whole_file

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDose(Message):
    """What was there before, what was given since, and when, by the wall clock."""

    before: float
    spread: float
    before_at: Timestamp
    began_at: Timestamp
    ended_at: Timestamp
    delivered_ml: float
    degc: float | None = None
    drift_per_s: float = 0.0


class EffectFile:
    """Replaced whole, whenever a dose ends or is judged; what cannot be written or read is only logged."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, doses: Mapping[str, tuple[KeptDose, list[ActionResult]]]) -> None:
        """Keep what is waited for, by actuator."""
        body = {
            name: {"dose": dose.to_dict(), "results": [result.to_dict() for result in results]}
            for name, (dose, results) in doses.items()
        }
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self._path) as file:
                file.write(json.dumps(body).encode())
        except OSError as error:
            log.warning("doses that are waited for cannot be kept over a restart: %s", error)

    def load(self) -> dict[str, tuple[KeptDose, list[ActionResult]]]:
        """Return what was waited for; nothing where there is no file, or a damaged one."""
        try:
            return {name: _read(body) for name, body in json.loads(self._path.read_text("utf-8")).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, DTError) as error:
            log.warning("%s cannot be read, so the last doses are not judged: %s", self._path, error)
            return {}


def _read(body: Any) -> tuple[KeptDose, list[ActionResult]]:
    if not isinstance(body, dict) or not isinstance(body.get("results"), list):
        raise MessageError("$", "must be a dose with its results")
    return KeptDose.from_dict(body.get("dose", {})), [ActionResult.from_dict(one) for one in body["results"]]
