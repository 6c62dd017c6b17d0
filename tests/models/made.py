"""Labelled vectors made by a seed, for tests of heads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.examples import Examples


def clusters(
    per_label: int | Sequence[int] = 40,
    labels: Sequence[str] = ("ai", "real"),
    *,
    dim: int = 12,
    apart: float = 2.0,
    seed: int = 0,
    sources: Sequence[str] = ("one",),
) -> Examples:
    """One Gaussian cluster a label, on the unit sphere; sources in turn; each row a family."""
    random = np.random.default_rng(seed)
    sizes = [per_label] * len(labels) if isinstance(per_label, int) else list(per_label)
    centres = random.standard_normal((len(labels), dim)) * apart / np.sqrt(dim)
    codes = np.repeat(np.arange(len(labels)), sizes)
    rows = centres[codes] + random.standard_normal((len(codes), dim)) / np.sqrt(dim)
    return Examples(
        unit(rows),
        np.asarray(labels)[codes],
        np.asarray([sources[i % len(sources)] for i in range(len(codes))]),
        np.asarray([f"family-{i}" for i in range(len(codes))]),
    )


def rings(per_label: int = 120, *, seed: int = 0) -> Examples:
    """Two labels that no plane parts: far from an axis, and near it on either side."""
    random = np.random.default_rng(seed)
    side = random.choice([-1.0, 1.0], 2 * per_label)
    near = np.repeat([False, True], per_label)
    axis = np.where(near, side * 2.0, 0.0) + random.normal(0, 0.3, 2 * per_label)
    rows = np.column_stack([axis, np.ones(2 * per_label), random.normal(0, 0.3, 2 * per_label)])
    names = np.asarray([f"family-{i}" for i in range(2 * per_label)])
    return Examples(unit(rows), np.where(near, "near", "far"), np.full(2 * per_label, "one"), names)


def unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    """Rows of length one."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
