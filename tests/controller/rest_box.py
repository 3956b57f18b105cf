"""The REST of a controller, as a program with the token asks it."""

from __future__ import annotations

from typing import Any

import requests

from dt.controller.app import ControllerService


class Rest:
    """The controller's REST with the token."""

    def __init__(self, service: ControllerService) -> None:
        self.base = f"http://127.0.0.1:{service.port}"
        self._headers = {"Authorization": "Bearer test-token"}

    def __call__(self, method: str, path: str, body: dict[str, Any] | None = None) -> requests.Response:
        """Ask, with the token."""
        return requests.request(method, self.base + path, json=body, headers=self._headers, timeout=5)
