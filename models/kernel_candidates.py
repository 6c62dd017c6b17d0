"""Candidates with an RBF kernel: support vectors, and least squares by way of landmarks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from models import ready
from models.candidates import SEED, SHARED_ROWS, STANDARD, Candidate, Setting, raw_scores
from models.closed_form import (
    Landmarks,
    Scores,
    Vectors,
    landmark_maps,
    ridge_path,
    squared_distances,
)
from models.dealt import Dealt
from models.examples import Rows


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

    def shares(self, dealt: Dealt) -> bool:
        """With rows enough that landmarks are few of them."""
        return bool(len(dealt) >= max(SHARED_ROWS, 2 * self.settings[0]["landmarks"]))

    def across(self, dealt: Dealt) -> Iterator[Scores]:
        """All folds and alphas of a width from one product of the rows' kernels."""
        order = np.random.RandomState(SEED).permutation(len(dealt))
        # so many more that each fold's fit, which has none of its own rows, has as many as asked
        wanted = self.settings[0]["landmarks"] * dealt.folds // (dealt.folds - 1)
        rows = dealt.spread_over(order, wanted)
        landmarks = Landmarks.among(dealt, rows, standard=self.scaling == STANDARD)
        apart = landmarks.distances()
        for gamma, same in groupby(self.settings, itemgetter("gamma")):
            yield from landmarks.across(gamma, [setting["alpha"] for setting in same], apart)

    def fitted(self, setting: Setting, dealt: Dealt, classes: Sequence[str]) -> Any:
        """Block by block; the map goes straight to the scores, not by way of its own columns."""
        if not self.shares(dealt):
            return super().fitted(setting, dealt, classes)
        # those that Nystroem itself would choose
        rows = np.random.RandomState(SEED).permutation(len(dealt))[: setting["landmarks"]]
        landmarks = Landmarks.among(dealt, rows, standard=self.scaling == STANDARD)
        solved = landmarks.whole(setting["gamma"], setting["alpha"])
        pipeline = self.pipeline(setting, len(dealt))
        chosen = dealt.vectors[rows]
        if self.scaling == STANDARD:
            equations = dealt.linear.equations(None)
            mean = dealt.centre + equations.plain
            ready.scaler(pipeline["scale"], mean, equations.spread, len(dealt))
            chosen = pipeline["scale"].transform(chosen)
        steps = pipeline["classify"]
        ready.nystroem(steps["landmarks"], chosen, rows, solved.coefficients)
        ready.ridge(steps["ridge"], np.eye(len(solved.offset)), solved.offset, classes)
        return pipeline


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
