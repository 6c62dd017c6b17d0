"""Model versions: the current one, all of them, and the runs that made them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import Field

from domain import ModelVersion, Run, Task
from engine import Engine
from models.decay import readings
from promotion import Moved
from web.payloads import Payload
from web.withheld import unnamed


class DecayBody(Payload):
    """How the current version does on one set of pictures since."""

    what: str = Field(description="`corrections`, or the month they came in.")
    at: datetime
    n: int
    right: int
    low: float = Field(description="95 % confidence.")
    high: float
    expected: float | None = Field(description="By its held-out figures, for the same labels.")
    fallen: bool
    sentence: str


class ModelBody(Payload):
    """The current version and how good it is; nulls and empties where nothing is trained."""

    task: str
    trained: bool
    demo: bool
    version: str | None
    classifier: str | None
    embedder: str | None
    trained_at: datetime | None
    labels: list[str]
    n_samples: dict[str, Any] = Field(description="By label and by source.")
    unseen_sources: dict[str, Any] = Field(
        description="To be read first: how it does on sources left out of training one by one, "
        "which is what new pictures are like; or why that was not measured."
    )
    promise: str | None = Field(
        description="How rarely labels are said wrongly, from how many pictures that is known, "
        "and what it finds; null where nothing is to be promised."
    )
    promise_broken: dict[str, float | None] = Field(
        description="By label whose promise corrections broke since, the probability that it is "
        "said from instead; null: never."
    )
    metrics: dict[str, Any] = Field(
        description="Held-out, cross-validated, per source, confusion matrix."
    )
    thresholds: dict[str, Any]
    calibration: dict[str, Any]
    slices: dict[str, Any] = Field(
        description="By size, format, manner, camera, confidence and source: pictures, right "
        "answers, error with its interval, and whether it is clearly worse there than elsewhere; "
        "the same of each label in it, and where whole sources had been left out."
    )
    card: dict[str, Any] = Field(description="Everything the version's card says.")
    decay: list[DecayBody] = Field(
        description="How it does on the latest corrections and on each month's held-out pictures."
    )
    problem: str | None = Field(description="Why the current version cannot answer, if so.")


class VersionBody(Payload):
    """A saved model version."""

    version: str
    classifier: str
    embedder: str
    trained_at: datetime
    demo: bool
    current: bool


class PromotionBody(Payload):
    """When a version became the current one, and why."""

    version: str
    at: datetime
    until: datetime | None = Field(description="When another one took its place; null: not yet.")
    why: str


class VersionsBody(Payload):
    """All versions of a task, newest first, and which was live from when."""

    task: str
    current: str | None
    versions: list[VersionBody]
    promotions: list[PromotionBody]


class RunBody(Payload):
    """One training run."""

    id: str
    task: str
    why: str
    started_at: datetime
    finished_at: datetime
    counts: dict[str, Any]
    metrics: dict[str, Any]
    gate: str = Field(description="promoted, kept or skipped.")
    reason: str
    version: str | None
    job: str | None = Field(description="The job it was done for, under /jobs/.")
    detail: dict[str, Any] = Field(description="What the gate measured and what is new.")


class MovedBody(Payload):
    """Which version answers now, and which did before."""

    task: str
    version: str
    before: str | None
    why: str
    job: str | None = Field(description="Looks for verdicts that are others now; see /jobs/.")


class ChangeBody(Payload):
    """A picture whose latest verdict a version gives otherwise."""

    sha256: str
    verdict_id: str
    before: str
    after: str
    confidence: float
    at: datetime


class ChangesBody(Payload):
    """Verdicts that a promotion changes, the surest first."""

    task: str
    version: str
    total: int
    changes: list[ChangeBody]


def model_body(engine: Engine, task: Task) -> ModelBody:
    """The current version of a task, by its card."""
    version = engine.store.versions.current(task.name)
    card: dict[str, Any] = dict(version.card) if version else {}
    known = engine.learned.knowledge(task)
    return ModelBody(
        task=task.name,
        trained=version is not None,
        demo=version is not None and version.demo,
        version=version.id if version else None,
        classifier=version.classifier if version else None,
        embedder=version.embedder if version else None,
        trained_at=version.created_at if version else None,
        labels=list(task.labels),
        n_samples=card.get("n_samples") or {},
        unseen_sources=card.get("leave_one_source_out") or {},
        promise=known.promised(card),
        promise_broken=known.broken(task),
        metrics=card.get("metrics") or {},
        thresholds=card.get("thresholds") or {},
        calibration=card.get("calibration") or {},
        slices=card.get("slices") or {},
        card={key: part for key, part in card.items() if key != "support"},  # pictures by name
        decay=decay_bodies(engine, task.name),
        problem=engine.learned.problem(task.name),
    )


def versions_body(engine: Engine, task: Task, latest: int, *, names: bool) -> VersionsBody:
    """What the store knows of a task's versions; so many of the latest promotions."""
    current = engine.store.versions.current(task.name)
    name = current.id if current else None
    return VersionsBody(
        task=task.name,
        current=name,
        versions=[_version_body(v, name) for v in engine.store.versions.all(task.name)],
        promotions=[
            PromotionBody(
                version=p.version, at=p.at, until=p.until, why=p.why if names else unnamed(p.why)
            )
            for p in engine.store.versions.promotions(task.name)[:latest]
        ],
    )


def _version_body(version: ModelVersion, current: str | None) -> VersionBody:
    return VersionBody(
        version=version.id,
        classifier=version.classifier,
        embedder=version.embedder,
        trained_at=version.created_at,
        demo=version.demo,
        current=version.id == current,
    )


def run_body(run: Run, *, names: bool) -> RunBody:
    """One row of history."""
    return RunBody(
        id=run.id,
        task=run.task,
        why=run.why if names else unnamed(run.why),
        started_at=run.started_at,
        finished_at=run.finished_at,
        counts=dict(run.counts),
        metrics=dict(run.metrics),
        gate=run.gate,
        reason=run.reason,
        version=run.version,
        job=run.job_id,
        detail=dict(run.detail),
    )


def moved_body(moved: Moved) -> MovedBody:
    """What became of the pointer."""
    return MovedBody(
        task=moved.task,
        version=moved.version,
        before=moved.before,
        why=moved.why,
        job=moved.job_id,
    )


def changes_body(engine: Engine, task: str, version: str, limit: int) -> ChangesBody:
    """What a promotion changes."""
    rows = engine.store.changes.all(task, version, limit)
    return ChangesBody(
        task=task,
        version=version,
        total=engine.store.changes.count(task, version),
        changes=[
            ChangeBody(
                sha256=row.sha256,
                verdict_id=row.verdict_id,
                before=row.before,
                after=row.after,
                confidence=row.confidence,
                at=row.at,
            )
            for row in rows
        ],
    )


def decay_bodies(engine: Engine, task: str) -> list[DecayBody]:
    """The decay clock of a task."""
    return [DecayBody(**asdict(reading)) for reading in readings(engine.store, task)]
