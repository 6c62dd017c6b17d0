"""How sure linear discriminants may be: examples asked as if they had not been shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Sums = NDArray[np.float64]

COLDEST, HOTTEST, DEGREES = 2.0**-9, 8.0, 97
"""Temperatures that are tried, as multiples of the mean squared distance between labels."""
USUAL = 0.1
"""The temperature when nothing is known of it, as such a multiple."""
BELIEF = 1.0
"""How many examples' surprise it takes to move the usual temperature by a factor of two."""
SEVERAL = 3.0
"""Further examples of its label from which on an example is believed by half: without one of
few the others are a poorer lesson than what will answer, and it looks worse than it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """Examples whose label has others, whitened by the factor of the covariance.

    Attributes
    ----------
    codes
        (n,) their labels' places.
    weights
        (n,) how much they counted.
    vectors, means
        (n, dim) the pictures themselves, and the means of them and their copies.
    """

    codes: NDArray[np.intp]
    weights: Sums
    vectors: Sums
    means: Sums

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True, slots=True, eq=False)
class Unseen:
    """What examples look like to discriminants that were never shown them.

    Attributes
    ----------
    scores
        (n, k).
    spread
        Mean squared distance of an example from where its label truly is; 0 if unknown.
    """

    scores: Sums
    spread: float


def unseen(seen: Sums, totals: Sums, counts: Sums, asked: Examined) -> Unseen:
    """Ask examples as if each had not been shown.

    Without an example its label's mean moves, and the covariance loses its share; both in
    closed form, by Sherman and Morrison.

    Parameters
    ----------
    seen
        (k, dim) whitened means of the labels.
    totals, counts
        (k,) what their examples weigh in all, and how many they are.
    asked
        The examples.
    """
    if not len(asked):
        return Unseen(np.empty((0, len(seen))), 0.0)
    white, at = asked.vectors, np.arange(len(asked))
    whole = totals[asked.codes]
    shift = asked.means - seen[asked.codes]
    share = asked.weights * whole / (whole - asked.weights) / totals.sum()
    inside = _dots(shift, shift)
    grown = share / np.maximum(1 - share * inside, LEAST)
    further = whole / (whole - asked.weights)
    away = further**2 * inside * (1 + grown * inside)
    others = counts[asked.codes] - 1
    spread = float(np.mean(away * others / (others + 1)))
    own = asked.means - further[:, None] * shift
    along, across = _dots(shift, white), shift @ seen.T
    scores: Sums = white @ seen.T + (grown * along)[:, None] * across
    scores += noise(spread, counts) - 0.5 * (_dots(seen, seen) + grown[:, None] * across**2)
    inward = _dots(shift, own)
    lengths = _dots(own, own) + grown * inward**2
    owns = _dots(own, white) + grown * along * inward - 0.5 * lengths
    scores[at, asked.codes] = owns + noise(spread, others)
    return Unseen(scores, spread)


def noise(spread: float, counts: Sums) -> Sums:
    """What chance adds to half the squared length of a mean of so many examples.

    It is given back in the scores: labels with few examples would never be answered otherwise.
    """
    return np.asarray(0.5 * spread / counts)


def temperature(seen: Sums, scores: Sums, codes: NDArray[np.intp], others: Sums) -> float:
    """By which scores are divided for probabilities that fit unseen examples best.

    Parameters
    ----------
    seen
        (k, dim) whitened means of the labels.
    scores
        (n, k) of examples as if they had not been shown.
    codes
        (n,) their labels' places.
    others
        (n,) how many further examples their labels have.
    """
    between = 2 * max(float(_dots(seen, seen).mean() - (seen.mean(0) ** 2).sum()), TINY)
    between *= len(seen) / max(len(seen) - 1, 1)
    degrees = np.geomspace(COLDEST, HOTTEST, DEGREES)
    doubt = BELIEF * np.log2(degrees / USUAL) ** 2 / 2
    belief, at = believed(others), np.arange(len(codes))
    for i, degree in enumerate(degrees * between):
        lines = scores / degree
        top = lines.max(1, initial=-np.inf)
        surprise = top + np.log(np.exp(lines - top[:, None]).sum(1)) - lines[at, codes]
        doubt[i] += float(belief @ surprise)
    return float(degrees[doubt.argmin()] * between)


def believed(others: Sums) -> Sums:
    """How far examples count whose labels have so many others, in [0, 1)."""
    return np.asarray(others / (others + SEVERAL))


LEAST = 0.05
"""Of the covariance along an example's own direction at least this much stays without it."""
TINY = 1e-9


def _dots(one: Sums, other: Sums) -> Sums:
    return np.asarray(np.einsum("ij,ij->i", one, other))
