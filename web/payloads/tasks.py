"""Tasks: asked for, shown, counted."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    Field,
    StrictBool,
    StrictStr,
    WithJsonSchema,
    model_validator,
)

from config import LEAST_SHARE
from domain import TEXTS_PARTED_BY, ModelVersion, Task, TaskKind
from engine import Engine
from web.payloads import Payload
from web.withheld import nameless_source

Share = Annotated[float, Field(strict=True, ge=LEAST_SHARE, lt=0.5)]

LAST_CORRECTIONS = 100
LAST_PICTURES = 500


def _one_line(given: object) -> object:
    if isinstance(given, list) and all(isinstance(text, str) for text in given):
        return TEXTS_PARTED_BY.join(given)
    return given


LINE = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
Texts = dict[StrictStr, Annotated[StrictStr, BeforeValidator(_one_line), WithJsonSchema(LINE)]]
"""What describes each label: one text, several parted by `|`, or a list."""


class TaskSettings(Payload):
    """What a task settles for itself; what is left out stays, and null takes it away."""

    max_false: dict[StrictStr, Share | None] | None = Field(
        None,
        description="By label, the share of pictures of other labels that may be given it, with "
        "95 % confidence; of closed tasks alone, from the next training on.",
        examples=[{"thumbs up": 0.02}],
    )
    unsure_below: Annotated[float, Field(strict=True, ge=0, le=1)] | None = Field(
        None, description="The probability below which it stays unsure, at once."
    )


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
    prompts: Texts | None = Field(
        None,
        description="Texts that describe each label's pictures, for embedders that read text: "
        "one, several parted by `|`, or a list.",
        examples=[{"yes": ["a smiling face", "a person who laughs"], "no": "a serious face"}],
    )
    settings: TaskSettings | None = None


class PromptsRequest(Payload):
    """Other texts for some labels; those left out keep theirs."""

    prompts: Texts = Field(
        min_length=1,
        max_length=10_000,
        description="Texts that describe each label's pictures: one, several parted by `|`, or a "
        "list; an empty one takes a label's texts away.",
        examples=[{"yes": "a smiling face | a person who laughs"}],
    )


class TaskBody(Payload):
    """A task. `variants` maps other forms to their label; `samples` are your own."""

    name: str
    kind: TaskKind
    labels: list[str]
    open: bool
    prompts: dict[str, str]
    settings: dict[str, Any] = Field(description="What it settles for itself.")
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


class LinkRequest(Payload):
    """A label and another form of it. `char1` and `char2` are other names of the two."""

    label: StrictStr | None = Field(None, examples=["ಅ"])
    variant: StrictStr | None = Field(None, examples=["ಅ (looped)"])
    char1: StrictStr | None = None
    char2: StrictStr | None = None

    @model_validator(mode="after")
    def _one_pair(self) -> Self:
        pairs = ((self.label, self.variant), (self.char1, self.char2))
        if sorted(sum(one is not None for one in pair) for pair in pairs) != [0, 2]:
            raise ValueError("allowed: `label` and `variant`, or `char1` and `char2`")
        return self

    @property
    def pair(self) -> tuple[str, str]:
        """The label and its other form."""
        if self.label is not None and self.variant is not None:
            return self.label, self.variant
        return str(self.char1), str(self.char2)


class UnlinkRequest(Payload):
    """A form that shall stand for itself again."""

    variant: StrictStr = Field(examples=["ಅ (looped)"])


class VariantsBody(Payload):
    """A label and the forms that count as it."""

    task: str
    label: str
    variants: list[str]


class SampleCounts(Payload):
    """How many labelled pictures, by label and by source."""

    total: int
    labels: dict[str, int]
    sources: dict[str, dict[str, int]] = Field(description="Source to label to count.")


class MemoryStats(Payload):
    """Corrected pictures held in memory."""

    size: int
    bytes: int


class QueueSizes(Payload):
    """How much waits for somebody to look at it."""

    uncertain: int = Field(description="Latest pictures asked about that nobody corrected.")
    conflict: int = Field(description="Pictures about which people differ.")
    quarantine: int = Field(description="Pictures that were offered and not kept.")


class StatsBody(Payload):
    """What a task knows and was asked."""

    task: str
    samples: SampleCounts
    demo_samples: SampleCounts
    vectors: int = Field(description="Stored by the embedder in use, for all tasks together.")
    quarantined: int
    corrections: int = Field(description="Rows of the log, those taken back included.")
    corrected: int = Field(description="Pictures of which people say something now.")
    taught: dict[str, int] = Field(
        description="By label, the pictures that what answers learned from beside its version."
    )
    verdicts: int
    memory: MemoryStats
    accuracy_last_corrections: float | None = Field(
        description="Share of the last corrections that said what had been answered before; "
        "null where nobody corrected anything."
    )
    last_corrections: int = Field(description="How many corrections that share is of.")
    queues: QueueSizes


def task_body(engine: Engine, task: Task) -> TaskBody:
    """A task with what stands for it in the store."""
    version: ModelVersion | None = engine.store.versions.current(task.name)
    return TaskBody(
        name=task.name,
        kind=task.kind,
        labels=list(task.labels),
        open=task.open,
        prompts=dict(task.prompts),
        settings=dict(task.settings),
        variants=dict(task.variants),
        created_at=task.created_at,
        trained=version is not None,
        demo=version is not None and version.demo,
        version=version.id if version else None,
        samples=sum(n for _, _, n in engine.store.samples.counts(task.name)),
        corrections=engine.store.corrections.count(task.name),
    )


def stats_body(engine: Engine, task: Task, *, names: bool) -> StatsBody:
    """What the store counts for a task, and what this process remembers of it."""
    store, known = engine.store, engine.learned.knowledge(task)
    last = store.corrections.last_befores(task.name, LAST_CORRECTIONS)
    right = sum(canonical(task, before) == canonical(task, label) for before, label in last)
    quarantined = store.samples.count_quarantined(task.name)
    return StatsBody(
        task=task.name,
        samples=_counts(store.samples.counts(task.name), names=names),
        demo_samples=_counts(store.samples.counts(task.name, demo=True), names=names),
        vectors=store.vectors.count(engine.embedders[task.kind].id),
        quarantined=quarantined,
        corrections=store.corrections.count(task.name),
        corrected=len(known.opinions),
        taught=dict(known.taught),
        verdicts=store.verdicts.count(task.name),
        memory=MemoryStats(size=len(known.memory), bytes=known.memory.nbytes),
        accuracy_last_corrections=right / len(last) if last else None,
        last_corrections=len(last),
        queues=QueueSizes(
            uncertain=sum(
                sha256 not in known.opinions
                for sha256, _ in store.verdicts.recent(task.name, LAST_PICTURES)
            ),
            conflict=sum(opinion.disputed for opinion in known.opinions.values()),
            quarantine=quarantined,
        ),
    )


def variants_body(task: Task, label: str) -> VariantsBody:
    """A label of the task, with its other forms."""
    variants = sorted(form for form, of in task.variants.items() if of == label)
    return VariantsBody(task=task.name, label=label, variants=variants)


def canonical(task: Task, label: str) -> str:
    """The label that this one counts as."""
    return task.variants.get(label, label)


def _counts(rows: list[tuple[str, str, int]], *, names: bool) -> SampleCounts:
    labels: dict[str, int] = {}
    sources: dict[str, dict[str, int]] = {}
    for label, source, n in rows:
        of_source = sources.setdefault(source if names else nameless_source(source), {})
        labels[label] = labels.get(label, 0) + n
        of_source[label] = of_source.get(label, 0) + n
    return SampleCounts(total=sum(labels.values()), labels=labels, sources=sources)
