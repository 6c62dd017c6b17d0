"""What this process holds of each task's labelled pictures, to find the nearest ones."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from domain import Sample, Task, TaskKind
from models.apart import Apart, Vectors
from models.knowledge import Knowledge
from models.labelled import MOMENTS, Familiarity, Labelled
from models.shelf import Shelf
from storage import State, Store

MOST = 100_000
"""Examples of a task, at most: exact search among so many takes about 20 ms."""
MOST_BYTES = 512 * 2**20
"""Vectors held, of all tasks together; the task asked longest ago goes first."""
BLOCK = 1024
CHUNK = 4_000
"""Samples whose vectors are read at once."""

Key = tuple[int, int, str | None, bool]


@dataclass(slots=True, eq=False)
class _Read:
    """What was read of one task's samples; rows are added and never changed."""

    key: Key
    last: int = 0
    dim: int = 0
    ids: list[int] = field(default_factory=list)
    sha256s: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    counts: list[bool] = field(default_factory=list)
    families: list[int] = field(default_factory=list)
    blocks: list[Vectors] = field(default_factory=list)
    family_codes: dict[str, int] = field(default_factory=dict)
    label_codes: dict[str, int] = field(default_factory=dict)
    row_of: dict[str, int] = field(default_factory=dict)
    left_out: int = 0
    examined: Apart = field(default_factory=Apart)
    given: tuple[tuple[Knowledge, int, Labelled], ...] = ()

    @property
    def nbytes(self) -> int:
        return sum(block.nbytes for block in self.blocks)

    def add(self, sample: Sample, vector: Vectors) -> None:
        """One more row; of one picture the later sample counts."""
        row = len(self.ids)
        if row % BLOCK == 0:
            self.blocks.append(np.empty((BLOCK, len(vector)), np.float32))
        self.dim = len(vector)
        self.blocks[-1][row % BLOCK] = vector
        self.ids.append(sample.id)
        self.sha256s.append(sample.sha256)
        self.labels.append(self.label_codes.setdefault(sample.label, len(self.label_codes)))
        # what only corrections brought does not count without them
        self.counts.append(not sample.taught)
        self.families.append(self.family_codes.setdefault(sample.family, len(self.family_codes)))
        if sample.sha256 in self.row_of:
            self.counts[self.row_of[sample.sha256]] = False
        self.row_of[sample.sha256] = row

    def labelled(self, task: Task, known: Knowledge) -> Labelled:
        """The rows under the labels that count now."""
        for of, n, labelled in self.given:
            if of is known and n == len(self.ids):
                return labelled
        made = self._labelled(task, known)
        self.given = (*self.given[1 - MOMENTS :], (known, len(self.ids), made))
        return made

    def _labelled(self, task: Task, known: Knowledge) -> Labelled:
        codes: dict[str, int] = {}

        def code(label: str) -> int:
            return codes.setdefault(task.variants.get(label, label), len(codes))

        meant = np.asarray([code(label) for label in self.label_codes], np.intp)
        labels = meant[self.labels] if self.labels else np.empty(0, np.intp)
        labels[~np.asarray(self.counts, np.bool_)] = -1
        for sha256, opinion in known.opinions.items():
            row = self.row_of.get(sha256)
            if row is not None:
                labels[row] = -1 if opinion.label is None else code(opinion.label)
        full, rest = divmod(len(self.ids), BLOCK)
        blocks = [*self.blocks[:full], *(block[:rest] for block in self.blocks[full:])]
        return Labelled(
            ids=np.asarray(self.ids, np.int64),
            sha256s=self.sha256s,
            families=np.asarray(self.families, np.intp),
            labels=labels,
            classes=tuple(codes),
            blocks=tuple(blocks),
            row_of=self.row_of,
            left_out=self.left_out,
            examined=self.examined,
        )


@dataclass(slots=True, eq=False)
class _Held:
    lock: threading.Lock = field(default_factory=threading.Lock)
    read: _Read | None = None


def asks_familiarity(task: Task, known: Knowledge) -> bool:
    """Whether a picture may be none of what is known: where a head answers an open task."""
    return task.open and known.head is not None and not known.words


