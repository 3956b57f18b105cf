"""The examples in the docstrings of the box are true."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

MODULES = ["air", "soil", "growth", "sensing", "wiring", "scenario", "chips.dht22", "chips.sht31"]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name: str) -> None:
    """Each formula gives the value that its docstring shows."""
    found = doctest.testmod(import_module(f"dt.simulator.{name}"))

    assert found.attempted > 0
    assert found.failed == 0
