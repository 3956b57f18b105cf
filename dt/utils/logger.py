"""Logs: INFO and above to a stream, everything to one file a day, correlation id in every line."""

from __future__ import annotations

import logging
import os
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO, cast

import structlog

_ROOT = "dt"
_KEEP_DAYS = 14
_lock = threading.RLock()
_installed: list[logging.Handler] = []


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger; nothing is opened before its first line.

    A program that never called `configure_logging` logs to stdout and LOG_DIR (default `logs`).
    """
    if name == "__main__" and (spec := getattr(sys.modules[name], "__spec__", None)) is not None:
        name = spec.name  # of a module that is run with -m
    full = name if name == _ROOT or name.startswith(f"{_ROOT}.") else f"{_ROOT}.{name}"
    return cast(structlog.stdlib.BoundLogger, _LazyLogger(full))


class _LazyLogger:
    """Binds to the configured handlers at the first line that is written."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bound: Any = None

    def __getattr__(self, attribute: str) -> Any:
        if self._bound is None:
            _ensure_configured()
            self._bound = structlog.wrap_logger(
                logging.getLogger(self._name),
                processors=_PROCESSORS,
                wrapper_class=structlog.stdlib.BoundLogger,
                context_class=dict,
            )
        return getattr(self._bound, attribute)


def configure_logging(log_dir: Path | None = None, level: str | None = None, stream: TextIO | None = None) -> None:
    """Send INFO and above to the stream (stdout), all to `plant_twin_<date>.log`; replaces what was set."""
    folder = log_dir or Path(os.environ.get("LOG_DIR", "logs"))
    shown = level or os.environ.get("LOG_LEVEL", "INFO")
    with _lock:
        root = logging.getLogger(_ROOT)
        for handler in _installed:
            root.removeHandler(handler)
            handler.close()
        _installed[:] = [_stream_handler(stream or sys.stdout, shown), *_file_handlers(folder)]
        for handler in _installed:
            root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        root.propagate = False


def _ensure_configured() -> None:
    if not _installed:
        configure_logging()


def _stream_handler(stream: TextIO, level: str) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.setLevel(level)
    handler.setFormatter(logging.Formatter(_FORMAT, _TIME))
    return handler


def _file_handlers(folder: Path) -> list[logging.Handler]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = DailyFileHandler(folder)
    except OSError as error:
        sys.stderr.write(f"logs: no file under {folder}: {error}\n")
        return []
    handler.setLevel(logging.DEBUG)
    handler.setFormatter(logging.Formatter(_FORMAT, _TIME))
    return [handler]


class DailyFileHandler(logging.FileHandler):
    """Appends to `plant_twin_<date>.log`, moves on to a new file each day and keeps a fortnight."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._date = _today(None)
        super().__init__(self._path_of(self._date), encoding="utf-8", delay=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line into the file of the line's own day."""
        date = _today(record.created)
        if date != self._date:
            self._date = date
            self.close()
            self.baseFilename = str(self._path_of(date).absolute())
            self.stream = self._open()
            self._remove_old()
        super().emit(record)

    def _path_of(self, date: str) -> Path:
        return self._folder / f"plant_twin_{date}.log"

    def _remove_old(self) -> None:
        for path in sorted(self._folder.glob("plant_twin_*.log"))[:-_KEEP_DAYS]:
            path.unlink(missing_ok=True)


def _today(created: float | None) -> str:
    moment = datetime.now().astimezone() if created is None else datetime.fromtimestamp(created).astimezone()
    return moment.strftime("%Y-%m-%d")


def _append_context(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Put bound values (correlation id first) behind the message."""
    text = str(event.pop("event", ""))
    flags = {key: event.pop(key) for key in ("exc_info", "stack_info", "stacklevel") if key in event}
    values = " ".join(f"{key}={value}" for key, value in event.items())
    return {"event": f"{text} [{values}]" if values else text, **flags}


_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_TIME = "%Y-%m-%dT%H:%M:%S%z"
_PROCESSORS: list[Any] = [
    structlog.stdlib.filter_by_level,
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.PositionalArgumentsFormatter(),
    _append_context,
    structlog.stdlib.render_to_log_kwargs,
]
