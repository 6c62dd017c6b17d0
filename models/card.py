"""The card of a version: what it was trained on, how it does, what was tried. JSON-ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from config import VERSION
from domain import Task, TaskKind
from models.batch import BatchHead, Search
from models.calibration import Chances
from models.examples import Examples
from models.metrics import measure
from models.thresholds import accusation

ACCUSED = "ai"


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """(n, k) probabilities of pictures whose labels are known."""

    examples: Examples
    chances: Chances
    classes: tuple[str, ...]

    def figures(self) -> dict[str, Any]:
        """Every figure of the card, per source too."""
        return measure(
            self.examples.labels, self.chances, self.classes, sources=self.examples.sources
        )


def held_out(head: BatchHead, test: Examples) -> Predictions:
    """What a head says of pictures it was not trained on."""
    return Predictions(test, head.predict_proba(test.vectors), head.classes)


def cross_validated(found: Search) -> Predictions:
    """What heads that had not seen them said of the training pictures."""
    return Predictions(found.examples, found.out_of_fold(), found.examples.classes)


def make_card(
    task: Task,
    embedder: str,
    found: Search,
    *,
    tested: Predictions,
    validated: Predictions,
    unseen: Mapping[str, Any],
    max_false_accusation: float,
) -> dict[str, Any]:
    """The card of a version fitted on `found.examples` and tested on `tested`."""
    winner = found.winner
    card: dict[str, Any] = {
        "task": task.name,
        "kind": task.kind.value,
        "labels": list(found.examples.classes),
        "variants": dict(task.variants),
        "embedder": embedder,
        "dim": int(found.examples.vectors.shape[1]),
        "classifier": {
            "family": winner.candidate.family,
            "name": winner.candidate.name,
            "scaling": winner.candidate.scaling,
            "setting": dict(winner.setting),
        },
        "calibration": {
            "method": found.method,
            "n": len(found.examples),
            "on": "scores out of fold, labels weighed alike",
        },
        "fitted_on": "the training split only, so that the held-out figures are this model's own",
        "n_samples": count(found.examples, tested.examples),
        "metrics": {"held_out": tested.figures(), "cross_validated": validated.figures()},
        "leave_one_source_out": dict(unseen),
        "search": _search(found),
        "made_with": {"exposr": VERSION, "scikit-learn": version("scikit-learn")},
    }
    if task.kind is TaskKind.AUTHENTICITY and ACCUSED in found.examples.classes:
        column = found.examples.classes.index(ACCUSED)
        chances = found.out_of_fold_served()[:, column]
        is_ai = found.examples.labels == ACCUSED
        card["thresholds"] = accusation(chances, is_ai, max_false_accusation)
    return card


def count(train: Examples, test: Examples) -> dict[str, Any]:
    """How many pictures there are, per split, label and source."""
    parts = {"train": train, "test": test}
    labels = sorted({str(label) for part in parts.values() for label in np.unique(part.labels)})
    sources = sorted({str(name) for part in parts.values() for name in np.unique(part.sources)})
    return {
        "total": len(train) + len(test),
        "train": len(train),
        "test": len(test),
        "families": sum(len(np.unique(part.families)) for part in parts.values()),
        "per_label": {
            label: {name: int((part.labels == label).sum()) for name, part in parts.items()}
            for label in labels
        },
        "per_source": {
            source: {
                label: sum(
                    int(((part.sources == source) & (part.labels == label)).sum())
                    for part in parts.values()
                )
                for label in labels
            }
            for source in sources
        },
    }


def _search(found: Search) -> dict[str, Any]:
    ranked = sorted(found.tried, key=lambda tried: (-tried.folds, tried.log_loss))
    return {
        "score": "log loss in nats after calibration, labels weighed alike, out of fold: proper, "
        "so it rewards honest probabilities, and fair to scores that are none",
        "folds": len(found.folds),
        "seconds": round(found.seconds, 2),
        "tried": [
            {
                **asdict(tried),
                "log_loss": round(tried.log_loss, 5),
                "balanced_accuracy": round(tried.balanced_accuracy, 5),
                "seconds": round(tried.seconds, 3),
            }
            for tried in ranked
        ],
        "skipped": [{"name": name, "reason": why} for name, why in found.skipped.items()],
    }
