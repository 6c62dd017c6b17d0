"""Every path, who may call it, what it takes and what it gives: one table."""

from __future__ import annotations

from typing import Any

from flask import Flask
from pydantic import BaseModel

from web import health, pages, settings, tasks, verdicts, versions
from web.guard import Level
from web.payloads.service import ConfigBody, ConfigChange, HealthBody
from web.payloads.tasks import NewTask, StatsBody, TaskBody, TaskDeleted, TasksBody
from web.payloads.verdicts import (
    BatchBody,
    BatchRequest,
    PictureRequest,
    UrlRequest,
    VerdictBody,
)
from web.payloads.versions import ModelBody, RunBody, VersionsBody
from web.route import Route, paths_of

PICTURE_REFUSALS = (400, 404, 413, 415, 422, 503)
BODY_REFUSALS = (400, 413, 415, 422)


BINARY = {"type": "string", "format": "binary"}
ONE_PICTURE: dict[str, type[BaseModel] | dict[str, Any]] = {
    "multipart/form-data": {
        "type": "object",
        "required": ["image"],
        "properties": {"image": BINARY},
    },
    "image/*": BINARY,
    "application/octet-stream": BINARY,
    "application/json": PictureRequest,
}
MANY_PICTURES: dict[str, type[BaseModel] | dict[str, Any]] = {
    "multipart/form-data": {
        "type": "object",
        "required": ["images"],
        "properties": {"images": {"type": "array", "items": BINARY, "minItems": 1}},
    },
    "application/json": BatchRequest,
}

ROUTES = (
    Route("GET", "/", pages.show_home, Level.PUBLIC),
    Route("GET", "/docs", pages.show_docs, Level.PUBLIC),
    Route("GET", "/docs/assets/<name>", pages.docs_asset, Level.PUBLIC),
    Route("GET", "/openapi.json", pages.show_openapi, Level.PUBLIC),
    Route("GET", "/health", health.health, Level.PUBLIC, HealthBody, refusals=(503,)),
    Route(
        "POST", "/classify", verdicts.classify_picture, Level.READ, VerdictBody, ONE_PICTURE,
        refusals=PICTURE_REFUSALS, per_task=True,
    ),
    Route(
        "POST", "/tasks/<task>/predict", verdicts.predict, Level.READ, VerdictBody, ONE_PICTURE,
        refusals=PICTURE_REFUSALS,
    ),
    Route(
        "POST", "/classify_url", verdicts.classify_url, Level.READ, VerdictBody,
        {"application/json": UrlRequest}, refusals=PICTURE_REFUSALS, per_task=True,
    ),
    Route(
        "POST", "/batch_classify", verdicts.batch_classify, Level.READ, BatchBody, MANY_PICTURES,
        refusals=PICTURE_REFUSALS, per_task=True,
    ),
    Route(
        "GET", "/verdicts/<verdict_id>", verdicts.show_verdict, Level.READ, VerdictBody,
        refusals=(404,), per_task=True,
    ),
    Route(
        "GET", "/model_info", versions.model_info, Level.READ, ModelBody,
        refusals=(404,), per_task=True,
    ),
    Route(
        "GET", "/models", versions.list_versions, Level.READ, VersionsBody,
        refusals=(404,), per_task=True,
    ),
    Route(
        "GET", "/training_history", versions.training_history, Level.READ, list[RunBody],
        refusals=(404,), per_task=True,
    ),
    Route(
        "GET", "/stats", tasks.show_stats, Level.READ, StatsBody, refusals=(404,), per_task=True
    ),
    Route("GET", "/config", settings.show_config, Level.READ, ConfigBody),
    Route(
        "POST", "/config", settings.change_config, Level.ADMIN, ConfigBody,
        {"application/json": ConfigChange}, refusals=BODY_REFUSALS,
    ),
    Route("GET", "/tasks", tasks.list_tasks, Level.READ, TasksBody),
    Route(
        "POST", "/tasks", tasks.create_task, Level.FEEDBACK, TaskBody,
        {"application/json": NewTask}, status=201, refusals=(*BODY_REFUSALS, 409),
    ),
    Route("GET", "/tasks/<task>", tasks.show_task, Level.READ, TaskBody, refusals=(404,)),
    Route(
        "DELETE", "/tasks/<task>", tasks.delete_task, Level.ADMIN, TaskDeleted,
        refusals=(404, 409),
    ),
)  # fmt: skip

LEVELS: dict[str, Level] = {"static": Level.PUBLIC} | {r.endpoint: r.level for r in ROUTES}


def add_routes(app: Flask) -> None:
    """Give the app every path of the table."""
    for route in ROUTES:
        for path in paths_of(route):
            app.add_url_rule(path, route.endpoint, route.view, methods=[route.method])
