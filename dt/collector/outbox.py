"""Records on their way to the log, on disk until it has them: kill -9 loses nothing, a power cut the last 10 s."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from dt.collector.outbox_bounds import Change, Drop, Limits, Loss, OnLoss
from dt.collector.outbox_disk import DiskShelf
from dt.collector.outbox_file import DiskCheck, OutboxFile
from dt.collector.outbox_sender import Sender
from dt.collector.outbox_shelf import Shelf
from dt.communication.messaging import MessagingService, Outgoing
from dt.utils.clock import Clock
from dt.utils.exceptions import ConfigError, DTError
from dt.utils.logger import get_logger

log = get_logger("dt.collector.outbox")


class OutboxClosedError(DTError):
    """A record came before the start, after the end, or in a process that was forked off."""


class Outbox:
    """Takes records of any kind and publishes them in order, each once in effect.

    `folder` None keeps them in memory alone. `keep_sent_s` is for a log that dies with the process: what was published
    within that time is published again by the next run, unless `forget_sent` was called at the end. `disk_check` raises
    what a disk would, before each use.
    """

    def __init__(
        self,
        messaging: MessagingService,
        clock: Clock,
        folder: Path | None,
        *,
        name: str = "outbox",
        limits: Limits | None = None,
        keep_sent_s: float = 0.0,
        disk_check: DiskCheck = lambda: None,
    ) -> None:
        self._file = None if folder is None else OutboxFile(folder / f"{name}.db", disk_check)
        self._listeners: list[OnLoss] = []
        limits = limits or Limits()
        self._shelf = (
            Shelf(limits, self._tell)
            if self._file is None
            else DiskShelf(clock, self._file, limits, keep_sent_s, self._tell)
        )
        self._sender = Sender(self._shelf, messaging, clock, self._tell)
        self._owner: TextIO | None = None
        self._pid = 0

    def start(self) -> None:
        """Open the file and begin to publish what is left in it; raises ConfigError when another process has it."""
        if self._file is not None:
            self._owner = _owned(self._file.path)
        self._pid = os.getpid()
        self._shelf.start()
        self._sender.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Publish what the log takes within the time, keep the rest durably, and close.

        What was sent within `keep_sent_s` stays too, until `forget_sent` says that the log's readers have it.
        """
        if self._pid != os.getpid():
            return
        self._pid = 0
        self._sender.stop(timeout_s)
        self._shelf.stop(timeout_s)
        if self._file is None and len(self):
            log.warning("%d records were not published before the end", len(self))
        elif self._shelf.why and self._shelf.in_memory:
            log.error("%d records are lost with the memory: %s", self._shelf.in_memory, self._shelf.why)
        self._let_go()

    def forget_sent(self) -> None:
        """Take off, after `stop`, what was sent: all of it has reached those who read a log that dies now."""
        if self._pid == 0 and isinstance(self._shelf, DiskShelf):
            self._shelf.forget_sent()

    def cut_power(self) -> None:
        """End as a power cut does: nothing more is sent, and what was not synced to the disk is thrown away."""
        self._pid = 0
        self._sender.stop(0.0)
        self._shelf.cut_power()
        self._let_go()

    def listen(self, on_loss: OnLoss) -> None:
        """Tell this listener, too, what is dropped or refused; on one of the outbox's own threads: it must not wait."""
        self._listeners.append(on_loss)

    def put(self, record: Outgoing, mark: str | None = None) -> None:
        """Take a record; returns when the disk has it (unsynced), or after 20 ms. A mark lets `rewrite` find it."""
        self.put_batch([record], mark)

    def put_batch(self, records: Sequence[Outgoing], mark: str | None = None) -> None:
        """Take several records in order, as `put` does."""
        if self._pid != os.getpid():
            raise OutboxClosedError("the outbox is not open in this process")
        self._shelf.put(records, mark)

    def put_latest(self, record: Outgoing) -> None:
        """Publish soon what only its newest value is worth having of, by topic and key; memory alone keeps it."""
        self._sender.put_latest(record)

    def rewrite(self, change: Change) -> None:
        """Change marked records that still wait: `change(record, mark)` returns the new one, or None to leave it."""
        self._shelf.rewrite(change)

    def note(self, name: str, text: str) -> None:
        """Keep a short text durably with the records; `noted` returns those of the run before."""
        self._shelf.note(name, text)

    def noted(self) -> dict[str, str]:
        """Return every note on disk; nothing while the disk is ill."""
        return self._shelf.noted()

    def __len__(self) -> int:
        return len(self._shelf)

    @property
    def is_drained(self) -> bool:
        """Return whether nothing waits."""
        return len(self) == 0

    @property
    def waiting_bytes(self) -> int:
        """Return how many bytes wait."""
        return self._shelf.bytes

    @property
    def dropped(self) -> int:
        """Return how many records were dropped, the outbox being full."""
        return self._shelf.dropped

    @property
    def refused(self) -> int:
        """Return how many records the log refused for good."""
        return self._sender.refused

    @property
    def published(self) -> int:
        """Return how many records the log has taken."""
        return self._sender.published

    @property
    def syncs(self) -> int:
        """Return how often a commit was synced; folding the log in syncs too, and is rare."""
        return 0 if self._file is None else self._file.syncs

    @property
    def disk_why(self) -> str:
        """Return why the disk is not used at present; empty when it is."""
        return self._shelf.why

    def log_trouble(self) -> str | None:
        """Return why the log takes nothing while records wait for it; None when it does, or nothing waits."""
        why, waiting = self._sender.why, len(self)
        if not why or not waiting:
            return None
        lost = f", {self.dropped} were dropped" if self.dropped else ""
        return f"the log is away and {waiting} records wait{lost}: {why}"

    def health(self) -> dict[str, object]:
        """Return what waits, what was lost, and how disk and log do."""
        return {
            "waiting": len(self),
            "waiting_bytes": self.waiting_bytes,
            "published": self.published,
            "dropped": self.dropped,
            "refused": self.refused,
            "disk": self.disk_why or ("memory alone" if self._file is None else "ok"),
            "in_memory": self._shelf.in_memory,
            "unsynced_s": round(self._shelf.unsynced_s, 3),
            "log": self._sender.why or "ok",
            "moved_aside": [] if self._file is None else [path.name for path in self._file.moved_aside],
            "unreadable": 0 if self._file is None else self._file.unreadable,
        }

    def _tell(self, records: Sequence[Outgoing], why: Loss) -> None:
        for listener in self._listeners:
            listener(records, why)

    def _let_go(self) -> None:
        if self._owner is not None:
            self._owner.close()
            self._owner = None


def _owned(path: Path) -> TextIO | None:
    """Hold the file for this process until its end; None where the disk does not even take a lock."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f"{path.name}.lock").open("w", encoding="ascii")
    except OSError as error:
        log.warning("%s cannot be held for this process: %s", path, error)
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise ConfigError(f"DATA_DIR: another process has the outbox {path}") from error
    except OSError:
        with contextlib.suppress(OSError):
            lock.close()
        return None
    return lock


__all__ = ["Drop", "Limits", "Loss", "Outbox", "OutboxClosedError"]
