"""Logs: two destinations, no doubles, one file a day."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from dt.utils.logger import DailyFileHandler, configure_logging, get_logger


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[io.StringIO]:
    """Log to a text stream and the test's folder; quiet again afterwards."""
    stream = io.StringIO()
    configure_logging(tmp_path, "INFO", stream)
    yield stream
    configure_logging(tmp_path, "ERROR", io.StringIO())


def _file(folder: Path) -> str:
    date = datetime.now().astimezone().strftime("%Y-%m-%d")
    return (folder / f"plant_twin_{date}.log").read_text("utf-8")


def test_info_goes_to_the_stream_and_debug_to_the_file(stream: io.StringIO, tmp_path: Path) -> None:
    """DEBUG is kept where nobody has to see it."""
    log = get_logger("dt.tests.levels")

    log.info("seen %s", "twice")
    log.debug("kept")

    assert "seen twice" in stream.getvalue()
    assert "kept" not in stream.getvalue()
    assert "seen twice" in _file(tmp_path)
    assert "kept" in _file(tmp_path)


def test_loggers_and_configurations_do_not_double_lines(stream: io.StringIO, tmp_path: Path) -> None:
    """A line is written once however often a logger was asked for and logging configured."""
    configure_logging(tmp_path, "INFO", stream)
    configure_logging(tmp_path, "INFO", stream)
    get_logger("dt.tests.double")

    get_logger("dt.tests.double").info("once")

    assert stream.getvalue().count("once") == 1
    assert _file(tmp_path).count("once") == 1


def test_the_correlation_id_stands_in_the_line(stream: io.StringIO) -> None:
    """A bound id can be searched for."""
    get_logger("dt.tests.bound").bind(correlation_id="abc-123").warning("dry")

    assert "dry [correlation_id=abc-123]" in stream.getvalue()


def test_a_line_after_midnight_goes_to_the_next_days_file(tmp_path: Path) -> None:
    """The file is that of the line's own day."""
    handler = DailyFileHandler(tmp_path)
    record = logging.LogRecord("dt", logging.INFO, __file__, 1, "late", None, None)
    record.created = datetime(2030, 1, 2, 0, 0, 1).astimezone().timestamp()

    handler.emit(record)
    handler.close()

    assert "late" in (tmp_path / "plant_twin_2030-01-02.log").read_text()


def test_asking_for_a_logger_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules may ask at import."""
    monkeypatch.chdir(tmp_path)

    get_logger("dt.tests.unused")

    assert list(tmp_path.iterdir()) == []
