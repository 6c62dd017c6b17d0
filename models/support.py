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


def read_support(
    store: Store, version: ModelVersion, *, most: int = ANCHORS, golden: int = GOLDEN
) -> Support:
    """Read the pictures that a version is held to.

    Only pictures that were there before the version are taken, of each label as many as of
    the others as far as it has them, and which ones is settled by their sha256: whatever came
    since, and in whatever order things came, every process reads the same.

    Parameters
    ----------
    store
        The open store.
    version
        Whose: of the demonstration's pictures for its version, else of the user's.
    most
        Anchors at most, from the training side of the split.
    golden
        Golden pictures at most, from its held-out side.

    Returns
    -------
    Support
        Vectors of the version's embedder as they are stored, not quantised: a head that
        standardises columns would make noise of it. Pictures without one are left out.
    """
    variants = store.tasks.get(version.task).variants
    samples = store.samples.all(version.task, demo=version.demo)
    earlier = _lasting([s for s in samples if s.added_at < version.created_at])
    anchors = _spread([s for s in earlier if s.split is Split.TRAIN], most)
    held_out = _spread([s for s in earlier if s.split is Split.TEST], golden)
    chosen = {s.sha256: variants.get(s.label, s.label) for s in (*anchors, *held_out)}
    found, rows = store.vectors.get(version.embedder, list(chosen))
    row_of = {sha256: row for row, sha256 in enumerate(found)}
    ours = [s.sha256 for s in anchors if s.sha256 in row_of]
    kept = [s.sha256 for s in held_out if s.sha256 in row_of]
    return Support(
        rows[[row_of[sha256] for sha256 in ours]],
        np.asarray([chosen[sha256] for sha256 in ours], np.str_),
        rows[[row_of[sha256] for sha256 in kept]],
        np.asarray([chosen[sha256] for sha256 in kept], np.str_),
        {sha256: chosen[sha256] for sha256 in kept},
    )


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