class Neighbours:
    """Labelled examples with their vectors, read once each, as they come. Safe in threads.

    Parameters
    ----------
    store
        Truth.
    shelves
        Where each kind of task takes vectors from.
    most, most_bytes
        Examples of a task, and bytes of all tasks together, that are held at most.
    """

    def __init__(
        self,
        store: Store,
        shelves: Mapping[TaskKind, Shelf],
        *,
        most: int = MOST,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._store = store
        self._shelves = shelves
        self._most = most
        self._most_bytes = most_bytes
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._holding = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of vectors held."""
        with self._holding:
            return sum(held.read.nbytes for held in self._held.values() if held.read)

    def of(self, task: Task, known: Knowledge) -> Labelled:
        """The labelled examples of a task, under the labels that are known now.

        The demonstration's pictures are among them only where the demonstration answers.

        Parameters
        ----------
        task
            Whose.
        known
            What is known of it.

        Raises
        ------
        NotFound
            No such task.
        """
        demo = known.version is not None and known.version.demo
        with self._holding:
            held = self._held.setdefault(task.name, _Held())
            self._held.move_to_end(task.name)
        with held.lock:
            read = held.read = self._up_to_date(task, demo, held.read)
            labelled = read.labelled(task, known)
        self._make_room()
        return labelled

    def familiarities(
        self,
        task: Task,
        known: Knowledge,
        pictures: Sequence[tuple[str, Vectors | None]],
        supposed: Sequence[Vectors] = (),
    ) -> list[Familiarity | None]:
        """How near pictures are to what an open task knows; None where it is no question.

        A closed task's pictures have one of its labels, whatever they look like; and where words
        still answer too, a label may be known without any picture to be near to.

        Parameters
        ----------
        task, known
            Who is asked, and what is known of it.
        pictures
            Of each its sha256 and its vector, (dim,); None where it has none.
        supposed
            (dim,) vectors of examples that are known only supposedly.
        """
        if not asks_familiarity(task, known):
            return [None] * len(pictures)
        having = [(sha256, vector) for sha256, vector in pictures if vector is not None]
        found = iter(self.of(task, known).familiarities(having, supposed))
        return [None if vector is None else next(found) for _, vector in pictures]

    def _up_to_date(self, task: Task, demo: bool, read: _Read | None) -> _Read:
        key = _key(self._store.versions.state(task.name), demo)
        fresh = read is None or read.key != key
        if read is None or fresh:
            read = _Read(key)
        samples = self._store.samples.after(task.name, read.last, demo=demo)
        if samples:
            read.last = samples[-1].id
            self._add(self._shelves[task.kind], read, samples, choose=fresh)
        return read

    def _add(self, shelf: Shelf, read: _Read, samples: Sequence[Sample], *, choose: bool) -> None:
        if choose and len(samples) > self._most:
            # a fair choice, the same in every process; in the order of their numbers again
            by_chance = sorted(samples, key=lambda sample: sample.sha256)[: self._most]
            read.left_out = len(samples) - len(by_chance)
            samples = sorted(by_chance, key=lambda sample: sample.id)
        for start in range(0, len(samples), CHUNK):
            some = samples[start : start + CHUNK]
            vectors = shelf.vectors([sample.sha256 for sample in some])
            for sample in some:
                vector = vectors.get(sample.sha256)
                if vector is None or not np.isfinite(vector).all():
                    continue  # all is read again when it has one: that moves the epoch
                if len(read.ids) >= self._room(len(vector)):
                    read.left_out += 1
                    continue
                read.add(sample, vector)

    def _room(self, dim: int) -> int:
        """How many examples of a task may be held."""
        return min(self._most, max(self._most_bytes // (4 * dim), BLOCK))

    def _make_room(self) -> None:
        with self._holding:
            left = sum(held.read.nbytes for held in self._held.values() if held.read)
            for name in list(self._held)[:-1]:
                if left <= self._most_bytes:
                    return
                gone = self._held.pop(name).read
                left -= gone.nbytes if gone else 0


def _key(state: State, demo: bool) -> Key:
    """What another one of makes all rows be read anew: pictures may be gone, or have vectors."""
    return (state.task_id, state.epoch, state.current, demo)
