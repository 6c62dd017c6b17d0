"""The pictures of a task that can be trained on: read from the store, counted, parted."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from domain import EQUALISED, NotEnoughData, Sample, Split, Task
from models.admission import Admission
from models.examples import Examples
from models.finite import check_finite
from models.standing import Opinion, Standing, heard
from models.steadying import Copies, read_copies
from models.support import Chosen, choose_support
from storage import Store

MOST_ALIKE = 0.1
"""Share of a label's training pictures that may have one and the same vector."""


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """The pictures of a task that can be trained on, and how many cannot yet.

    Attributes
    ----------
    train, test
        The two sides of the split.
    train_pictures, test_pictures
        (n,) S64, the sha256 of their rows.
    without_vectors
        How many pictures nobody has looked at yet.
    left_out
        Labels of an open task that have too few pictures, and how many.
    support
        What the version trained on this is held to.
    equalised
        How many rows of `train` are of pictures made alike in form.
    digest
        All that it was read from, as one short text.
    copies
        Re-deliveries of some rows of `train`; None without any.
    """

    train: Examples
    test: Examples
    train_pictures: NDArray[np.bytes_]
    test_pictures: NDArray[np.bytes_]
    without_vectors: int
    left_out: Mapping[str, int]
    support: Chosen
    equalised: int
    digest: str
    copies: Copies | None = None


def read_lesson(
    store: Store,
    task: Task,
    embedder: str,
    *,
    needed: int,
    demo: bool,
    equalised: bool = False,
) -> Lesson:
    """Vectors and labels of a task's pictures, parted by their split.

    A closed task needs all of its labels. An open one leaves out those with too few pictures:
    whoever teaches it one picture of something new must not end its training.

    Parameters
    ----------
    store
        The open store.
    task
        Whose pictures.
    embedder
        Id of the embedder whose vectors are wanted.
    needed
        Pictures a label must have: MIN_IMAGES_PER_CLASS.
    demo
        The demonstration's pictures, or the user's; never both.
    equalised
        Whether to train on vectors of pictures made alike in form. What is held out stays as
        it was delivered, which is how pictures will be asked about.

    Raises
    ------
    NotEnoughData
        A label of a closed task has fewer pictures with a vector than needed, or fewer than
        two of an open one have enough; names every count. Or a label's vectors are all one, or
        some are no numbers, or some training pictures have none in the form that is asked for.
    """
    ready, vectors, waiting = _ready(store, task, embedder, demo=demo)
    check_finite(vectors, np.asarray([sample.sha256 for sample in ready], np.bytes_), embedder)
    counts = Counter({task.variants.get(label, label): 0 for label in task.labels})
    counts.update(sample.label for sample in ready)
    _check_counts(task, counts, needed, waiting, embedder)
    known = _known(task, ready, counts, needed)
    examples = Examples(
        vectors,
        np.asarray([sample.label for sample in ready]),
        np.asarray([sample.source for sample in ready]),
        np.asarray([sample.family for sample in ready]),
    )
    testing = np.asarray([sample.split is Split.TEST for sample in ready])
    told_apart = np.asarray([sample.label in known for sample in ready])
    pictures = np.asarray([sample.sha256 for sample in ready], np.bytes_)
    alike = 0
    if equalised:
        rows = np.flatnonzero(told_apart & ~testing)
        row_of = {pictures[row].decode(): int(row) for row in rows}
        alike = _equalise(store, task, embedder, examples.vectors, row_of)
    lesson = Lesson(
        examples.take(told_apart & ~testing),
        examples.take(told_apart & testing),
        pictures[told_apart & ~testing],
        pictures[told_apart & testing],
        waiting,
        {label: counts[label] for label in sorted(counts.keys() - known)},
        choose_support([sample for sample in ready if sample.label in known]),
        alike,
        _digest(ready),
        None if demo else read_copies(store, embedder, pictures[told_apart & ~testing]),
    )
    _check_split(lesson)
    _check_vectors(lesson)
    return lesson


