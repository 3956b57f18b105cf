"""Commands configure logging for their own process; afterwards it is as the other tests want it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dt.utils.logger import configure_logging


@pytest.fixture(autouse=True)
def _logs_as_before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield
    configure_logging(tmp_path_factory.mktemp("logs"), "ERROR")
