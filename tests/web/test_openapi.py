"""The OpenAPI document says what the service does, no more and no less."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from engine import Engine

UNDOCUMENTED = {"/", "/docs", "/docs/assets/{name}", "/openapi.json", "/static/{filename}"}


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").get_json()
    return found


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            yield from nodes(item)


def test_every_path_and_method_is_documented_and_no_other(
    engine: Engine, document: dict[str, Any]
) -> None:
    served = set()
    for rule in create_app(engine).url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        served |= {(path, m.lower()) for m in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    documented = {(path, method) for path, item in document["paths"].items() for method in item}
    assert documented == {pair for pair in served if pair[0] not in UNDOCUMENTED}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    references = [node["$ref"] for node in nodes(document) if isinstance(node.get("$ref"), str)]
    assert references
    for reference in references:
        assert reference.removeprefix("#/components/schemas/") in schemas


def test_nothing_is_left_that_openapi_3_0_does_not_know(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.0.")
    for node in nodes(document["components"]["schemas"]):
        assert node.get("type") != "null"
        assert not isinstance(node.get("examples"), list)
        assert "const" not in node
        assert isinstance(node.get("exclusiveMinimum", True), bool)


def test_path_parameters_are_declared(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            declared = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert declared == set(re.findall(r"{(\w+)}", path))


def test_operation_ids_are_unique_and_all_have_a_summary(document: dict[str, Any]) -> None:
    operations = [op for item in document["paths"].values() for op in item.values()]
    assert len({op["operationId"] for op in operations}) == len(operations)
    assert all(op["summary"] for op in operations)


def test_runtime_settings_carry_the_limits_of_the_settings(document: dict[str, Any]) -> None:
    asked = document["components"]["schemas"]["ConfigChange"]
    assert asked["properties"]["max_false_accusation"]["maximum"] == 0.5
    assert asked["properties"]["min_images_per_class"]["minimum"] == 5
    assert asked["properties"]["collect"]["maxItems"] == 50
    assert asked["properties"]["collect"]["type"] == "array"
    assert "required" not in asked


@pytest.mark.parametrize(
    ("path", "usual", "most"),
    [
        ("/jobs", 20, 500),
        ("/nights", 20, 500),
        ("/crawls", 20, 500),
        ("/models", 100, 1000),
        ("/training_history", 100, 1000),
        ("/models/{version}/changes", 100, 10_000),
    ],
)
def test_how_many_are_listed_is_said_with_its_limits(
    document: dict[str, Any], path: str, usual: int, most: int
) -> None:
    (n,) = (p for p in document["paths"][path]["get"]["parameters"] if p["name"] == "n")
    limits = {"type": "integer", "minimum": 1, "maximum": most, "default": usual}
    assert n["schema"] == limits


def test_examples_of_requests_are_accepted(client: FlaskClient, document: dict[str, Any]) -> None:
    fields = document["components"]["schemas"]["NewTask"]["properties"]
    example = {name: field["example"] for name, field in fields.items() if "example" in field}
    assert client.post("/tasks", json=example).status_code == 201
    fields = document["components"]["schemas"]["ConfigChange"]["properties"]
    example = {name: field["example"] for name, field in fields.items()}
    assert client.post("/config", json=example).status_code == 200
