"""Exit codes of `dt`."""

from __future__ import annotations

SUCCESS = 0
FAILURE = 1
WRONG_USE = 2
