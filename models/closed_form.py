"""Least squares and kernels solved outright: many settings for the price of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.examples import Rows, balanced_weights

Real = TypeVar("Real", np.float32, np.float64)
Vectors = NDArray[np.float32]
Scores = NDArray[np.float64]

JITTER = 1e-6
"""Added to a kernel's diagonal of ones: rows that are alike make it singular."""


def ridge_path(train: Vectors, codes: Rows, test: Vectors, alphas: list[float]) -> Iterator[Scores]:
    """RidgeClassifier's scores for each alpha from one Gram matrix.

    Notes
    -----
    With weights W, centred rows A = sqrt(W) (X - mean) and targets T, the coefficients are
    (A'A + alpha I)^-1 A'T, or A' (AA' + alpha I)^-1 T where rows are fewer than columns: the
    product is made once and each alpha costs one Cholesky factorisation.
    """
    from scipy.linalg import solve

    weights = balanced_weights(codes)
    targets = np.where(np.arange(codes.max() + 1) == codes[:, None], 1.0, -1.0)
    if targets.shape[1] == 2:
        targets = targets[:, 1:]
    mean = weights.astype(np.float32) @ train / np.float32(len(train))
    offset = weights @ targets / len(train)
    root = np.sqrt(weights)[:, None]
    rows = (train - mean) * root.astype(np.float32)
    goals = (targets - offset) * root
    wide = rows.shape[0] < rows.shape[1]
    gram = np.asarray(rows @ rows.T if wide else rows.T @ rows, np.float64)
    right = goals if wide else rows.T @ goals
    ahead = test - mean
    onto = ahead @ rows.T if wide else ahead
    for alpha in alphas:
        shifted = gram.copy()
        shifted.flat[:: len(gram) + 1] += alpha
        yield onto @ solve(shifted, right, assume_a="pos", overwrite_a=True) + offset


def landmark_maps(
    among: NDArray[np.float64], near: Vectors, ahead: Vectors, gamma: float
) -> tuple[Vectors, Vectors]:
    """Nystroem's map up to a rotation, by Cholesky: its SVD is 20 times as dear.

    What follows is a ridge, which a rotation of its columns does not change.

    Parameters
    ----------
    among
        (m, m) squared distances between landmarks; in float64, or they have no root.
    near, ahead
        (n, m) and (l, m) squared distances of rows from landmarks.
    gamma
        Width of the RBF kernel.
    """
    from scipy.linalg import cholesky, solve_triangular

    kernel = np.exp(-gamma * among)
    kernel.flat[:: len(kernel) + 1] += JITTER
    root = cholesky(kernel, lower=True, overwrite_a=True).astype(np.float32)
    return (
        solve_triangular(root, np.exp(-gamma * near).T, lower=True).T,
        solve_triangular(root, np.exp(-gamma * ahead).T, lower=True).T,
    )


def squared_distances(a: NDArray[Real], b: NDArray[Real]) -> NDArray[Real]:
    """(n, m) squared Euclidean distances between rows."""
    products = a @ b.T
    lengths = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b)[None, :]
    apart: NDArray[Real] = np.maximum(lengths - 2 * products, 0)
    return apart
