"""Health: a known picture is really decoded, embedded and decided."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from functools import cache

import numpy as np
from flask import Response
from numpy.typing import NDArray

import webhook
from config import VERSION
from decision import DEMO_REASON, Sight, decide_each
from domain import DEFAULT_TASK, ExposrError, NotFound, Task, TaskKind, Unavailable
from embeddings import Embedder
from embeddings.images import decode, encode_png
from engine import Engine
from models.decay import warnings
from web.answers import answer
from web.context import current_engine
from web.errors import describe_briefly
from web.jobs import NO_SCHEDULER, living_clocks
from web.payloads import ErrorDetail
from web.payloads.service import Canary, EmbedderBody, HealthBody, SchedulerHealth, TaskHealth
from web.payloads.tasks import task_body

log = logging.getLogger(__name__)

CANARY_SIDE = 96
CANARY_NAME = "canary"
"""In the place of a sha256: nobody can have labelled it."""


def health() -> Response:
    """Whether the service answers, with what, and what is wrong.

    503 when it could not answer a classify; `degraded` when it answers, but not as it should.
    """
    engine = current_engine()
    embedders = {kind.value: embedder_body(e) for kind, e in engine.embedders.items()}
    body = HealthBody(
        status="ok",
        embedder=embedders[TaskKind.AUTHENTICITY.value],
        embedders=embedders,
        tasks={},
        canary=Canary(ok=False, ms=0.0),
        scheduler=_scheduler(engine),
        version=VERSION,
        problems=[],
        notes=[],
    )
    try:
        _look(engine, body)
    except ExposrError as error:
        return _unavailable(body, error)
    except Exception:  # whatever breaks here breaks a classify; health says so
        log.exception("The canary failed")
        return _unavailable(body, Unavailable("A known picture got no answer; the log says why."))
    return answer(body)


def embedder_body(embedder: Embedder) -> EmbedderBody:
    """An embedder as the wire has it."""
    return EmbedderBody(
        id=embedder.id,
        dim=embedder.dim,
        device=embedder.device,
        runtime=embedder.runtime,
        reason=embedder.reason,
    )


def _scheduler(engine: Engine) -> SchedulerHealth:
    """When a night was last taken and is next due; empty where the database does not say."""
    seen = SchedulerHealth(last_run=None, next_run=None, running=0)
    try:
        nights, alive = engine.store.nights.all(1), living_clocks(engine, datetime.now(UTC))
    except ExposrError as error:  # the canary will say what is wrong
        log.warning("The schedule cannot be read: %s", error.message)
        return seen
    seen.running = len(alive)
    seen.last_run = nights[0].taken_at if nights else None
    seen.next_run = min((one.next_run for one in alive if one.next_run), default=None)
    return seen


def _unavailable(body: HealthBody, error: ExposrError) -> Response:
    body.status = "unavailable"
    body.problems = [error.message]
    body.error = ErrorDetail.model_validate({**describe_briefly(error), "code": Unavailable.code})
    return answer(body, 503)


def _look(engine: Engine, body: HealthBody) -> None:
    """Ask every task about the canary, the default task first and timed; fill in what is seen."""
    tasks = sorted(engine.store.tasks.all(), key=lambda task: task.name != DEFAULT_TASK)
    vectors: dict[TaskKind, NDArray[np.float32]] = {}
    started = time.perf_counter()
    for task in tasks:
        if task.kind not in vectors:
            vectors[task.kind] = _embed_canary(engine.embedders[task.kind])
        try:
            problem = _problem(engine, task, vectors[task.kind])
            seen = _task_health(engine, task, problem)
        except NotFound:  # deleted a moment ago
            continue
        if not body.canary.ok:
            ms = (time.perf_counter() - started) * 1000
            body.canary = Canary(ok=True, ms=round(ms, 3))
        body.tasks[task.name] = seen
    for name, seen in body.tasks.items():
        if seen.problem:
            body.problems.append(f"{name}: {seen.problem}")
        if seen.demo:
            body.notes.append(f"{name}: {DEMO_REASON}")
        body.problems.extend(f"{name}: {sentence}" for sentence in warnings(engine.store, name))
    body.notes.extend(webhook.warnings(engine.store))
    if not body.scheduler.running:
        body.notes.append(NO_SCHEDULER)
    body.status = "degraded" if body.problems else "ok"


def _embed_canary(embedder: Embedder) -> NDArray[np.float32]:
    vectors = embedder.embed([decode(canary())])
    if vectors.shape != (1, embedder.dim) or not abs(np.linalg.norm(vectors) - 1) < 1e-3:
        raise Unavailable(f"The embedder {embedder.id} gives no unit vector for a known picture.")
    return vectors


def _problem(engine: Engine, task: Task, vectors: NDArray[np.float32]) -> str | None:
    """Why a task is not answered by its current version; None if it is, or was never taught."""
    known = engine.learned.knowledge(task)
    sight = Sight(CANARY_NAME, 0, vectors[0], None)
    (decision,) = decide_each(task, known, [sight])
    if not abs(sum(decision.probabilities.values()) - bool(decision.probabilities)) < 1e-3:
        raise Unavailable("What was learned gives no probabilities for a known picture.")
    return known.problem


def _task_health(engine: Engine, task: Task, problem: str | None) -> TaskHealth:
    seen = task_body(engine, task)
    return TaskHealth(
        kind=seen.kind,
        trained=seen.trained,
        demo=seen.demo,
        version=seen.version,
        samples=seen.samples,
        corrections=seen.corrections,
        problem=problem,
    )


@cache
def canary() -> bytes:
    """The file of a small known picture."""
    ramp = np.linspace(0, 255, CANARY_SIDE)
    x, y = np.meshgrid(ramp, ramp)
    return encode_png(np.stack([x, y, (x * 3 + y * 5) % 256], axis=-1).astype(np.uint8))
