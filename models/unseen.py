"""How the winner does on sources it was not trained on: the honest figure for new pictures."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from models.batch import Search, cores, solving
from models.calibration import Chances, calibrate
from models.closed_form import Scores
from models.examples import Rows, Strings
from models.folds import source_folds
from models.metrics import measure


@dataclass(frozen=True, slots=True, eq=False)
class Unseen:
    """How each source fares without itself.

    Attributes
    ----------
    figures
        Those of `measure`, pooled and per source; or `skipped` with the reason.
    rows, said
        (m,) training rows whose source was left out, and the label that was said of each.
    chances
        (m, k) the probabilities behind that.
    """

    figures: Mapping[str, Any]
    rows: Rows
    said: Strings
    chances: Chances

    @classmethod
    def skipped(cls, reason: str) -> Unseen:
        """Not measured."""
        return cls(
            {"skipped": reason}, np.empty(0, np.intp), np.empty(0, np.str_), np.empty((0, 0))
        )


def leave_sources_out(found: Search, *, seconds: float, jobs: int | None = None) -> Unseen:
    """Score each source by the winner's setting fitted on all the others.

    Parameters
    ----------
    found
        A finished search.
    seconds
        How long this may take; foreseen from the winner's folds.
    jobs
        Sources left out at once; None: one a core.
    """
    jobs = jobs or cores()
    folds = source_folds(found.examples)
    if len(folds) < 2:
        return Unseen.skipped("it needs two sources or more that each hold two labels or more")
    expected = found.winner.fold_seconds * -(-len(folds) // jobs)
    if expected > seconds:
        return Unseen.skipped(
            f"{len(folds)} sources would take about {expected:.0f} s, "
            f"{max(seconds, 0):.0f} s of the budget are left"
        )
    examples, winner = found.examples, found.winner
    with solving(), ThreadPoolExecutor(jobs) as pool:
        score = partial(winner.candidate.left_out, winner.setting, examples)
        scores = list(pool.map(score, folds.values()))
    chances = [
        _calibrated(found, train, part)
        for (train, _), part in zip(folds.values(), scores, strict=True)
    ]
    rows = np.concatenate([test for _, test in folds.values()])
    pooled = np.concatenate(chances)
    figures = measure(examples.labels[rows], pooled, examples.classes, examples.sources[rows])
    return Unseen(figures, rows, np.asarray(examples.classes)[pooled.argmax(axis=1)], pooled)


def _calibrated(found: Search, train: Rows, scores: Scores) -> Chances:
    """(n, k) probabilities by a calibration that saw only the other sources' scores."""
    examples = found.examples
    known, codes = found.winner.scores[train], examples.codes[train]
    calibrated = calibrate(known, codes, examples.classes, found.method)
    return np.asarray(calibrated.predict_proba(scores))
