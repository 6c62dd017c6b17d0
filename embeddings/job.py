"""The embedding job: vectors for every sample that has none yet, and what teaching needs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config import Settings
from domain import EQUALISED, FILE_FACTS, BadImage, NotFound, TaskKind
from embeddings import Embedder
from embeddings.catalogue import Catalogue, FormCatalogue, TaughtCatalogue
from embeddings.cores import usable_cores
from embeddings.equalise import equalised
from embeddings.images import Limits, Picture, file_facts
from embeddings.likeness import LIKENESS, likeness
from embeddings.teaching import WITHOUT, copies_id, copies_of, load_copies
from embeddings.work import USUAL, JobSummary, Pace, Work, work_through

FILES = 256
"""Files whose facts are committed together."""
LOOKED_UP = 4_000
"""Files whose facts are in memory at once."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Noted:
    """How many files lacked their facts, and what came of it."""

    wanted: int
    noted: int = 0
    unreadable: int = 0


def embed_missing(
    catalogue: Catalogue,
    embedder: Embedder,
    task: str,
    *,
    settings: Settings,
    demo: bool | None = None,
    progress: Callable[[int], None] = lambda n: None,
    pace: Pace = USUAL,
) -> JobSummary:
    """Embed every sample of a task that has no vector of this embedder yet.

    Each batch is committed before the next is embedded, so that a run ended at any moment loses
    at most the batch in flight. Several runs at once, on one machine or on many, share the work:
    each begins at another place and passes over what the others have done.

    Parameters
    ----------
    catalogue
        The store's samples, vectors and picture files.
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
        return {embedder.id: embedder.embed(batch)}

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


def note_facts(
    catalogue: FormCatalogue,
    task: str,
    *,
    settings: Settings,
    demo: bool = False,
    progress: Callable[[int], None] = lambda n: None,
    pace: Pace = USUAL,
) -> Noted:
    """Read and keep the facts of a task's files that have none yet: what the headers say.

    Parameters
    ----------
    catalogue
        The store.
    task
        The task's name.
    settings
        For the limits of what is opened.
    demo
        The demonstration's samples, or the user's own.
    progress
        Told how many more files are settled, whichever way.
    pace
        Threads, and when to end early; each batch of files is committed before the next.

    Raises
    ------
    Unavailable
        The database does not work; what was committed stays.
    """
    missing = _without_facts(catalogue, task, demo=demo)
    size, limits, noted = pace.batch_size or FILES, Limits.of(settings), Noted(len(missing))
    with ThreadPoolExecutor(pace.workers or usable_cores()) as pool:
        for start in range(0, len(missing), size):
            batch = missing[start : start + size]
            read = pool.map(partial(_facts, catalogue, limits), batch)
            found = {name: one for name, one in zip(batch, read, strict=True) if one is not None}
            catalogue.file_facts.put_many(FILE_FACTS, found)
            noted.noted += len(found)
            noted.unreadable += len(batch) - len(found)
            progress(len(batch))
            if pace.stop():
                break
    return noted


def _without_facts(catalogue: FormCatalogue, task: str, *, demo: bool) -> list[str]:
    names = list(dict.fromkeys(one.sha256 for one in catalogue.samples.all(task, demo=demo)))
    missing: list[str] = []
    for start in range(0, len(names), LOOKED_UP):
        some = names[start : start + LOOKED_UP]
        known = catalogue.file_facts.get(FILE_FACTS, some)
        missing.extend(name for name in some if name not in known)
    return missing


def _facts(catalogue: FormCatalogue, limits: Limits, sha256: str) -> dict[str, Any] | None:
    """The facts of a file; None when it cannot be read, which embedding it tells about."""
    try:
        return file_facts(catalogue.blobs.get(sha256), limits)
    except (BadImage, NotFound, OSError) as error:
        log.info("no facts of %s: %s", sha256[:12], error)
        return None


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
