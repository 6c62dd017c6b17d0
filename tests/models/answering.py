"""Answers of versions that never were, row by row."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from models.answers import NOTHING, Answers

LABELS = ("ai", "real")


def sha(name: str) -> str:
    """The sha256 that a picture of this name has."""
    return hashlib.sha256(name.encode()).hexdigest()


def answers(
    *rows: tuple[str, str, str],
    classes: Sequence[str] = LABELS,
    source: str = "web",
    unseen: Sequence[str] = (),
    held_out: bool = True,
) -> Answers:
    """Each row a picture's name, its label and what was said of it."""
    names, labels, said = zip(*rows, strict=True) if rows else ((), (), ())
    n = len(rows)
    return Answers(
        classes=tuple(classes),
        source_names=(source,),
        pictures=np.asarray([sha(name) for name in names], "S64"),
        labels=np.asarray([classes.index(label) for label in labels], np.int32),
        said=np.asarray([classes.index(label) for label in said], np.int32),
        sure=np.full(n, 0.9, np.float16),
        unseen=np.asarray([classes.index(label) for label in unseen] or [NOTHING] * n, np.int32),
        held_out=np.full(n, held_out),
        families=np.arange(n).astype(np.uint64),
        sources=np.zeros(n, np.int32),
    )
