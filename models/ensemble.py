"""Heads over vectors of several parts: each part's own classifier, and their late fusion."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain import VectorPart
from models import Head, ready
from models.adjusted import Adjusted
from models.batch import BatchHead, Clock, Progress, Search, search
from models.calibration import (
    Chances,
    balanced_log_loss,
    cross_fitted,
    default_method,
    log_losses,
    sigmoid_line,
)
from models.candidates import Candidate, Setting
from models.closed_form import Scores
from models.dealt import Dealt
from models.examples import Examples, Rows, Strings, balanced_weights
from models.folds import Fold
from models.metrics import measure
from models.race import Leader
from models.unseen import Unseen, leave_sources_out

BOTH = "both"
"""What answers where the fusion does."""
LEFT_OUT, OUT_OF_FOLD = "sources left out", "out of fold"
"""How rows were unseen by what is compared on them."""
CHANCE = 0.05
"""Share of fusions that are no better than the best part and may look so."""
FEW = 5
"""Sources up to which, but not with, the fusion must be better in every single one."""
DOUBT = 1e-2
"""Held against weights that are far from even, nats at a distance of one."""

Line = tuple[float, float]
"""Slope and intercept: a part's log-odds of the second label by its raw score."""


@dataclass(frozen=True, slots=True, eq=False)
class Fusion:
    """How raw scores of parts become one: a weighted sum of their calibrated log-odds.

    Attributes
    ----------
    lines
        Each part's calibration.
    weights
        (m,) 0 or more.
    shift
        Added to the sum.
    """

    lines: tuple[Line, ...]
    weights: NDArray[np.float64]
    shift: float

    def __call__(self, scores: Scores) -> Scores:
        """(n, 1) log-odds of the second label, from (n, m) raw scores."""
        odds = log_odds(scores, self.lines)
        return np.asarray((odds @ self.weights + self.shift)[:, None])

    def linear(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The same as (m, 1) coefficients of raw scores and a (1,) intercept."""
        slopes, starts = np.transpose(np.asarray(self.lines))
        coefficients = (self.weights * slopes)[:, None]
        return coefficients, np.array([self.weights @ starts + self.shift])


def log_odds(scores: Scores, lines: Sequence[Line]) -> Scores:
    """(n, m) calibrated log-odds from (n, m) raw scores."""
    slopes, starts = np.transpose(np.asarray(lines))
    return np.asarray(scores * slopes + starts)


def fuse(scores: Scores, codes: Rows, only: int | None = None) -> Fusion:
    """Learn how parts weigh from scores of rows that they had not seen.

    Weights minimise the log loss of the sum, labels weighed alike. None is negative: a part
    that helps only when turned around fits noise. `only` gives all weight to one part.

    Parameters
    ----------
    scores
        (n, m) raw scores, out of fold.
    codes
        (n,) 0 or 1.
    only
        The part that shall answer alone.
    """
    lines = tuple(sigmoid_line(column[:, None], codes) for column in scores.T)
    if only is not None:
        weights = np.zeros(len(lines))
        weights[only] = 1.0
        return Fusion(lines, weights, 0.0)
    from scipy.optimize import minimize
    from scipy.special import expit

    odds, each, m = log_odds(scores, lines), balanced_weights(codes), len(lines)

    def loss(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        total, away = odds @ at[:m] + at[m], at[:m] - 1 / m
        wrong = each * (expit(total) - codes) / len(codes)
        slope = np.append(odds.T @ wrong + 2 * DOUBT * away, wrong.sum())
        nats = each @ (np.logaddexp(0, total) - codes * total) / len(codes)
        return float(nats + DOUBT * away @ away), slope

    start, bounds = np.append(np.full(m, 1 / m), 0.0), [(0.0, None)] * m + [(None, None)]
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return Fusion(lines, found[:m], float(found[m]))


@dataclass(frozen=True, eq=False)
class Fused(Candidate):
    """The parts' winners, and one of them or all together as the answer.

    Attributes
    ----------
    parts
        Which columns are whose.
    searches
        What was found for each part alone, on the same rows and folds.
    only
        The place of the part that answers alone; None: their fusion.
    left
        What parts say of rows that were left out, by those rows; shared by what is compared.
    """

    parts: tuple[VectorPart, ...] = ()
    searches: tuple[Search, ...] = ()
    only: int | None = None
    left: dict[bytes, Scores] = field(default_factory=dict)

    family = "ensemble"
    kind = "late fusion"

    @property
    def name(self) -> str:
        """Such as `late fusion of clip: ridge; builtin: linear SVM`."""
        each = [
            f"{part.name}: {one.winner.candidate.name}"
            for part, one in zip(self.parts, self.searches, strict=True)
        ]
        return f"late fusion of {'; '.join(each)}" if self.only is None else each[self.only]

    @property
    def answers(self) -> str:
        """The part that answers, or `both`."""
        return BOTH if self.only is None else self.parts[self.only].name

    @property
    def scores_of_parts(self) -> Scores:
        """(n, m) raw scores out of fold."""
        return np.column_stack([one.winner.scores for one in self.searches])

    def fusion(self, codes: Rows, rows: Rows | None = None) -> Fusion:
        """How parts weigh by all rows, or by these."""
        scores = self.scores_of_parts
        return fuse(scores if rows is None else scores[rows], codes, self.only)

    def model(self, setting: Setting) -> Any:
        """Not had without its rows: see `fitted`."""
        raise NotImplementedError

    def left_out(self, setting: Setting, examples: Examples, fold: Fold) -> Scores:
        """Parts fitted, and weighed, without the fold's other rows."""
        train, test = fold
        known = self.left.get(test.tobytes())
        if known is None:
            known = np.column_stack(
                [
                    one.winner.candidate.left_out(one.winner.setting, one.examples, fold)
                    for one in self.searches
                ]
            )
            self.left[test.tobytes()] = known
        return self.fusion(examples.codes[train], train)(known)

    def fitted(self, setting: Setting, dealt: Dealt, classes: Sequence[str]) -> Any:
        """A fitted StackingClassifier: every part's pipeline, and a line through their scores."""
        from sklearn.ensemble import StackingClassifier
        from sklearn.linear_model import LogisticRegression

        members = [
            (part.name, _pipeline(part, one, classes, self.parts[-1].stop))
            for part, one in zip(self.parts, self.searches, strict=True)
        ]
        stack = StackingClassifier(members, final_estimator=LogisticRegression(), cv="prefit")
        examples = self.searches[0].examples
        rows = np.concatenate([one.examples.vectors for one in self.searches], axis=1)
        stack.fit(rows, examples.labels)
        stack.named_estimators_ = dict(members)  # its own kind of dictionary is not to be loaded
        stack.stack_method_ = [_method(pipeline) for _, pipeline in members]
        coefficients, intercept = self.fusion(examples.codes).linear()
        ready.logistic(stack.final_estimator_, coefficients, intercept, classes)
        return stack


def _pipeline(part: VectorPart, found: Search, classes: Sequence[str], dim: int) -> Any:
    """A part's fitted pipeline, which takes its columns out of whole vectors."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    examples, winner = found.examples, found.winner
    dealt = found.dealt or Dealt.of(examples.vectors, examples.codes, found.folds)
    pipeline = winner.candidate.fitted(winner.setting, dealt, classes)
    columns = list(range(part.start, part.stop))
    select = ColumnTransformer([("part", "passthrough", columns)])
    select.fit(np.zeros((1, dim), np.float32))
    return Pipeline([("select", select), *pipeline.steps])


def _method(pipeline: Any) -> str:
    return "decision_function" if hasattr(pipeline, "decision_function") else "predict_proba"


# --- which of them answers ---


def search_parts(
    examples: Examples,
    parts: Sequence[VectorPart],
    *,
    classifier: str = "auto",
    budget: float = 300.0,
    progress: Progress | None = None,
    clock: Clock = time.monotonic,
) -> tuple[Search, dict[str, Any], Unseen]:
    """Search each part alone, fuse them, and let what does best on unseen sources answer.

    The fusion answers only if it beats the best part by more than chance would: its log loss
    on sources left out is lower, source by source, by more than Student's t allows for so many
    sources, and of few sources in every one. With fewer than two of them it is judged out of
    fold, picture by picture, and promises nothing of other sources.

    Parameters
    ----------
    examples
        The training rows alone; two labels.
    parts
        Which columns are whose.
    classifier, budget, progress, clock
        As of `search`; the parts share the budget.

    Returns
    -------
    tuple[Search, dict[str, Any], Unseen]
        A search whose winner is a `Fused`, what the card says of it, and how it does on sources
        left out.
    """
    started = clock()
    searches = tuple(
        search(
            replace(examples, vectors=np.ascontiguousarray(examples.vectors[:, p.start : p.stop])),
            classifier=classifier,
            budget=budget / len(parts),
            progress=progress,
            clock=clock,
        )
        for p in parts
    )
    left: dict[bytes, Scores] = {}
    options = [
        _as_search(examples, Fused(({},), "none", tuple(parts), searches, only, left))
        for only in (*range(len(parts)), None)
    ]
    first = leave_sources_out(options[0], seconds=budget + started - clock())
    # what parts say of a source is known by now, so the others take no time
    measured = len(first.rows) > 0
    rest = [leave_sources_out(one, seconds=budget) if measured else first for one in options[1:]]
    unseen = [first, *rest]
    compared, rows, where = _compared(options, unseen)
    by = examples.sources[rows] if where == LEFT_OUT else None
    chosen, why = _choice(options, compared, examples.codes[rows], where, by)
    card = _card(chosen, options, compared, rows, where, why)
    return chosen, card, unseen[options.index(chosen)]


def _as_search(examples: Examples, candidate: Fused) -> Search:
    """A search that came to this candidate."""
    found, codes, classes = candidate.searches, examples.codes, examples.classes
    folds = found[0].folds
    scores = np.empty((len(codes), 1))
    for train, test in folds:
        scores[test] = candidate.fusion(codes[train], train)(candidate.scores_of_parts[test])
    method = default_method(len(classes))
    loss = balanced_log_loss(cross_fitted(scores, codes, classes, folds, method), codes)
    seconds = sum(one.winner.fold_seconds for one in found)
    names = [part.name for part in candidate.parts]
    return Search(
        examples,
        folds,
        Leader(candidate, candidate.settings[0], scores, loss, seconds),
        method,
        [
            replace(tried, name=f"{name}: {tried.name}")
            for name, one in zip(names, found, strict=True)
            for tried in one.tried
        ],
        {
            f"{name}: {what}": why
            for name, one in zip(names, found, strict=True)
            for what, why in one.skipped.items()
        },
        sum(one.seconds for one in found),
    )


def _compared(
    options: Sequence[Search], unseen: Sequence[Unseen]
) -> tuple[list[Chances], Rows, str]:
    """What each option says of rows it had not seen, which rows, and how they were unseen."""
    rows = unseen[0].rows
    if len(np.unique(options[0].examples.sources[rows])) < 2:
        every = np.arange(len(options[0].examples))
        return [one.out_of_fold() for one in options], every, OUT_OF_FOLD
    return [one.chances for one in unseen], rows, LEFT_OUT


@dataclass(frozen=True, slots=True)
class Comparison:
    """The fusion against the best part alone.

    Attributes
    ----------
    best
        The place of the best part.
    wins
        Whether the fusion is clearly better.
    gain, spread
        By how many nats its log loss is lower, and the standard error of that.
    better, units
        Of so many sources, or pictures, in how many it is lower.
    """

    best: int
    wins: bool
    gain: float
    spread: float
    better: int
    units: int


def compare(losses: NDArray[np.float64], codes: Rows, sources: Strings | None = None) -> Comparison:
    """Hold the fusion against the best part, by one-sided Student's t.

    The units are sources, whose labels count alike: the next one is another source, and what one
    of them shows its pictures all show. Without sources they are pictures.

    Parameters
    ----------
    losses
        (m, n) log loss, nats, of each part and at last of the fusion.
    codes
        (n,) 0 or 1.
    sources
        (n,) of two or more; None: pictures like these are all that is judged.
    """
    from scipy.stats import t

    weights = balanced_weights(codes)
    if sources is not None:
        each = [sources == name for name in np.unique(sources)]
        means = [np.average(losses[:, rows], 1, balanced_weights(codes[rows])) for rows in each]
        losses, weights = np.stack(means, axis=1), np.ones(len(each))
    best = int(np.average(losses[:-1], axis=1, weights=weights).argmin())
    gaps = losses[best] - losses[-1]
    n, better = len(gaps), int((gaps > 0).sum())
    gain = float(np.average(gaps, weights=weights))
    spread = float(np.sqrt(np.average((gaps - gain) ** 2, weights=weights) / (n - 1)))
    wins = gain > float(t.isf(CHANCE, n - 1)) * spread
    few = sources is not None and n < FEW
    return Comparison(best, bool(wins and not (few and better < n)), gain, spread, better, n)


def _choice(
    options: Sequence[Search],
    compared: Sequence[Chances],
    codes: Rows,
    where: str,
    sources: Strings | None,
) -> tuple[Search, dict[str, Any]]:
    """The option that answers, and by how much the fusion beats the best part."""
    found = compare(np.stack([log_losses(each, codes) for each in compared]), codes, sources)
    name = options[found.best].winner.candidate
    single = name.answers if isinstance(name, Fused) else ""
    on = f"{len(codes)} pictures"
    if sources is not None:
        on = f"{found.units} sources, better in {found.better} of them, {on}"
    sentence = (
        f"Their fusion {'beats' if found.wins else 'does not clearly beat'} {single}, the best "
        f"part alone, on {on} ({where}): its log loss is {'lower' if found.gain > 0 else 'higher'} "
        f"by {abs(found.gain):.4f}, give or take {found.spread:.4f}. "
        f"{'Both answer' if found.wins else f'{single} answers alone'}."
    )
    document = {
        "gain": found.gain,
        "standard_error": found.spread,
        "best_part": single,
        "why": sentence,
    }
    return options[-1 if found.wins else found.best], document


def _card(
    chosen: Search,
    options: Sequence[Search],
    compared: Sequence[Chances],
    rows: Rows,
    where: str,
    why: Mapping[str, Any],
) -> dict[str, Any]:
    """What a card says of the parts: who answers, by how much, and what each is worth."""
    candidate, examples = chosen.winner.candidate, chosen.examples
    if not isinstance(candidate, Fused):
        raise TypeError(f"a {type(candidate).__name__} has no parts")
    fusion = candidate.fusion(examples.codes)
    figures = {}
    for one, chances in zip(options, compared, strict=True):
        said = measure(examples.labels[rows], chances, examples.classes)
        loss = balanced_log_loss(chances, examples.codes[rows])
        name = one.winner.candidate.answers if isinstance(one.winner.candidate, Fused) else ""
        auc, rate = said["roc_auc"], said["balanced_accuracy"]
        figures[name] = {"log_loss": loss, "roc_auc": auc, "balanced_accuracy": rate}
    return {
        "answers": candidate.answers,
        "measured_on": where,
        "compared": figures,
        **why,
        "parts": [
            {
                "name": part.name,
                "embedder": part.embedder,
                "columns": [part.start, part.stop],
                "classifier": one.winner.candidate.name,
                "weight": float(weight),
                "slope": line[0],
                "intercept": line[1],
            }
            for part, one, weight, line in zip(
                candidate.parts, candidate.searches, fusion.weights, fusion.lines, strict=True
            )
        ],
    }


# --- what each part says ---


@dataclass(frozen=True, slots=True, eq=False)
class PartedHead:
    """A version's head over vectors of several parts, which also tells what each part says.

    Attributes
    ----------
    whole
        What answers.
    lines
        Each part's name and calibration, in the order of the estimator's.
    """

    whole: BatchHead
    lines: Mapping[str, Line]

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, in the order of the columns of `predict_proba`."""
        return self.whole.classes

    def predict_proba(self, vectors: NDArray[np.float32]) -> Chances:
        """(n, k) probabilities of each label."""
        return self.whole.predict_proba(vectors)

    def parts(self, vectors: NDArray[np.float32]) -> dict[str, Chances]:
        """(n, 2) what each part alone gives, by its own calibration."""
        from scipy.special import expit

        if not len(vectors):
            return {name: np.empty((0, 2)) for name in self.lines}
        stack = self.whole.estimator.calibrated_classifiers_[0].estimator
        scores = np.asarray(stack.transform(vectors), np.float64)
        second = expit(log_odds(scores, list(self.lines.values())))
        return {
            name: np.column_stack([1 - column, column])
            for name, column in zip(self.lines, second.T, strict=True)
        }


def head_of(estimator: Any, card: Mapping[str, Any]) -> Head:
    """The head of a saved estimator, with its parts if its card names some."""
    whole, parts = BatchHead(estimator), card.get("ensemble")
    if not parts:
        return whole
    lines = {str(p["name"]): (float(p["slope"]), float(p["intercept"])) for p in parts["parts"]}
    return PartedHead(whole, lines)


def parts_of(head: Head | None, vectors: NDArray[np.float32]) -> list[dict[str, dict[str, float]]]:
    """What each part of a head, before corrections, says of each of (n, dim) vectors.

    Probabilities by label, by the part's name; nothing where a head has no parts.
    """
    base = head.base if isinstance(head, Adjusted) else head
    if not isinstance(base, PartedHead):
        return [{} for _ in vectors]
    said = base.parts(vectors)
    return [
        {
            name: dict(zip(base.classes, map(float, chances[row]), strict=True))
            for name, chances in said.items()
        }
        for row in range(len(vectors))
    ]
