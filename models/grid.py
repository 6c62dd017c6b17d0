"""Which candidates suit this many rows, columns and labels, cheap ones first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.candidates import (
    FAMILIES,
    RAW,
    STANDARD,
    Candidate,
    Forest,
    LinearSvm,
    Logistic,
    Ridge,
    Setting,
)
from models.closed_form import squared_distances
from models.kernel_candidates import NystroemSvm, RbfSvm

EXACT_RBF_ROWS = 4_000
"""Rows up to which the exact RBF kernel is held, 128 MB as float64."""
EXACT_RBF_LABELS = 10
"""Labels up to which SVC's one-against-one votes still make scores that calibrate well."""
LINEAR_SVM_LABELS = 50
LANDMARKS = 1_000

RIDGE_RAW = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
LOGISTIC_RAW = (1.0, 3.0, 10.0, 30.0, 100.0)
LOGISTIC_STANDARD = (1e-4, 1e-3, 1e-2, 1e-1)
LINEAR_SVM_RAW = (1.0, 10.0)
LINEAR_SVM_STANDARD = (1e-4, 1e-3)
RBF_WIDTHS = (0.5, 1.0, 2.0)
"""Kernel gammas, in units of one over the mean squared distance between rows."""
NYSTROEM_ALPHA = (1.0, 0.1, 0.01, 0.001)
RBF_C = (1.0, 3.0, 10.0)
TREES = 100
TREE_ROWS = 3_000
"""Rows that one tree is grown from at most."""


def candidates(
    classifier: str, vectors: NDArray[np.float32], n_labels: int
) -> tuple[list[Candidate], dict[str, str]]:
    """Everything to try, cheap to dear, and what is left out from the start.

    Parameters
    ----------
    classifier
        A family's name, or `auto` for all of them.
    vectors
        (n, dim) float32, the training rows.
    n_labels
        How many labels they have.

    Returns
    -------
    tuple[list[Candidate], dict[str, str]]
        The candidates, and by name why others are not among them.
    """
    wanted = FAMILIES if classifier == "auto" else (classifier,)
    left_out = _left_out(len(vectors), n_labels) if "svm" in wanted else {}
    found = [
        *_linear(vectors.shape[1]),
        *_kernel(vectors),
        *_dear(len(vectors), n_labels),
    ]
    return [c for c in found if c.family in wanted and c.kind not in left_out], left_out


def _left_out(rows: int, n_labels: int) -> dict[str, str]:
    """What could not win for its time, or would not fit, and what stands for it."""
    reasons = {}
    if rows > EXACT_RBF_ROWS:
        reasons[RbfSvm.kind] = (
            f"the exact kernel of {rows:,} rows does not fit (up to {EXACT_RBF_ROWS:,}); "
            f"the {NystroemSvm.kind} stands for it"
        )
    elif n_labels > EXACT_RBF_LABELS:
        reasons[RbfSvm.kind] = (
            f"one-against-one votes over {n_labels} labels make no graded scores "
            f"(up to {EXACT_RBF_LABELS}); the {NystroemSvm.kind} stands for it"
        )
    if n_labels > LINEAR_SVM_LABELS:
        reasons[LinearSvm.kind] = (
            f"it solves a problem for each of {n_labels} labels (up to {LINEAR_SVM_LABELS}); "
            f"the {Ridge.kind}, which solves them at once, stands for it"
        )
    return reasons


def _linear(dim: int) -> list[Candidate]:
    """Linear ones; a standardised column varies `dim` times as much as one of a unit row."""
    return [
        Ridge(_each("alpha", RIDGE_RAW)),
        Ridge(_each("alpha", tuple(round(a * dim, 3) for a in RIDGE_RAW)), STANDARD),
        Logistic(_each("C", LOGISTIC_RAW)),
        Logistic(_each("C", LOGISTIC_STANDARD), STANDARD),
    ]


def _kernel(vectors: NDArray[np.float32]) -> list[Candidate]:
    found: list[Candidate] = []
    landmarks = min(LANDMARKS, len(vectors))
    for scaling, spread in (
        (RAW, _mean_squared_distance(vectors)),
        (STANDARD, 2.0 * vectors.shape[1]),
    ):
        gammas = [float(f"{width / spread:.3g}") for width in RBF_WIDTHS]
        found.append(
            NystroemSvm(
                tuple(
                    {"gamma": gamma, "alpha": alpha, "landmarks": landmarks}
                    for gamma in gammas
                    for alpha in NYSTROEM_ALPHA
                ),
                scaling,
            )
        )
        found.append(RbfSvm(tuple({"gamma": g, "C": c} for g in gammas for c in RBF_C), scaling))
    return found


def _dear(rows: int, n_labels: int) -> list[Candidate]:
    """With many rows each tree is grown from a share of them; with many labels leaves are small."""
    share = None if rows <= TREE_ROWS else TREE_ROWS / rows
    leaves = (1,) if n_labels > EXACT_RBF_LABELS else (5, 1) if share is None else (3,)
    return [
        LinearSvm(_each("C", LINEAR_SVM_RAW)),
        LinearSvm(_each("C", LINEAR_SVM_STANDARD), STANDARD),
        Forest(tuple({"trees": TREES, "leaf": leaf, "share": share} for leaf in leaves)),
    ]


def _each(key: str, values: tuple[float, ...]) -> tuple[Setting, ...]:
    return tuple({key: value} for value in values)


def _mean_squared_distance(vectors: NDArray[np.float32]) -> float:
    """Between rows, over at most a thousand of them."""
    few = vectors[:: max(1, len(vectors) // 1_000)]
    return max(float(squared_distances(few, few).mean()), 1e-6)
