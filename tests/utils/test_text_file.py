"""Files that a setting names: what is wrong with one is said with the setting's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from dt.utils.exceptions import ConfigError
from dt.utils.text_file import text_of


def test_a_text_is_read_as_utf_8(tmp_path: Path) -> None:
    """Whatever the machine's own encoding is."""
    (tmp_path / "rig.toml").write_bytes("# größer".encode())

    assert text_of(tmp_path / "rig.toml", "RIG_FILE") == "# größer"


def test_a_file_that_is_no_text_is_refused_with_the_place(tmp_path: Path) -> None:
    """A picture, or another encoding."""
    (tmp_path / "rig.toml").write_bytes(b"ab\xff")

    with pytest.raises(ConfigError, match=r"RIG_FILE: .*rig\.toml: must be UTF-8: invalid start byte at byte 2"):
        text_of(tmp_path / "rig.toml", "RIG_FILE")


def test_a_missing_file_is_named_with_its_setting(tmp_path: Path) -> None:
    """So that a person knows what to change."""
    with pytest.raises(ConfigError, match=r"SIM_SCENARIO: .*none\.toml: No such file"):
        text_of(tmp_path / "none.toml", "SIM_SCENARIO")
