"""The vectors of the latest pictures of each task, at hand to tell what learning changes."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from domain import Task, TaskKind
from models.shelf import Rows, Shelf


class Watched:
    """Keeps what was asked for last; what is asked for no more is dropped. Safe in threads."""

    def __init__(self, shelves: Mapping[TaskKind, Shelf]) -> None:
        self._shelves = shelves
        self._held: dict[int, tuple[dict[str, Rows], dict[str, Rows]]] = {}
        self._lock = threading.Lock()

    def look(
        self, task: Task, sha256s: Sequence[str]
    ) -> tuple[Mapping[str, Rows], Mapping[str, Rows]]:
        """Vectors (dim,) and likenesses (length,) of those pictures that have some."""
        shelf = self._shelves[task.kind]
        with self._lock:
            had, alike = self._held.get(task.id, ({}, {}))
            new = [sha256 for sha256 in sha256s if sha256 not in had]
            vectors = {**had, **shelf.vectors(new)} if new else had
            likenesses = {**alike, **shelf.likenesses(new)} if new else alike
            held = (
                {s: vectors[s] for s in sha256s if s in vectors},
                {s: likenesses[s] for s in sha256s if s in likenesses},
            )
            self._held[task.id] = held
        return held
