"""The kinds of classifier that are searched: how scored on folds, how built; linear ones, trees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from models import ready
from models.closed_form import Scores, Vectors, ridge_across, ridge_path
from models.dealt import Dealt
from models.examples import Examples, Rows
from models.folds import Fold
from models.logistic_path import LogisticPath

Setting = Mapping[str, Any]

FAMILIES = ("logistic_regression", "svm", "random_forest")
STANDARD, RAW = "standard", "none"
SEED = 0
SHARED_ROWS = 1_000
"""Rows from which folds share their products; of fewer each fold makes its own as fast."""


@dataclass(frozen=True)
class Candidate(ABC):
    """One kind of classifier and the settings tried of it, which share their preparation.

    Everything is fitted with labels weighed alike. Unit rows as they come suit some vectors
    and each column standardised suits others, so both scalings are candidates.

    Attributes
    ----------
    settings
        Tried from strong to weak regularisation.
    scaling
        `standard` or `none`.
    """

    settings: tuple[Setting, ...]
    scaling: str = RAW

    family: ClassVar[str]
    kind: ClassVar[str]
    growth: ClassVar[float] = 1.0
    """How time grows with rows: time ~ rows ** growth."""
    bytes_a_value: ClassVar[int] = 8
    """What a fit on a fold holds for each number in it: the fold's copy, and it scaled."""

    @property
    def name(self) -> str:
        """Such as `ridge, standard scaling`."""
        return f"{self.kind}, {self.scaling} scaling" if self.scaling != RAW else self.kind

    @abstractmethod
    def model(self, setting: Setting) -> Any:
        """The unfitted scikit-learn estimator that follows the scaling."""

    def fitting(self, setting: Setting, rows: int) -> Setting:
        """The setting as it is used on so many rows."""
        return setting

    def pipeline(self, setting: Setting, rows: int) -> Any:
        """The unfitted scikit-learn pipeline for so many rows, scaling included."""
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler

        scale = StandardScaler() if self.scaling == STANDARD else "passthrough"
        return Pipeline([("scale", scale), ("classify", self.model(self.fitting(setting, rows)))])

    def scores(self, train: Vectors, codes: Rows, test: Vectors) -> Iterator[Scores]:
        """Fit on one fold with each setting in turn and score its other rows.

        Parameters
        ----------
        train, test
            (n, dim) and (m, dim) float32.
        codes
            (n,) labels as numbers from 0, each occurring.

        Yields
        ------
        NDArray[np.float64]
            (m, 1) for two labels, else (m, k): what the fitted pipeline's `decision_function`
            gives, or its `predict_proba` where it has no other.
        """
        if self.scaling == STANDARD:
            from sklearn.preprocessing import StandardScaler

            scaler = StandardScaler().fit(train)
            train, test = scaler.transform(train), scaler.transform(test)
        yield from self._scores(train, codes, test)

    def _scores(self, train: Vectors, codes: Rows, test: Vectors) -> Iterator[Scores]:
        for setting in self.settings:
            yield raw_scores(self.model(setting).fit(train, codes), test)

    def shares(self, dealt: Dealt) -> bool:
        """Whether all folds are had at once from sums that they share."""
        return False

    def across(self, dealt: Dealt) -> Iterator[Scores]:
        """All folds at once, with each setting in turn, where the candidate `shares` them.

        Yields
        ------
        NDArray[np.float64]
            (n, 1) or (n, k), each row scored by a fit on the folds it is not in.
        """
        raise NotImplementedError

    def left_out(self, setting: Setting, examples: Examples, fold: Fold) -> Scores:
        """(m, 1) or (m, k) raw scores of a fold's other rows by a fit that never saw them."""
        train, test = fold
        pipeline = self.pipeline(setting, len(train))
        pipeline.fit(examples.vectors[train], examples.labels[train])
        return raw_scores(pipeline, examples.vectors[test])

    def fitted(self, setting: Setting, dealt: Dealt, classes: Sequence[str]) -> Any:
        """The scikit-learn pipeline fitted on all rows, whose labels are these by their codes."""
        labels = np.asarray(classes)[dealt.codes]
        return self.pipeline(setting, len(dealt)).fit(dealt.vectors, labels)


def raw_scores(estimator: Any, vectors: Vectors) -> Scores:
    """Uncalibrated scores as calibration takes them.

    Returns
    -------
    NDArray[np.float64]
        (n, 1), higher for the second of two labels; (n, k) for more.
    """
    if hasattr(estimator, "decision_function"):
        scores = np.asarray(estimator.decision_function(vectors), np.float64)
        return scores[:, None] if scores.ndim == 1 else scores
    chances = np.asarray(estimator.predict_proba(vectors), np.float64)
    return chances[:, 1:] if chances.shape[1] == 2 else chances


