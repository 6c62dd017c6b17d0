"""The vectors a lesson carries: which ones are of use here, and whether they are what they say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from domain import ExposrError, TaskKind
from embeddings import Embedder
from embeddings.images import Limits, Picture, decode
from embeddings.likeness import DIM, LIKENESS, likeness
from embeddings.teaching import WITHOUT, copies_id, store_teaching
from engine import Engine
from exchange.layout import Part
from exchange.reading import LessonFile

MOST_COPIES = 64
PROBES = 4
"""Pictures that are embedded here to see whether the lesson's vectors are theirs."""
ALIKE = 0.98
"""Cosine from which on two vectors are of one picture and one embedder, whatever computed them."""


def parts_in_use(embedder: Embedder, kind: TaskKind) -> dict[str, Part]:
    """What this installation looks at tasks of a kind with: by id, what a vector consists of."""
    parts = {embedder.id: Part(embedder.dim), LIKENESS: Part(DIM, zeros=True)}
    if kind not in WITHOUT:
        parts[copies_id(embedder, kind)] = Part(embedder.dim, MOST_COPIES)
    return parts


class Carried:
    """A lesson's vectors on their way into the store; none when they are not to be believed."""

    def __init__(self, engine: Engine, lesson: LessonFile, kind: TaskKind) -> None:
        self._engine = engine
        self._lesson = lesson
        self._kind = kind
        self._embedder = engine.embedders[kind]
        self._parts = parts_in_use(self._embedder, kind)
        lesson.check_vectors(self._parts)
        self.refused = not self._believable()

    def _believable(self) -> bool:
        """Embed a few of the pictures, which ones nobody who made the lesson could know."""
        limits = Limits.of(self._engine.settings)
        rng = np.random.default_rng()
        probed = 0
        for sha256 in rng.permutation(sorted(self._lesson.pictures)):
            found, rows = self._lesson.vectors(self._embedder.id, [str(sha256)])
            if not found:
                continue
            try:
                picture = decode(self._lesson.picture(str(sha256)), limits)
            except ExposrError:
                continue  # it will be refused when its turn comes
            own = self._embedder.embed([picture])[0]
            if float(own @ rows[0]) < ALIKE:
                return False
            probed += 1
            if probed == PROBES:
                break
        return True

    def put(self, sha256s: Sequence[str]) -> None:
        """Let the store have the vectors of pictures; what it has stays."""
        for name in () if self.refused else self._parts:
            found, rows = self._lesson.vectors(name, sha256s)
            if found:
                self._engine.store.vectors.put(name, found, rows)

    def lacking(self, sha256s: Sequence[str]) -> list[str]:
        """Those of which the store has not all that learning from them takes."""
        known = [set(self._engine.store.vectors.get(name, sha256s)[0]) for name in self._parts]
        complete = set.intersection(*known)
        return [sha256 for sha256 in sha256s if sha256 not in complete]

    def complete(self, picture: Picture) -> None:
        """Compute all that learning from a picture takes, for the store to have."""
        vectors, names = self._engine.store.vectors, [picture.facts.sha256]
        if not vectors.get(self._embedder.id, names)[0]:
            vectors.put(self._embedder.id, names, self._embedder.embed([picture]))
        if not vectors.get(LIKENESS, names)[0]:
            vectors.put(LIKENESS, names, likeness(picture)[None])
        store_teaching(self._engine.store, self._embedder, picture, self._kind)

    def without(self, sha256s: Sequence[str]) -> int:
        """How many of these pictures have no vector in the store."""
        return len(sha256s) - len(self._engine.store.vectors.get(self._embedder.id, sha256s)[0])