def _equalise(
    store: Store,
    task: Task,
    embedder: str,
    vectors: NDArray[np.float32],
    row_of: Mapping[str, int],
) -> int:
    """Put vectors of pictures made alike in form in the place of these rows; how many.

    All or none: among pictures of which some were made alike, that alone tells them apart.
    """
    found, rows = store.vectors.get(embedder + EQUALISED, list(row_of))
    missing = len(row_of) - len(found)
    if missing:
        raise NotEnoughData(
            f"{missing} of {len(row_of)} training pictures of the task {task.name} have no vector "
            "in the form that SHORTCUTS=equalise trains on: run "
            f"`python -m embeddings --task {task.name}`.",
            without_equalised=missing,
        )
    vectors[[row_of[sha256] for sha256 in found]] = rows
    return len(found)


def read_digest(store: Store, task: Task, embedder: str, *, demo: bool) -> str:
    """What `read_lesson` would read, as one short text, whether or not it is enough."""
    samples = corrected(store, task, store.samples.all(task.name, demo=demo))
    having = store.vectors.present(embedder, [sample.sha256 for sample in samples])
    return _digest([_canonical(one, task) for one in samples if one.sha256 in having])


def _ready(
    store: Store, task: Task, embedder: str, *, demo: bool
) -> tuple[list[Sample], NDArray[np.float32], int]:
    """The pictures that have vectors, as people say they are, and how many have none."""
    samples = corrected(store, task, store.samples.all(task.name, demo=demo))
    present, vectors = store.vectors.get(embedder, [sample.sha256 for sample in samples])
    having = set(present)
    ready = [_canonical(sample, task) for sample in samples if sample.sha256 in having]
    return ready, vectors, len(samples) - len(ready)


def _digest(ready: Sequence[Sample]) -> str:
    digest = hashlib.sha256()
    for one in sorted(ready, key=lambda sample: sample.sha256):
        row = (one.sha256, one.label, one.source, one.family, one.split.value)
        digest.update(repr(row).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _canonical(sample: Sample, task: Task) -> Sample:
    label = task.variants.get(sample.label, sample.label)
    return sample if label == sample.label else replace(sample, label=label)


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
    task: Task, counts: Mapping[str, int], needed: int, waiting: int, embedder: str
) -> None:
    enough = sum(n >= needed for n in counts.values())
    if enough >= 2 and (task.open or enough == len(counts)):
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


def _known(
    task: Task, samples: Sequence[Sample], counts: Mapping[str, int], needed: int
) -> set[str]:
    """The labels that a version is to tell apart.

    An open task does without those of too few pictures, or where all to train on are
    near-duplicates of one another; if that leaves no two labels, training says what is wrong.
    """
    if not task.open:
        return set(counts)
    enough = {label for label, n in counts.items() if n >= needed}
    families = {(one.label, one.family) for one in samples if one.split is not Split.TEST}
    various = Counter(label for label, _ in families)
    different = {label for label in enough if various[label] >= 2}
    return different if len(different) >= 2 else enough


def _check_split(lesson: Lesson) -> None:
    missing = sorted(set(lesson.test.classes) - set(lesson.train.classes))
    if missing:
        raise NotEnoughData(
            f"All pictures of {', '.join(missing)} are near-duplicates that fell into the "
            "held-out split together, so none is left to train on; different ones are needed.",
            labels=missing,
        )


def _check_vectors(lesson: Lesson) -> None:
    """Refuse vectors that say nothing: an embedder that is broken gives one for everything."""
    examples = lesson.train
    # a picture's place along one random direction: the same only where the vectors are
    random = np.random.default_rng(0)
    places = (examples.vectors @ random.standard_normal(examples.vectors.shape[1])).round(5)
    for label in examples.classes:
        rows = examples.labels == label
        families = len(np.unique(examples.families[rows]))
        most = int(np.unique(places[rows], return_counts=True)[1].max())
        if families > 1 and most > max(5, MOST_ALIKE * rows.sum()):
            raise NotEnoughData(
                f"{most} of {rows.sum()} training pictures of {label} have one and the same "
                "vector: whatever made them did not look at the pictures.",
                labels=[label],
            )
