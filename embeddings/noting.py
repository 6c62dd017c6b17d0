"""Facts of pictures that are no vectors: what their headers say, and what they look like."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from config import Settings
from domain import FILE_FACTS, LOOKS, BadImage, NotFound
from embeddings.catalogue import FormCatalogue
from embeddings.cores import usable_cores
from embeddings.images import Limits, decode, file_facts
from embeddings.manner import looks
from embeddings.work import USUAL, Pace

FILES = 256
"""Files whose facts are committed together."""
LOOKED_UP = 4_000
"""Files whose facts are in memory at once."""

Read = Callable[[bytes, Limits], dict[str, Any]]
"""The facts of a file; raises `BadImage` where it has none."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Noted:
    """How many files lacked their facts, and what came of it."""

    wanted: int
    noted: int = 0
    unreadable: int = 0


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
    names = _all_names(catalogue, task, demo=demo)
    return _note(catalogue, FILE_FACTS, file_facts, names, Limits.of(settings), progress, pace)


def note_looks(
    catalogue: FormCatalogue,
    task: str,
    *,
    settings: Settings,
    demo: bool = False,
    progress: Callable[[int], None] = lambda n: None,
    pace: Pace = USUAL,
) -> Noted:
    """Note what a task's pictures look like, of those whose looks nobody has noted yet.

    `embed_missing` notes the looks of what it embeds. This is for pictures that came with their
    vectors or were embedded before looks were noted: their pixels are decoded for it.

    Parameters
    ----------
    catalogue, task, settings, demo, progress, pace
        As of `note_facts`.

    Raises
    ------
    Unavailable
        The database does not work; what was committed stays.
    """
    names = _all_names(catalogue, task, demo=demo)
    return _note(catalogue, LOOKS, _looks, names, Limits.of(settings), progress, pace)


def _looks(data: bytes, limits: Limits) -> dict[str, Any]:
    return looks(decode(data, limits))


def _all_names(catalogue: FormCatalogue, task: str, *, demo: bool) -> list[str]:
    return list(dict.fromkeys(one.sha256 for one in catalogue.samples.all(task, demo=demo)))


def _note(
    catalogue: FormCatalogue,
    recipe: str,
    read: Read,
    names: list[str],
    limits: Limits,
    progress: Callable[[int], None],
    pace: Pace,
) -> Noted:
    missing = _without(catalogue, recipe, names)
    size, noted = pace.batch_size or FILES, Noted(len(missing))
    with ThreadPoolExecutor(pace.workers or usable_cores()) as pool:
        for start in range(0, len(missing), size):
            batch = missing[start : start + size]
            facts = pool.map(partial(_read, catalogue, read, limits), batch)
            found = {name: one for name, one in zip(batch, facts, strict=True) if one is not None}
            catalogue.file_facts.put_many(recipe, found)
            noted.noted += len(found)
            noted.unreadable += len(batch) - len(found)
            progress(len(batch))
            if pace.stop():
                break
    return noted


def _without(catalogue: FormCatalogue, recipe: str, names: list[str]) -> list[str]:
    missing: list[str] = []
    for start in range(0, len(names), LOOKED_UP):
        some = names[start : start + LOOKED_UP]
        known = catalogue.file_facts.get(recipe, some)
        missing.extend(name for name in some if name not in known)
    return missing


def _read(
    catalogue: FormCatalogue, read: Read, limits: Limits, sha256: str
) -> dict[str, Any] | None:
    """The facts of a file; None when it cannot be read, which embedding it tells about."""
    try:
        return read(catalogue.blobs.get(sha256), limits)
    except (BadImage, NotFound, OSError) as error:
        log.info("no facts of %s: %s", sha256[:12], error)
        return None
