"""Where what is learned takes vectors from: by picture, all that a task's embedder made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from models.exact import quantised
from storage import Store

Rows = NDArray[np.float32]
Copies = Callable[[Sequence[str]], Mapping[str, Rows]]


@dataclass(frozen=True, slots=True, eq=False)
class Fresh:
    """What was made of a picture and is not in the store yet.

    Attributes
    ----------
    vector, likeness
        (dim,) and (length,) float32.
    copies
        (m, dim) float32.
    """

    vector: Rows
    likeness: Rows
    copies: Rows


NOTHING: Mapping[str, Fresh] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Shelf:
    """The vectors of one embedder in the store.

    Attributes
    ----------
    embedder
        Its id.
    likeness
        The id under which what recognises altered copies is kept.
    copies
        Gives (m, dim) vectors of the teaching copies of those pictures that have some.
    fresh
        What is only supposed to be in the store, by sha256.
    """

    store: Store
    embedder: str
    likeness: str
    copies: Copies
    fresh: Mapping[str, Fresh] = field(default_factory=dict)

    def vectors(self, sha256s: Sequence[str]) -> dict[str, Rows]:
        """Of each picture that has a vector: (dim,), as it was embedded."""
        fresh = {s: self.fresh[s].vector for s in sha256s if s in self.fresh}
        return {**self._found(self.embedder, sha256s), **fresh}

    def likenesses(self, sha256s: Sequence[str]) -> list[Rows | None]:
        """The likeness of each picture, (length,); None where it has none."""
        fresh = {s: self.fresh[s].likeness for s in sha256s if s in self.fresh}
        known = {**self._found(self.likeness, sha256s), **fresh}
        return [known.get(sha256) for sha256 in sha256s]

    def shown(self, sha256s: Sequence[str]) -> dict[str, Rows]:
        """Of each picture that has a vector: (1 + m, dim), its own first, then its copies'.

        Quantised: sums of their products are exact.
        """
        own = self.vectors(sha256s)
        fresh = {s: self.fresh[s].copies for s in own if s in self.fresh}
        copies = {**self.copies(list(own)), **{s: rows for s, rows in fresh.items() if len(rows)}}
        return {
            sha256: quantised(np.vstack([vector[None], copies[sha256]]))
            if sha256 in copies
            else quantised(vector[None])
            for sha256, vector in own.items()
        }

    def _found(self, embedder: str, sha256s: Sequence[str]) -> dict[str, Rows]:
        found, rows = self.store.vectors.get(embedder, sha256s)
        return dict(zip(found, rows, strict=True))
