"""The latest pictures of each task, at hand to tell what learning changes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from domain import Task, TaskKind
from models import Head
from models.memory import Memory
from models.shelf import Rows, Shelf

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """Some pictures: vectors (dim,) of those that have one, and all of them by likeness."""

    vectors: Mapping[str, Rows] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)


@dataclass(slots=True, eq=False)
class _Scored:
    """What a head gave some pictures."""

    head: Head
    scores: dict[str, Scores]


class Watched:
    """Keeps what was asked for last; what is asked for no more is dropped. Safe in threads."""

    def __init__(self, shelves: Mapping[TaskKind, Shelf]) -> None:
        self._shelves = shelves
        self._held: dict[int, Watch] = {}
        self._scored: dict[int, _Scored] = {}
        self._lock = threading.Lock()

    def look(self, task: Task, pictures: Mapping[str, int]) -> Watch:
        """These pictures of a task, given as sha256 and perceptual hash."""
        shelf = self._shelves[task.kind]
        with self._lock:
            had = self._held.get(task.id, Watch())
            new = [sha256 for sha256 in pictures if sha256 not in had.vectors]
            gone = [sha256 for sha256 in had.memory if sha256 not in pictures]
            memory = had.memory.removed(gone) if gone else had.memory
            if new:
                memory = memory.added(
                    new, [pictures[sha256] for sha256 in new], shelf.likenesses(new)
                )
            vectors = {**had.vectors, **shelf.vectors(new)} if new else had.vectors
            held = Watch({s: vectors[s] for s in pictures if s in vectors}, memory)
            self._held[task.id] = held
        return held

    def scores(self, task: Task, head: Head, watch: Watch) -> Scores:
        """(n, k) what a head gives those of the pictures that have a vector, in their order.

        Remembered for the head asked last: after one correction it is the head before the next.
        """
        with self._lock:
            known = self._scored.get(task.id)
        given = known.scores if known is not None and known.head is head else {}
        missing = [sha256 for sha256 in watch.vectors if sha256 not in given]
        found = {s: given[s] for s in watch.vectors if s in given}
        if missing:
            rows = np.stack([watch.vectors[sha256] for sha256 in missing])
            found.update(zip(missing, head.predict_proba(rows), strict=True))
        with self._lock:
            self._scored[task.id] = _Scored(head, found)
        if not found:
            return np.zeros((0, len(head.classes)))
        return np.stack([found[sha256] for sha256 in watch.vectors])
