"""What this process has learned of each task: a function of the database, refreshed on sight."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from domain import Correction, Task, TaskKind
from models.current import Answer, Current
from models.knowledge import NO_RATES, Fold, Knowledge, Rates
from models.reading import NO_WORDS, Reader, Words
from models.shelf import NOTHING, Fresh, Shelf
from models.support import read_support
from models.taught import TaughtHead
from models.words import mixed
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
    worded: tuple[Knowledge, Words, Knowledge] | None = None  # what came of which two


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
    readers
        What reads the texts of each kind's tasks; empty where the embedder reads none.
    rates
        As of `Knowledge`, for `authenticity` tasks.
    """

    def __init__(
        self,
        store: Store,
        current: Current,
        shelves: Mapping[TaskKind, Shelf],
        readers: Mapping[TaskKind, Reader] = MappingProxyType({}),
        rates: Rates = NO_RATES,
    ) -> None:
        self._store = store
        self._rates = rates
        self._current = current
        self._shelves = shelves
        self._readers = readers
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
            return self._worded(held, task, now.knowledge)
        with _whole(held):
            known = self._refreshed(held, task.name, state, answer)
        return self._worded(held, task, known)

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
            supposed = _made(held).suppose(rows, fresh, held.problem)
        return with_words(supposed, self._words(task, supposed))

    def reader(self, kind: TaskKind) -> Reader | None:
        """What reads the texts of a kind's tasks; None where the embedder reads none."""
        return self._readers.get(kind)

    def _worded(self, held: _Held, task: Task, known: Knowledge) -> Knowledge:
        """With what words say; one object for the same two, so that a head stays that head."""
        words, last = self._words(task, known), held.worded
        if last is not None and last[0] is known and last[1] is words:
            return last[2]
        made = with_words(known, words)
        held.worded = known, words, made
        return made

    def _words(self, task: Task, known: Knowledge) -> Words:
        """What the words of a task say, where no version answers."""
        reader = self._readers.get(task.kind)
        return NO_WORDS if reader is None or known.version is not None else reader.words(task)

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
        rates = self._rates if task.kind is TaskKind.AUTHENTICITY else NO_RATES
        return Fold(task.kind, task.variants, shelf, answer, support, rates), problem


def with_words(known: Knowledge, words: Words) -> Knowledge:
    """What is known of a task without a version, and what its words say beside it."""
    if words.head is None:
        return known if words.problem is None else replace(known, wordless=words.problem)
    if not isinstance(known.head, TaughtHead):
        return replace(known, head=words.head, words=1.0)
    head = mixed(words.head, known.head)
    return replace(known, head=head, words=head.share)


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
