"""The collector's own small client binds as the large one does."""

from __future__ import annotations

import pytest

from dt.communication.binding_api import BindingApiClient
from dt.data.database.app import DatabaseService
from dt.utils.exceptions import RefusedRequestError, RemoteServiceError
from tests.data.readings import make_descriptor


def test_a_sensor_is_bound_once(database: DatabaseService) -> None:
    """New, known, and in conflict: as `DatabaseApiClient.bind_sensor`."""
    client = BindingApiClient(f"http://127.0.0.1:{database.port}/", "test-token")

    assert client.bind_sensor(make_descriptor()) is True
    assert client.bind_sensor(make_descriptor()) is False
    with pytest.raises(RefusedRequestError) as refusal:
        client.bind_sensor(make_descriptor(kind="sht31"))
    assert (refusal.value.status, refusal.value.problem["field"]) == (409, "kind")


def test_a_wrong_token_is_refused(database: DatabaseService) -> None:
    """Binding writes."""
    with pytest.raises(RefusedRequestError) as refusal:
        BindingApiClient(f"http://127.0.0.1:{database.port}", "wrong").bind_sensor(make_descriptor())
    assert refusal.value.status == 401


def test_a_database_that_is_away_may_come_back() -> None:
    """The error is one to try again after."""
    with pytest.raises(RemoteServiceError) as error:
        BindingApiClient("http://127.0.0.1:1", "test-token", 1.0).bind_sensor(make_descriptor())
    assert error.value.retriable
