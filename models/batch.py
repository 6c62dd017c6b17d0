"""The grid search within a time budget, and the calibrated head it ends in."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from domain import NotEnoughData
from models.calibration import Chances, assemble, calibrate, choose_method, cross_fitted
from models.candidates import Candidate
from models.dealt import Dealt
from models.examples import Examples
from models.folds import Fold, family_folds
from models.grid import candidates
from models.race import Leader, Race, Tried

SEARCH_SHARE = 0.8
"""Of the time budget; the rest is for the last fit and for measuring on unseen sources."""

Progress = Callable[[int, int, str], None]
"""Told how many candidates are done, how many there are, and the name of the next."""
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """What a search found: the winner, its scores out of fold, and all that was tried."""

    examples: Examples
    folds: list[Fold]
    winner: Leader
    method: str
    tried: list[Tried]
    skipped: dict[str, str]
    seconds: float
    dealt: Dealt | None = None

    def out_of_fold(self) -> Chances:
        """(n, k) probabilities; neither classifier nor calibration saw the row."""
        codes, classes = self.examples.codes, self.examples.classes
        return cross_fitted(self.winner.scores, codes, classes, self.folds, self.method)

    def out_of_fold_served(self) -> Chances:
        """(n, k) probabilities by the calibration that is served, which saw all rows' scores.

        Thresholds are set on these, because they are compared with what is served.
        """
        return np.asarray(self.calibration().predict_proba(self.winner.scores))

    def calibration(self) -> Any:
        """What turns raw scores into probabilities, learned on all out-of-fold scores."""
        examples = self.examples
        return calibrate(self.winner.scores, examples.codes, examples.classes, self.method)


@dataclass(frozen=True, slots=True, eq=False)
class BatchHead:
    """A fitted, calibrated scikit-learn classifier over unit vectors of one embedder."""

    estimator: Any

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, in the order of the columns of `predict_proba`."""
        return tuple(str(label) for label in self.estimator.classes_)

    def predict_proba(self, vectors: NDArray[np.float32]) -> Chances:
        """Probabilities of each label.

        Parameters
        ----------
        vectors
            (n, dim) float32, unit rows; any n.

        Returns
        -------
        NDArray[np.float64]
            (n, k) in [0, 1], rows sum to 1, columns in the order of `classes`.
        """
        if not len(vectors):
            return np.empty((0, len(self.estimator.classes_)))
        chances = np.clip(np.asarray(self.estimator.predict_proba(vectors), np.float64), 0, 1)
        return np.asarray(chances / chances.sum(axis=1, keepdims=True))


def cores() -> int:
    """Processors this process may use; knows a container's share."""
    return int(joblib.cpu_count())


@contextmanager
def solving() -> Iterator[None]:
    """One BLAS thread for each of our own, and no warnings about solvers that stop early.

    On matrices this small a thread for each fold beats threads inside BLAS, and stopping at
    the last iteration only costs what the out-of-fold score then shows.
    """
    from sklearn.exceptions import ConvergenceWarning

    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def search(
    examples: Examples,
    *,
    classifier: str | Candidate = "auto",
    kinds: Collection[str] | None = None,
    budget: float = 300.0,
    progress: Progress | None = None,
    clock: Clock = time.monotonic,
    jobs: int | None = None,
) -> Search:
    """Find the classifier and setting whose calibrated probabilities are best out of fold.

    The score is log loss with labels weighed alike, after calibration. It is a proper score: it
    rewards honest probabilities and not only the right order, and moves where accuracy stands
    still on few pictures. Calibrating first keeps it fair to families whose raw scores are no
    probabilities.

    Parameters
    ----------
    examples
        The training rows alone.
    classifier
        A family, or `auto` for all of them; or one candidate.
    kinds
        Of its candidates only those of these kinds; None: all.
    budget
        Seconds for search, last fit and unseen sources. The first candidate, the cheapest, is
        always finished.
    progress
        Told before each candidate and once at the end.
    clock
        Seconds, from any start.
    jobs
        Folds worked on at once; None: one a core.

    Raises
    ------
    NotEnoughData
        Fewer than two labels, or a label whose pictures are all near-duplicates.
    """
    if len(examples.classes) < 2:
        raise NotEnoughData("Telling apart needs pictures of at least two labels.")
    started = clock()
    deadline = started + SEARCH_SHARE * budget
    folds = family_folds(examples)
    race = Race(examples, folds, deadline, clock, jobs or cores())
    todo: list[Candidate] = []
    left_out: dict[str, str] = {}
    if isinstance(classifier, Candidate):
        todo = [classifier]
    else:
        todo, left_out = candidates(classifier, examples.vectors, len(race.classes))
    if kinds is not None:
        todo = [candidate for candidate in todo if candidate.kind in kinds]
    race.skipped.update(left_out)
    with solving():
        for done, candidate in enumerate(todo):
            if progress is not None:
                progress(done, len(todo), candidate.name)
            race.run(candidate)
        winner = race.winner()
        method = choose_method(winner.scores, race.codes, race.classes, folds)
    if progress is not None:
        progress(len(todo), len(todo), "")
    seconds = clock() - started
    return Search(
        examples, folds, winner, method, race.tried, race.skipped, seconds, dealt=race.dealt
    )


def fit(found: Search, before: Any = None) -> BatchHead:
    """The winner fitted on all training rows, with the calibration of its out-of-fold scores.

    `before` is the fitted transformer, if any, by which the search's vectors came of those that
    the head is to take.
    """
    examples, winner = found.examples, found.winner
    dealt = found.dealt or Dealt.of(examples.vectors, examples.codes, found.folds)
    with solving():
        pipeline = winner.candidate.fitted(winner.setting, dealt, examples.classes)
        calibrated = found.calibration()
    if before is not None:
        pipeline.steps.insert(0, ("steady", before))
    return BatchHead(assemble(pipeline, calibrated, examples.vectors.shape[1]))
