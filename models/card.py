"""The card of a version: what it was trained on, how it does, what was tried. JSON-ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from config import VERSION, PromiseFor
from domain import Task
from models.answered import Answered
from models.batch import BatchHead, Search
from models.calibration import Chances
from models.examples import Examples
from models.metrics import measure
from models.promise import make_promise
from models.unseen import Unseen


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
    unseen: Unseen,
) -> dict[str, Any]:
    """The card of a version fitted on `found.examples` and tested on `tested`."""
    winner = found.winner
    return {
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
        "leave_one_source_out": dict(unseen.figures),
        "search": _search(found),
        "made_with": {"exposr": VERSION, "scikit-learn": version("scikit-learn")},
    }


def thresholds(
    found: Search,
    tested: Predictions,
    unseen: Unseen,
    rates: Mapping[str, float],
    promise_for: PromiseFor,
) -> dict[str, Any]:
    """What a version promises: its card's `thresholds`; arguments as of `make_promise`."""
    return make_promise(
        found.examples.classes,
        not_seen(found, tested),
        rates,
        left_out=pictures_left_out(found, unseen),
        promise_for=promise_for,
        unmeasured=unseen.figures.get("skipped"),
    )


def not_seen(found: Search, tested: Predictions) -> Answered:
    """Held-out pictures, and training pictures by folds without them but calibrated as served."""
    train, test = found.examples, tested.examples
    chances = [found.out_of_fold_served(), tested.chances]
    both = (train, test) if len(test) else (train,)
    return Answered(
        np.concatenate([part.labels for part in both]),
        np.concatenate([part.families for part in both]),
        np.concatenate([part.sources for part in both]),
        np.concatenate(chances[: len(both)]),
    )


def pictures_left_out(found: Search, unseen: Unseen) -> Answered | None:
    """Training pictures whose source was left out; None where that was not measured."""
    if not len(unseen.rows):
        return None
    of = found.examples.take(unseen.rows)
    return Answered(of.labels, of.families, of.sources, unseen.chances)


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
