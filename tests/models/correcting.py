"""A version's head, its support, and examples shown since, made by a seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.support import Support
from models.taught import Shown
from tests.models.made import unit

DIM = 48
Rows = NDArray[np.float32]


class Centres:
    """A head that knows a centre of each label, and nothing else."""

    def __init__(self, centres: Rows, classes: Sequence[str], *, sure: float = 6.0) -> None:
        self._centres = centres
        self._sure = sure
        self.classes = tuple(classes)

    def predict_proba(self, vectors: Rows) -> NDArray[np.float64]:
        scores = self._sure * (vectors.astype(np.float64) @ self._centres.T)
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(chances / chances.sum(axis=1, keepdims=True))


class World:
    """Pictures of each label come from some places; the head learned one place of each.

    Parameters
    ----------
    labels
        What is told apart.
    seed
        Of everything.
    """

    def __init__(self, labels: Sequence[str] = ("ai", "real"), seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.labels = tuple(labels)
        self.places = self.somewhere(len(labels))
        self.head = Centres(self.places, labels)
        anchors, anchor_labels = self.pictures(60)
        golden, golden_labels = self.pictures(60)
        pictures = {f"golden-{i}": str(label) for i, label in enumerate(golden_labels)}
        self.support = Support(anchors, anchor_labels, golden, golden_labels, pictures)

    def somewhere(self, n: int) -> Rows:
        """Random unit rows."""
        return unit(self.random.standard_normal((n, DIM)))

    def near(self, place: Rows, n: int, *, spread: float = 0.9) -> Rows:
        """Pictures around a place."""
        noise = self.random.standard_normal((n, DIM)) / np.sqrt(DIM)
        return unit(place + spread * noise)

    def pictures(self, each: int) -> tuple[Rows, NDArray[np.str_]]:
        """So many of each label, from the places that the head knows."""
        rows = [self.near(place, each) for place in self.places]
        return np.concatenate(rows), np.repeat(np.asarray(self.labels), each)


def shown(
    vectors: Rows, labels: Sequence[str] | NDArray[np.str_], *, weight: int = 1, name: str = "c"
) -> list[Shown]:
    """Each row as one example."""
    return [
        Shown(f"{name}-{i:05d}", str(label), weight, row[None])
        for i, (row, label) in enumerate(zip(vectors, labels, strict=True))
    ]


def said(head: object, vectors: Rows) -> NDArray[np.str_]:
    """The likeliest label of each."""
    return np.asarray(head.classes)[head.predict_proba(vectors).argmax(axis=1)]  # type: ignore[attr-defined]
