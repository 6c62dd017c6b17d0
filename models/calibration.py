"""From a classifier's raw scores to probabilities, learned on scores of rows it had not seen."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.closed_form import Scores
from models.examples import Rows, balanced_weights
from models.folds import Fold

Chances = NDArray[np.float64]

SIGMOID, ISOTONIC, TEMPERATURE = "sigmoid", "isotonic", "temperature"
ISOTONIC_ROWS = 1_000
"""Rows of each label from which isotonic regression is stable enough to be a choice."""
NEWTON_STEPS, CLOSE = 50, 1e-9
"""Steps at most, and one so small that it is the last."""
FLOOR = 1e-6
"""Least probability the log loss reckons with: a forest gives exact zeros."""


def calibrate(scores: Scores, codes: Rows, classes: Sequence[str], method: str) -> Any:
    """A CalibratedClassifierCV that takes raw scores for its vectors.

    Labels weigh alike, so probabilities are those of a world where each label is as common as
    the others: how many pictures of each somebody happened to collect says nothing.

    Parameters
    ----------
    scores
        (n, 1) or (n, k), of rows that the scored classifier was not fitted on.
    codes
        (n,) labels as places in `classes`.
    classes
        The k labels, sorted.
    method
        `sigmoid` or `isotonic` for two labels, `temperature` for more.

    Notes
    -----
    Not for several threads at once: it silences one warning for the whole process.

    Scores that part the labels without a mistake would make every answer certain, which a few
    rows cannot show. Platt's sigmoid guards against it by itself; the others are given a few
    imagined mistakes.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    labels = np.asarray(classes)
    weights = balanced_weights(codes)
    if method != SIGMOID:
        scores, codes, weights = _with_mistakes(scores, codes, weights)
    rows = np.arange(len(codes))
    calibrated = CalibratedClassifierCV(
        FrozenEstimator(_passing(scores.shape[1], labels)),
        method=method,
        cv=[(rows, rows)],
        ensemble=False,
    )
    with warnings.catch_warnings():
        # the classifier is fitted already: weights are for the calibration alone, as warned
        warnings.filterwarnings("ignore", "Since FrozenEstimator", UserWarning)
        return calibrated.fit(scores, labels[codes], sample_weight=weights)


def said(
    known: Scores, codes: Rows, classes: Sequence[str], method: str, scores: Scores
) -> Chances:
    """(n, k) probabilities of rows by a calibration on others.

    It is what `calibrate(known, codes, classes, method).predict_proba(scores)` would say, for
    two labels in a tenth of the time: a search asks hundreds of times. A test holds them equal.
    """
    if len(classes) != 2 or method not in (SIGMOID, ISOTONIC):
        return np.asarray(calibrate(known, codes, classes, method).predict_proba(scores))
    second = _sigmoid(known, codes, scores) if method == SIGMOID else _steps(known, codes, scores)
    return np.column_stack([1 - second, second])


def _sigmoid(known: Scores, codes: Rows, scores: Scores) -> NDArray[np.float64]:
    """(n,) chances of the second label by Platt's sigmoid."""
    from scipy.special import expit

    slope, intercept = sigmoid_line(known, codes)
    return np.asarray(expit(scores[:, 0] * slope + intercept))


def sigmoid_line(known: Scores, codes: Rows) -> tuple[float, float]:
    """Slope and intercept of the second label's log-odds by Platt, found by Newton's method.

    Parameters
    ----------
    known
        (n, 1) raw scores.
    codes
        (n,) 0 or 1; labels weigh alike.

    References
    ----------
    H.-T. Lin, C.-J. Lin, R. Weng, "A note on Platt's probabilistic outputs for support vector
    machines", Machine Learning 68 (2007).
    """
    from scipy.special import expit

    weights = balanced_weights(codes)
    each = np.bincount(codes, weights, minlength=2)
    goals = np.where(codes == 1, (each[1] + 1) / (each[1] + 2), 1 / (each[0] + 2))
    middle, spread = known.mean(), max(float(known.std()), 1e-12)
    columns = np.column_stack([(known[:, 0] - middle) / spread, np.ones(len(known))])
    line = np.array([0.0, np.log((each[1] + 1) / (each[0] + 1))])
    loss = _cross_entropy(columns @ line, goals, weights)
    for _ in range(NEWTON_STEPS):
        chances = expit(columns @ line)
        slope = columns.T @ (weights * (chances - goals))
        curve = columns.T @ (columns * (weights * chances * (1 - chances))[:, None])
        curve.flat[::3] += 1e-12 * len(known)
        step = np.linalg.solve(curve, slope)
        while (after := _cross_entropy(columns @ (line - step), goals, weights)) > loss:
            step = step / 2
            if np.abs(step).max() < CLOSE:
                break
        line, loss = line - step, after
        if np.abs(step).max() < CLOSE:
            break
    return float(line[0] / spread), float(line[1] - middle / spread * line[0])


