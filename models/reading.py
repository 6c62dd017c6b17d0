"""Texts of a task's labels, read once: each text's vector is kept beside those of pictures."""

from __future__ import annotations

import hashlib
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from domain import Task, Unavailable
from models.words import TextHead, texts_of
from storage import Store

RECIPE = 1
"""Moves when a text would be read to another vector."""
AT_ONCE = 128
"""Texts read while somebody waits: ViT-B/32 takes a tenth of a second for each on two cores."""
TRY_AGAIN_SECONDS = 10.0
"""What failed is said again for so long before it is looked at anew: no request waits for it."""

Texts = Mapping[str, tuple[str, ...]]

log = logging.getLogger(__name__)


@runtime_checkable
class ReadsTexts(Protocol):
    """An embedder with a text encoder that was trained together with its picture encoder."""

    @property
    def id(self) -> str:
        """Of the picture vectors that texts are compared with."""

    def embed_text(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dim) unit rows: the dot product with a picture's row is their likeness."""

    def text_scale(self) -> float:
        """By which likenesses are multiplied before they become probabilities."""

    def forget_text(self) -> None:
        """Let the text encoder go; the next text brings it back."""


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """What the words of a task come to: a head, or why there is none."""

    head: TextHead | None = None
    problem: str | None = None


NO_WORDS = Words()


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """The words of a task as it was, and by the clock until when they hold."""

    task: Task
    words: Words
    until: float


class Reader:
    """Reads the texts of tasks. Safe in threads; the encoder is loaded for new texts alone.

    Parameters
    ----------
    store
        Where vectors of texts are kept.
    encoder
        What reads.
    clock
        Seconds that only grow.
    """

    def __init__(
        self, store: Store, encoder: ReadsTexts, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._encoder = encoder
        self._clock = clock
        self._reading = threading.Lock()
        self._held: dict[str, _Held] = {}

    @property
    def name(self) -> str:
        """Under which id vectors of texts are kept: (dim + 1,), the last number is the scale."""
        return f"{self._encoder.id}/text:{RECIPE}"

    def words(self, task: Task) -> Words:
        """What a task's words say by now; reads what is new, if it is little.

        A task with fewer than two labels has nothing to tell apart by.
        """
        held = self._known(task)
        if held is None:
            with self._reading:
                held = self._known(task)
                if held is None:
                    words = self._words(task)
                    # a failure is remembered too, for a while: each request would wait for it
                    until = math.inf if words.problem is None else self._clock() + TRY_AGAIN_SECONDS
                    held = self._held[task.name] = _Held(task, words, until)
        return held.words

    def _known(self, task: Task) -> _Held | None:
        """What is held of a task's words, unless they are others by now."""
        held = self._held.get(task.name)
        if held is None or not _same_words(held.task, task) or self._clock() >= held.until:
            return None
        return held

    def read(self, task: Task) -> int:
        """Read all texts of a task that nobody has read yet, and keep them; how many.

        Raises
        ------
        Unavailable
            The text encoder does not load here.
        """
        with self._reading:
            n = self._read(self._unread(_all(texts_of(task))))
            self._held.pop(task.name, None)  # what was lacking may be there now
            return n

    def _words(self, task: Task) -> Words:
        if len(task.labels) < 2:
            return NO_WORDS
        texts = texts_of(task)
        unread = self._unread(_all(texts))
        if len(unread) > AT_ONCE:
            return Words(
                problem=f"{len(unread)} texts of the labels of {task.name} were not read yet: "
                f"`python -m embeddings --task {task.name}` reads them."
            )
        try:
            self._read(unread)
        except Unavailable as error:
            return Words(problem=error.message)
        return Words(self._head(texts))

    def _unread(self, texts: Sequence[str]) -> list[str]:
        known = self._store.vectors.present(self.name, [_key(text) for text in texts])
        return [text for text in texts if _key(text) not in known]

    def _read(self, texts: Sequence[str]) -> int:
        if texts:
            log.info("Reading %d texts with %s", len(texts), self._encoder.id)
            rows, scale = self._encoder.embed_text(texts), self._encoder.text_scale()
            kept = np.column_stack([rows, np.full(len(rows), scale, np.float32)])
            self._store.vectors.put(self.name, [_key(text) for text in texts], kept)
            self._encoder.forget_text()
        return len(texts)

    def _head(self, texts: Texts) -> TextHead:
        names, rows = self._store.vectors.get(self.name, [_key(text) for text in _all(texts)])
        row_of = dict(zip(names, rows, strict=True))
        vectors = [np.stack([row_of[_key(one)][:-1] for one in of]) for of in texts.values()]
        return TextHead.of(tuple(texts), vectors, float(rows[0, -1]))


def _same_words(one: Task, other: Task) -> bool:
    return (one.id, one.labels, one.prompts) == (other.id, other.labels, other.prompts)


def _all(texts: Texts) -> list[str]:
    return list(dict.fromkeys(text for of in texts.values() for text in of))


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
