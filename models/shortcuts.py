"""The shortcut alarm: can the labels be told apart by facts that are not content?

A head that is trained on squares of one class and landscapes of the other learns to see
squares. So before training, trees of a few leaves try to foretell the labels from what file
headers say, on families of near-duplicates they have not seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain import FILE_FACTS, NotEnoughData, Sample, Task
from models.examples import Examples, Rows
from models.folds import Fold, family_folds
from models.leaking import Column, columns_of, sentence
from models.lesson import corrected
from models.shares import interval
from storage import Store

Facts = Mapping[str, Any]

TOGETHER = "together"
SOURCE = "source"
FACTS = (
    "aspect",
    "width",
    "height",
    "format",
    "jpeg_quality",
    "jpeg_tables",
    "subsampling",
    "progressive",
    "bytes_per_pixel",
    "n_bytes",
    "exif",
)
"""What is looked at; of facts that leak alike, the first is named first."""
WEIGHTS = ("bytes_per_pixel", "n_bytes")
"""Among files alike in form these differ by what the pictures show."""
HIDDEN = ("WEBP", "AVIF", "HEIF")
"""Formats whose files do not say how strongly they were compressed; their sizes do."""
CHANCE = 0.5
MOST_PICTURES = 6_000
"""Looked at in all: enough to know a score to a point or two, in seconds."""
LEAST_OF_A_LABEL = 100
ALIKE = "The files of all labels are alike in form: their sizes differ by what they show."
NAMED = 3
"""Leaks that the message names; the figures have all."""
SIMPLE_LEAVES = 4
"""One fact alone: a rule that can be said, such as "between 0.98 and 1.02"."""
LEAVES = 16
TREES = 50


@dataclass(frozen=True, slots=True)
class Leak:
    """A fact, and how well it alone tells one label from the others.

    Attributes
    ----------
    score
        Balanced accuracy out of fold: the mean of the share of the label's pictures that were
        recognised and the share of the others' that were; 0.5 is chance.
    low, high
        Its interval, wide enough for all facts together to hold in 95 of 100 cases.
    """

    fact: str
    label: str
    score: float
    low: float
    high: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """What facts that are not content give away about the labels.

    `raised`: a score reaches the bar, and the low end of its interval is at least half the way
    there from chance, so that few pictures raise nothing. `leaks` are single facts that do so,
    the worst first; `facts` has the scores of all, also of file sizes where these do not count
    because the labels' files are alike in form. `source` is told apart: one label a source is
    how people bring pictures, and no fact of the files. `score` is None where nothing could be
    measured; `note` says why that or nothing is raised.
    """

    score: float | None
    bar: float
    raised: bool
    leaks: tuple[Leak, ...] = ()
    facts: tuple[Leak, ...] = ()
    together: Leak | None = None
    source: Leak | None = None
    pictures: int = 0
    without_facts: int = 0
    note: str = ""

    @property
    def message(self) -> str:
        """What to tell a person, in one or two sentences; empty when there is nothing."""
        if not self.raised or self.score is None:
            return ""
        told = " ".join(leak.sentence for leak in self.leaks[:NAMED] or self.facts[:1])
        alone = "" if self.leaks else "No fact alone does it for sure, all together do. "
        return (
            "The labels can be told apart without looking at the pictures (balanced accuracy "
            f"{self.score:.0%}, bar {self.bar:.0%}), and a model may learn just that. "
            f"{alone}{told}"
        )

    def as_json(self) -> dict[str, Any]:
        """JSON-ready, for cards and histories."""
        return {**asdict(self), "message": self.message}


def check_task(store: Store, task: Task, *, bar: float, demo: bool = False) -> Alarm:
    """Check the pictures of a task, as people say they are now.

    Facts are read beforehand by `embeddings.job.note_facts`; pictures without are left out.

    Parameters
    ----------
    store
        The open store.
    task
        Whose pictures.
    bar
        Balanced accuracy from which the alarm is raised: SHORTCUT_BAR.
    demo
        The demonstration's pictures, or the user's.
    """
    everything = corrected(store, task, store.samples.all(task.name, demo=demo))
    labelled = _some([(task.variants.get(one.label, one.label), one) for one in everything])
    samples = [sample for _, sample in labelled]
    known = store.file_facts.get(FILE_FACTS, [sample.sha256 for sample in samples])
    return check(
        [known.get(sample.sha256) for sample in samples],
        [label for label, _ in labelled],
        [sample.family for sample in samples],
        [sample.source for sample in samples],
        bar=bar,
    )


Labelled = tuple[str, Sample]


def _some(samples: Sequence[Labelled]) -> list[Labelled]:
    """Twice as many of each label as are looked at, so that not everybody's facts are read."""
    of_label: dict[str, list[Labelled]] = {}
    for labelled in samples:
        of_label.setdefault(labelled[0], []).append(labelled)
    rng, most = np.random.default_rng(0), 2 * _most(len(of_label))
    return [
        some[row]
        for _, some in sorted(of_label.items())
        for row in np.sort(rng.permutation(len(some))[:most])
    ]


