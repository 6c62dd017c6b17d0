"""What the labels' words say: a head of texts, and how far it goes on speaking beside examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain import Task, TaskKind
from models import Head
from models.taught import TaughtHead, Trial
from storage.prompts import split_prompts

Chances = NDArray[np.float64]

TEMPLATES: Mapping[TaskKind, tuple[str, ...]] = {
    TaskKind.PHOTO: (
        "a photo of {}.",
        "a picture of {}.",
        "a close-up photo of {}.",
        "a photo that shows {}.",
        "a blurry photo of {}.",
        "{}",
    ),
    TaskKind.DRAWING: (
        "a drawing of {}.",
        "a black and white drawing of {}.",
        "a sketch of {}.",
        "a handwritten {}.",
        "{}",
    ),
    TaskKind.AUTHENTICITY: (
        "an image that is {}.",
        "a {} image.",
        "a {} photo.",
    ),
}
"""What a label's name is put into where nobody wrote texts for it."""
KNOWN_LABELS: Mapping[TaskKind, Mapping[str, tuple[str, ...]]] = {
    TaskKind.AUTHENTICITY: {
        "ai": (
            "an image made by artificial intelligence.",
            "an AI-generated picture.",
            "a synthetic image from a text-to-image model.",
            "computer-generated art.",
        ),
        "real": (
            "a real photograph.",
            "a photo taken with a camera.",
            "an authentic, unedited photo.",
            "a snapshot of a real scene.",
        ),
    }
}
"""Texts of labels whose name alone says nothing to a text encoder."""
MOST_TEXTS = 64
"""Texts of a task beyond which labels without texts of their own get fewer templates."""
WORTH = 12.0
"""Examples of each label that words are worth before anything is known of how they do: a mean of
texts that are right for 28 to 94 % of pictures; with less, good ones were left too early."""
BELIEF = 4.0
"""Examples' surprise that it takes to move that by much."""
EVEN = 0.5
"""The probability that what was taught is taken to give the only example of a label, which cannot
be asked of others; and one of few, by as much as little is known of it."""
STEPS = 64
"""Shares that are tried."""
LEAST = 1e-6
"""Least probability that a surprise reckons with."""


@dataclass(frozen=True, slots=True, eq=False)
class TextHead:
    """Labels by how near a picture is to texts of them. Not calibrated on any picture.

    Attributes
    ----------
    classes
        The labels.
    weights
        (dim, k) float32, the labels' unit vectors: of each the mean of its texts' directions.
    scale
        By which cosines are multiplied before they become probabilities: what the text encoder
        learned together with its vectors (the inverse of a temperature).

    References
    ----------
    A. Radford et al., "Learning transferable visual models from natural language supervision",
    ICML 2021.
    """

    classes: tuple[str, ...]
    weights: NDArray[np.float32]
    scale: float

    @classmethod
    def of(
        cls, classes: Sequence[str], vectors: Sequence[NDArray[np.float32]], scale: float
    ) -> TextHead:
        """Of each label's (m, dim) text vectors, unit rows."""
        means = np.stack([rows.astype(np.float64).mean(0) for rows in vectors])
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        return cls(tuple(classes), np.ascontiguousarray(means.T, np.float32), scale)

    def predict_proba(self, vectors: NDArray[np.float32]) -> Chances:
        """Probabilities of each label.

        Parameters
        ----------
        vectors
            (n, dim) float32, unit rows of the same encoder's pictures; any n.

        Returns
        -------
        NDArray[np.float64]
            (n, k) in [0, 1], rows sum to 1, columns in the order of `classes`.
        """
        likeness = vectors.astype(np.float64) @ self.weights.astype(np.float64)
        powers = np.exp(self.scale * (likeness - likeness.max(axis=1, keepdims=True)))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """What was taught, and words beside it: a linear pool of the two.

    A label that nobody showed yet has what words give it.

    Attributes
    ----------
    classes
        All labels of either, sorted.
    words, taught
        The two.
    share
        Weight of the words, in [0, 1].
    """

    classes: tuple[str, ...]
    words: TextHead
    taught: Head
    share: float

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
        chances = np.zeros((len(vectors), len(self.classes)))
        place = {label: i for i, label in enumerate(self.classes)}
        for head, share in ((self.words, self.share), (self.taught, 1 - self.share)):
            columns = [place[label] for label in head.classes]
            chances[:, columns] += share * head.predict_proba(vectors)
        return chances


def texts_of(task: Task) -> dict[str, tuple[str, ...]]:
    """The texts of each label: those that people wrote for it, else templates with its name."""
    each = max(1, MOST_TEXTS // max(len(task.labels), 1))
    found = {}
    for label in task.labels:
        own = split_prompts(task.prompts.get(label, ""))
        known = KNOWN_LABELS.get(task.kind, {}).get(label)
        usual = known or tuple(one.format(named(label)) for one in TEMPLATES[task.kind])
        found[label] = own or usual[:each]
    return found


def named(label: str) -> str:
    """A label as words: `thumbs_up` is `thumbs up`."""
    return label.replace("_", " ").replace("-", " ").strip() or label


def mixed(words: TextHead, taught: TaughtHead) -> Mixed:
    """Words and what was taught, each weighed by what it is worth."""
    classes = tuple(sorted({*words.classes, *taught.classes}))
    return Mixed(classes, words, taught, share_of_words(words, taught))


def share_of_words(words: TextHead, taught: TaughtHead) -> float:
    """The weight of words beside examples, in [0, 1].

    It is the one under which the examples, each as if it had not been shown, are least
    surprising. Few examples say little, so it is held to what words are usually worth: as much
    as `WORTH` examples of each label.

    References
    ----------
    Y. Yao, A. Vehtari, D. Simpson, A. Gelman, "Using stacking to average Bayesian predictive
    distributions", Bayesian Analysis 13 (2018).
    """
    trial = taught.trial
    if trial is None:
        return 0.0
    shares = (np.arange(STEPS) + 0.5) / STEPS
    usual = WORTH / (WORTH + taught.examples / len(taught.classes))
    gain = BELIEF * (usual * np.log(shares) + (1 - usual) * np.log1p(-shares))
    told = _truths(words, taught.classes, trial)
    asked = trial.chances[np.arange(len(trial.chances)), trial.codes[: len(trial.chances)]]
    shown = np.full(len(told), EVEN)
    shown[: len(asked)] += trial.belief * (asked - EVEN)
    pooled = shares[:, None] * told + (1 - shares)[:, None] * shown
    gain += np.log(np.maximum(pooled, LEAST)).sum(axis=1)
    return float(shares[gain.argmax()])


def _truths(words: TextHead, classes: Sequence[str], trial: Trial) -> Chances:
    """(n,) the probability that words give each example's own label."""
    place = {label: i for i, label in enumerate(words.classes)}
    columns = np.array([place.get(label, -1) for label in classes], np.intp)[trial.codes]
    told = words.predict_proba(trial.vectors)[np.arange(len(columns)), columns]
    return np.where(columns < 0, 0.0, told)
