"""Many corrections in a task within seconds, for benchmarks of what more of them cost."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert

from benchmarks.load import photograph
from domain import NewCorrection, NewSample, Person, PictureFacts, Split, TaskKind
from embeddings import Embedder
from embeddings.images import decode
from embeddings.likeness import LIKENESS
from embeddings.teaching import copies_id, copies_of
from engine import Engine
from models.crops import DIM
from models.families import split_of
from storage import schema
from storage.pictures import keep_facts, sample_row
from storage.state import locked_state, moved

Rows = NDArray[np.float32]

LABELS = {TaskKind.DRAWING: 30, TaskKind.PHOTO: 10, TaskKind.AUTHENTICITY: 2}
TEACHER = Person("local", trusted=True)
AT_ONCE = 500
SPREAD, COPY_SPREAD = 1.0, 0.5
"""Length of what sets a picture apart from its label's middle, and a copy from its picture."""


def picture(seed: int) -> bytes:
    """A small picture file, another for each seed."""
    return photograph(0.008, seed)


@dataclass(eq=False)
class Past:
    """Corrections that a task is given as if they had come long ago.

    The log, the samples and the vectors are those that teaching as many pictures would have
    left; no picture is decoded and none has a file. Vectors are made around a middle for each
    label.

    Parameters
    ----------
    engine
        An open engine of the service's data folder.
    task
        The task, which is there.
    kind
        Its kind.
    """

    engine: Engine
    task: str
    kind: TaskKind
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    count: int = 0

    def __post_init__(self) -> None:
        self.labels = [f"label {i}" for i in range(LABELS[self.kind])]
        if self.kind is TaskKind.AUTHENTICITY:
            self.labels = ["ai", "real"]
        self._embedder: Embedder = self.engine.embedders[self.kind]
        self._copies = len(copies_of(decode(picture(0)), self.kind, self._embedder))
        middles = np.abs(self.rng.normal(size=(len(self.labels), self._embedder.dim)))
        self._middles = _unit(middles)

    def bring(self, n: int) -> None:
        """Give the task samples that nobody corrected, to train a version on."""
        found = []
        for name, label in self._named(n):
            sample = NewSample(
                label=label, source=f"source {n % 3}", family=name, split=split_of(name)
            )
            found.append((self._facts(name), sample))
        self.engine.store.samples.add_many(self.task, found)

    def reach(self, n: int) -> None:
        """Correct pictures until there are n corrections."""
        first = min(n, len(self.labels))
        if self.count < first:
            self._teach(first - self.count)
        while self.count < n:
            self._append(min(AT_ONCE, n - self.count))

    def _named(self, n: int) -> Iterator[tuple[str, str]]:
        """The sha256 and label of n more pictures, whose vectors are in the store."""
        while n > 0:
            some = min(n, AT_ONCE)
            n -= some
            names = [self.rng.bytes(32).hex() for _ in range(some)]
            which = np.arange(some) % len(self.labels)
            self._put(names, which)
            yield from zip(names, (self.labels[i] for i in which), strict=True)

    def _put(self, names: Sequence[str], which: NDArray[np.int64]) -> None:
        dim, vectors = self._embedder.dim, self.engine.store.vectors
        rows = _unit(self._middles[which] + self._noise((len(names), dim), SPREAD))
        vectors.put(self._embedder.id, names, rows)
        vectors.put(LIKENESS, names, _unit(self.rng.normal(size=(len(names), DIM))))
        if self._copies:
            shape = (len(names), self._copies, dim)
            copies = _unit(rows[:, None] + self._noise(shape, COPY_SPREAD))
            vectors.put(copies_id(self._embedder, self.kind), names, copies.reshape(len(names), -1))

    def _noise(self, shape: tuple[int, ...], length: float) -> NDArray[np.float64]:
        return np.asarray(self.rng.normal(size=shape) * length / np.sqrt(shape[-1]))

    def _facts(self, name: str) -> PictureFacts:
        phash = int(self.rng.integers(1, 2**63))
        return PictureFacts(name, 96, 96, "JPEG", 2_000, phash)

    def _teach(self, n: int) -> None:
        """As it is done: a label comes with its first picture."""
        for name, label in self._named(n):
            new = NewCorrection(sha256=name, label=label, person=TEACHER, before=None)
            self.engine.store.corrections.teach(
                self.task, new, self._facts(name), self._sample(name, label)
            )
        self.count += n

    def _append(self, n: int) -> None:
        """In one transaction, because the disk is waited for in each."""
        store = self.engine.store
        named = [(self._facts(name), label) for name, label in self._named(n)]
        with store.database.writing() as connection:
            state = locked_state(connection, self.task)
            keep_facts(store.database, connection, [facts for facts, _ in named])
            samples = [
                sample_row(state.task_id, f.sha256, self._sample(f.sha256, label), taught=True)
                for f, label in named
            ]
            connection.execute(insert(schema.samples), samples)
            rows = [
                _row(state.task_id, state.corrections + place, facts.sha256, label)
                for place, (facts, label) in enumerate(named, 1)
            ]
            connection.execute(insert(schema.corrections), rows)
            moved(connection, state, corrections=n)
        self.count += n

    def _sample(self, name: str, label: str) -> NewSample:
        return NewSample(label=label, source="feedback:local", family=name, split=Split.TRAIN)


def _row(task_id: int, seq: int, name: str, label: str) -> dict[str, Any]:
    return {
        "id": uuid.uuid4().hex,
        "task_id": task_id,
        "seq": seq,
        "sha256": name,
        "label": label,
        "person": TEACHER.name,
        "trusted": TEACHER.trusted,
        "note": "",
        "created_at": datetime.now(UTC),
    }


def _unit(rows: NDArray[np.float64] | Rows) -> Rows:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), np.float32)
