"""How rows are parted for cross-validation: families whole, labels and sources spread evenly."""

from __future__ import annotations

import numpy as np

from domain import NotEnoughData
from models.examples import Examples, Rows

Fold = tuple[Rows, Rows]
"""Training rows and the rows scored."""

FOLDS = 5
MAX_GROUPED = 1_000
"""Families up to which StratifiedGroupKFold deals them out one by one, 0.2 ms each."""
LARGE_FAMILY, MAX_GROUPED_UNEVEN = 0.01, 10_000
"""Share of all rows from which a family makes folds uneven, so that up to more are dealt so."""
MAX_SOURCES = 8
"""Sources left out in turn; of more, the largest."""
KEPT = 0.4
"""Share of each label's families that must be left to train on without a source.

Without more than this what is measured is how a model does that was taught by a few pictures, not
how the one does that is served. About half, so that two sources of like size both count.
"""


def family_folds(examples: Examples, *, seed: int = 0) -> list[Fold]:
    """Five folds (fewer when a label has fewer families), stratified by label and source.

    Raises
    ------
    NotEnoughData
        All pictures of some label are near-duplicates of one another.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    families, first, family_of = np.unique(
        examples.families, return_index=True, return_inverse=True
    )
    per_label = np.bincount(examples.codes[first], minlength=len(examples.classes))
    if per_label.min() < 2:
        lonely = [c for c, n in zip(examples.classes, per_label, strict=True) if n < 2]
        raise NotEnoughData(
            f"All training pictures of {', '.join(lonely)} are near-duplicates of one another; "
            "at least two different ones are needed, better many.",
            labels=lonely,
        )
    folds = int(min(FOLDS, per_label.min()))
    strata = _strata(examples, first, folds)[family_of]
    uneven = np.bincount(family_of).max() > LARGE_FAMILY * len(examples)
    if len(families) <= (MAX_GROUPED_UNEVEN if uneven else MAX_GROUPED):
        grouped = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        return list(grouped.split(strata, strata, family_of))
    # one row a family: as even while families are small, and 200 times as fast
    simple = StratifiedKFold(folds, shuffle=True, random_state=seed)
    fold_of = np.empty(len(families), np.intp)
    for fold, (_, scored) in enumerate(simple.split(first, strata[first])):
        fold_of[scored] = fold
    rows = fold_of[family_of]
    return [(np.flatnonzero(rows != fold), np.flatnonzero(rows == fold)) for fold in range(folds)]


def _strata(examples: Examples, first: Rows, folds: int) -> Rows:
    """(families,) label x source where each source of the label fills every fold, else label."""
    labels = examples.codes[first]
    pairs = np.unique(
        np.stack([labels, np.unique(examples.sources[first], return_inverse=True)[1]]),
        axis=1,
        return_inverse=True,
    )[1]
    size = np.bincount(pairs)[pairs]
    small = np.unique(labels[size < folds])
    return np.where(np.isin(labels, small), labels, pairs.max() + 1 + labels.max() + pairs)


def source_folds(examples: Examples) -> dict[str, Fold]:
    """One fold a source that holds two labels or more: trained on all the others.

    Returns
    -------
    dict[str, Fold]
        By source, the largest first; empty when fewer than two sources hold two labels. A
        family that reaches into the source left out is not trained on. Not of sources without
        which some label keeps fewer than `KEPT` of its families: see `too_large`.
    """
    return _parted(examples)[0]


def too_large(examples: Examples) -> dict[str, str]:
    """By source without which too little is left to measure by, what is left."""
    return _parted(examples)[1]


def _parted(examples: Examples) -> tuple[dict[str, Fold], dict[str, str]]:
    names, sizes = np.unique(examples.sources, return_counts=True)
    candidates = [
        str(name)
        for name in names[np.argsort(-sizes, kind="stable")]
        if len(np.unique(examples.labels[examples.sources == name])) >= 2
    ]
    folds: dict[str, Fold] = {}
    large: dict[str, str] = {}
    if len(candidates) < 2:
        return folds, large
    for name in candidates[:MAX_SOURCES]:
        test = np.flatnonzero(examples.sources == name)
        train = np.flatnonzero(~np.isin(examples.families, examples.families[test]))
        few = _too_few(examples, train)
        if few:
            large[name] = few
        else:
            folds[name] = (train, test)
    return folds, large


def _too_few(examples: Examples, train: Rows) -> str:
    """Which label rows hold too few families of, in words; empty where they hold enough."""
    for label in examples.classes:
        own = examples.labels == label
        every = len(np.unique(examples.families[own]))
        left = len(np.unique(examples.families[train[own[train]]]))
        if left < KEPT * every:
            return f"without it {left} of {every} different pictures of {label} are left"
    return ""
