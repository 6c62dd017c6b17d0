"""A version from a recipe: searched, fitted, measured and saved."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config import Augment
from domain import ModelVersion
from models.answers import Answers, gather
from models.batch import BatchHead, Progress, Search, fit, search
from models.card import Predictions, cross_validated, held_out, make_card, thresholds
from models.changes import changed_pictures
from models.ensemble import search_parts
from models.history import curve_point, learning_curve
from models.lesson import Lesson
from models.recipe import Recipe
from models.registry import Registry, new_version_id
from models.report import render
from models.slicing import slice_card
from models.steadied import Steadied, steadied
from models.summary import measured, promise
from models.unseen import Unseen, foreseen, leave_sources_out
from storage import Store

MOST_POINTS = 100
"""Versions on a learning curve, the latest."""
TRIALS_SHARE = 0.15
"""Of the time budget, to find out whether training against re-deliveries helps."""
REPORT_SECONDS = 2.0
"""Kept back from the time budget for plots and saving."""


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A fitted head, what is known of it, and what it said of its own pictures."""

    recipe: Recipe
    lesson: Lesson
    head: BatchHead
    card: dict[str, Any]
    tested: Predictions
    validated: Predictions
    answers: Answers

    def confidences(self) -> NDArray[np.float64]:
        """(n,) how sure it was of each of its answers, in their order."""
        chances = np.concatenate([self.validated.chances, self.tested.chances])
        return np.asarray(chances.max(axis=1))


def make(
    recipe: Recipe,
    lesson: Lesson,
    *,
    started: float,
    shortcuts: Mapping[str, Any],
    progress: Progress | None = None,
) -> Made:
    """Search, fit and measure.

    Parameters
    ----------
    recipe
        How.
    lesson
        The pictures.
    started
        When, by the monotonic clock: the time budget runs from then on.
    shortcuts
        What a check for shortcuts found, for the card.
    progress
        As of `search`.
    """
    budget = recipe.settings.training_time_budget
    spent_by = started + budget - REPORT_SECONDS
    plain, ensemble, unseen = _searched(recipe, lesson, budget - REPORT_SECONDS, progress)
    left = spent_by - time.monotonic()
    trials = for_trials(budget, left, foreseen(plain) + plain.winner.fold_seconds)
    steady = _steadied(recipe, lesson, plain, trials, fused=ensemble is not None)
    found = steady.found
    head = fit(found, steady.steadying and steady.steadying.step())
    tested, validated = held_out(head, lesson.test), cross_validated(found)
    if unseen is None:
        unseen = leave_sources_out(found, seconds=spent_by - time.monotonic())
    card = make_card(
        recipe.task,
        recipe.embedder,
        found,
        tested=tested,
        validated=validated,
        unseen=unseen,
    )
    rates = recipe.rates(found.examples.classes)
    if rates:
        card["thresholds"] = thresholds(found, tested, unseen, rates, recipe.settings.promise_for)
        card["promise"] = promise(card)
    card["n_samples"]["without_vectors"] = lesson.without_vectors
    card["n_samples"]["left_out"] = dict(lesson.left_out)
    card["search"]["budget"] = budget
    card["fingerprint"] = recipe.fingerprint(lesson.digest)
    card["redelivery"] = steady.card
    card["shortcuts"] = {**shortcuts, "equalised": lesson.equalised}
    if ensemble is not None:
        card["ensemble"] = ensemble
    pictures = (lesson.train_pictures, lesson.test_pictures)
    answers = gather(validated, tested, pictures, (unseen.rows, unseen.said))
    return Made(recipe, lesson, head, card, tested, validated, answers)


def for_trials(budget: float, left: float, needed: float) -> float:
    """Seconds for trials: their share, unless less is left beside what is needed after them."""
    return max(0.0, min(TRIALS_SHARE * budget, left - needed))


def _searched(
    recipe: Recipe, lesson: Lesson, budget: float, progress: Progress | None
) -> tuple[Search, dict[str, Any] | None, Unseen | None]:
    """What a search found; of an embedder of several parts what each of them is worth.

    They are compared on sources left out, so that how the search does there is known then.
    """
    train, family = lesson.train, recipe.family
    if recipe.parts and len(train.classes) == 2:
        return search_parts(
            train, recipe.parts, classifier=family, budget=budget, progress=progress
        )
    return search(train, classifier=family, budget=budget, progress=progress), None, None


def _steadied(
    recipe: Recipe, lesson: Lesson, plain: Search, budget: float, *, fused: bool
) -> Steadied:
    """The search, held steady against re-deliveries where that is asked for and helps."""
    how = Augment.OFF if recipe.demo else recipe.settings.augment
    if fused:
        why = "an ensemble's parts are not turned"
        return Steadied(plain, None, {"setting": how.value, "used": False, "why": why})
    return steadied(plain, lesson.copies, how, budget=budget)


def save(store: Store, registry: Registry, made: Made, started_at: datetime) -> ModelVersion:
    """Keep what was made, as a version that answers nobody yet.

    Raises
    ------
    NotFound
        The task was deleted, reset or made anew since its pictures were read.
    Unavailable
        Its files cannot be written.
    """
    version_id = new_version_id(started_at)
    slices = slice_card(store, made.answers, made.confidences())
    card = {**made.card, "slices": slices, **_before(store, registry, made, version_id)}
    version = registry.save(
        made.head,
        {**card, "support": made.lesson.support},  # for processes; reports are for people
        version_id=version_id,
        created_at=datetime.now(UTC),
        demo=made.recipe.demo,
        reports=render(card, made.tested, made.validated),
        answers=made.answers,
    )
    store.versions.add(version, task_id=made.recipe.task.id)
    return version


def _before(store: Store, registry: Registry, made: Made, version_id: str) -> dict[str, Any]:
    """What a card says of what was before: the learning curve, and what changed in the data."""
    name = made.recipe.task.name
    point = curve_point(
        version_id,
        datetime.now(UTC).isoformat(),
        made.card["n_samples"],
        {way: dict(part) for way, part in measured(made.card)},
        None,
    )
    curve = learning_curve(store.runs.all(name))[1 - MOST_POINTS :]
    current = store.versions.current(name)
    alike = current is not None and current.demo == made.recipe.demo
    kept = registry.answers(current) if current and alike else None
    changes = changed_pictures(made.answers, kept, current.id) if current and kept else None
    return {"learning_curve": [*curve, point], "changes": changes}
