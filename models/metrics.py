"""How well probabilities match labels, as JSON-ready figures: what has no value is null."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.examples import Strings

BINS = 10
"""Equal bins of confidence in the expected calibration error and the reliability plot."""


def measure(
    labels: Strings,
    chances: NDArray[np.float64],
    classes: Sequence[str],
    sources: Strings | None = None,
) -> dict[str, Any]:
    """Every figure of the card for one set of predictions.

    Parameters
    ----------
    labels
        (n,) true labels; may hold ones that are not among `classes`.
    chances
        (n, k) probabilities in the order of `classes`.
    classes
        The k labels the head knows.
    sources
        (n,) where each picture came from; adds `per_source`.

    Returns
    -------
    dict[str, Any]
        A figure that has no value is None, and `undefined` says why, by its name.
    """
    known = list(classes) + sorted({str(label) for label in labels} - set(classes))
    predicted = np.asarray(classes)[chances.argmax(axis=1)] if len(labels) else labels
    undefined: dict[str, str] = {}
    figures: dict[str, Any] = {
        "n": len(labels),
        **_rates(labels, predicted, undefined),
        "roc_auc": _roc_auc(labels, chances, classes, undefined),
        "expected_calibration_error": calibration_error(labels, chances, classes, undefined),
        "per_class": _per_class(labels, predicted, known, undefined),
        "confusion": {"labels": known, "matrix": _confusion(labels, predicted, known)},
    }
    if sources is not None:
        figures["per_source"] = {
            str(source): _of_source(labels, chances, classes, sources == source)
            for source in np.unique(sources)
        }
    figures["undefined"] = undefined
    return figures


def _of_source(
    labels: Strings, chances: NDArray[np.float64], classes: Sequence[str], rows: NDArray[np.bool_]
) -> dict[str, Any]:
    labels, chances = labels[rows], chances[rows]
    undefined: dict[str, str] = {}
    predicted = np.asarray(classes)[chances.argmax(axis=1)]
    names, counts = np.unique(labels, return_counts=True)
    return {
        "n": len(labels),
        "per_label": {str(name): int(n) for name, n in zip(names, counts, strict=True)},
        **_rates(labels, predicted, undefined),
        "roc_auc": _roc_auc(labels, chances, classes, undefined),
        "undefined": undefined,
    }


def _rates(labels: Strings, predicted: Strings, undefined: dict[str, str]) -> dict[str, Any]:
    """Accuracy, and the mean of the labels' recalls."""
    if not len(labels):
        undefined["accuracy"] = undefined["balanced_accuracy"] = "there are no pictures"
        return {"accuracy": None, "balanced_accuracy": None}
    right = labels == predicted
    recalls = [float(right[labels == label].mean()) for label in np.unique(labels)]
    return {"accuracy": float(right.mean()), "balanced_accuracy": float(np.mean(recalls))}


def _roc_auc(
    labels: Strings,
    chances: NDArray[np.float64],
    classes: Sequence[str],
    undefined: dict[str, str],
) -> float | None:
    """Area under the ROC curve; of more than two labels, the mean of each against the rest."""
    from sklearn.metrics import roc_auc_score

    areas = []
    for column, label in list(enumerate(classes))[1 if len(classes) == 2 else 0 :]:
        positive = labels == label
        if positive.any() and not positive.all():
            areas.append(float(roc_auc_score(positive, chances[:, column])))
    if not areas:
        undefined["roc_auc"] = "there are pictures of fewer than two labels"
        return None
    return float(np.mean(areas))


def calibration_error(
    labels: Strings,
    chances: NDArray[np.float64],
    classes: Sequence[str],
    undefined: dict[str, str] | None = None,
) -> float | None:
    """Expected calibration error of the predicted label, in [0, 1], over ten equal bins.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On calibration of modern neural networks",
    ICML (2017).
    """
    if not len(labels):
        if undefined is not None:
            undefined["expected_calibration_error"] = "there are no pictures"
        return None
    gaps = [n * abs(right - claimed) for claimed, right, n in reliability(labels, chances, classes)]
    return float(sum(gaps) / len(labels))


def reliability(
    labels: Strings, chances: NDArray[np.float64], classes: Sequence[str]
) -> list[tuple[float, float, int]]:
    """Of each bin that is not empty: mean confidence, share right, pictures."""
    confidence = chances.max(axis=1)
    right = labels == np.asarray(classes)[chances.argmax(axis=1)]
    place = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
    return [
        (float(confidence[place == b].mean()), float(right[place == b].mean()), int(n))
        for b, n in enumerate(np.bincount(place, minlength=BINS))
        if n
    ]


def _per_class(
    labels: Strings, predicted: Strings, known: Sequence[str], undefined: dict[str, str]
) -> dict[str, dict[str, Any]]:
    figures: dict[str, dict[str, Any]] = {}
    for label in known:
        true, said = labels == label, predicted == label
        hits, support = int((true & said).sum()), int(true.sum())
        if not said.any():
            undefined[f"precision of {label}"] = "it was never predicted"
        if not support:
            undefined[f"recall of {label}"] = "there are no pictures of it"
        figures[label] = {
            "precision": hits / int(said.sum()) if said.any() else None,
            "recall": hits / support if support else None,
            "f1": 2 * hits / int(support + said.sum()) if support else None,
            "support": support,
        }
    return figures


def _confusion(labels: Strings, predicted: Strings, known: Sequence[str]) -> list[list[int]]:
    """Rows are true labels, columns predicted ones."""
    place = {label: i for i, label in enumerate(known)}
    matrix = np.zeros((len(known), len(known)), np.intp)
    true, said = ([place[str(label)] for label in column] for column in (labels, predicted))
    np.add.at(matrix, (np.asarray(true, np.intp), np.asarray(said, np.intp)), 1)
    counts: list[list[int]] = matrix.tolist()
    return counts
