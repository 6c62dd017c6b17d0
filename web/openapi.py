"""The OpenAPI document, made from the table of routes and the payload models."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from config import VERSION
from web.guard import Level
from web.payloads import ErrorBody
from web.route import Parameter, Route, paths_of

REFERENCE = "#/components/schemas/{model}"
TASK_NOTE = "Paths at the root act on the task `authenticity`."


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole document, in OpenAPI 3.0, which the bundled page can show."""
    documented = [route for route in routes if route.gives]
    models = {model for route in documented for model in _models_of(route)} | {ErrorBody}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, schema = models_json_schema([(m, "validation") for m in ordered], ref_template=REFERENCE)
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "Exposr",
            "version": VERSION,
            "description": "Says whether a picture is AI-generated or real, and tells apart "
            f"whatever else it is taught. {TASK_NOTE}",
            "license": {"name": "MIT"},
        },
        "paths": _paths(documented),
        "components": {
            "schemas": _to_3_0(schema.get("$defs", {})),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _models_of(route: Route) -> Iterable[type[BaseModel]]:
    for what in (route.gives, *route.takes.values()):
        for model in get_args(what) or (what,):
            if isinstance(model, type) and issubclass(model, BaseModel):
                yield model


def _paths(routes: Iterable[Route]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for route in routes:
        for path in paths_of(route):
            shown = re.sub(r"<(\w+)>", r"{\1}", path)
            paths.setdefault(shown, {})[route.method.lower()] = _operation(route, path)
    return paths


def _operation(route: Route, path: str) -> dict[str, Any]:
    summary, _, rest = inspect.cleandoc(route.view.__doc__ or "").partition("\n")
    under_task = path != route.path
    operation: dict[str, Any] = {
        "operationId": route.endpoint + ("_of_task" if under_task else ""),
        "summary": summary,
        "description": rest.strip(),
        "tags": ["tasks" if "/tasks" in path else "default task"],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"<(\w+)>", path)
        ]
        + [_parameter(parameter) for parameter in route.asks],
        "responses": _responses(route, with_404="<" in path),
    }
    if route.takes:
        content = {kind: {"schema": _schema(what)} for kind, what in route.takes.items()}
        operation["requestBody"] = {"required": True, "content": content}
    if route.level is not Level.PUBLIC:
        operation["security"] = [{}, {"key": []}]
        operation["x-access-level"] = route.level.value
    return operation


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": False,
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }


def _responses(route: Route, *, with_404: bool) -> dict[str, Any]:
    refusals = set(route.refusals) | ({404} if with_404 else set())
    if route.level is not Level.PUBLIC:
        refusals |= {401, 403}
    responses = {
        str(status): _response(status, route.gives, route.media)
        for status in (route.status, *route.also)
    }
    for status in sorted(refusals):
        what = route.gives if status == 503 and route.endpoint == "health" else ErrorBody
        responses[str(status)] = _response(status, what)
    return responses


def _response(status: int, what: Any, media: str = "application/json") -> dict[str, Any]:
    return {
        "description": HTTPStatus(status).phrase,
        "content": {media: {"schema": _schema(what)}},
    }


def _schema(what: Any) -> dict[str, Any]:
    if isinstance(what, dict):
        return what
    if get_args(what):
        return {"type": "array", "items": _schema(get_args(what)[0])}
    return {"$ref": REFERENCE.format(model=what.__name__)}


def _to_3_0(node: Any) -> Any:
    """JSON Schema as OpenAPI 3.0 has it: `nullable`, one `example`, boolean exclusive limits."""
    if isinstance(node, list):
        return [_to_3_0(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _to_3_0(item) for key, item in node.items()}
    if isinstance(node.get("examples"), list):
        node["example"] = node.pop("examples")[0]
    for exclusive, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(node.get(exclusive), int | float):
            node[limit] = node[exclusive]
            node[exclusive] = True
    if isinstance(node.get("anyOf"), list) and {"type": "null"} in node["anyOf"]:
        return _nullable(node)
    return node


def _nullable(node: dict[str, Any]) -> dict[str, Any]:
    others = [option for option in node.pop("anyOf") if option != {"type": "null"}]
    if len(others) > 1:
        return {**node, "anyOf": others, "nullable": True}
    if "$ref" in others[0]:
        return {**node, "allOf": others, "nullable": True}
    return {**others[0], **node, "nullable": True}
