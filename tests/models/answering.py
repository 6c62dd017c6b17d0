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
    ranked: Sequence[Sequence[str]] | None = None,
) -> Answers:
    """Each row a picture's name, its label and what was said of it; other labels come later."""
    names, labels, told = zip(*rows, strict=True) if rows else ((), (), ())
    said = np.asarray([classes.index(label) for label in told], np.int32)
    n = len(rows)
    return Answers(
        classes=tuple(classes),
        source_names=(source,),
        pictures=np.asarray([sha(name) for name in names], "S64"),
        labels=np.asarray([classes.index(label) for label in labels], np.int32),
        said=said,
        sure=np.full(n, 0.9, np.float16),
        unseen=np.asarray([classes.index(label) for label in unseen] or [NOTHING] * n, np.int32),
        held_out=np.full(n, held_out),
        families=np.arange(n).astype(np.uint64),
        sources=np.zeros(n, np.int32),
        ranked=_ranked(said, len(classes)) if ranked is None else places(ranked, classes),
    )


def places(names: Sequence[Sequence[str]], classes: Sequence[str]) -> np.ndarray:
    """Labels as places, one row a picture."""
    return np.asarray([[classes.index(one) for one in row] for row in names], np.int32)


def _ranked(said: np.ndarray, k: int) -> np.ndarray:
    """(n, k) what was said, and the other labels in their order."""
    order = [[place, *(i for i in range(k) if i != place)] for place in said]
    return np.asarray(order, np.int32).reshape(len(said), k)
