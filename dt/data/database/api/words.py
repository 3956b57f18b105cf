"""What the OpenAPI document says that types cannot: words and limits of parameters, problems, examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dt.data.database.records import MOST_ITEMS
from dt.data.database.storage import MOST_POINTS
from dt.utils.dataclasses import MAX_QUERY_ROWS

GROUPS: Mapping[str, str] = {
    "registry": "What there is: zones, plants, sensors, calibrations, models.",
    "readings": "Measured and derived values, their series, and what is missing of them.",
    "records": "What happened, newest first, in pages: follow `next` as `cursor`.",
    "care": "What people do about alerts, what they write down, and what is on record of policies and grants.",
    "exports": "Readings as files.",
    "trace": "Causes and effects.",
    "service": "How the service does.",
}

PROBLEMS: Mapping[int, str] = {
    400: "The request cannot be understood.",
    401: "A token is needed, or this one is unknown.",
    403: "The token does not have the scope, or the service is not called so.",
    404: "There is no such thing.",
    405: "The endpoint does not take this method.",
    409: "It contradicts what is on record.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    422: "A field is wrong: `field` says which, `limit` what it may be.",
    429: "Too many wrong tokens, or exports at once; `Retry-After` says how long to wait.",
    501: "Not installed on this machine.",
    502: "The service that it was passed on to failed.",
    503: "The store is away for the moment.",
}

_NOON = 1_800_000_000.0

PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "since": {"description": "first instant; UTC epoch seconds or ISO 8601"},
    "until": {"description": "first instant after the range; UTC epoch seconds or ISO 8601"},
    "limit": {"description": "how many at most", "minimum": 1, "maximum": MOST_ITEMS},
    "ReadingsQuery.limit": {"description": "how many at most", "minimum": 1, "maximum": MAX_QUERY_ROWS},
    "points": {"description": "how many buckets at most", "minimum": 1, "maximum": MOST_POINTS},
    "cursor": {"description": "`next` of the page before"},
    "data_type": {"description": "quantity"},
    "verdicts": {"description": "good, suspect, bad; several with commas"},
    "plant_id": {"description": "plant"},
    "zone_id": {"description": "zone"},
    "note_id": {"description": "note"},
    "name": {"description": "name"},
    "sensor_id": {"description": "sensor"},
    "actuator_id": {"description": "actuator"},
    "alert_id": {"description": "alert"},
    "action_id": {"description": "action"},
    "correlation_id": {"description": "correlation id of anything in the chain"},
    "sha256": {"description": "SHA-256 of the picture, 64 hexadecimal digits"},
    "state": {"description": "open, acknowledged, resolved, reopened"},
    "outcome": {"description": "done, refused, stopped, failed, expired, recommended"},
    "quantity": {"description": "quantity"},
    "topic": {"description": "topic that the record came from"},
    "reason": {"description": "why nobody could use it"},
    "resolution": {"description": "a fixed width of buckets: a local day"},
    "timezone": {"description": "whose days, an IANA name; the zone's own unless given"},
}

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "SensorDescriptor": {
        "sensor_id": "soil-basil",
        "zone_id": "box",
        "plant_id": "basil",
        "data_type": "soil_moisture",
        "kind": "seesaw_soil",
        "address": 54,
        "read_interval": 60.0,
        "name": "Basil's soil",
    },
    "SensorChanges": {"calibration": {"points": [[330, 0.05], [1015, 0.45]]}},
    "Zone": {"zone_id": "box", "name": "Window box", "timezone": "Europe/Rome", "latitude": 45.5, "longitude": 9.2},
    "NewNote": {"text": "Repotted, and a new probe.", "plant_id": "basil", "by": "Ada"},
    "NewPolicy": {"policy": "recommendation", "enabled": False, "by": "Ada"},
    "Plant": {"plant_id": "basil", "zone_id": "box", "name": "Basil", "species": "basil", "pot_volume_l": 1.5},
    "DBTimestampQuery": {"data_type": "temperature", "since": "2031-05-02T00:00:00Z", "until": "2031-05-03T00:00:00Z"},
    "DBIdQuery": {"sensor_id": "soil-basil", "limit": 10},
    "SensorData": {
        "sensor_id": "air-t",
        "data_type": "temperature",
        "value": 21.5,
        "unit": "degC",
        "timestamp": _NOON,
        "correlation_id": "01a3185c-5c00-7000-8000-000000000001",
        "zone_id": "box",
        "quality": {"verdict": "good"},
    },
    "ProblemBody": {
        "type": "about:blank",
        "title": "Unusable field",
        "status": 422,
        "detail": "points: must be from 1 to 5000, not 9000",
        "field": "points",
        "limit": "must be from 1 to 5000, not 9000",
    },
}
