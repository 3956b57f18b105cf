"""The document at /openapi.json against the app that serves it and against its answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from flask import Flask
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from dt.data.database.app import DatabaseService
from dt.data.database.routes import add_routes
from dt.utils.clock import ManualClock
from dt.utils.config import Settings
from dt.utils.dataclasses import CameraFrame, SensorData
from dt.utils.http import create_api
from dt.utils.service import Service
from tests.data.database.full_store import TOKEN, fill

UNDESCRIBED = {"/docs/<path:filename>", "/static/<path:filename>"}
METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """Return the facade's app, which answers nothing here but its document."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("facade"), rig_file="none.toml")
    made = create_api(Service("database", ManualClock()), settings, "-", static_folder=None)
    nothing: Any = None
    add_routes(made, nothing, ManualClock())
    return made


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    """Return the document as it is served."""
    found: dict[str, Any] = app.test_client().get("/openapi.json").json
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and operation."""
    for path, item in document["paths"].items():
        for method in METHODS & item.keys():
            yield method.upper(), path, item[method]


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    """Return a validator of one schema of the document."""
    resource = Resource.from_contents(document, default_specification=DRAFT202012)
    rooted = {"$ref": f"urn:document{schema['$ref']}"} if "$ref" in schema else schema
    registry: Registry[Any] = Registry().with_resource("urn:document", resource)
    return Draft202012Validator(rooted, registry=registry)


def answer_schema(operation: dict[str, Any], answer: requests.Response) -> dict[str, Any]:
    """Return the schema of an answer; the status and its media type must be described."""
    described = operation["responses"][str(answer.status_code)]
    found: dict[str, Any] = described["content"][answer.headers["Content-Type"].partition(";")[0]].get("schema", {})
    return found


def test_every_route_is_in_the_document_and_nothing_else(app: Flask, document: dict[str, Any]) -> None:
    """A new endpoint without a description fails here."""
    routes = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule not in UNDESCRIBED
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert {(method, path) for method, path, _operation in operations(document)} == routes
    assert document["openapi"] == "3.1.0"


def test_every_operation_says_what_it_does_and_takes(document: dict[str, Any]) -> None:
    """People read the words; parameters have some too."""
    for method, path, operation in operations(document):
        assert operation["summary"].endswith("."), (method, path)
        assert "Scope:" in operation["description"], (method, path)
        for parameter in operation["parameters"]:
            assert parameter["description"], (method, path, parameter["name"])
        in_path = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path)), (method, path)


def test_every_reference_leads_somewhere_and_every_schema_is_one(document: dict[str, Any]) -> None:
    """Tools fail on a document with loose ends."""
    schemas = document["components"]["schemas"]
    text = repr(document)

    assert set(re.findall(r"'#/components/schemas/([^']+)'", text)) <= schemas.keys()
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


def test_every_example_validates(document: dict[str, Any]) -> None:
    """What people copy works."""
    found = 0
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", ()):
            found += 1
            validator(document, {"$ref": f"#/components/schemas/{name}"}).validate(example)
    assert found >= 7


def test_writing_needs_a_token_in_the_document_as_in_the_service(document: dict[str, Any]) -> None:
    """The two queries by POST are reads."""
    open_ones = {(m, p) for m, p, operation in operations(document) if {} in operation["security"]}

    assert ("POST", "/data/id") in open_ones
    assert {path for method, path in open_ones if method != "GET"} == {"/data/id", "/data/timestamp"}


def test_answers_of_a_full_store_are_as_described(
    document: dict[str, Any], database: DatabaseService, messaging: Any, eventually: Any
) -> None:
    """Every endpoint that reads is asked; its answer validates against the document."""
    ids = fill(database, messaging, eventually)
    asked = set()
    with requests.Session() as session:
        for method, path, operation in operations(document):
            if method != "GET" or path in ("/docs", "/export.parquet"):
                continue
            url = f"http://127.0.0.1:{database.port}{path.format(**ids)}"
            query = {p["name"]: ids[p["name"]] for p in operation["parameters"] if p["in"] == "query" and p["required"]}
            answer = session.get(url, params=query, headers=TOKEN, timeout=5)
            asked.add(path)
            assert answer.status_code == 200, (path, answer.text)
            schema = answer_schema(operation, answer)
            is_json = answer.headers["Content-Type"] == "application/json"
            validator(document, schema).validate(answer.json() if is_json else answer.text)
    assert len(asked) >= 14


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/data/timestamp", {"data_type": "temperature", "since": 0, "until": 3e9}),
        ("POST", "/data/id", {"sensor_id": "air-t"}),
        ("POST", "/data/id", {"sensor_id": "stranger"}),
        ("POST", "/data/id", {"sensor_id": 7}),
    ],
)
def test_answers_to_queries_are_as_described(
    document: dict[str, Any],
    database: DatabaseService,
    messaging: Any,
    eventually: Any,
    method: str,
    path: str,
    body: dict[str, Any],
) -> None:
    """Refusals are problem+json as described, too."""
    fill(database, messaging, eventually)

    answer = requests.request(method, f"http://127.0.0.1:{database.port}{path}", json=body, timeout=5)

    operation = document["paths"][path][method.lower()]
    validator(document, answer_schema(operation, answer)).validate(answer.json())


def test_described_fields_are_those_of_the_messages(document: dict[str, Any]) -> None:
    """The document is made of the types themselves."""
    for kind in (SensorData, CameraFrame):
        properties = document["components"]["schemas"][kind.__name__]["properties"]
        assert set(properties) == set(kind.__dataclass_fields__)
