"""How a version did on each slice of what it was made from, and on which it is clearly worse.

References
----------
C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of
the binomial", Biometrika 26 (1934): the intervals. R. A. Fisher, "Statistical methods for
research workers" (1934): a slice against the rest. Y. Benjamini, Y. Hochberg, "Controlling the
false discovery rate", Journal of the Royal Statistical Society B 57 (1995): many slices at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain import LOOKS
from models.answers import NOTHING, Answers, Names
from models.examples import Rows
from models.shares import interval
from models.slices import (
    BAND_NAMES,
    BANDS,
    CONFIDENCE,
    DIMENSIONS,
    LEAST,
    SIZE,
    SOURCE,
    slices_of,
)
from storage import Store

FALSE_DISCOVERIES = 0.05
"""Share of the slices called weak that may be no worse than the rest, on average."""
WORSE_BY, WORSE_TIMES = 0.05, 1.5
"""A weak slice has so much more error than the rest, or so many times the error: among very many
pictures the smallest difference would be sure, and worth nobody's while."""
MOST = 60
"""Slices of a dimension that a card tells of, the largest."""
MOST_LABELS = 10
"""Labels up to which a card counts them apart in each slice."""
ON = (
    "each picture answered without having been seen: held out, or out of fold; a family of "
    "near-duplicates counts once in a slice; right is what was likeliest, however sure"
)


@dataclass(frozen=True, slots=True, eq=False)
class Slicing:
    """Which slice of a dimension each of n pictures belongs to.

    Attributes
    ----------
    names
        The slices there are.
    codes
        (n,) places in `names`; NOTHING where it is not known.
    """

    names: tuple[str, ...]
    codes: Rows

    @classmethod
    def of(cls, values: Sequence[str | None]) -> Slicing:
        """From a word for each picture; None where it is not known."""
        names = tuple(sorted({value for value in values if value is not None}))
        place: dict[str | None, int] = {name: code for code, name in enumerate(names)}
        return cls(names, np.asarray([place.get(value, NOTHING) for value in values], np.intp))


def slice_card(store: Store, answers: Answers, confidences: NDArray[np.float64]) -> dict[str, Any]:
    """What a card says slice by slice of a version that was just made.

    Parameters
    ----------
    store
        Where the looks of the pictures are kept; those without have a source and a confidence.
    answers
        What it answered, unseen, to each picture.
    confidences
        (n,) in [0, 1], of those answers.
    """
    slicings = looks_of(store, answers.pictures)
    slicings[CONFIDENCE] = confidence_bands(confidences)
    slicings[SOURCE] = Slicing(answers.source_names, answers.sources.astype(np.intp))
    return measure_slices(answers, confidences, slicings)


def looks_of(store: Store, pictures: Names) -> dict[str, Slicing]:
    """The slices that follow from what pictures look like, by dimension."""
    words: dict[str, list[str | None]] = {}
    names = [name.decode() for name in pictures]
    chunk = 4_000  # the looks of a million pictures need not be in memory at once
    for start in range(0, len(names), chunk):
        some = names[start : start + chunk]
        known = store.file_facts.get(LOOKS, some)
        for row, name in enumerate(some, start):
            for dimension, word in slices_of(known.get(name)).items():
                words.setdefault(dimension, [None] * len(names))[row] = word
    return {dimension: Slicing.of(column) for dimension, column in words.items()}


def confidence_bands(confidences: NDArray[np.float64]) -> Slicing:
    """The band that each of (n,) confidences falls into."""
    return Slicing(BAND_NAMES, np.searchsorted(BANDS, confidences, side="right").astype(np.intp))


def measure_slices(
    answers: Answers,
    confidences: NDArray[np.float64],
    slicings: dict[str, Slicing],
) -> dict[str, Any]:
    """Count right answers slice by slice, and find the slices that are clearly worse.

    A slice is weak if its error is above that of all others by Fisher's exact test, one-sided,
    at a false discovery rate of `FALSE_DISCOVERIES` over all tests together, and by enough to
    matter. Each label inside it is held against the same label outside it in the same way, since
    errors on one label hide behind right answers on another; and both once more by what was
    said when the pictures' whole sources had been left out. A band of confidence is held against
    what it claims instead, by the binomial test: that pictures it is unsure of are answered
    wrongly more often is no weakness.

    Parameters
    ----------
    answers
        What a version answered, unseen.
    confidences
        (n,) of those answers.
    slicings
        By dimension, of the same n pictures.

    Returns
    -------
    dict[str, Any]
        `parts` has by dimension and slice: `n`, `right`, `error` with its interval `low` to
        `high` (95 %), the error of the `rest` (of a band: the error that it claims), the test's
        `p` (None below `LEAST` pictures on either side), `weak`. `unseen` has the same where
        the whole source had been left out, None where that was not measured; a slice that is
        weak there is weak. `labels` has the same a label, with `taken_for`: what its pictures
        were taken for and how often; empty where labels are many.
    """
    parts = {
        dimension: _part(answers, slicings[dimension], confidences, dimension)
        for dimension in DIMENSIONS
        if dimension in slicings
    }
    slices = [row for part in parts.values() for row in part.values()]
    _mark_weak([*slices, *(one for row in slices for one in row["labels"].values())])
    sized = slicings.get(SIZE)
    return {
        "on": ON,
        "pictures": len(answers),
        "with_looks": int((sized.codes != NOTHING).sum()) if sized else 0,
        "least": LEAST,
        "false_discoveries": FALSE_DISCOVERIES,
        "parts": parts,
    }


