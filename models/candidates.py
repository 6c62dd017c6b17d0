"""The kinds of classifier that are searched: which settings, how scored on a fold, how built."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, ClassVar

import numpy as np

from models.closed_form import Scores, Vectors, landmark_maps, ridge_path, squared_distances
from models.examples import Rows

Setting = Mapping[str, Any]

FAMILIES = ("logistic_regression", "svm", "random_forest")
STANDARD, RAW = "standard", "none"
SEED = 0


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


@dataclass(frozen=True)
class LinearSvm(Candidate):
    """Support vectors with a linear kernel."""

    family = "svm"
    kind = "linear SVM"
    growth = 1.25

    def model(self, setting: Setting) -> Any:
        """A LinearSVC."""
        from sklearn.svm import LinearSVC

        return LinearSVC(C=setting["C"], class_weight="balanced", random_state=SEED)


@dataclass(frozen=True)
class NystroemSvm(Candidate):
    """Least-squares SVM with an RBF kernel through landmarks; exact when each row is one."""

    family = "svm"
    kind = "RBF least-squares SVM"

    def model(self, setting: Setting) -> Any:
        """Nystroem's map, then a RidgeClassifier."""
        from sklearn.kernel_approximation import Nystroem
        from sklearn.linear_model import RidgeClassifier
        from sklearn.pipeline import Pipeline

        mapping = Nystroem(
            gamma=setting["gamma"], n_components=setting["landmarks"], random_state=SEED
        )
        ridge = RidgeClassifier(alpha=setting["alpha"], class_weight="balanced")
        return Pipeline([("landmarks", mapping), ("ridge", ridge)])

    def fitting(self, setting: Setting, rows: int) -> Setting:
        """No more landmarks than rows."""
        return {**setting, "landmarks": min(setting["landmarks"], rows)}

    def _scores(self, train: Vectors, codes: Rows, test: Vectors) -> Iterator[Scores]:
        # the landmarks that Nystroem itself would choose
        order = np.random.RandomState(SEED).permutation(len(train))
        chosen = train[order[: self.settings[0]["landmarks"]]]
        among = squared_distances(chosen.astype(np.float64), chosen.astype(np.float64))
        near, ahead = squared_distances(train, chosen), squared_distances(test, chosen)
        for gamma, same in groupby(self.settings, itemgetter("gamma")):
            maps = landmark_maps(among, near, ahead, gamma)
            yield from ridge_path(maps[0], codes, maps[1], [setting["alpha"] for setting in same])


@dataclass(frozen=True)
class RbfSvm(Candidate):
    """Support vectors with an RBF kernel, for few rows: the kernel grows with their square."""

    family = "svm"
    kind = "RBF SVM"
    growth = 2.2

    def model(self, setting: Setting) -> Any:
        """An SVC."""
        from sklearn.svm import SVC

        return SVC(C=setting["C"], gamma=setting["gamma"], class_weight="balanced")

    def _scores(self, train: Vectors, codes: Rows, test: Vectors) -> Iterator[Scores]:
        # libsvm computes kernels far slower than BLAS does, and again for each setting
        apart, ahead = squared_distances(train, train), squared_distances(test, train)
        for gamma, same in groupby(self.settings, itemgetter("gamma")):
            kernel, onto = np.exp(-gamma * apart), np.exp(-gamma * ahead)
            for setting in same:
                model = self.model(setting).set_params(kernel="precomputed")
                yield raw_scores(model.fit(kernel, codes), onto)


@dataclass(frozen=True)
class Forest(Candidate):
    """Random forest; needs no scaling."""

    family = "random_forest"
    kind = "random forest"
    growth = 1.1

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
