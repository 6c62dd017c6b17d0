"""Candidates scored one after the other within a time budget; hopeless ones leave early."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.calibration import balanced_log_loss, default_method, log_losses, said
from models.candidates import Candidate, Setting
from models.closed_form import Scores
from models.dealt import Dealt
from models.examples import Examples, Rows, balanced_weights
from models.folds import Fold

PILOT_ROWS = 1_000
"""Rows a candidate is timed on before it is let loose on many more."""
PILOT_FROM = 2_500
"""Rows from which the pilot costs little beside the thing itself."""
PILOT_AT_ONCE, PILOT_SHARE = 4_000, 50
"""Rows a candidate is timed on that scores all folds at once, and into how many as many go."""
MOST_BYTES = 6 * 2**30
"""What folds' own copies may take, all that are scored at once together."""
HOPELESS = 2.0
"""Standard errors by which a candidate lies behind the best before it leaves the race."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One setting that was scored; `log_loss` is calibrated, with labels weighed alike, nats.

    `folds` tells on how many it was scored; only settings scored on all of them can win.
    """

    family: str
    name: str
    setting: Setting
    log_loss: float
    balanced_accuracy: float
    folds: int
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Leader:
    """The best so far: (n, 1) or (n, k) `scores`, each row's from a fold without it."""

    candidate: Candidate
    setting: Setting
    scores: Scores
    log_loss: float
    fold_seconds: float


@dataclass(slots=True)
class _Outcome:
    """One setting's scores as folds come in."""

    scores: Scores
    seconds: float = 0.0
    folds: int = 0
    fold_seconds: float | None = None

    def seconds_of_a_fold(self) -> float:
        """What fitting the setting alone on one fold takes."""
        return self.seconds / self.folds if self.fold_seconds is None else self.fold_seconds


