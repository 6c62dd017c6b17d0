"""The pictures a version's head is held to while it learns: anchors, and a golden set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain import ModelVersion, Sample, Split
from models.examples import Strings
from storage import Store

ANCHORS = 400
GOLDEN = 400
Chosen = Mapping[str, Mapping[str, str]]
"""`anchors` and `golden`: labels by sha256, as a version was trained on them."""


@dataclass(frozen=True, slots=True, eq=False)
class Support:
    """What the task looked like when a version was made; does not change while it answers.

    Attributes
    ----------
    vectors, labels
        (m, dim) float32 as embedded, and (m,): pictures like those it was trained on.
    golden, golden_labels
        (g, dim) float32 and (g,): held-out pictures whose answers learning must keep.
    golden_pictures
        Labels of the golden pictures by sha256.
    """

    vectors: NDArray[np.float32]
    labels: Strings
    golden: NDArray[np.float32]
    golden_labels: Strings
    golden_pictures: Mapping[str, str]


def choose_support(
    samples: Sequence[Sample], *, most: int = ANCHORS, golden: int = GOLDEN
) -> Chosen:
    """The pictures that a version trained on these is to be held to, for its card.

    Of each label as many as of the others as far as it has them; which ones is settled by
    their sha256, not by the order they came in.

    Parameters
    ----------
    samples
        What is trained and measured on, under the labels that the version will know.
    most
        Anchors at most, from the training side of the split.
    golden
        Golden pictures at most, from its held-out side.
    """
    lasting = _lasting(samples)
    anchors = _spread([s for s in lasting if s.split is Split.TRAIN], most)
    held_out = _spread([s for s in lasting if s.split is Split.TEST], golden)
    return {
        "anchors": {sample.sha256: sample.label for sample in anchors},
        "golden": {sample.sha256: sample.label for sample in held_out},
    }


def read_support(
    store: Store, version: ModelVersion, *, most: int = ANCHORS, golden: int = GOLDEN
) -> Support:
    """Read the pictures that a version is held to.

    They and their labels are those that its card names: nothing that is said or linked since
    changes them, and the labels stay those that its head knows. A picture that was erased is
    left out.

    Of a version made before cards named them, they are chosen among the pictures that were
    there before it.

    Parameters
    ----------
    store
        The open store.
    version
        Whose: of the demonstration's pictures for its version, else of the user's.
    most, golden
        Anchors and golden pictures at most, where they have to be chosen.

    Returns
    -------
    Support
        Vectors of the version's embedder as they are stored, not quantised: a head that
        standardises columns would make noise of it. Pictures without one are left out.
    """
    chosen: Chosen = version.card.get("support") or _before(store, version, most, golden)
    labels = {**chosen["anchors"], **chosen["golden"]}
    found, rows = store.vectors.get(version.embedder, list(labels))
    row_of = {sha256: row for row, sha256 in enumerate(found)}
    ours = [sha256 for sha256 in chosen["anchors"] if sha256 in row_of]
    kept = [sha256 for sha256 in chosen["golden"] if sha256 in row_of]
    return Support(
        rows[[row_of[sha256] for sha256 in ours]],
        np.asarray([labels[sha256] for sha256 in ours], np.str_),
        rows[[row_of[sha256] for sha256 in kept]],
        np.asarray([labels[sha256] for sha256 in kept], np.str_),
        {sha256: labels[sha256] for sha256 in kept},
    )


def _before(store: Store, version: ModelVersion, most: int, golden: int) -> Chosen:
    """Chosen among what was there before a version, under labels of its head where it has them."""
    variants = store.tasks.get(version.task).variants
    samples = store.samples.all(version.task, demo=version.demo)
    earlier = [sample for sample in samples if sample.added_at < version.created_at]
    chosen = choose_support(earlier, most=most, golden=golden)
    known = version.card.get("labels", ())  # linked since, a label of the head stays one
    return {
        part: {
            s: label if label in known else variants.get(label, label) for s, label in of.items()
        }
        for part, of in chosen.items()
    }


def _lasting(samples: Sequence[Sample]) -> list[Sample]:
    """Without those that corrections brought, of each label that has others.

    They would go when what was said is taken back, and what is held to must not be movable by
    whoever may correct. A label that was only ever taught has no better ones.
    """
    brought = {sample.label for sample in samples if not sample.taught}
    return [sample for sample in samples if not sample.taught or sample.label not in brought]


def _spread(samples: Sequence[Sample], most: int) -> list[Sample]:
    """So many of them, the labels taking turns, each in the order of sha256."""
    turns: Counter[str] = Counter()
    order = []
    for sample in sorted(samples, key=lambda s: s.sha256):
        order.append((turns[sample.label], sample.sha256, sample))
        turns[sample.label] += 1
    return [sample for _, _, sample in sorted(order, key=lambda turn: turn[:2])[:most]]
