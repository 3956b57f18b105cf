"""Lock-outs: outputs that may not start until a person releases them; on disk, so that they outlive restarts."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dt.utils.clock import Clock
from dt.utils.codec import Message, Timestamp, require_text
from dt.utils.exceptions import DTError, MessageError, StorageError
from dt.utils.logger import get_logger
from dt.utils.whole_file import whole_file

UNREADABLE = "the file of lock-outs cannot be read, so nobody knows whether it was locked out"

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOut(Message):
    """Why an output may not start: the invariant, what was measured against which limit, and since when."""

    actuator_id: str
    invariant: str
    why: str
    since: Timestamp
    value: float | None = None
    limit: float | None = None
    advice: str = ""

    def ensure_consistent(self) -> None:
        """Refuse a lock-out of nothing, or without a reason."""
        require_text(self, "actuator_id", "invariant", "why")


class Locks:
    """Lock-outs by actuator. One that cannot be saved holds all the same; a release holds only once it is saved."""

    def __init__(self, path: Path, clock: Clock, actuators: Iterable[str]) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[str, LockOut] = {}
        self._is_saved = True
        self._load(list(actuators))

    def of(self, actuator_id: str) -> LockOut | None:
        """Return why an actuator is locked out, or None."""
        return self._held.get(actuator_id)

    def all(self) -> list[LockOut]:
        """Return every lock-out."""
        with self._lock:
            return list(self._held.values())

    def lock(self, lock_out: LockOut) -> bool:
        """Lock an actuator out; False when it was already. Never raises: a full disk must not keep it unlocked."""
        with self._lock:
            if lock_out.actuator_id in self._held:
                return False
            self._held = {**self._held, lock_out.actuator_id: lock_out}
            self._save_if_possible()
        log.error("%s is locked out (%s): %s", lock_out.actuator_id, lock_out.invariant, lock_out.why)
        return True

    def release(self, actuator_id: str, by: str) -> LockOut | None:
        """Let an actuator start again, in a person's name; None when it was not locked out. Raises StorageError."""
        with self._lock:
            lock_out = self._held.get(actuator_id)
            if lock_out is None:
                return None
            rest = {name: one for name, one in self._held.items() if name != actuator_id}
            self._save(rest)
            self._held, self._is_saved = rest, True
        log.warning("%s is released by %s; it was locked out: %s", actuator_id, by, lock_out.why)
        return lock_out

    def save_again(self) -> None:
        """Write down what the disk refused before."""
        with self._lock:
            if not self._is_saved:
                self._save_if_possible()

    # -- helpers ------------------------------------------------------------------------------------------------

    def _save_if_possible(self) -> None:
        try:
            self._save(self._held)
            self._is_saved = True
        except StorageError as error:
            if self._is_saved:
                log.error("%s", error)  # noqa: TRY400 - one line for a person
            self._is_saved = False

    def _save(self, held: dict[str, LockOut]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self._path) as file:
                file.write(json.dumps({name: one.to_dict() for name, one in held.items()}, indent=2).encode())
        except OSError as error:
            raise StorageError(f"the lock-outs cannot be saved: {error}") from error

    def _load(self, actuators: list[str]) -> None:
        try:
            self._held = _locks_in(json.loads(self._path.read_text("utf-8")))
        except FileNotFoundError:
            return
        except (OSError, ValueError, DTError) as error:
            log.error("%s: %s; every output is locked out until a person releases it", self._path, error)  # noqa: TRY400
            now = self._clock.wall()
            self._held = {
                name: LockOut(
                    actuator_id=name, invariant="S7", why=UNREADABLE, since=now, advice="Look, then release it."
                )
                for name in actuators
            }


def _locks_in(saved: Any) -> dict[str, LockOut]:
    if not isinstance(saved, dict):
        raise MessageError("$", "must be an object")
    return {one.actuator_id: one for one in map(LockOut.from_dict, saved.values())}
