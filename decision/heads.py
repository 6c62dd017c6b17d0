"""What a head gives: a version, what was taught, or the words of labels; and what is kept back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decision.nouns import Decision
from domain import UNSURE, ModelVersion, Statistics, Task, TaskKind, VerdictSource
from models.chances import chances_of
from models.elsewhere import TIME
from models.knowledge import Knowledge
from models.labelled import Familiarity
from models.promise import judged, judged_as_taught
from models.slices import like_this
from wording import percent

DEMO_REASON = (
    "This is the demonstration model: it tells computed patterns from a few photographs and "
    "knows nothing of real AI pictures. Bring your own with `python -m scraper folder`, "
    "`python -m embeddings` and `python train.py` to replace it."
)


UNCALIBRATED = (
    "Its probabilities were held against no picture: the order of the labels may be right where "
    "they are not."
)
HALF = 0.5
"""Share of the words from which on the answer is theirs."""


def by_head(
    task: Task,
    known: Knowledge,
    scores: NDArray[np.float64] | None,
    looks: Mapping[str, Any] | None = None,
) -> Decision:
    """What the version gives, adjusted by corrections, or what was taught by itself."""
    if known.head is None or scores is None:
        even = {label: 1 / len(task.labels) for label in task.labels}
        reason = _unanswered(task, known)
        return _alone(UNSURE, max(even.values(), default=0.0), even, VerdictSource.NONE, (reason,))
    probabilities = chances_of(known.head.classes, scores, task.variants)
    best = max(probabilities, key=lambda label: probabilities[label])
    confidence = probabilities[best]
    learned = sum(known.taught.values())
    if known.words:
        return _by_words(task, known, best, probabilities)
    taught = f"What was learned from {_pictures(learned)}" if known.version is None else "The model"
    reasons = [f"{taught} gives {best} {percent(confidence)}."]
    if known.version is not None and learned:
        reasons.append(f"Corrections of {_pictures(learned)} are weighed in.")
    if known.version is None:
        prediction, held_back = judged_as_taught(task, probabilities, known.beyond, known.rates)
    else:
        prediction, held_back = judged(
            task,
            known.version.card,
            probabilities,
            known.held,
            classes=known.head.classes,
            corrected=known.generalises,
        )
    reasons.extend(held_back)
    if known.version is not None:
        reasons.extend(_cautions(task, known.version))
        if not known.version.demo:
            reasons.extend(like_this(known.version.card, looks, confidence, best, task.variants))
    if known.problem:
        reasons.append(known.problem)
    alone = _alone(prediction, confidence, probabilities, VerdictSource.MODEL, tuple(reasons))
    calibrated = known.version is not None and not known.version.demo and not learned
    return replace(
        alone,
        statistics=replace(alone.statistics, calibrated=calibrated),
        of_label=() if prediction == UNSURE else tuple(held_back),
    )


def _by_words(
    task: Task, known: Knowledge, best: str, probabilities: Mapping[str, float]
) -> Decision:
    """What the words of the labels give, alone or beside what was taught. Never calibrated."""
    learned, confidence = sum(known.taught.values()), probabilities[best]
    if known.words < 1:
        reasons = [
            f"What was learned from {_pictures(learned)}, and the words of the labels by "
            f"{known.words:.0%} of the whole, give {best} {percent(confidence)}."
        ]
    else:
        reasons = [f"The words of its labels alone give {best} {percent(confidence)}."]
    reasons.append(UNCALIBRATED)
    prediction, held_back = judged_as_taught(task, probabilities, known.beyond, known.rates)
    if task.kind is TaskKind.AUTHENTICITY and known.words >= HALF:
        prediction = UNSURE
        held_back = ["Nobody measured how often words accuse real pictures, so it stays unsure."]
    reasons.extend(held_back)
    if known.words == 1:
        reasons.append(_how_to_teach(task))
    if known.problem:
        reasons.append(known.problem)
    source = VerdictSource.TEXT if known.words >= HALF else VerdictSource.MODEL
    alone = _alone(prediction, confidence, probabilities, source, tuple(reasons))
    return replace(alone, of_label=() if prediction == UNSURE else tuple(held_back))


def _pictures(n: int) -> str:
    return "1 picture" if n == 1 else f"{n} pictures"


def _alone(
    prediction: str,
    confidence: float,
    probabilities: Mapping[str, float],
    source: VerdictSource,
    reasons: tuple[str, ...],
) -> Decision:
    """A decision by the head, which is also what stands for the statistics where others decide."""
    statistics = Statistics(prediction, confidence, probabilities, source)
    return Decision(prediction, confidence, probabilities, source, reasons, statistics)


def unless_strange(familiarity: Familiarity | None, alone: Decision) -> Decision:
    """An open task's picture may have none of its labels; the head can only choose among them."""
    if familiarity is None or not familiarity.strange:
        return alone
    reason = (
        "It may be none of these: it is unlike every labelled picture. The nearest has a "
        f"similarity of {familiarity.similarity:.2f}; of {familiarity.examined} known ones "
        f"{familiarity.chance:.1%} are as far from all others. If it is something new, show it "
        "with a label of its own."
    )
    kept = (one for one in alone.reasons if one not in alone.of_label)
    reasons = (*kept, reason)
    return replace(alone, prediction=UNSURE, reasons=reasons, of_label=(), none_of_these=True)


def _unanswered(task: Task, known: Knowledge) -> str:
    if known.problem:
        return known.problem
    if known.head is not None:
        return "There is no vector of this picture to judge it by; send its file."
    if known.taught:
        label = next(iter(known.taught))
        return (
            f"Only {label} has been taught so far. Show an example of another label, "
            f"with `label` and the picture, to /tasks/{task.name}/train."
        )
    words = known.wordless or (
        "With CLIP (ENCODER=clip) it would answer by the words of its labels until then."
    )
    return f"Nobody has taught the task {task.name} yet. {_how_to_teach(task)} {words}"


def _how_to_teach(task: Task) -> str:
    return (
        f"Send pictures with their `label` to /tasks/{task.name}/train, or bring many with "
        f"`python -m scraper folder DIR --task {task.name} --labels-from-folders`, then run "
        f"`python -m embeddings` and `python train.py --task {task.name}`."
    )


def _cautions(task: Task, version: ModelVersion) -> list[str]:
    if version.demo:
        return [DEMO_REASON]
    unseen = version.card.get("leave_one_source_out") or {}
    accuracy = unseen.get("balanced_accuracy")
    if accuracy is not None:
        return [
            f"On pictures from sources it had not seen, it was right {accuracy:.0%} of the time "
            "(labels weighed alike)."
        ]
    if task.kind is TaskKind.AUTHENTICITY and unseen.get("cause") == TIME:
        return [
            "There was no time in its training to tell how it does on pictures from elsewhere: "
            "there it may be little better than a guess. A larger TRAINING_TIME_BUDGET helps."
        ]
    if task.kind is TaskKind.AUTHENTICITY:
        return [
            "Too few sources taught it to tell how it does on pictures from elsewhere: "
            "there it may be little better than a guess."
        ]
    return []
