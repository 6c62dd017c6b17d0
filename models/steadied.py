"""Whether training against re-deliveries helps, measured out of fold, and how much of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config import Augment
from domain import NotEnoughData
from models.batch import Search, search, solving
from models.calibration import default_method, log_losses, said
from models.candidates import RAW, Candidate, Forest, Logistic, Ridge, Setting
from models.examples import Examples, balanced_weights
from models.folds import Fold
from models.grid import candidates
from models.steadying import Copies, Steadying, Wavering

NO_TIME = "the time budget left no time to try it"
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
LEAST_PICTURES = 20
"""With re-deliveries: of fewer nothing is learned about how vectors move."""
MOST_DIM = 4_096
"""Numbers a vector may have; the axes of longer ones take minutes to find."""
CLEARLY = 2.0
"""Standard errors by which flips must fall."""
HARDLY = 1.0
"""Standard errors by which log loss and accuracy may be worse: less is no difference."""
MOST_LOST = 0.03
"""Balanced accuracy on pictures as sent that a strength may cost, whatever it gains on others."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A classifier and how it does out of fold on pictures as sent and as delivered anew.

    Attributes
    ----------
    losses, right
        (n,) log loss, nats, and share answered rightly, of a picture in all its forms.
    as_sent
        (n,) whether it is answered rightly as it was sent.
    flips
        (k,) share of a picture's copies that are answered otherwise than it.
    """

    candidate: Candidate
    setting: Setting
    steadying: Steadying | None
    losses: NDArray[np.float64]
    right: NDArray[np.float64]
    as_sent: NDArray[np.float64]
    flips: NDArray[np.float64]

    def figures(self, weights: NDArray[np.float64]) -> dict[str, Any]:
        """JSON-ready, labels weighed alike."""
        return {
            "classifier": self.candidate.name,
            "setting": dict(self.setting),
            "strength": self.steadying.strength if self.steadying else 0.0,
            "log_loss": round(float(np.average(self.losses, weights=weights)), 5),
            "balanced_accuracy": round(float(np.average(self.right, weights=weights)), 5),
            "as_sent": round(float(np.average(self.as_sent, weights=weights)), 5),
            "flips": round(float(self.flips.mean()), 5),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Steadied:
    """The search that a version comes of, what its vectors were turned by, and the card's part."""

    found: Search
    steadying: Steadying | None
    card: dict[str, Any]


def steadied(
    found: Search,
    copies: Copies | None,
    how: Augment,
    *,
    budget: float,
    clock: Callable[[], float] = time.monotonic,
) -> Steadied:
    """Try strengths out of fold; take what flips least where accuracy is no worse.

    Accuracy is that over the forms in which pictures come: as they were sent, and as they arrive
    when they are handed on. A search sees them as sent alone, and is rewarded for what the next
    re-encoding wipes out.

    Parameters
    ----------
    found
        The search without it.
    copies
        Re-deliveries of its rows; None without any.
    how
        `auto` takes it only where flips clearly fall; `on` in any case; `off` never.
    budget
        Seconds for the trials; what does not fit is left out.
    clock
        Seconds, from any start.

    Raises
    ------
    NotEnoughData
        `on`, and there are too few re-deliveries to learn from.
    """
    pictures = 0 if copies is None else len(copies)
    card: dict[str, Any] = {"setting": how.value, "used": False, "pictures": pictures}
    why = _why_not(found, copies, how)
    if copies is None or (why and how is not Augment.OFF):
        if how is Augment.ON:
            raise NotEnoughData(f"AUGMENT=on: {why}. Run `python -m embeddings`, or set auto.")
        return Steadied(found, None, {**card, "why": why})
    deadline = clock() + budget
    if found.winner.fold_seconds * len(found.folds) > budget:
        return Steadied(found, None, {**card, "why": NO_TIME})
    plain = _trial(found, copies)
    card["flips"] = round(float(plain.flips.mean()), 5)
    if why:
        return Steadied(found, None, {**card, "why": why})
    trials = _trials(found, copies, deadline, clock)
    weights = balanced_weights(found.examples.codes)
    best, why = _chosen(plain, trials, weights, how)
    card.update(why=why, tried=[one.figures(weights) for one in (plain, *trials)])
    if best is None or best.steadying is None:
        return Steadied(found, None, card)
    card.update(
        used=True, strength=best.steadying.strength, flips=round(float(best.flips.mean()), 5)
    )
    only = replace(best.candidate, settings=(best.setting,))
    again = search(_turned(found.examples, best.steadying), classifier=only)
    again = replace(
        again,
        tried=[*again.tried, *found.tried],
        skipped={**found.skipped, **again.skipped},
        seconds=found.seconds + again.seconds,
    )
    return Steadied(again, best.steadying, card)


def _why_not(found: Search, copies: Copies | None, how: Augment) -> str:
    if how is Augment.OFF:
        return "AUGMENT=off"
    if copies is None or len(copies) < LEAST_PICTURES or not copies.made.any():
        n = 0 if copies is None else len(copies)
        return f"re-deliveries of {n} training pictures were embedded, {LEAST_PICTURES} are needed"
    if copies.own.shape[1] > MOST_DIM:
        return f"vectors of {copies.own.shape[1]:,} numbers are too long for it ({MOST_DIM:,})"
    if found.winner.candidate.family == Forest.family:
        return "a random forest is not helped by vectors that are turned"
    return ""


