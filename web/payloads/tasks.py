"""Tasks: asked for, shown, counted."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field, StrictBool, StrictStr

from domain import ModelVersion, Task, TaskKind
from engine import Engine
from web.payloads import Payload


class NewTask(Payload):
    """A task to be taught."""

    name: StrictStr = Field(
        description="1 to 64 of a-z, 0-9, - and _.", examples=["kannada-letters"]
    )
    labels: list[StrictStr] = Field([], max_length=10_000, examples=[["ಅ", "ಆ"]])
    kind: TaskKind = Field(TaskKind.PHOTO, description="Which sort of picture; picks the embedder.")
    open: StrictBool | None = Field(
        None, description="Whether new labels may be taught; left out: if no labels are given."
    )
    prompts: dict[StrictStr, StrictStr] | None = Field(
        None, description="A text for each label, for embedders that read text."
    )


class TaskBody(Payload):
    """A task. `variants` maps other forms to their label; `samples` are your own."""

    name: str
    kind: TaskKind
    labels: list[str]
    open: bool
    prompts: dict[str, str]
    variants: dict[str, str]
    created_at: datetime
    trained: bool
    demo: bool
    version: str | None
    samples: int
    corrections: int


class TasksBody(Payload):
    """All tasks."""

    tasks: list[TaskBody]


class TaskDeleted(Payload):
    """What was taken away. Its rows stay in the database; its name is free again."""

    task: str
    deleted: bool


class SampleCounts(Payload):
    """How many labelled pictures, by label and by source."""

    total: int
    labels: dict[str, int]
    sources: dict[str, dict[str, int]] = Field(description="Source to label to count.")


class MemoryStats(Payload):
    """Corrected pictures held in memory."""

    size: int
    bytes: int


class StatsBody(Payload):
    """What a task knows and was asked."""

    task: str
    samples: SampleCounts
    demo_samples: SampleCounts
    vectors: int = Field(description="Stored by the embedder in use, for all tasks together.")
    quarantined: int
    corrections: int
    verdicts: int
    memory: MemoryStats
    accuracy_last_corrections: float | None
    queues: dict[str, int]


def task_body(engine: Engine, task: Task) -> TaskBody:
    """A task with what stands for it in the store."""
    version: ModelVersion | None = engine.store.versions.current(task.name)
    return TaskBody(
        name=task.name,
        kind=task.kind,
        labels=list(task.labels),
        open=task.open,
        prompts=dict(task.prompts),
        variants=dict(task.variants),
        created_at=task.created_at,
        trained=version is not None,
        demo=version is not None and version.demo,
        version=version.id if version else None,
        samples=sum(n for _, _, n in engine.store.samples.counts(task.name)),
        corrections=engine.store.corrections.count(task.name),
    )


def stats_body(engine: Engine, task: Task) -> StatsBody:
    """What the store counts for a task."""
    store = engine.store
    return StatsBody(
        task=task.name,
        samples=_counts(store.samples.counts(task.name)),
        demo_samples=_counts(store.samples.counts(task.name, demo=True)),
        vectors=store.vectors.count(engine.embedders[task.kind].id),
        quarantined=len(store.samples.quarantined(task.name)),
        corrections=store.corrections.count(task.name),
        verdicts=store.verdicts.count(task.name),
        memory=MemoryStats(size=0, bytes=0),
        accuracy_last_corrections=None,
        queues={},
    )


def _counts(rows: list[tuple[str, str, int]]) -> SampleCounts:
    labels: dict[str, int] = {}
    sources: dict[str, dict[str, int]] = {}
    for label, source, n in rows:
        labels[label] = labels.get(label, 0) + n
        sources.setdefault(source, {})[label] = n
    return SampleCounts(total=sum(labels.values()), labels=labels, sources=sources)