def _cross_entropy(
    logits: NDArray[np.float64], goals: NDArray[np.float64], weights: NDArray[np.float64]
) -> float:
    return float(weights @ (np.logaddexp(0, logits) - goals * logits))


def _steps(known: Scores, codes: Rows, scores: Scores) -> NDArray[np.float64]:
    """(n,) chances of the second label by isotonic regression."""
    from sklearn.isotonic import IsotonicRegression

    rows, truth, weights = _with_mistakes(known, codes, balanced_weights(codes))
    steps = IsotonicRegression(out_of_bounds="clip")
    return np.asarray(steps.fit(rows[:, 0], truth, weights).predict(scores[:, 0]), np.float64)


def _with_mistakes(
    scores: Scores, codes: Rows, weights: NDArray[np.float64]
) -> tuple[Scores, Rows, NDArray[np.float64]]:
    """The rows and imagined ones: of two labels the surest row of each turns out the other.

    Of more, every row turns out its second label with a weight that comes to one row in all.
    """
    if scores.shape[1] == 1:
        extremes = np.array([scores.argmax(), scores.argmin()])
        wrong, extra = np.array([0, 1]), np.ones(2)
    else:
        others = np.where(np.arange(scores.shape[1]) == codes[:, None], -np.inf, scores)
        extremes, wrong, extra = np.arange(len(codes)), others.argmax(1), weights / len(codes)
    return (
        np.concatenate([scores, scores[extremes]]),
        np.concatenate([codes, wrong]),
        np.concatenate([weights, extra]),
    )


def _passing(columns: int, labels: NDArray[np.str_]) -> Any:
    """A fitted estimator whose decision function is its input."""
    from sklearn.linear_model import LogisticRegression

    passing = LogisticRegression()
    passing.coef_, passing.intercept_ = np.eye(columns), np.zeros(columns)
    passing.classes_, passing.n_features_in_ = labels, columns
    return passing


def assemble(fitted: Any, calibrated: Any, dim: int) -> Any:
    """Put a fitted classifier before the calibration of its out-of-fold scores.

    It is what `CalibratedClassifierCV(classifier, cv=folds, ensemble=False).fit` would give,
    without fitting every fold a second time; a test holds the two equal.
    """
    from sklearn.frozen import FrozenEstimator

    calibrated.calibrated_classifiers_[0].estimator = fitted
    calibrated.estimator = FrozenEstimator(fitted)
    calibrated.n_features_in_ = dim
    return calibrated


def default_method(n_labels: int) -> str:
    """The method with the fewest parameters: what candidates are compared by."""
    return SIGMOID if n_labels == 2 else TEMPERATURE


def choose_method(
    scores: Scores, codes: Rows, classes: Sequence[str], folds: Sequence[Fold]
) -> str:
    """Sigmoid or temperature for few rows, isotonic for many if it is better out of fold."""
    method = default_method(len(classes))
    if len(classes) > 2 or np.bincount(codes).min() < ISOTONIC_ROWS:
        return method
    return min((method, ISOTONIC), key=lambda m: float(_loss(scores, codes, classes, folds, m)))


def _loss(
    scores: Scores, codes: Rows, classes: Sequence[str], folds: Sequence[Fold], method: str
) -> float:
    chances = cross_fitted(scores, codes, classes, folds, method)
    return balanced_log_loss(chances, codes)


def cross_fitted(
    scores: Scores, codes: Rows, classes: Sequence[str], folds: Sequence[Fold], method: str
) -> Chances:
    """(n, k) probabilities of each row by a calibration that saw only the other folds."""
    chances = np.empty((len(codes), len(classes)))
    for train, test in folds:
        chances[test] = said(scores[train], codes[train], classes, method, scores[test])
    return chances


def log_losses(chances: Chances, codes: Rows) -> NDArray[np.float64]:
    """(n,) nats each row's true label costs."""
    return -np.log(np.maximum(chances[np.arange(len(codes)), codes], FLOOR))


def balanced_log_loss(chances: Chances, codes: Rows) -> float:
    """Mean log loss with labels weighed alike, nats."""
    return float(np.average(log_losses(chances, codes), weights=balanced_weights(codes)))
