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
from models.elsewhere import SOURCES, TIME
from models.examples import Rows, Strings
from models.folds import source_folds, too_large
from models.metrics import measure


@dataclass(frozen=True, slots=True, eq=False)
class Unseen:
    """How each source fares without itself.

    Attributes
    ----------
    figures
        Those of `measure`, pooled and per source, and `too_large`: sources without which too
        little is left, with what is left. Or `skipped` with the reason, and its `cause`.
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
    def skipped(cls, reason: str, cause: str) -> Unseen:
        """Not measured, for lack of `SOURCES` or of `TIME`."""
        figures = {"skipped": reason, "cause": cause}
        return cls(figures, np.empty(0, np.intp), np.empty(0, np.str_), np.empty((0, 0)))


def foreseen(found: Search, *, jobs: int | None = None) -> float:
    """How many seconds leaving sources out will take, by the winner's folds."""
    return _foreseen(found, len(source_folds(found.examples)), jobs or cores())


def _foreseen(found: Search, folds: int, jobs: int) -> float:
    return found.winner.fold_seconds * -(-folds // jobs)


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
    large = too_large(found.examples)
    if not folds:
        return Unseen.skipped(_too_few(large), SOURCES)
    expected = _foreseen(found, len(folds), jobs)
    if expected > seconds:
        return Unseen.skipped(
            f"{len(folds)} sources would take about {expected:.2g} s, "
            f"{max(seconds, 0):.2g} s of the budget are left",
            TIME,
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
    if large:
        figures["too_large"] = large
    return Unseen(figures, rows, np.asarray(examples.classes)[pooled.argmax(axis=1)], pooled)


def _too_few(large: Mapping[str, str]) -> str:
    """Why no source can be left out."""
    needed = "it needs two sources or more that each hold two labels or more"
    if not large:
        return needed
    why = "; ".join(f"{source} ({left})" for source, left in large.items())
    return f"{needed}, none of which is most of the pictures: {why}"


def _calibrated(found: Search, train: Rows, scores: Scores) -> Chances:
    """(n, k) probabilities by a calibration that saw only the other sources' scores."""
    examples = found.examples
    known, codes = found.winner.scores[train], examples.codes[train]
    calibrated = calibrate(known, codes, examples.classes, found.method)
    return np.asarray(calibrated.predict_proba(scores))
