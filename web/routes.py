"""Every path, who may call it, what it takes and what it gives: one table."""

from __future__ import annotations

from typing import Any

from flask import Flask
from pydantic import BaseModel

from review import ORDERS
from web import (
    archives,
    feedback,
    health,
    heatmaps,
    jobs,
    lessons,
    pages,
    pictures,
    review,
    settings,
    tasks,
    verdicts,
    versions,
)
from web.guard import Level
from web.payloads.archives import (
    ArchivesBody,
    ErasedBody,
    ResetBody,
    ResetRequest,
    RestoreRequest,
    SavedBody,
)
from web.payloads.feedback import (
    BulkRequest,
    CorrectionsBody,
    FeedbackRequest,
    PersonUndoneBody,
    ReceiptBody,
    ReceiptsBody,
    TrainRequest,
    UndoPersonRequest,
)
from web.payloads.jobs import (
    CrawlsBody,
    JobAskedBody,
    JobBody,
    JobsBody,
    NightsBody,
    RetrainRequest,
)
from web.payloads.lessons import ImportedBody
from web.payloads.review import QuarantineBody, QueueBody
from web.payloads.service import ConfigBody, ConfigChange, HealthBody
from web.payloads.tasks import (
    LinkRequest,
    NewTask,
    PromptsRequest,
    StatsBody,
    TaskBody,
    TaskDeleted,
    TasksBody,
    TaskSettings,
    UnlinkRequest,
    VariantsBody,
)
from web.payloads.verdicts import (
    BatchBody,
    BatchRequest,
    KeysBody,
    PictureRequest,
    SignedVerdictBody,
    UrlRequest,
    VerdictBody,
)
from web.payloads.versions import ChangesBody, ModelBody, MovedBody, RunBody, VersionsBody
from web.route import Parameter, Route, paths_of

PICTURE_REFUSALS = (400, 404, 413, 415, 422, 429, 503)
BODY_REFUSALS = (400, 413, 415, 422)
TEACH_REFUSALS = (*PICTURE_REFUSALS, 409)
TEXT = {"type": "string"}
FLAG = {"type": "boolean", "default": False}
DRY_RUN = Parameter("dry_run", "Show what would change; nothing does.", FLAG)
ONCE = Parameter(
    "Idempotency-Key", "Sent again with the same key, nothing is taken in twice.", TEXT, "header"
)


def how_many(usual: int, most: int) -> Parameter:
    """The query's `n`, with its limits."""
    limits = {"type": "integer", "minimum": 1, "maximum": most, "default": usual}
    return Parameter("n", "How many.", limits)


