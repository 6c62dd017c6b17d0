"""Whether a candidate may take the place of the version that answers now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain import ModelVersion, Unavailable
from models.card import Predictions
from models.examples import Examples
from models.registry import Registry
from storage import Store

ALLOWED = 1.0
"""Standard errors by which the candidate may lie below the current version."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What was decided, why in one sentence, and the figures it rests on, JSON-ready."""

    promoted: bool
    reason: str
    figures: Mapping[str, Any] = field(default_factory=dict)


def weigh(store: Store, registry: Registry, version: ModelVersion) -> Gate:
    """Whether a candidate, saved but not current, takes the place of the current version."""
    current = store.versions.current(version.task)
    if current is None:
        return Gate(True, "It is the first version of this task.")
    if current.id == version.id:
        return Gate(True, "It answers already.")
    if version.demo and not current.demo:
        return Gate(False, "The demonstration never replaces a version trained on your pictures.")
    if current.demo and not version.demo:
        return Gate(True, "It replaces the demonstration.")
    if current.embedder != version.embedder:
        return Gate(
            True,
            f"The current version was trained on vectors of {current.embedder}, "
            f"this one on those of {version.embedder}, which answers now.",
        )
    answers = registry.answers(version)
    if answers is None:
        return Gate(False, "What it answered when it was made cannot be read, so it is not judged.")
    tested = np.flatnonzero(answers.held_out)
    names = [name.decode() for name in answers.pictures[tested]]
    found, vectors = store.vectors.get(version.embedder, names)
    rows = answers.rows_of(np.asarray(found, np.bytes_))
    labels = answers.label_names()[rows]
    examples = Examples(vectors, labels, labels, answers.families[rows].astype(np.str_))
    try:
        head = registry.load(current)
    except Unavailable as error:
        return Gate(True, f"The current one cannot answer. {error.message}")
    ours = np.eye(len(answers.classes))[answers.said[rows]]
    theirs = head.predict_proba(vectors)
    return compare(
        Predictions(examples, ours, answers.classes), Predictions(examples, theirs, head.classes)
    )


def compare(candidate: Predictions, current: Predictions) -> Gate:
    """Promote unless balanced accuracy on the same held-out pictures is clearly lower.

    Notes
    -----
    Both answered the same pictures, so the standard error is that of the paired difference:
    pictures on which both are right or both wrong do not blur it.
    """
    labels = candidate.examples.labels
    if not len(labels):
        return Gate(True, "No pictures are held out to compare it on.")
    ours, theirs = _right(candidate), _right(current)
    gains = [(ours - theirs)[labels == label] for label in np.unique(labels)]
    difference = float(np.mean([gain.mean() for gain in gains]))
    error = float(np.sqrt(sum(gain.var() / len(gain) for gain in gains))) / len(gains)
    scores = (
        f"balanced accuracy on the {len(labels)} held-out pictures is "
        f"{_balanced(ours, labels):.1%}, the current version's {_balanced(theirs, labels):.1%} "
        f"(standard error of the difference {error:.1%})"
    )
    if difference < -ALLOWED * error:
        return Gate(False, f"Clearly worse: {scores}.")
    return Gate(True, f"No worse: {scores}.")


def _right(predictions: Predictions) -> NDArray[np.float64]:
    said = np.asarray(predictions.classes)[predictions.chances.argmax(axis=1)]
    return np.asarray(said == predictions.examples.labels, np.float64)


def _balanced(right: NDArray[np.float64], labels: NDArray[np.str_]) -> float:
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))