def _part(
    answers: Answers, slicing: Slicing, confidences: NDArray[np.float64], dimension: str
) -> dict[str, dict[str, Any]]:
    """The slices of one dimension, in the order of their names."""
    banded = dimension == CONFIDENCE
    rows = _once_a_family(slicing.codes, answers.families, np.ones(len(answers), np.bool_))
    measured = answers.unseen != NOTHING if not banded else np.zeros(len(answers), np.bool_)
    left_out = _once_a_family(slicing.codes, answers.families, measured)
    known = _counted(slicing, rows, answers, answers.said)
    unseen = _counted(slicing, left_out, answers, answers.unseen)
    largest = np.argsort(-known.n, kind="stable")[:MOST]
    part: dict[str, dict[str, Any]] = {}
    for code in sorted(int(code) for code in largest if known.n[code]):
        own = rows[slicing.codes[rows] == code]
        claimed = float(confidences[own].mean()) if banded else None
        part[slicing.names[code]] = {
            **_row(known.of(code), known.total, claimed),
            "unseen": _row(unseen.of(code), unseen.total) if unseen.n[code] else None,
            "labels": _by_label(answers.classes, code, known, unseen, tested=not banded),
        }
    return part


def _once_a_family(codes: Rows, families: NDArray[np.uint64], where: NDArray[np.bool_]) -> Rows:
    """The first row of each family in each slice."""
    rows = np.flatnonzero(where & (codes != NOTHING))
    order = rows[np.lexsort((rows, families[rows], codes[rows]))]
    new = np.ones(len(order), np.bool_)
    new[1:] = (np.diff(codes[order]) != 0) | (np.diff(families[order]) != 0)
    return np.sort(order[new])


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    """How many pictures of s slices there are, and how many of them were answered rightly.

    `n` and `right` are (s,); `table` is (s, k, k), of each slice the true labels by what was
    said; (s, 0, 0) where labels are too many.
    """

    n: Rows
    right: Rows
    table: Rows

    @property
    def total(self) -> tuple[int, int]:
        return int(self.n.sum()), int(self.right.sum())

    def of(self, code: int) -> tuple[int, int]:
        return int(self.n[code]), int(self.right[code])

    def of_label(self, code: int, label: int) -> tuple[int, int]:
        return int(self.table[code, label].sum()), int(self.table[code, label, label])

    def total_of_label(self, label: int) -> tuple[int, int]:
        return int(self.table[:, label].sum()), int(self.table[:, label, label].sum())


def _counted(slicing: Slicing, rows: Rows, answers: Answers, said: NDArray[np.int32]) -> _Counts:
    """Count these rows by slice, their labels and what was said."""
    codes, slices, k = slicing.codes[rows], len(slicing.names), len(answers.classes)
    labels, answered = answers.labels[rows], said[rows]
    k = k if k <= MOST_LABELS else 0
    table = np.zeros((slices, k, k), np.intp)
    if k:
        np.add.at(table, (codes, labels, answered), 1)
    n = np.bincount(codes, minlength=slices)
    return _Counts(n, np.bincount(codes[labels == answered], minlength=slices), table)


def _row(
    own: tuple[int, int], total: tuple[int, int], claimed: float | None = None
) -> dict[str, Any]:
    """One slice against all others, or against what it claims."""
    from scipy.stats import binom, hypergeom

    n, right = own
    others, others_right = total[0] - n, total[1] - right
    wrong = n - right
    low, high = interval(wrong, n)
    rest = (others - others_right) / others if others else None
    p: float | None = None
    if claimed is not None:
        rest = 1 - claimed
        p = float(binom.cdf(right, n, claimed)) if n >= LEAST else None
    elif min(n, others) >= LEAST:
        p = float(hypergeom.sf(wrong - 1, total[0], total[0] - total[1], n))
    return {
        "n": n,
        "right": right,
        "error": wrong / n,
        "low": low,
        "high": high,
        "rest": rest,
        "p": p,
    }


def _mark_weak(measured: Sequence[dict[str, Any]]) -> None:
    """Say of each slice, and label in it, whether it is clearly worse, all looked at together."""
    left_out = [row["unseen"] for row in measured if row["unseen"]]
    rows = [*measured, *left_out]
    tested = sorted((row for row in rows if row["p"] is not None), key=lambda row: row["p"])
    found = 0
    for place, row in enumerate(tested, 1):
        if row["p"] <= FALSE_DISCOVERIES * place / len(tested):
            found = place
    for row in rows:
        row["weak"] = False
    for row in tested[:found]:
        more = row["error"] - row["rest"]
        row["weak"] = more >= WORSE_BY or row["error"] >= WORSE_TIMES * row["rest"]
    for row in measured:
        row["weak"] |= bool(row["unseen"] and row["unseen"]["weak"])


def _by_label(
    classes: Sequence[str], code: int, known: _Counts, unseen: _Counts, *, tested: bool
) -> dict[str, dict[str, Any]]:
    """Each label in a slice against the same label outside it; only counted if not `tested`."""
    found: dict[str, dict[str, Any]] = {}
    for label, name in enumerate(classes[: known.table.shape[1]]):
        rows: list[dict[str, Any] | None] = []
        for counts in (known, unseen):
            own = counts.of_label(code, label)
            against = counts.total_of_label(label) if tested else own
            taken = {
                said: int(n)
                for place, (said, n) in enumerate(
                    zip(classes, counts.table[code, label], strict=True)
                )
                if n and place != label
            }
            rows.append({**_row(own, against), "taken_for": taken} if own[0] else None)
        if rows[0] is not None:
            found[name] = {**rows[0], "unseen": rows[1]}
    return found
