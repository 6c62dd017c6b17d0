"""Rows dealt into folds, and what is summed over them for all folds at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.examples import Rows
from models.folds import Fold
from models.moments import Moments, Values, label_weights, without

Task = TypeVar("Task")
Done = TypeVar("Done")
Vectors = NDArray[np.float32]
Columns = NDArray[np.float32] | NDArray[np.float64]
Features = Callable[[Rows], Columns]
"""(b, m) columns of some rows, as precise as their products are to be."""

BLOCK = 4_096
"""Rows whose products are made at once: what is copied stays small, float32 sums short."""
LABELS_APART = 4
"""Labels up to which products are kept for each; of more they would outgrow the vectors."""


class Dealt:
    """Labelled rows, each in the fold that is scored by what was fitted on the others.

    Attributes
    ----------
    vectors
        (n, dim) float32; never copied as a whole.
    codes
        (n,) labels as numbers from 0; each occurs outside every fold.
    fold_of
        (n,) the fold each row is scored in.
    folds
        How many there are.
    jobs
        Threads; sums do not depend on how many.
    """

    def __init__(self, vectors: Vectors, codes: Rows, fold_of: Rows, jobs: int = 1) -> None:
        self.vectors, self.codes, self.fold_of, self.jobs = vectors, codes, fold_of, jobs
        self.folds = int(fold_of.max()) + 1
        self.labels = int(codes.max()) + 1

    @classmethod
    def of(cls, vectors: Vectors, codes: Rows, folds: Sequence[Fold], jobs: int = 1) -> Dealt:
        """Rows in folds that score each of them once."""
        fold_of = np.empty(len(codes), np.intp)
        for fold, (_, scored) in enumerate(folds):
            fold_of[scored] = fold
        return cls(vectors, codes, fold_of, jobs)

    def __len__(self) -> int:
        return len(self.codes)

    def few(self, rows: int) -> Dealt:
        """So many rows, of each fold and label as far as they go."""
        group = self.fold_of * self.labels + self.codes
        order = np.argsort(group, kind="stable")
        rank = np.empty(len(group), np.intp)
        rank[order] = np.arange(len(group)) - np.searchsorted(group[order], group[order])
        taken = np.sort(np.argsort(rank, kind="stable")[:rows])
        return Dealt(self.vectors[taken], self.codes[taken], self.fold_of[taken], self.jobs)

    @cached_property
    def centre(self) -> Vectors:
        """(dim,) float32 near the mean: products of what is left lose no digits."""
        return np.asarray(self.vectors.mean(axis=0, dtype=np.float64), np.float32)

    @cached_property
    def linear(self) -> Moments:
        """Of the vectors less the centre."""
        return self.moments(self.centred)

    def centred(self, rows: Rows) -> Vectors:
        """(b, dim) float32, some rows less the centre."""
        taken: Vectors = self.vectors[rows]
        np.subtract(taken, self.centre, out=taken)
        return taken

    def moments(self, features: Features) -> Moments:
        """Sums of the columns that `features` makes of rows, block by block."""
        groups = [self._group(fold, label) for fold, label in np.ndindex(self.folds, self.labels)]
        apart = self.labels <= LABELS_APART
        shape = (self.folds, self.labels)
        counts = np.asarray([len(rows) for rows in groups], np.float64).reshape(shape)
        columns = features(np.arange(1)).shape[1]
        square = (columns, columns)
        each = (self.labels, *square) if apart else square
        products = np.zeros((self.folds + 1, *each))
        parts = [*products[:-1].reshape(-1, *square)] if apart else [None] * len(groups)
        sums = self.each_of(lambda g: _sums(groups[g], features, parts[g]), range(len(groups)))
        if apart:
            np.sum(products[:-1], axis=0, out=products[-1])
        else:
            fits = range(self.folds + 1)
            self.each_of(lambda fit: self._weigh(fit, counts, features, products[fit]), fits)
        return Moments(
            counts,
            np.stack([one[0] for one in sums]).reshape(*shape, columns),
            np.stack([one[1] for one in sums]).reshape(*shape, columns).sum(axis=1),
            products,
        )

    def scores(
        self, features: Features, coefficients: Sequence[Values], offsets: Sequence[Values]
    ) -> Values:
        """(n, t) every row's, by its fold's (m, t) coefficients and (t,) offsets."""
        scored = np.empty((len(self), coefficients[0].shape[1]))

        def one(fold: int) -> None:
            for rows in _blocks(np.flatnonzero(self.fold_of == fold)):
                scored[rows] = features(rows) @ coefficients[fold] + offsets[fold]

        self.each_of(one, range(self.folds))
        return scored

    def in_blocks(self, work: Callable[[Rows], None]) -> None:
        """Do something for every row, block by block."""
        self.each_of(work, [*_blocks(np.arange(len(self)))])

    def spread_over(self, order: Rows, rows: int) -> Rows:
        """(r,) the first so many rows of an order, the same number from each fold."""
        wanted = -(-rows // self.folds)
        each = [order[self.fold_of[order] == fold][:wanted] for fold in range(self.folds)]
        return np.concatenate(each)

    def each_of(self, work: Callable[[Task], Done], tasks: Sequence[Task]) -> list[Done]:
        """What `work` gives for each task, in their order."""
        if self.jobs == 1 or len(tasks) == 1:
            return [work(task) for task in tasks]
        with ThreadPoolExecutor(self.jobs) as pool:
            return list(pool.map(work, tasks))

    def _group(self, fold: int, label: int) -> Rows:
        return np.flatnonzero((self.fold_of == fold) & (self.codes == label))

    def _weigh(self, fit: int, counts: Values, features: Features, products: Values) -> None:
        """Add the (m, m) products of rows by their weights; one fold left out, or at last none."""
        left_out = None if fit == self.folds else fit
        roots = np.sqrt(label_weights(without(counts, left_out)))
        for rows in _blocks(np.flatnonzero(self.fold_of != fit)):
            columns = features(rows)
            columns = columns * roots[self.codes[rows], None].astype(columns.dtype)
            products += columns.T @ columns


def _blocks(rows: Rows) -> Iterator[Rows]:
    for start in range(0, len(rows), BLOCK):
        yield rows[start : start + BLOCK]


def _sums(rows: Rows, features: Features, products: Values | None) -> tuple[Values, Values]:
    """Sums of columns and of their squares; adds their products to those given, if any."""
    whole: Values = np.zeros(())
    squared: Values = np.zeros(())
    for some in [*_blocks(rows)] or [rows]:
        columns = features(some)
        whole = whole + columns.sum(axis=0, dtype=np.float64)
        squared = squared + np.einsum("ij,ij->j", columns, columns, dtype=np.float64)
        if products is not None:
            products += columns.T @ columns
    return whole, squared
