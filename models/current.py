"""The current version of each task, as this process has it loaded."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from domain import ModelVersion, Unavailable
from models import Head
from models.registry import Registry
from storage import State, Store

RETRY_SECONDS = 30.0
"""After so long a version that did not load is tried again: a volume may have come back."""

Answer = tuple[ModelVersion, Head]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Held:
    """What is held of one task, and of which state of it."""

    state: State
    answer: Answer | None
    problem: str | None
    since: float


class Current:
    """The versions that answer, and their heads. Safe in threads; reads one row a call."""

    def __init__(
        self, store: Store, registry: Registry, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._before: dict[str, Answer] = {}
        self._loading = threading.Lock()

    def head(self, task: str, state: State | None = None) -> Answer | None:
        """The current version of a task and its head; None when nothing can answer.

        If the current version's files are broken, the last good one goes on answering and
        `problem` says so. `state` spares reading the task's row when it was just read.

        Raises
        ------
        NotFound
            No such task.
        """
        state = state or self._store.versions.state(task)
        held = self._held.get(task)
        if held is None or not self._fresh(held, state):
            with self._loading:
                held = self._held.get(task)
                if held is None or not self._fresh(held, state):
                    held = self._refresh(task, state, held)
        return held.answer

    def problem(self, task: str) -> str | None:
        """Why the current version of a task does not answer, as of the last `head`."""
        held = self._held.get(task)
        return held.problem if held else None

    def _fresh(self, held: _Held, state: State) -> bool:
        # the counter may be that of a deleted task whose name is used again: compare both
        same = held.state.current == state.current
        return same and (held.problem is None or self._clock() - held.since < RETRY_SECONDS)

    def _refresh(self, task: str, state: State, held: _Held | None) -> _Held:
        answer, problem = None, None
        if state.current is not None:
            try:
                answer = self._load(task, state.current, held)
            except Unavailable as error:
                problem = error.message
                answer = self._last_good(task, state.current, held)
                log.error("%s %s", problem, _stands_in(answer))
                problem = f"{problem} {_stands_in(answer)}"
        fresh = _Held(state, answer, problem, self._clock())
        if held is not None and held.answer is not None and answer is not held.answer:
            self._before[task] = held.answer
        self._held[task] = fresh
        return fresh

    def _load(self, task: str, version_id: str, held: _Held | None) -> Answer:
        """From memory if it is held there: going back to the version before costs no reading."""
        for known in (held.answer if held else None, self._before.get(task)):
            if known is not None and known[0].id == version_id:
                return known
        version = self._store.versions.get(task, version_id)
        return version, self._registry.load(version)

    def _last_good(self, task: str, broken: str, held: _Held | None) -> Answer | None:
        for version_id in self._earlier(task, broken, held):
            try:
                return self._load(task, version_id, held)
            except Unavailable as error:
                log.error("%s", error.message)
        return None

    def _earlier(self, task: str, broken: str, held: _Held | None) -> Iterator[str]:
        """Versions that answered before the broken one, newest first, each once."""
        seen = {broken}
        for promotion in self._store.versions.promotions(task):
            if promotion.version not in seen:
                seen.add(promotion.version)
                yield promotion.version


def _stands_in(answer: Answer | None) -> str:
    if answer is None:
        return "No earlier version can answer in its place."
    return f"The earlier version {answer[0].id} answers in its place."
