"""Which pictures are taught and which are asked, family by family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.examples import Examples
from models.folds import source_folds

RANDOM, UNSEEN, SHOTS = "random", "leave-one-source-out", "shots"

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Trial:
    """One lesson and one examination. Figures of a group are averaged."""

    group: str
    name: str
    train: Rows
    test: Rows


def random_parts(examples: Examples, share: float, seeds: int) -> list[Trial]:
    """A share of each label's families held out, once a seed."""

    def taught(families: int) -> int:
        return max(1, families - max(1, round(families * share)))

    trials = []
    for seed in range(seeds):
        inside = np.isin(examples.families, examples.families[_picked(examples, seed, taught)])
        parts = np.flatnonzero(inside), np.flatnonzero(~inside)
        trials.append(Trial(RANDOM, f"seed {seed}", *parts))
    return trials


def few_shots(examples: Examples, shots: Sequence[int], seeds: int) -> list[Trial]:
    """For each k, k families of a label taught by one picture each, all other families asked."""
    trials = []
    for k in shots:
        for seed in range(seeds):
            rows = _picked(examples, seed, lambda families, k=k: k)  # type: ignore[misc]
            asked = np.flatnonzero(~np.isin(examples.families, examples.families[rows]))
            trials.append(Trial(f"{k} a label", f"seed {seed}", rows, asked))
    return trials


def unseen_sources(examples: Examples) -> list[Trial]:
    """Each source that holds two labels is asked, all others are taught."""
    folds = source_folds(examples).items()
    return [Trial(UNSEEN, source, train, test) for source, (train, test) in folds]


def _picked(examples: Examples, seed: int, wanted: Callable[[int], int]) -> Rows:
    """One picture of each of so many families of each label; `wanted` of how many there are."""
    rng = np.random.default_rng(seed)
    picked: list[NDArray[np.intp]] = []
    for label in examples.classes:
        rows = rng.permutation(np.flatnonzero(examples.labels == label))
        families, first = np.unique(examples.families[rows], return_index=True)
        picked.append(rows[np.sort(first)[: wanted(len(families))]])
    return np.sort(np.concatenate(picked))
