"""The embedding job: vectors for every sample that has none yet, and what teaching needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from config import Settings
from domain import EQUALISED, HANDED_ON, LOOKS, Split, TaskKind
from embeddings import Embedder
from embeddings.catalogue import FormCatalogue, NotingCatalogue, TaughtCatalogue
from embeddings.equalise import equalised
from embeddings.images import Picture
from embeddings.likeness import LIKENESS, likeness
from embeddings.manner import looks
from embeddings.redelivery import DELIVERIES, embed_redelivered, redelivered_id
from embeddings.teaching import WITHOUT, copies_id, copies_of, load_copies
from embeddings.work import USUAL, JobSummary, Pace, Work, work_through


def embed_missing(
    catalogue: NotingCatalogue,
    embedder: Embedder,
    task: str,
    *,
    settings: Settings,
    demo: bool | None = None,
    progress: Callable[[int], None] = lambda n: None,
    pace: Pace = USUAL,
) -> JobSummary:
    """Embed every sample of a task that has no vector of this embedder yet, and note its looks.

    Each batch is committed before the next is embedded, so that a run ended at any moment loses
    at most the batch in flight. Several runs at once, on one machine or on many, share the work:
    each begins at another place and passes over what the others have done.

    Parameters
    ----------
    catalogue
        The store's samples, vectors, facts and picture files.
    embedder
        Whose vectors are missing.
    task
        The task's name.
    settings
        For the limits of decoding and the usual batch size.
    demo
        Only the demonstration's samples, only the user's own, or (None) all.
    progress
        Told how many more pictures are settled, whichever way.
    pace
        Threads, batch size, and when to end early.

    Raises
    ------
    Unavailable
        The embedder or the database does not work; what was committed stays.
    """
    missing = catalogue.samples.missing_vectors(task, embedder.id, demo=demo)

    def make(batch: Sequence[Picture]) -> Mapping[str, NDArray[np.float32]]:
        made = {embedder.id: embedder.embed(batch)}
        # read now that the pixels are there
        seen = {picture.facts.sha256: looks(picture) for picture in batch}
        catalogue.file_facts.put_many(LOOKS, seen)
        return made

    work = Work(task, embedder.id, missing, [embedder.id], make)
    return work_through(catalogue, work, settings=settings, pace=pace, progress=progress)


def embed_equalised(
    catalogue: FormCatalogue,
    embedder: Embedder,
    task: str,
    *,
    settings: Settings,
    demo: bool | None = None,
    progress: Callable[[int], None] = lambda n: None,
    pace: Pace = USUAL,
) -> JobSummary:
    """Embed every sample of a task as if all had come in the same forms: see `equalised`.

    The vectors are kept under `EQUALISED` after the embedder's id. Runs end early, go on and
    share the work as those of `embed_missing` do.

    Parameters
    ----------
    catalogue
        The store.
    embedder
        Whose vectors are missing.
    task
        The task's name; its kind says how pictures are made alike.
    settings
        For the limits of decoding and the usual batch size.
    demo
        Only the demonstration's samples, only the user's own, or (None) all.
    progress
        Told how many more pictures are settled, whichever way.
    pace
        Threads, batch size, and when to end early.

    Raises
    ------
    NotFound
        No such task.
    Unavailable
        The embedder or the database does not work; what was committed stays.
    """
    kind, name = catalogue.tasks.get(task).kind, embedder.id + EQUALISED
    missing = catalogue.samples.missing_vectors(task, name, demo=demo)

    def make(batch: Sequence[Picture]) -> Mapping[str, NDArray[np.float32]]:
        return {name: embedder.embed([equalised(picture, kind) for picture in batch])}

    work = Work(task, embedder.id, missing, [name], make)
    return work_through(catalogue, work, settings=settings, pace=pace, progress=progress)


def missing_redelivered(catalogue: FormCatalogue, embedder: Embedder, task: str) -> list[str]:
    """The sha256 of each sample whose re-deliveries are wanted and have no vectors yet.

    Wanted are those of so many of the user's own training pictures, the first by their names:
    names are fair draws, and the same ones whoever asks.
    """
    samples = catalogue.samples.all(task)
    training = sorted({one.sha256 for one in samples if one.split is Split.TRAIN})
    lacking = set(catalogue.samples.missing_vectors(task, redelivered_id(embedder), demo=False))
    return [sha256 for sha256 in training[:HANDED_ON] if sha256 in lacking]


def embed_redeliveries(
    catalogue: FormCatalogue,
    embedder: Embedder,
    task: str,
    *,
    settings: Settings,
    progress: Callable[[int], None] = lambda n: None,
    pace: Pace = USUAL,
) -> JobSummary:
    """Embed some training pictures as they arrive when they are handed on: see `redelivered`.

    All of a picture's are kept as one long vector; where there is none of a delivery, the
    picture's own stands in. Runs end early, go on and share the work as those of
    `embed_missing` do.

    Parameters
    ----------
    catalogue
        The store.
    embedder
        Whose vectors are missing.
    task
        The task's name.
    settings
        For the limits of decoding and the usual batch size.
    progress
        Told how many more pictures are settled, whichever way.
    pace
        Threads, batch size, and when to end early.

    Raises
    ------
    Unavailable
        The embedder or the database does not work; what was committed stays.
    """
    missing, name = missing_redelivered(catalogue, embedder, task), redelivered_id(embedder)

    def make(batch: Sequence[Picture]) -> Mapping[str, NDArray[np.float32]]:
        kept, own = catalogue.vectors.get(embedder.id, [one.facts.sha256 for one in batch])
        own_of = dict(zip(kept, own, strict=True))
        return {name: np.stack([_handed_on(one, embedder, own_of) for one in batch])}

    work = Work(task, embedder.id, missing, [name], make)
    return work_through(catalogue, work, settings=settings, pace=pace, progress=progress)


def _handed_on(
    picture: Picture, embedder: Embedder, own_of: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """(m * dim,) what each delivery of a picture comes to, in their order."""
    names, vectors = embed_redelivered(picture, embedder)
    own = own_of.get(picture.facts.sha256)
    if own is None:
        own = embedder.embed([picture])[0]
    made = dict(zip(names, vectors, strict=True))
    return np.concatenate([made.get(delivery.name, own) for delivery in DELIVERIES])


def missing_teaching(
    catalogue: TaughtCatalogue, embedder: Embedder, task: str, kind: TaskKind
) -> list[str]:
    """The sha256 of each sample with a live correction that lacks copies or its likeness."""
    rows = catalogue.corrections.since(task, 0)
    undone = {row.undoes for row in rows}
    taught = {row.sha256 for row in rows if row.undoes is None and row.id not in undone}
    if not taught:
        return []
    lacking = dict.fromkeys(
        sha256
        for name in _teaching_ids(embedder, kind)
        for sha256 in catalogue.samples.missing_vectors(task, name)
    )
    return [sha256 for sha256 in lacking if sha256 in taught]


def embed_teaching(
    catalogue: TaughtCatalogue,
    embedder: Embedder,
    task: str,
    kind: TaskKind,
    *,
    settings: Settings,
    progress: Callable[[int], None] = lambda n: None,
    pace: Pace = USUAL,
) -> JobSummary:
    """Make what corrected samples lack for teaching: their copies and likenesses.

    A correction makes them itself; those of another embedder, or of an earlier recipe, do not
    count. Runs end early, go on and share the work as those of `embed_missing` do.

    Parameters
    ----------
    catalogue
        The store.
    embedder
        Whose copies are missing.
    task
        The task's name.
    kind
        The task's kind.
    settings
        For the limits of decoding and the usual batch size.
    progress
        Told how many more pictures are settled, whichever way.
    pace
        Threads, batch size, and when to end early.

    Raises
    ------
    Unavailable
        The embedder or the database does not work; what was committed stays.
    """
    missing = missing_teaching(catalogue, embedder, task, kind)

    def make(batch: Sequence[Picture]) -> Mapping[str, NDArray[np.float32]]:
        made = {LIKENESS: np.stack([likeness(one) for one in batch])}
        if kind not in WITHOUT:
            names = [one.facts.sha256 for one in batch]
            kept = load_copies(catalogue, embedder, kind, names)
            copies = [
                kept[name] if name in kept else copies_of(one, kind, embedder)
                for name, one in zip(names, batch, strict=True)
            ]
            made[copies_id(embedder, kind)] = np.stack(copies).reshape(len(batch), -1)
        return made

    work = Work(task, embedder.id, missing, _teaching_ids(embedder, kind), make)
    return work_through(catalogue, work, settings=settings, pace=pace, progress=progress)


def _teaching_ids(embedder: Embedder, kind: TaskKind) -> list[str]:
    return [LIKENESS] if kind in WITHOUT else [copies_id(embedder, kind), LIKENESS]
