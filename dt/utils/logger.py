"""Logs: INFO and above to a stream, everything to one file a day, correlation id in every line."""

from __future__ import annotations

import logging
import os
import sys
import threading
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    import structlog

_PLAIN = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
_FLAGS = frozenset({"exc_info", "stack_info", "stacklevel"})
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
    return cast("structlog.stdlib.BoundLogger", _LazyLogger(full))


class _LazyLogger:
    """Opens the configured handlers at the first line; structlog is loaded by the first that binds values."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bound: Any = None

    def __getattr__(self, attribute: str) -> Any:
        _ensure_configured()
        # Nobody can have bound a value to the context while structlog, 15 MB of a small machine, is not even loaded.
        if attribute in _PLAIN and "structlog" not in sys.modules:
            return partial(self._write, attribute)
        return getattr(self._structured(), attribute)

    def _write(self, method: str, event: str, *arguments: Any, **more: Any) -> None:
        if more.keys() <= _FLAGS:
            getattr(logging.getLogger(self._name), method)(event, *arguments, **more)
        else:
            getattr(self._structured(), method)(event, *arguments, **more)

    def _structured(self) -> Any:
        if self._bound is None:
            self._bound = _structured(self._name)
        return self._bound


def _structured(name: str) -> Any:
    import structlog

    return structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.PositionalArgumentsFormatter(),
            _append_context,
            structlog.stdlib.render_to_log_kwargs,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        context_class=dict,
    )


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
