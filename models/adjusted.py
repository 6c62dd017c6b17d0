"""A version's head with what was said since: corrected where they are, kept everywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import Head
from models.examples import Strings
from models.kernel_ridge import Kernels, Ridge, Values
from models.products import MOST, Chances, Products, Rows, Scaling
from models.support import Support
from models.taught import Shown
from models.threads import single_thread

Places = NDArray[np.intp]

RIDGE = 0.1
"""Added to the kernels' diagonal of ones, divided by an example's weight."""
SHARPNESS = 12.0
"""Scores of 0 to 1 times this are the exponents by which a new label is told from known ones."""
LOSS, LOSS_OF_FEW = 0.01, 0.02
"""Share of the golden pictures that corrections may cost; if that is not one, one of few.

As much may the probability of their labels fall on average.
"""
REACHES = (1.0, 0.75, 0.5, 0.375, 0.25, 0.1875, 0.125, 0.0625, 0.0)
"""Shares of what generalises that are tried until the golden pictures are kept."""
SHARES = (1.0, 0.5, 0.25, 0.0)
"""Then shares of what does not."""


@dataclass(frozen=True, slots=True, eq=False)
class Correcting:
    """What is added to a head's answers.

    Attributes
    ----------
    scaling, kernels
        How a picture is compared with the rows.
    rows
        (r, dim) the n examples first, then the anchors.
    far
        (r, k) coefficients of the k known labels' residuals, and if some labels are new,
        beside them (r, c) of the scores of all c labels.
    near
        (n, c) coefficients of what is left.
    reach
        Share of the far kernel's effect, in [0, 1].
    """

    scaling: Scaling
    kernels: Kernels
    rows: Rows
    far: Values
    near: Values
    reach: float


@dataclass(frozen=True, slots=True, eq=False)
class Adjusted:
    """A version's head and the corrections since, as one head.

    Attributes
    ----------
    base
        The version's head.
    classes
        Its labels and those taught since, sorted.
    correcting
        What the corrections change; None without any.
    golden_right
        How many golden pictures of its support it answers rightly; None where nobody counted.
    golden
        (g, k) of these by the version's head and (g, c) with what the corrections change.
    """

    base: Head
    classes: tuple[str, ...]
    correcting: Correcting | None
    golden_right: int | None = None
    golden: tuple[Chances, Chances] | None = None

    @property
    def generalises(self) -> bool:
        """Whether its corrections reach pictures that are no copies of what was corrected."""
        return self.correcting is not None and self.correcting.reach > 0

    def predict_proba(self, vectors: NDArray[np.float32]) -> Chances:
        """Probabilities of each label.

        Parameters
        ----------
        vectors
            (n, dim) float32, unit rows; any n.

        Returns
        -------
        NDArray[np.float64]
            (n, k) in [0, 1], rows sum to 1, columns in the order of `classes`.
        """
        base = self.base.predict_proba(vectors)
        made = self.correcting
        if made is None:
            return base
        known = _places(self.base.classes, self.classes)
        products = made.scaling(vectors) @ made.rows.T
        effect = made.kernels.far(products) @ made.far
        near = made.kernels.near(products[:, : len(made.near)]) @ made.near
        return _as_chances(_mixed(base, effect, known, made.near.shape[1], made.reach) + near)


def adjust(
    base: Head, support: Support, shown: Sequence[Shown], products: Products | None = None
) -> Adjusted:
    """Correct a version's head by examples, without fitting it anew. Pure.

    Kernel ridge regression on what the head got wrong, with two kernels. The far one
    generalises; anchors hold it to the head's own answers, and its effect is scaled back until
    the golden pictures are kept. The near one makes up for what is then left at the examples
    themselves. A label that the head does not know is told from the known ones by the far
    kernel's regression on the labels of examples and anchors; among the known ones the head
    goes on deciding.

    Parameters
    ----------
    base
        The version's head.
    support
        What the version is held to.
    shown
        The examples, oldest first, each id once. The latest MOST are used, and of each its
        first vector, which is to be as embedded, not quantised: the head is asked about it.
    products
        Those of this head and support, kept by the caller: saves time and changes nothing.

    Returns
    -------
    Adjusted
        The same to a bit for the same examples in any order.
    """
    latest = sorted(shown[-MOST:], key=lambda one: one.id)
    if not latest:
        return Adjusted(base, tuple(base.classes), None)
    with single_thread():
        return _fitted(products or Products(base, support), latest)


def golden_right(head: Head, support: Support) -> tuple[int, int]:
    """How many golden pictures of its support a head answers rightly, and of how many."""
    if not len(support.golden):
        return 0, 0
    if isinstance(head, Adjusted) and head.golden_right is not None:
        return head.golden_right, len(support.golden)
    right = _right(head.predict_proba(support.golden), head.classes, support.golden_labels)
    return int(right.sum()), len(right)


def _fitted(products: Products, shown: Sequence[Shown]) -> Adjusted:
    base, kernels, m = products.base, products.kernels, len(products.anchors)
    seen = products.compare(shown)
    weights = np.asarray([one.weight for one in shown], np.float64)
    classes = tuple(sorted({*base.classes, *(one.label for one in shown)}))
    known = _places(base.classes, classes)
    targets = _one_hot(np.asarray([one.label for one in shown], np.str_), classes)

    beside = kernels.far(seen.beside)
    own = np.hstack([kernels.far(seen.among), beside[:, :m]])
    held = np.hstack([beside.T, products.fixed_far])
    goals = _goals(targets, seen.chances, known, _one_hot(products.support.labels, classes))
    ridge = RIDGE / np.concatenate([weights, np.ones(m)])
    far = Ridge(np.vstack([own, held[:m]]), ridge).solve(goals)

    golden = _Golden(products, held[m:] @ far, known, classes)
    reach = next(reach for reach in REACHES if reach == 0 or golden.kept(reach))
    left = targets - _mixed(seen.chances, own @ far, known, len(classes), reach)
    near = Ridge(kernels.near(seen.among), RIDGE / weights).solve(left)
    beyond = kernels.near(seen.beside[:, m:]).T @ near
    share = next(share for share in SHARES if share == 0 or golden.kept(reach, share * beyond))
    rows = np.concatenate([seen.rows, products.anchors])
    made = Correcting(products.scaling, kernels, rows, far, share * near, reach)
    after = golden.chances(reach, share * beyond)
    right = int(_right(after, classes, products.support.golden_labels).sum())
    return Adjusted(base, classes, made, right, (products.golden_chances, after))


class _Golden:
    """The golden pictures, and whether an adjustment keeps enough of them."""

    def __init__(
        self, products: Products, effect: Values, known: Places, classes: tuple[str, ...]
    ) -> None:
        self._base, self._effect = products.golden_chances, effect
        self._known, self._classes = known, classes
        self._labels = products.support.golden_labels
        self._heads = products.base.classes
        self._right = _right(self._base, self._heads, self._labels)
        self._truth = _truth(self._base, self._heads, self._labels)
        n = len(self._labels)
        self._allowed = max(LOSS * n, min(1.0, LOSS_OF_FEW * n))

    def right(self, reach: float, near: Values | float) -> NDArray[np.bool_]:
        """(n,) whether each is answered rightly."""
        return _right(self.chances(reach, near), self._classes, self._labels)

    def chances(self, reach: float, near: Values | float) -> Chances:
        """(n, c) what the adjusted head gives each."""
        mixed = _mixed(self._base, self._effect, self._known, len(self._classes), reach)
        return _as_chances(mixed + near)

    def kept(self, reach: float, near: Values | float = 0.0) -> bool:
        """Whether few enough are lost, and all are told about as surely as before.

        What others gain does not count: luck may go again. How surely the truth is told is
        heard because it says more than the few that are lost: on smiles, floods of wrong labels
        that kept 320 golden pictures lost 2 % of others. It is told among the known labels;
        a new one must take a little from each.
        """
        right = self.right(reach, near)
        if int((self._right & ~right).sum()) > self._allowed:
            return False
        moved = _as_chances(self._base + reach * self._effect[:, : len(self._known)])
        fallen = self._truth - _truth(moved, self._heads, self._labels)
        return float(fallen.sum()) <= LOSS * len(self._labels)


def _goals(targets: Values, chances: Chances, known: Places, anchors: Values) -> Values:
    """What the far kernel is fitted to, examples above anchors.

    Residuals of the known labels, 0 for anchors; then, if there are new labels, all labels.
    An example of a new label says nothing about known ones: its residuals are 0.
    """
    old = targets[:, known]
    residuals = (old - chances) * old.sum(axis=1, keepdims=True)
    goals = np.vstack([residuals, np.zeros((len(anchors), len(known)))])
    if len(known) == targets.shape[1]:
        return goals
    return np.hstack([goals, np.vstack([targets, anchors])])


def _mixed(base: Chances, effect: Values, known: Places, n_labels: int, reach: float) -> Chances:
    """(n, c) of all labels, from (n, k) of the head and the effect of the far kernel.

    The head's own answers move by the residuals. New labels then take the share that the
    scores give them, by `reach` the less the less sure it is.
    """
    k = len(known)
    chances = np.zeros((len(base), n_labels))
    chances[:, known] = _as_chances(base + reach * effect[:, :k])
    if k == n_labels:
        return chances
    scores = np.exp(SHARPNESS * (effect[:, k:] - effect[:, k:].max(axis=1, keepdims=True)))
    scores /= scores.sum(axis=1, keepdims=True)
    scores[:, known] = 0
    share = scores.sum(axis=1, keepdims=True)
    taken = share ** (1 / reach) if reach else np.zeros_like(share)
    scores *= taken / np.maximum(share, np.finfo(np.float64).tiny)
    return np.asarray(chances * (1 - taken) + scores)


def _as_chances(values: Values) -> Chances:
    """Clipped to [0, 1] with sum 1: rows sum to 1 before, so something is left."""
    clipped = np.clip(values, 0, 1)
    return np.asarray(clipped / clipped.sum(axis=1, keepdims=True))


def _right(chances: Chances, classes: Sequence[str], labels: Strings) -> NDArray[np.bool_]:
    return np.asarray(np.asarray(classes)[chances.argmax(axis=1)] == labels, np.bool_)


def _truth(chances: Chances, classes: Sequence[str], labels: Strings) -> Values:
    """(n,) probability of each picture's own label; 0 where the head does not know it."""
    return np.asarray((chances * _one_hot(labels, classes)).sum(axis=1))


def _places(some: Sequence[str], of: Sequence[str]) -> Places:
    place = {label: column for column, label in enumerate(of)}
    return np.asarray([place[label] for label in some], np.intp)


def _one_hot(labels: Strings, classes: Sequence[str]) -> Values:
    return np.asarray(labels[:, None] == np.asarray(classes)[None, :], np.float64)
