"""The REST client of the alerts service."""

from __future__ import annotations

from dt.communication.rest_client import RestClient, segment
from dt.utils.dataclasses import AlertEvent


class AlertsApiClient(RestClient):
    """Passes on what people decide about alerts."""

    def step(self, alert_id: str, step: str, by: str) -> AlertEvent:
        """Take a step, `acknowledge` or `resolve`, and return the alert as it now stands."""
        return AlertEvent.from_json(self._send("POST", f"alerts/{segment(alert_id)}/{step}", {"by": by}).content)
