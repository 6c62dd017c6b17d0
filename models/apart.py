"""How far examples lie from each other: kept, and moved with the examples instead of made anew."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest

import numpy as np
from numpy.typing import NDArray

from models.examples import Rows

EXAMINED = 512
"""Examples whose distance from all others is known, at most; chosen by their sha256."""
KEPT_BITS = 3
"""How many examples there are is rounded down to so many leading bits before they are examined."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """Of examined examples the likeness of their nearest, and which row that is; -1 for none."""

    counted: Rows
    chosen: Rows
    likeness: Vectors
    nearest: Rows


NOTHING = np.empty(0, np.intp)


class Apart:
    """How like its nearest of another family each of some examples is. Safe in threads.

    The next moment mostly differs by a row or two: what these do not concern stays, so that a
    picture more or one that people begin to differ about costs no more than itself.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known = _Known(NOTHING, NOTHING, np.empty(0, np.float32), NOTHING)

    def among(
        self,
        counted: Rows,
        sha256s: Sequence[str],
        families: Rows,
        blocks: Sequence[Vectors],
    ) -> Vectors:
        """Look up those of some rows, ascending.

        Parameters
        ----------
        counted
            (c,) rows that count, ascending.
        sha256s, families
            Of all n rows.
        blocks
            Unit rows, n in all; the same ones each time, and more.

        Returns
        -------
        NDArray[np.float32]
            (m,) cosines, of at most `EXAMINED` rows.
        """
        with self._lock:
            if not np.array_equal(self._known.counted, counted):
                self._known = _moved(self._known, counted, sha256s, families, blocks)
            likeness = self._known.likeness
        return np.sort(likeness[likeness > -np.inf])


def rounded(n: int) -> int:
    """`n` without what is below its leading bits."""
    low = max(n.bit_length() - KEPT_BITS, 0)
    return n >> low << low


def _moved(
    known: _Known,
    counted: Rows,
    sha256s: Sequence[str],
    families: Rows,
    blocks: Sequence[Vectors],
) -> _Known:
    first = nsmallest(EXAMINED, counted.tolist(), key=sha256s.__getitem__)
    chosen = np.asarray(first, np.intp)
    gone = np.setdiff1d(known.counted, counted, assume_unique=True)
    new = np.setdiff1d(counted, known.counted, assume_unique=True)
    place = {row: i for i, row in enumerate(known.chosen.tolist())}
    at = np.asarray([place.get(row, -1) for row in chosen.tolist()], np.intp)
    stays = at >= 0
    stays[stays] = ~np.isin(known.nearest[at[stays]], gone)
    likeness = np.full(len(chosen), -np.inf, np.float32)
    nearest = np.full(len(chosen), -1, np.intp)
    likeness[stays], nearest[stays] = known.likeness[at[stays]], known.nearest[at[stays]]
    for some, among in ((stays, new), (~stays, counted)):
        asked = chosen[some]
        likeness[some], nearest[some] = _nearer(
            asked, likeness[some], nearest[some], among, families, blocks
        )
    return _Known(counted, chosen, likeness, nearest)


def _nearer(
    asked: Rows,
    likeness: Vectors,
    nearest: Rows,
    among: Rows,
    families: Rows,
    blocks: Sequence[Vectors],
) -> tuple[Vectors, Rows]:
    """The likeness of some rows' nearest, and which they are, with more rows to choose from."""
    if not len(asked) or not len(among):
        return likeness, nearest
    vectors = _rows(asked, blocks)
    start = 0
    for block in blocks:
        first, last = np.searchsorted(among, (start, start + len(block)))
        rows = among[first:last]
        if len(rows):
            found = vectors @ block[rows - start].T
            found[families[asked][:, None] == families[rows]] = -np.inf
            best = found.argmax(axis=1)
            best_likeness = found[np.arange(len(asked)), best]
            nearer = best_likeness > likeness
            likeness = np.where(nearer, best_likeness, likeness)
            nearest = np.where(nearer, rows[best], nearest)
        start += len(block)
    return likeness, nearest


def _rows(rows: Rows, blocks: Sequence[Vectors]) -> Vectors:
    """(len(rows), dim) copies of some."""
    taken = np.empty((len(rows), blocks[0].shape[1]), np.float32)
    start = 0
    for block in blocks:
        here = (rows >= start) & (rows < start + len(block))
        taken[here] = block[rows[here] - start]
        start += len(block)
    return taken