@dataclass(frozen=True)
class Ridge(Candidate):
    """Least squares on labels as -1 and 1, a linear least-squares SVM; in closed form.

    References
    ----------
    J. Suykens, J. Vandewalle, "Least squares support vector machine classifiers", Neural
    Processing Letters 9 (1999).
    """

    family = "svm"
    kind = "ridge"

    def model(self, setting: Setting) -> Any:
        """A RidgeClassifier."""
        from sklearn.linear_model import RidgeClassifier

        return RidgeClassifier(alpha=setting["alpha"], class_weight="balanced")

    def _scores(self, train: Vectors, codes: Rows, test: Vectors) -> Iterator[Scores]:
        yield from ridge_path(train, codes, test, [s["alpha"] for s in self.settings])

    def shares(self, dealt: Dealt) -> bool:
        """With rows enough that columns are fewer."""
        return tall(dealt)

    def across(self, dealt: Dealt) -> Iterator[Scores]:
        """All folds and settings from one product of the rows."""
        alphas = [setting["alpha"] for setting in self.settings]
        yield from ridge_across(dealt, alphas, standard=self.scaling == STANDARD)

    def fitted(self, setting: Setting, dealt: Dealt, classes: Sequence[str]) -> Any:
        """From the product that the folds shared, if they did."""
        if not self.shares(dealt):
            return super().fitted(setting, dealt, classes)
        equations = dealt.linear.equations(None)
        asked = equations.standardised() if self.scaling == STANDARD else equations
        coefficients = asked.solve(setting["alpha"])
        pipeline = self.pipeline(setting, len(dealt))
        intercept = equations.offset + placed(pipeline, dealt) @ coefficients
        ready.ridge(pipeline["classify"], coefficients, intercept, classes)
        return pipeline


@dataclass(frozen=True)
class Logistic(Candidate):
    """Logistic regression; each C starts from the coefficients of the one before."""

    family = "logistic_regression"
    kind = "logistic regression"

    def model(self, setting: Setting) -> Any:
        """A LogisticRegression."""
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=setting["C"], class_weight="balanced", max_iter=500)

    def _scores(self, train: Vectors, codes: Rows, test: Vectors) -> Iterator[Scores]:
        model = self.model(self.settings[0]).set_params(warm_start=True)
        for setting in self.settings:
            yield raw_scores(model.set_params(C=setting["C"]).fit(train, codes), test)

    def shares(self, dealt: Dealt) -> bool:
        """With rows enough that columns are fewer, and not too many labels for all of them."""
        return tall(dealt) and LogisticPath.suits(dealt)

    def across(self, dealt: Dealt) -> Iterator[Scores]:
        """All folds side by side, each C from where the one before ended."""
        path = LogisticPath(dealt, range(dealt.folds), standard=self.scaling == STANDARD)
        for setting in self.settings:
            path.solve(setting["C"])
            yield path.scores()

    def fitted(self, setting: Setting, dealt: Dealt, classes: Sequence[str]) -> Any:
        """By the solver that scored the folds, if it did."""
        if not self.shares(dealt):
            return super().fitted(setting, dealt, classes)
        path = LogisticPath(dealt, [None], standard=self.scaling == STANDARD)
        path.solve(setting["C"])
        coefficients, intercept = path.point.coefficients[0], path.point.intercepts[0]
        pipeline = self.pipeline(setting, len(dealt))
        intercept = intercept + placed(pipeline, dealt) @ coefficients
        ready.logistic(pipeline["classify"], coefficients, intercept, classes)
        return pipeline


def tall(dealt: Dealt) -> bool:
    """Whether rows are enough for folds to share the product of their columns."""
    return bool(len(dealt) >= max(SHARED_ROWS, 2 * dealt.vectors.shape[1]))


def placed(pipeline: Any, dealt: Dealt) -> NDArray[np.float64]:
    """Fit the pipeline's scaling; from where equations take the columns to where it does.

    Returns
    -------
    NDArray[np.float64]
        (dim,) what equations take from a row beside what the scaling takes, as scaled.
    """
    equations = dealt.linear.equations(None)
    if pipeline["scale"] == "passthrough":
        return np.asarray(-dealt.centre - equations.mean)
    ready.scaler(pipeline["scale"], dealt.centre + equations.plain, equations.spread, len(dealt))
    return np.asarray((equations.plain - equations.mean) / equations.spread)


@dataclass(frozen=True)
class LinearSvm(Candidate):
    """Support vectors with a linear kernel."""

    family = "svm"
    kind = "linear SVM"
    growth = 1.25
    bytes_a_value = 32  # also as float64, and as liblinear's pairs of column and value

    def model(self, setting: Setting) -> Any:
        """A LinearSVC."""
        from sklearn.svm import LinearSVC

        return LinearSVC(C=setting["C"], class_weight="balanced", random_state=SEED)


@dataclass(frozen=True)
class Forest(Candidate):
    """Random forest; needs no scaling."""

    family = "random_forest"
    kind = "random forest"
    growth = 1.1
    bytes_a_value = 4

    def model(self, setting: Setting) -> Any:
        """A RandomForestClassifier."""
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(
            setting["trees"],
            min_samples_leaf=setting["leaf"],
            max_samples=setting["share"],
            class_weight="balanced",
            random_state=SEED,
        )
