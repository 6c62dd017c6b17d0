"""The pictures of a task that can be trained on: read from the store, counted, parted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from domain import NotEnoughData, Sample, Split, Task
from models.admission import Admission
from models.examples import Examples
from models.standing import Opinion, Standing, heard
from storage import Store


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """The pictures of a task that can be trained on, and how many cannot yet."""

    train: Examples
    test: Examples
    without_vectors: int


def read_lesson(store: Store, task: Task, embedder: str, *, needed: int, demo: bool) -> Lesson:
    """Vectors and labels of a task's pictures, parted by their split.

    Parameters
    ----------
    store
        The open store.
    task
        Whose pictures.
    embedder
        Id of the embedder whose vectors are wanted.
    needed
        Pictures each label must have: MIN_IMAGES_PER_CLASS.
    demo
        The demonstration's pictures, or the user's; never both.

    Raises
    ------
    NotEnoughData
        A label has fewer pictures with a vector than needed; names every count.
    """
    samples = corrected(store, task, store.samples.all(task.name, demo=demo))
    present, vectors = store.vectors.get(embedder, [sample.sha256 for sample in samples])
    if len(present) < len(samples):
        having = set(present)
        ready = [sample for sample in samples if sample.sha256 in having]
    else:
        ready = samples
    waiting = len(samples) - len(ready)
    labels = [task.variants.get(sample.label, sample.label) for sample in ready]
    _check_counts(task, labels, needed, waiting, embedder)
    examples = Examples(
        vectors,
        np.asarray(labels),
        np.asarray([sample.source for sample in ready]),
        np.asarray([sample.family for sample in ready]),
    )
    testing = np.asarray([sample.split is Split.TEST for sample in ready])
    lesson = Lesson(examples.take(~testing), examples.take(testing), waiting)
    _check_split(lesson, examples.classes)
    return lesson


def corrected(store: Store, task: Task, samples: Sequence[Sample]) -> list[Sample]:
    """The samples as people say they are now.

    A picture that somebody brought with its label has another one only if somebody trusted
    says so, whatever side of the split it is on. What corrections brought is taken as far as
    a head may learn from it: see `Admission`.
    """
    standing = Standing().after(store.corrections.since(task.name, 0))
    brought = {one.sha256: one.label for one in samples if not one.taught}
    opinions: dict[str, Opinion] = {}
    for sha256 in {row.sha256 for row in standing.live.values()}:
        opinion = heard(standing, sha256, brought, task.variants)
        if opinion is not None:
            opinions[sha256] = opinion
    admission = Admission(task.variants)
    admission.move({}, opinions, opinions)
    found = []
    for sample in samples:
        teaching = admission.teachings.get(sample.sha256)
        if teaching is not None:
            found.append(replace(sample, label=teaching.label))
        elif not sample.taught:
            found.append(sample)
    return found


def _check_counts(
    task: Task, labels: Sequence[str], needed: int, waiting: int, embedder: str
) -> None:
    counts = Counter({task.variants.get(label, label): 0 for label in task.labels})
    counts.update(labels)
    if len(counts) >= 2 and min(counts.values()) >= needed:
        return
    told = ", ".join(f"{label} {n}" for label, n in sorted(counts.items())) or "no label at all"
    message = (
        f"Too few pictures to train the task {task.name}: {told}. "
        f"MIN_IMAGES_PER_CLASS={needed} are needed of each of two labels or more."
    )
    if waiting:
        message += (
            f" {waiting} more have no vector of {embedder} yet: "
            f"run `python -m embeddings --task {task.name}`."
        )
    raise NotEnoughData(message, counts=dict(counts), needed=needed, without_vectors=waiting)


def _check_split(lesson: Lesson, labels: Sequence[str]) -> None:
    missing = sorted(set(labels) - set(lesson.train.classes))
    if missing:
        raise NotEnoughData(
            f"All pictures of {', '.join(missing)} are near-duplicates that fell into the "
            "held-out split together, so none is left to train on; different ones are needed.",
            labels=missing,
        )
