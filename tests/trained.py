"""Tasks with vectors as if pictures had been ingested and embedded, and versions of them."""

from __future__ import annotations

import hashlib

from domain import NewSample, PictureFacts, Split
from engine import Engine
from storage import Store
from tests.models.made import clusters
from train import TrainResult, train

TASK, EMBEDDER = "smile", "builtin-photo:2"


def teach(
    store: Store,
    per_label: int | tuple[int, int] = 40,
    *,
    task: str = TASK,
    labels: tuple[str, str] = ("no_smile", "smile"),
    embedder: str = EMBEDDER,
    name: str = "",
    demo: bool = False,
    apart: float = 2.0,
    with_vectors: bool = True,
    family: str | None = None,
) -> None:
    """Put labelled vectors into the store, as if pictures had been ingested and embedded."""
    examples = clusters(per_label, labels, apart=apart)
    facts, new = [], []
    for row, label in enumerate(examples.labels):
        sha256 = hashlib.sha256(f"{name}{label}{row}".encode()).hexdigest()
        of = family or sha256
        test = int(hashlib.sha256(of.encode()).hexdigest(), 16) % 5 == 0
        facts.append(PictureFacts(sha256, 64, 64, "PNG", 100, row))
        new.append(
            NewSample(
                str(label), f"web{row % 2}", of, Split.TEST if test else Split.TRAIN, demo=demo
            )
        )
    store.samples.add_many(task, list(zip(facts, new, strict=True)))
    if with_vectors:
        store.vectors.put(embedder, [fact.sha256 for fact in facts], examples.vectors)


def quickly(engine: Engine, task: str = TASK, **more: object) -> TrainResult:
    return train(engine, task, classifier="logistic_regression", **more)  # type: ignore[arg-type]