def _most(labels: int) -> int:
    """Pictures of a label that are looked at."""
    return max(LEAST_OF_A_LABEL, MOST_PICTURES // max(labels, 1))


def check(
    facts: Sequence[Facts | None],
    labels: Sequence[str],
    families: Sequence[str],
    sources: Sequence[str],
    *,
    bar: float,
) -> Alarm:
    """Try to tell the labels apart by facts of the files.

    Parameters
    ----------
    facts
        n of what `embeddings.images.file_facts` gives; None where a file could not be read.
    labels, families, sources
        n each. Of a family's near-duplicates with one label, one is looked at.
    bar
        Balanced accuracy from which the alarm is raised.

    Returns
    -------
    Alarm
        The same for the same pictures in the same order.

    References
    ----------
    G. Y. Zou, A. Donner, "Construction of confidence limits about effect measures: a general
    approach", Statistics in Medicine 2008: the interval of a mean of two shares.
    """
    rows = _chosen(facts, labels, families)
    without = sum(one is None for one in facts)
    looked_at = [fact for one in rows if (fact := facts[one]) is not None]
    examples = Examples(
        np.zeros((len(rows), 0), np.float32),
        np.asarray([labels[row] for row in rows], np.str_),
        np.asarray([sources[row] for row in rows], np.str_),
        np.asarray([families[row] for row in rows], np.str_),
    )
    if len(examples.classes) < 2:
        return _unmeasured(bar, without, "There are no two labels whose files were looked at.")
    try:
        folds = family_folds(examples)
    except NotEnoughData as error:
        return _unmeasured(bar, without, error.message)
    return _Check(examples, folds, bar).of(looked_at, without)


def _unmeasured(bar: float, without: int, note: str) -> Alarm:
    return Alarm(None, bar, False, without_facts=without, note=note)


def _chosen(
    facts: Sequence[Facts | None], labels: Sequence[str], families: Sequence[str]
) -> list[int]:
    """One picture of each family and label, and no more of a label than are needed."""
    of_label: dict[str, dict[str, int]] = {}
    for row, (fact, label, family) in enumerate(zip(facts, labels, families, strict=True)):
        if fact is not None:
            of_label.setdefault(label, {}).setdefault(family, row)
    most = _most(len(of_label))
    chosen: list[int] = []
    for label in sorted(of_label):
        rows = [row for _, row in sorted(of_label[label].items())]
        order = np.random.default_rng(0).permutation(len(rows))[:most]
        chosen.extend(rows[one] for one in np.sort(order))
    return chosen


class _Check:
    """The labels, how they are parted, and how many scores are looked at."""

    def __init__(self, examples: Examples, folds: Sequence[Fold], bar: float) -> None:
        self._examples, self._folds, self._bar = examples, folds, bar
        labels = len(examples.classes)
        self._asked = (len(FACTS) + 1) * (labels if labels > 2 else 1)

    def of(self, facts: Sequence[Facts], without: int) -> Alarm:
        columns = {name: columns_of([one.get(name) for one in facts]) for name in FACTS}
        varied = {name: column for name, column in columns.items() if column.varies}
        each = [self._leak(name, column) for name, column in varied.items()]
        each.sort(key=lambda leak: -leak.score)
        weighed = any(one.get("format") in HIDDEN for one in facts) or any(
            leak.low > CHANCE for leak in each if leak.fact not in WEIGHTS
        )
        counted = [leak for leak in each if weighed or leak.fact not in WEIGHTS]
        together = self._together([varied[leak.fact] for leak in counted]) if counted else None
        found = [*counted, *([together] if together else [])]
        unsaid = any(self._raises(leak) for leak in each if leak not in counted)
        return Alarm(
            score=round(max((leak.score for leak in found), default=CHANCE), 4),
            bar=self._bar,
            raised=any(self._raises(leak) for leak in found),
            leaks=tuple(leak for leak in counted if self._raises(leak)),
            facts=tuple(each),
            together=together,
            source=self._source(),
            pictures=len(self._examples),
            without_facts=without,
            note=ALIKE if unsaid else "",
        )

    def _raises(self, leak: Leak) -> bool:
        return leak.score >= self._bar and leak.low >= (CHANCE + self._bar) / 2

    def _source(self) -> Leak | None:
        column = columns_of(self._examples.sources.tolist())
        return self._leak(SOURCE, column) if column.varies else None

    def _leak(self, name: str, column: Column) -> Leak:
        from sklearn.tree import DecisionTreeClassifier

        tree = DecisionTreeClassifier(
            max_leaf_nodes=max(SIMPLE_LEAVES, column.matrix.shape[1] + 1),
            min_samples_leaf=self._least_in_leaf(),
            class_weight="balanced",
            random_state=0,
        )
        said = self._foretold(tree, column.matrix)
        return self._best(name, said, column)

    def _together(self, columns: Sequence[Column]) -> Leak:
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(
            TREES,
            max_leaf_nodes=LEAVES,
            min_samples_leaf=self._least_in_leaf(),
            class_weight="balanced",
            random_state=0,
        )
        said = self._foretold(forest, np.concatenate([one.matrix for one in columns], axis=1))
        return self._best(TOGETHER, said, None)

    def _least_in_leaf(self) -> int:
        """A leaf of fewer pictures says nothing that holds for others."""
        return int(np.clip(np.bincount(self._examples.codes).min() // 10, 2, 10))

    def _foretold(self, model: Any, matrix: NDArray[np.float64]) -> Rows:
        codes = self._examples.codes
        said = np.empty(len(codes), np.intp)
        for train, scored in self._folds:
            said[scored] = model.fit(matrix[train], codes[train]).predict(matrix[scored])
        return said

    def _best(self, name: str, said: Rows, column: Column | None) -> Leak:
        """The label that was told from the others best."""
        codes, classes = self._examples.codes, self._examples.classes
        scored = [self._score(said == code, codes == code) for code in range(len(classes))]
        code = int(np.argmax([score for score, _, _ in scored]))
        score, low, high = (round(value, 4) for value in scored[code])
        told = sentence(name, classes[code], classes, codes == code, column, (score, low, high))
        return Leak(name, classes[code], score, low, high, told)

    def _score(
        self, said: NDArray[np.bool_], true: NDArray[np.bool_]
    ) -> tuple[float, float, float]:
        shares, lows, highs = zip(self._share(said[true]), self._share(~said[~true]), strict=True)
        score = sum(shares) / 2
        below = math.dist(shares, lows) / 2
        above = math.dist(shares, highs) / 2
        return score, max(score - below, 0.0), min(score + above, 1.0)

    def _share(self, right: NDArray[np.bool_]) -> tuple[float, float, float]:
        """How many of them, with its interval."""
        low, high = interval(int(right.sum()), len(right), self._asked)
        return float(right.mean()), low, high
