"""Vectors turned so that what saving a picture anew changes in them counts for little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain import HANDED_ON, REDELIVERED
from models import ready
from models.threads import single_thread
from storage import Store

Vectors = NDArray[np.float32]

LEAST_SPREAD = 1e-3
"""Of the median one: a column that hardly varies is not blown up by being divided by its spread."""
LOOKED_AT = 2_000
"""Rows by which the length of turned vectors is told."""


@dataclass(frozen=True, slots=True, eq=False)
class Copies:
    """Vectors of pictures as they were sent and as they arrive when they are handed on.

    Attributes
    ----------
    rows
        (k,) which training row each picture is.
    own
        (k, dim) as it was sent.
    anew
        (k, m, dim) as it arrives; its own vector where nobody would hand it on so.
    """

    rows: NDArray[np.intp]
    own: Vectors
    anew: Vectors

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def made(self) -> NDArray[np.bool_]:
        """(k, m) where there is such a copy."""
        return np.asarray((self.anew != self.own[:, None]).any(axis=2))

    def turned(self, steadying: Steadying) -> Copies:
        """The same pictures in vectors so turned."""
        length, each, dim = self.anew.shape
        anew = steadying(self.anew.reshape(-1, dim)).reshape(length, each, dim)
        own = steadying(self.own)
        # products in other batches may differ in the last digit; stand-ins are to stay such
        anew = np.where(self.made[..., None], anew, own[:, None])
        return Copies(self.rows, own, anew)


@dataclass(frozen=True, slots=True, eq=False)
class Steadying:
    """A linear map of vectors: (dim,) `mean` is taken off, then (dim, dim) `onto` applied."""

    strength: float
    mean: Vectors
    onto: Vectors

    def __call__(self, vectors: Vectors) -> Vectors:
        """(n, dim) float32, turned; mean squared length about 1."""
        return np.asarray(vectors @ self.onto.T - self.mean @ self.onto.T, np.float32)

    def step(self) -> Any:
        """The same as a fitted scikit-learn transformer, for a pipeline to begin with."""
        from sklearn.decomposition import PCA

        step = PCA(n_components=len(self.mean))
        ready.turn(step, self.mean, self.onto)
        return step


@dataclass(frozen=True, slots=True, eq=False)
class Wavering:
    """How vectors move when pictures are handed on, along (dim, dim) `axes` by (dim,) `moves`.

    Both are of columns less their (dim,) `mean` over their (dim,) `spread`; `vectors` are some of
    those it was learned beside.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    moves: NDArray[np.float64]
    axes: NDArray[np.float64]
    vectors: Vectors

    @classmethod
    def of(cls, vectors: Vectors, copies: Copies) -> Wavering:
        """Learn it; labels are not looked at.

        Parameters
        ----------
        vectors
            (n, dim) the training rows.
        copies
            Some of their pictures, handed on.
        """
        mean = vectors.mean(axis=0, dtype=np.float64)
        spread = vectors.std(axis=0, dtype=np.float64)
        spread = np.maximum(spread, LEAST_SPREAD * max(float(np.median(spread)), 1e-12))
        moved = (copies.anew - copies.own[:, None])[copies.made] / spread.astype(np.float32)
        with single_thread():
            moves, axes = np.linalg.eigh((moved.T @ moved).astype(np.float64) / max(len(moved), 1))
        few = vectors[:: max(1, len(vectors) // LOOKED_AT)]
        return cls(mean, spread, np.maximum(moves, 0), axes, few)

    def steadying(self, strength: float) -> Steadying:
        """The map under which a direction counts the less the more copies move along it.

        Least squares with a penalty on coefficients, fitted to vectors so turned, is least
        squares with `strength` times as large a penalty on how its scores move on copies:
        directions are scaled by one over the root of 1 + strength * moves.

        References
        ----------
        P. Simard, B. Victorri, Y. LeCun, J. Denker, "Tangent prop: a formalism for specifying
        selected invariances in an adaptive network", NIPS 1991.
        A. Hatch, S. Kajarekar, A. Stolcke, "Within-class covariance normalization for SVM-based
        speaker recognition", Interspeech 2006.
        """
        with single_thread():
            turned = (self.axes / np.sqrt(1 + strength * self.moves)) @ self.axes.T / self.spread
            length = np.square((self.vectors - self.mean) @ turned.T).sum(axis=1).mean()
        onto = turned / max(float(np.sqrt(length)), 1e-12)
        return Steadying(strength, self.mean.astype(np.float32), onto.astype(np.float32))


def read_copies(
    store: Store, embedder: str, pictures: NDArray[np.bytes_], most: int = HANDED_ON
) -> Copies | None:
    """The training pictures whose re-deliveries were embedded; None where there are none.

    Parameters
    ----------
    store
        The open store.
    embedder
        Whose vectors.
    pictures
        (n,) S64, the sha256 of the training rows.
    most
        Pictures read at most: the vectors of their copies are held at once.
    """
    row_of = {name.decode(): row for row, name in enumerate(pictures)}
    names, anew = _present(store, embedder, row_of, most)
    if not names:
        return None
    found, own = store.vectors.get(embedder, names)
    place = {name: i for i, name in enumerate(names)}
    kept = anew[[place[name] for name in found]].reshape(len(found), -1, own.shape[1])
    rows = np.asarray([row_of[name] for name in found], np.intp)
    return Copies(rows, own, kept)


def _present(
    store: Store, embedder: str, names: Sequence[str] | dict[str, int], most: int
) -> tuple[list[str], Vectors]:
    """The same ones whoever asks: the first by their names, which are fair draws."""
    having = store.vectors.present(embedder + REDELIVERED, list(names))
    return store.vectors.get(embedder + REDELIVERED, sorted(having)[:most])
