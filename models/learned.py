"""What this process has learned of each task: a function of the database, refreshed on sight."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from domain import Correction, Task, TaskKind
from models.current import Answer, Current
from models.knowledge import Fold, Knowledge
from models.shelf import NOTHING, Fresh, Shelf
from models.support import read_support
from storage import State, Store


@dataclass(frozen=True, slots=True, eq=False)
class _Now:
    """What is known, and of which state and version; one object, so that readers need no lock."""

    state: State
    answer: Answer | None
    knowledge: Knowledge


@dataclass(slots=True, eq=False)
class _Held:
    """What is held of one task; `lock` is for whoever changes it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    fold: Fold | None = None
    problem: str | None = None
    now: _Now | None = None


class Learned:
    """What answers for each task: versions and corrections. Safe in threads; reads one row a call.

    Parameters
    ----------
    store
        Truth.
    current
        The versions.
    shelves
        Where each kind of task takes vectors from.
    """

    def __init__(self, store: Store, current: Current, shelves: Mapping[TaskKind, Shelf]) -> None:
        self._store = store
        self._current = current
        self._shelves = shelves
        self._held: dict[str, _Held] = {}
        self._making = threading.Lock()

    def problem(self, task: str) -> str | None:
        """Why the current version of a task does not answer, as of the last look."""
        return self._current.problem(task)

    def shelf(self, kind: TaskKind) -> Shelf:
        """Where tasks of a kind take vectors from."""
        return self._shelves[kind]

    def knowledge(self, task: Task) -> Knowledge:
        """All that is known of a task at this moment.

        Raises
        ------
        NotFound
            No such task.
        """
        held = self._holder(task.name)
        state = self._store.versions.state(task.name)
        answer = self._current.head(task.name, state)
        now = held.now
        if now is not None and now.state == state and now.answer is answer:
            return now.knowledge
        with _whole(held):
            return self._refreshed(held, task.name, state, answer)

    def suppose(
        self, task: Task, rows: Sequence[Correction], fresh: Mapping[str, Fresh] = NOTHING
    ) -> Knowledge:
        """What would be known of a task if these rows stood at the end of its log.

        `fresh` has what would be stored with them, by sha256.
        """
        held = self._holder(task.name)
        state = self._store.versions.state(task.name)
        answer = self._current.head(task.name, state)
        with _whole(held):
            self._refreshed(held, task.name, state, answer)
            return _made(held).suppose(rows, fresh, held.problem)

    def _holder(self, name: str) -> _Held:
        with self._making:
            return self._held.setdefault(name, _Held())

    def _refreshed(self, held: _Held, task: str, state: State, answer: Answer | None) -> Knowledge:
        """Bring what is held to this state; called with its lock held."""
        now = held.now
        if now is None or now.answer is not answer or not _continues(now.state, state):
            held.fold, held.problem = self._fold(task, answer)
            now = None
        elif state.counter <= now.state.counter:
            return now.knowledge  # another thread was here first
        fold = _made(held)
        rows = self._store.corrections.since(task, fold.standing.seq)
        fold.advance(rows)
        known = now.knowledge if now and not rows else fold.knowledge(held.problem)
        held.now = _Now(state, answer, known)
        return known

    def _fold(self, name: str, answer: Answer | None) -> tuple[Fold, str | None]:
        """An empty fold over a version, and why that version does not answer."""
        # read after the state: a variant linked meanwhile moves the epoch, and this is made anew
        task = self._store.tasks.get(name)
        shelf = self._shelves[task.kind]
        problem = self.problem(name)
        if answer is not None and answer[0].embedder != shelf.embedder:
            problem = (
                f"The current version {answer[0].id} was trained on vectors of "
                f"{answer[0].embedder}, but {shelf.embedder} answers now: run "
                f"`python -m embeddings` and `python train.py --task {name}`, "
                "or set ENCODER back."
            )
            answer = None
        support = read_support(self._store, answer[0]) if answer else None
        return Fold(task.kind, task.variants, shelf, answer, support), problem


@contextmanager
def _whole(held: _Held) -> Iterator[None]:
    """Change what is held; what was left half changed is thrown away and made anew."""
    with held.lock:
        try:
            yield
        except BaseException:
            held.fold = held.now = None
            raise


def _made(held: _Held) -> Fold:
    if held.fold is None:
        raise AssertionError("whatever was refreshed has a fold")
    return held.fold


def _continues(known: State, state: State) -> bool:
    """Whether what is new between two states are rows of the log alone."""
    return (known.task_id, known.epoch, known.current) == (
        state.task_id,
        state.epoch,
        state.current,
    )
