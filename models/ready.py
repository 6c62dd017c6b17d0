"""scikit-learn estimators whose coefficients were solved for outside of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def scaler(empty: Any, mean: Values, spread: Values, rows: int) -> None:
    """A StandardScaler, fitted on so many rows of (dim,) mean and standard deviation."""
    empty.mean_, empty.scale_, empty.var_ = mean, spread, spread**2
    empty.n_samples_seen_, empty.n_features_in_ = rows, len(mean)


def turn(empty: Any, mean: NDArray[np.float32], onto: NDArray[np.float32]) -> None:
    """A PCA, fitted, that takes a (dim,) mean off and applies a (dim, dim) map of any kind."""
    empty.mean_, empty.components_ = mean, onto
    empty.n_components_ = empty.n_features_in_ = len(mean)
    empty.explained_variance_ = np.ones(len(mean), np.float32)


def ridge(empty: Any, coefficients: Values, intercept: Values, classes: Sequence[str]) -> None:
    """A RidgeClassifier, fitted: (m, t) coefficients, (t,) intercept."""
    from sklearn.preprocessing import LabelBinarizer

    binarizer = LabelBinarizer(pos_label=1, neg_label=-1)
    empty._label_binarizer = binarizer.fit(np.asarray(classes))
    empty.classes_ = empty._label_binarizer.classes_
    empty.coef_, empty.intercept_ = np.ascontiguousarray(coefficients.T), intercept
    empty.n_features_in_, empty.n_iter_, empty.solver_ = len(coefficients), None, "cholesky"


def logistic(empty: Any, coefficients: Values, intercept: Values, classes: Sequence[str]) -> None:
    """A LogisticRegression, fitted: (m, t) coefficients, (t,) intercept."""
    empty.classes_ = np.asarray(classes)
    empty.coef_, empty.intercept_ = np.ascontiguousarray(coefficients.T), intercept
    empty.n_features_in_, empty.n_iter_ = len(coefficients), np.ones(1, np.int32)


def nystroem(
    empty: Any, landmarks: NDArray[np.float32], rows: NDArray[np.intp], onto: Values
) -> None:
    """A Nystroem map of (m, dim) landmarks, the given rows, onto (m, t) combinations of them."""
    empty.components_, empty.component_indices_ = landmarks, rows
    empty.normalization_ = np.ascontiguousarray(onto.T)
    empty.n_features_in_, empty._n_features_out = landmarks.shape[1], onto.shape[1]
