"""Secrets: made once, private, agreed on by all who start together."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor

from dt.utils.config import Settings, load_settings
from dt.utils.secrets import ensure_token, sign, verify


def test_the_token_is_made_at_the_first_run_and_private(settings: Settings) -> None:
    """Mode 0600, and the same again at the second run."""
    fresh = load_settings(env_file=None, data_dir=settings.data_dir)

    token = ensure_token(fresh)

    path = settings.data_dir / "dt_token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(token) >= 32
    assert ensure_token(fresh) == token


def test_services_that_start_together_agree_on_one_token(settings: Settings) -> None:
    """Eight at once make one file and read one token."""
    fresh = load_settings(env_file=None, data_dir=settings.data_dir / "new")

    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: ensure_token(fresh), range(32)))

    assert len(tokens) == 1
    assert [path.name for path in fresh.data_dir.iterdir()] == ["dt_token"]


def test_a_signature_is_good_for_its_value_and_token_alone() -> None:
    """Any change breaks it."""
    signature = sign(b"dose", "token")

    assert verify(b"dose", signature, "token")
    assert not verify(b"dosE", signature, "token")
    assert not verify(b"dose", signature, "other")
    assert not verify(b"dose", None, "token")
