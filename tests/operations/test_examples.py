"""The examples in the docstrings of operations are true."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

MODULES = ["checkup", "doctor_chips", "doctor_camera", "doctor_storage"]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name: str) -> None:
    """Each function gives the value that its docstring shows."""
    found = doctest.testmod(import_module(f"dt.operations.{name}"))

    assert found.attempted > 0
    assert found.failed == 0
