"""The examples in the collector's docstrings are true."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

MODULES = ["camera_spec", "mocks.host", "kinds.options", "kinds.seesaw", "kinds.light_intensity"]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name: str) -> None:
    """Each function gives the value that its docstring shows."""
    found = doctest.testmod(import_module(f"dt.collector.{name}"))

    assert found.attempted > 0
    assert found.failed == 0