def _trials(
    found: Search, copies: Copies, deadline: float, clock: Callable[[], float]
) -> list[Trial]:
    """Each strength and setting, from weak to strong, while there is time."""
    wavering = Wavering.of(found.examples.vectors, copies)
    kind = Logistic if found.winner.candidate.family == Logistic.family else Ridge
    trials: list[Trial] = []
    for strength in STRENGTHS:
        if clock() >= deadline:
            break
        steadying = wavering.steadying(strength)
        examples, seen = _turned(found.examples, steadying), copies.turned(steadying)
        for candidate in candidates(kind.family, examples.vectors, len(examples.classes))[0]:
            if candidate.kind == kind.kind and candidate.scaling == RAW:
                outcomes = _scored(candidate, examples, found.folds, seen)
                trials.extend(
                    _judged(found, candidate, setting, steadying, seen, outcome)
                    for setting, outcome in zip(candidate.settings, outcomes, strict=True)
                )
    return trials


def _trial(found: Search, copies: Copies) -> Trial:
    """The search's own winner."""
    winner = found.winner
    candidate = replace(winner.candidate, settings=(winner.setting,))
    (outcome,) = _scored(candidate, found.examples, found.folds, copies)
    return _judged(found, winner.candidate, winner.setting, None, copies, outcome)


Outcome = tuple[NDArray[np.float64], NDArray[np.float64]]
"""(n, t) scores of pictures as sent, (k, m, t) of their copies."""


def _scored(
    candidate: Candidate, examples: Examples, folds: Sequence[Fold], copies: Copies
) -> list[Outcome]:
    """Scores by each setting, each picture's and its copies' by fits without its fold."""
    k, m, dim = copies.anew.shape
    columns = 1 if len(examples.classes) == 2 else len(examples.classes)
    outcomes = [
        (np.empty((len(examples), columns)), np.empty((k, m, columns))) for _ in candidate.settings
    ]
    with solving():
        for train, test in folds:
            asked = np.flatnonzero(np.isin(copies.rows, test))
            rows = np.concatenate([examples.vectors[test], copies.anew[asked].reshape(-1, dim)])
            scores = candidate.scores(examples.vectors[train], examples.codes[train], rows)
            for (sent, anew), part in zip(outcomes, scores, strict=True):
                sent[test] = part[: len(test)]
                anew[asked] = part[len(test) :].reshape(len(asked), m, columns)
    return outcomes


def _judged(
    found: Search,
    candidate: Candidate,
    setting: Setting,
    steadying: Steadying | None,
    copies: Copies,
    outcome: Outcome,
) -> Trial:
    sent, anew = outcome
    codes, classes, made = found.examples.codes, found.examples.classes, copies.made
    method = default_method(len(classes))
    chances = said(sent, codes, classes, method, sent)
    flat = said(sent, codes, classes, method, anew.reshape(-1, anew.shape[-1]))
    truth = np.repeat(codes[copies.rows], anew.shape[1])
    lost = np.where(made, log_losses(flat, truth).reshape(made.shape), 0)
    answers = flat.argmax(axis=1).reshape(made.shape)
    hits = (answers == codes[copies.rows][:, None]) & made
    forms = np.ones(len(codes))
    forms[copies.rows] += made.sum(axis=1)
    losses, right = log_losses(chances, codes), (chances.argmax(axis=1) == codes).astype(float)
    as_sent = right.copy()
    losses[copies.rows] += lost.sum(axis=1)
    right[copies.rows] += hits.sum(axis=1)
    other = (answers != chances.argmax(axis=1)[copies.rows][:, None]) & made
    flips = other.sum(axis=1) / np.maximum(made.sum(axis=1), 1)
    return Trial(candidate, setting, steadying, losses / forms, right / forms, as_sent, flips)


def _turned(examples: Examples, steadying: Steadying) -> Examples:
    return replace(examples, vectors=steadying(examples.vectors))


def _chosen(
    plain: Trial, trials: Sequence[Trial], weights: NDArray[np.float64], how: Augment
) -> tuple[Trial | None, str]:
    if not trials:
        return None, NO_TIME
    equal = [trial for trial in trials if _no_worse(plain, trial, weights)]
    if not equal:
        if how is Augment.ON:
            best = min(trials, key=lambda trial: float(np.average(trial.losses, weights=weights)))
            return best, "AUGMENT=on, though every strength costs accuracy out of fold"
        return None, "every strength costs accuracy out of fold"
    best = min(equal, key=lambda trial: float(trial.flips.mean()))
    fell, error = _mean_and_error(plain.flips - best.flips, np.ones(len(plain.flips)))
    told = (
        f"flips out of fold {plain.flips.mean():.1%} without it, {best.flips.mean():.1%} with; "
        f"right as sent {np.average(plain.as_sent, weights=weights):.1%} and "
        f"{np.average(best.as_sent, weights=weights):.1%}, in all forms "
        f"{np.average(plain.right, weights=weights):.1%} and "
        f"{np.average(best.right, weights=weights):.1%}"
    )
    if fell > CLEARLY * error:
        return best, told
    return (best, f"AUGMENT=on; {told}") if how is Augment.ON else (None, f"no clear gain; {told}")


def _no_worse(plain: Trial, other: Trial, weights: NDArray[np.float64]) -> bool:
    """In all forms together no worse, and as sent at most a little."""
    lost, error = _mean_and_error(other.losses - plain.losses, weights)
    fewer, spread = _mean_and_error(plain.right - other.right, weights)
    cost = float(np.average(plain.as_sent - other.as_sent, weights=weights))
    return lost <= HARDLY * error and fewer <= HARDLY * spread and cost <= MOST_LOST


def _mean_and_error(gaps: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[float, float]:
    mean = float(np.average(gaps, weights=weights))
    return mean, float(np.sqrt(np.average((gaps - mean) ** 2, weights=weights) / len(gaps)))