@dataclass(slots=True)
class Race:
    """Runs candidates over the folds; `leader` is the winner once all have run.

    Attributes
    ----------
    deadline
        Reading of `clock` after which no candidate starts but the first.
    jobs
        Folds scored at once, each in a thread; the solvers leave the interpreter's lock.
    """

    examples: Examples
    folds: Sequence[Fold]
    deadline: float
    clock: Callable[[], float]
    jobs: int
    tried: list[Tried] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    leader: Leader | None = None
    codes: Rows = field(init=False)
    classes: tuple[str, ...] = field(init=False)
    dealt: Dealt = field(init=False)

    def __post_init__(self) -> None:
        self.codes, self.classes = self.examples.codes, self.examples.classes
        self.dealt = Dealt.of(self.examples.vectors, self.codes, self.folds, self.jobs)

    def run(self, candidate: Candidate) -> None:
        """Score a candidate's settings, unless time or its first folds speak against it."""
        try:
            self._run(candidate)
        except np.linalg.LinAlgError as error:
            self.skipped[candidate.name] = f"its equations could not be solved: {error}"

    def _run(self, candidate: Candidate) -> None:
        at_once = candidate.shares(self.dealt)
        if self.leader is not None:
            if not at_once and self._bytes(candidate) > MOST_BYTES:
                self.skipped[candidate.name] = self._too_large(candidate)
                return
            expected = self._expected_seconds(candidate, at_once)
            left = self.deadline - self.clock()
            if expected >= left:
                self.skipped[candidate.name] = _too_long(expected, left)
                return
        if at_once:
            self._run_at_once(candidate)
            return
        outcomes: list[_Outcome] = []
        first = min(len(self.folds), max(2, self.jobs))
        seconds = self._score(candidate, self.folds[:first], outcomes)
        rest = self.folds[first:]
        reason = self._reason_to_stop(candidate, outcomes, first, seconds) if rest else None
        if reason is not None:
            self.skipped[candidate.name] = reason
        else:
            self._score(candidate, rest, outcomes)
        for setting, outcome in zip(candidate.settings, outcomes, strict=False):
            self._record(candidate, setting, outcome)
        self._miss(candidate, len(outcomes))

    def _miss(self, candidate: Candidate, done: int) -> None:
        """Say so where settings are left."""
        if done < len(candidate.settings):
            missed = len(candidate.settings) - done
            self.skipped[candidate.name] = f"{missed} of its settings: the time was used up"

    def winner(self) -> Leader:
        """The best of all that was run; the first candidate always finishes."""
        if self.leader is None:
            raise RuntimeError("no candidate has been run")
        return self.leader

    def _at_a_time(self, candidate: Candidate) -> int:
        """Folds whose copies fit into memory together."""
        return max(1, min(self.jobs, MOST_BYTES // self._bytes(candidate)))

    def _bytes(self, candidate: Candidate) -> int:
        """What a fold's copies take."""
        return self.examples.vectors.size * candidate.bytes_a_value

    def _too_large(self, candidate: Candidate) -> str:
        needed, allowed = self._bytes(candidate) / 2**30, MOST_BYTES / 2**30
        return (
            f"a fold's copies of its rows would take about {needed:.3g} GiB, "
            f"{allowed:.3g} GiB are allowed"
        )

    def _expected_seconds(self, candidate: Candidate, at_once: bool) -> float:
        """Judged by a run on few rows; nothing is known beforehand where there are few."""
        if at_once:
            rows = max(PILOT_AT_ONCE, len(self.dealt) // PILOT_SHARE)
            if len(self.dealt) < 4 * rows:
                return 0.0
            started = self.clock()
            for _ in candidate.across(self.dealt.few(rows)):
                pass
            return (self.clock() - started) * len(self.dealt) / rows
        train, test = self.folds[0]
        if len(train) <= PILOT_FROM:
            return 0.0
        # the same number of each label, as far as they go
        order = np.argsort(_rank_within(self.codes[train]), kind="stable")
        few, ahead = train[order[:PILOT_ROWS]], test[: PILOT_ROWS // 4]
        codes = np.unique(self.codes[few], return_inverse=True)[1]
        started = self.clock()
        for _ in candidate.scores(self.examples.vectors[few], codes, self.examples.vectors[ahead]):
            pass
        taken = self.clock() - started
        scale: float = (len(train) / PILOT_ROWS) ** candidate.growth
        return taken * scale * -(-len(self.folds) // self._at_a_time(candidate))

    def _score(
        self, candidate: Candidate, folds: Sequence[Fold], outcomes: list[_Outcome]
    ) -> float:
        """Add these folds' scores to the outcomes; seconds it took."""
        started = self.clock()
        bounded = self.leader is not None
        known = len(outcomes) or len(candidate.settings)

        def one(fold: Fold) -> list[tuple[Scores, float]]:
            train, test = (self.examples.vectors[rows] for rows in fold)
            found, since = [], self.clock()
            for scores in candidate.scores(train, self.codes[fold[0]], test):
                found.append((scores, self.clock() - since))
                since = self.clock()
                if len(found) == known or (bounded and since > self.deadline):
                    break
            return found

        with ThreadPoolExecutor(self._at_a_time(candidate)) as pool:
            results = list(pool.map(one, folds))
        done = min((len(found) for found in results), default=known)
        del outcomes[done:]
        while len(outcomes) < done and results:
            columns = results[0][0][0].shape[1]
            outcomes.append(_Outcome(np.full((len(self.codes), columns), np.nan)))
        for (_, test), found in zip(folds, results, strict=True):
            for outcome, (scores, seconds) in zip(outcomes, found, strict=False):
                outcome.scores[test] = scores
                outcome.seconds += seconds
                outcome.folds += 1
        return self.clock() - started

    def _run_at_once(self, candidate: Candidate) -> None:
        """Score every fold, setting by setting until time is up.

        Folds that share all but the solving cost no more together than one fit of the model
        alone does; so that is what a fold is reckoned to take.
        """
        bounded, taken, done = self.leader is not None, 0.0, 0
        since = self.clock()
        for setting, scores in zip(candidate.settings, candidate.across(self.dealt), strict=False):
            seconds = self.clock() - since
            taken, done = taken + seconds, done + 1
            self._record(candidate, setting, _Outcome(scores, seconds, len(self.folds), taken))
            since = self.clock()
            if bounded and since > self.deadline:
                break
        self._miss(candidate, done)

    def _reason_to_stop(
        self, candidate: Candidate, outcomes: Sequence[_Outcome], first: int, seconds: float
    ) -> str | None:
        if self.leader is None or not outcomes:
            return None
        rest = seconds * -(-(len(self.folds) - first) // self._at_a_time(candidate))
        left = self.deadline - self.clock()
        if rest > left:
            return f"{first} folds took {seconds:.1f} s, the rest: {_too_long(rest, left)}"
        rows = np.concatenate([test for _, test in self.folds[:first]])
        if len(np.unique(self.codes[rows])) < len(self.classes):
            return None
        best = self._losses(self.leader.scores[rows], rows)
        behind = [self._losses(outcome.scores[rows], rows) - best for outcome in outcomes]
        weights = balanced_weights(self.codes[rows])
        if all(_clearly_positive(gap, weights) for gap in behind):
            least = min(float(np.average(gap, weights=weights)) for gap in behind)
            return (
                f"left after {first} folds: its log loss was {least:.3f} or more above that of "
                f"{self.leader.candidate.name} on the same pictures"
            )
        return None

    def _losses(self, scores: Scores, rows: Rows) -> NDArray[np.float64]:
        """(n,) log loss of each row after calibration on all of them."""
        codes = self.codes[rows]
        method = default_method(len(self.classes))
        chances = said(scores, codes, self.classes, method, scores)
        return log_losses(chances, codes)

    def _record(self, candidate: Candidate, setting: Setting, outcome: _Outcome) -> None:
        """Keep the figures of a setting, and the setting itself if it leads now."""
        rows = np.flatnonzero(~np.isnan(outcome.scores[:, 0]))
        scores, codes, classes = outcome.scores[rows], self.codes[rows], self.classes
        if len(np.unique(codes)) < len(classes):
            return
        method = default_method(len(classes))
        chances = said(scores, codes, classes, method, scores)
        right = chances.argmax(axis=1) == codes
        tried = Tried(
            candidate.family,
            candidate.name,
            setting,
            log_loss=balanced_log_loss(chances, codes),
            balanced_accuracy=float(np.average(right, weights=balanced_weights(codes))),
            folds=outcome.folds,
            seconds=outcome.seconds,
        )
        self.tried.append(tried)
        complete = outcome.folds == len(self.folds)
        if complete and (self.leader is None or tried.log_loss < self.leader.log_loss):
            self.leader = Leader(
                candidate, setting, scores, tried.log_loss, outcome.seconds_of_a_fold()
            )


def _rank_within(codes: Rows) -> Rows:
    """(n,) the how-manieth of its label each row is."""
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], codes[order])
    ranks = np.empty(len(codes), np.intp)
    ranks[order] = np.arange(len(codes)) - starts
    return ranks


def _clearly_positive(gap: NDArray[np.float64], weights: NDArray[np.float64]) -> bool:
    mean = float(np.average(gap, weights=weights))
    spread = float(np.sqrt(np.average((gap - mean) ** 2, weights=weights) / len(gap)))
    return mean > HOPELESS * spread


def _too_long(expected: float, left: float) -> str:
    return f"would take about {expected:.0f} s, {max(left, 0):.0f} s of the budget are left"