COUNT = Parameter("n", "How many.", {"type": "integer", "minimum": 1})
LATEST = how_many(versions.LISTED, versions.MOST_LISTED)
LATEST_JOBS = how_many(jobs.LISTED, jobs.MOST_LISTED)
PAGE = (
    COUNT,
    Parameter("before", "Only those before this `seq`.", {"type": "integer", "minimum": 0}),
    Parameter("person", "Only those of this person.", TEXT),
    Parameter("sha256", "Only those on this picture.", TEXT),
)
ORDER = Parameter("order", "What comes first.", {"type": "string", "enum": list(ORDERS)})
ON_CONFLICT = Parameter(
    "on_conflict",
    "Whether a picture labelled otherwise here keeps its label.",
    {"type": "string", "enum": list(lessons.ON_CONFLICT)},
)


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
SAID: dict[str, Any] = {"label": TEXT, "variant_of": TEXT, "note": TEXT, "dry_run": FLAG}
CORRECTION: dict[str, type[BaseModel] | dict[str, Any]] = {
    "application/json": FeedbackRequest,
    "multipart/form-data": {
        "type": "object",
        "properties": {"image": BINARY, **SAID, "verdict_id": TEXT},
    },
}
EXAMPLE: dict[str, type[BaseModel] | dict[str, Any]] = {
    "multipart/form-data": {
        "type": "object",
        "required": ["image", "label"],
        "properties": {"image": BINARY, **SAID},
    },
    "application/json": TrainRequest,
}
LESSON: dict[str, type[BaseModel] | dict[str, Any]] = {
    "multipart/form-data": {
        "type": "object",
        "required": ["archive"],
        "properties": {"archive": BINARY},
    },
    lessons.ZIP: BINARY,
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
        "GET", "/verdicts/<verdict_id>", verdicts.show_verdict, Level.READ, SignedVerdictBody,
        refusals=(404, 409), per_task=True,
    ),
    Route("GET", "/keys", verdicts.show_keys, Level.PUBLIC, KeysBody),
    Route(
        "GET", "/verdicts/<verdict_id>/heatmap", heatmaps.show_heatmap, Level.FEEDBACK, BINARY,
        refusals=(404, 409, 429), per_task=True, media="image/png",
    ),
    Route(
        "GET", "/model_info", versions.model_info, Level.READ, ModelBody,
        refusals=(404,), per_task=True,
    ),
    Route(
        "GET", "/models", versions.list_versions, Level.READ, VersionsBody,
        refusals=(404, 422), per_task=True, asks=(LATEST,),
    ),
    Route(
        "POST", "/models/<version>/promote", versions.promote_version, Level.ADMIN, MovedBody,
        refusals=(404, 409, 503), per_task=True,
    ),
    Route(
        "POST", "/models/rollback", versions.roll_back_version, Level.ADMIN, MovedBody,
        refusals=(404, 409, 503), per_task=True,
    ),
    Route(
        "GET", "/models/<version>/changes", versions.list_changes, Level.FEEDBACK, ChangesBody,
        refusals=(404, 422), per_task=True,
        asks=(how_many(versions.LISTED, versions.MOST_CHANGES),),
    ),
    Route(
        "GET", "/models/<version>/report", versions.show_report, Level.FEEDBACK, TEXT,
        refusals=(404,), per_task=True, media="text/html",
    ),
    Route(
        "POST", "/retrain", jobs.retrain, Level.ADMIN, JobAskedBody,
        {"application/json": RetrainRequest}, status=202, refusals=(404, 409, *BODY_REFUSALS),
        per_task=True,
    ),
    Route(
        "GET", "/jobs", jobs.list_jobs, Level.READ, JobsBody, refusals=(422,), asks=(LATEST_JOBS,)
    ),
    Route("GET", "/jobs/<job_id>", jobs.show_job, Level.READ, JobBody, refusals=(404,)),
    Route(
        "DELETE", "/jobs/<job_id>", jobs.cancel_job, Level.ADMIN, JobBody, refusals=(404, 409)
    ),
    Route(
        "GET", "/nights", jobs.list_nights, Level.READ, NightsBody, refusals=(422,),
        asks=(LATEST_JOBS,),
    ),
    Route(
        "GET", "/crawls", jobs.list_crawls, Level.READ, CrawlsBody, refusals=(422,),
        asks=(LATEST_JOBS,),
    ),
    Route(
        "GET", "/training_history", versions.training_history, Level.READ, list[RunBody],
        refusals=(404, 422), per_task=True, asks=(LATEST,),
    ),
    Route(
        "GET", "/stats", tasks.show_stats, Level.READ, StatsBody, refusals=(404,), per_task=True
    ),
    Route(
        "POST", "/feedback", feedback.give_feedback, Level.FEEDBACK, ReceiptBody, CORRECTION,
        status=201, also=(200,), refusals=TEACH_REFUSALS, per_task=True, asks=(DRY_RUN, ONCE),
    ),
    Route(
        "POST", "/feedback/bulk", feedback.give_feedback_in_bulk, Level.FEEDBACK, ReceiptsBody,
        {"application/json": BulkRequest}, refusals=(404, *BODY_REFUSALS), per_task=True,
        asks=(DRY_RUN, ONCE),
    ),
    Route(
        "POST", "/feedback/undo_person", feedback.undo_feedback_of_person, Level.ADMIN,
        PersonUndoneBody, {"application/json": UndoPersonRequest},
        refusals=(404, 409, *BODY_REFUSALS), per_task=True, asks=(DRY_RUN,),
    ),
    Route(
        "GET", "/feedback", feedback.list_feedback, Level.FEEDBACK, CorrectionsBody,
        refusals=(404, 422), per_task=True, asks=PAGE,
    ),
    Route(
        "GET", "/feedback/conflicts", review.list_conflicts, Level.FEEDBACK, QueueBody,
        refusals=(404, 422), per_task=True, asks=(COUNT,),
    ),
    Route(
        "GET", "/feedback/<correction_id>", feedback.show_receipt, Level.FEEDBACK, ReceiptBody,
        refusals=(404,), per_task=True,
    ),
    Route(
        "DELETE", "/feedback/<correction_id>", feedback.undo_feedback, Level.FEEDBACK, ReceiptBody,
        refusals=(404, 409, 422), per_task=True, asks=(DRY_RUN,),
    ),
    Route(
        "POST", "/tasks/<task>/train", feedback.train, Level.FEEDBACK, ReceiptBody, EXAMPLE,
        status=201, also=(200,), refusals=TEACH_REFUSALS, asks=(DRY_RUN, ONCE),
    ),
    Route(
        "POST", "/link_variants", tasks.link_variants, Level.ADMIN, VariantsBody,
        {"application/json": LinkRequest}, refusals=(404, 409, *BODY_REFUSALS), per_task=True,
    ),
    Route(
        "POST", "/unlink_variants", tasks.unlink_variants, Level.ADMIN, VariantsBody,
        {"application/json": UnlinkRequest}, refusals=(404, 409, *BODY_REFUSALS), per_task=True,
    ),
    Route(
        "GET", "/queue", review.show_queue, Level.FEEDBACK, QueueBody,
        refusals=(404, 422), per_task=True, asks=(COUNT, ORDER),
    ),
    Route(
        "GET", "/quarantine", review.show_quarantine, Level.FEEDBACK, QuarantineBody,
        refusals=(404, 422), per_task=True, asks=(COUNT,),
    ),
    Route(
        "GET", "/pictures/<sha256>", pictures.show_picture, Level.READ, BINARY,
        refusals=(404,), media="image/*",
    ),
    Route(
        "DELETE", "/pictures/<sha256>", pictures.erase_picture, Level.ADMIN, ErasedBody,
        refusals=(404,),
    ),
    Route(
        "GET", "/export_data", lessons.export_data, Level.FEEDBACK, BINARY,
        refusals=(404,), per_task=True, media=lessons.ZIP,
    ),
    Route(
        "POST", "/import_data", lessons.import_data, Level.ADMIN, ImportedBody, LESSON,
        refusals=(404, 409, *BODY_REFUSALS), per_task=True, asks=(DRY_RUN, ON_CONFLICT),
    ),
    Route(
        "POST", "/save", archives.save, Level.FEEDBACK, SavedBody, refusals=(404,), per_task=True
    ),
    Route(
        "POST", "/reset", archives.reset, Level.ADMIN, ResetBody,
        {"application/json": ResetRequest}, refusals=(404, *BODY_REFUSALS), per_task=True,
    ),
    Route(
        "GET", "/archives", archives.list_archives, Level.READ, ArchivesBody,
        refusals=(404,), per_task=True,
    ),
    Route(
        "POST", "/restore", archives.restore, Level.ADMIN, TaskBody,
        {"application/json": RestoreRequest}, refusals=(404, 409, *BODY_REFUSALS), per_task=True,
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
        "POST", "/tasks/<task>/prompts", tasks.describe_labels, Level.ADMIN, TaskBody,
        {"application/json": PromptsRequest}, refusals=(404, *BODY_REFUSALS),
    ),
    Route(
        "POST", "/tasks/<task>/settings", tasks.settle_task, Level.ADMIN, TaskBody,
        {"application/json": TaskSettings}, refusals=(404, *BODY_REFUSALS),
    ),
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
