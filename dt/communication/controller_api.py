"""The REST client of the controller's emergency stop."""

from __future__ import annotations

from dt.communication.rest_client import RestClient, json_of


class ControllerApiClient(RestClient):
    """Stops everything, and lets outputs start again."""

    def stop(self, by: str) -> bool:
        """Press the emergency stop; True when every output is known to be off."""
        return bool(json_of(self._send("POST", "emergency_stop", {"by": by}))["outputs_off"])

    def release(self, by: str) -> None:
        """Release the emergency stop in a person's name."""
        self._send("DELETE", "emergency_stop", {"by": by})
