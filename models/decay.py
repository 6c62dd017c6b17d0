"""Whether the current version still does what it did when it was trained.

Two yardsticks. Each month's held-out pictures are a set of their own that stays: the version is
asked again about those, and about those that came since it was trained above all. And what it
answered to pictures that people corrected later, which says less: people correct what is wrong.

A set is compared with what the card's figures give for the same mix of labels, for a month in
which only hard labels came is no decay. Both sides are uncertain, and so is the difference.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from domain import UNSURE, Measurement, ModelVersion, Split, Task, Unavailable, VerdictSource
from models import Head
from models.registry import Registry
from models.shares import Comparison, Counts, compare, interval, together
from storage import Store

CORRECTIONS = "corrections"
LATEST = 200
"""Corrections looked at, the latest ones."""
PICTURES = 1_000
"""Pictures a month's set has at most, the first by sha256: as good as drawn by lot."""
MONTHS = 12
"""Months measured, the latest ones."""
MOST_LABELS = 10
"""Up to so many labels are counted apart: with more, no mix of them moves the whole by much."""
FEWEST_CORRECTIONS = 20
BY_LABEL = ":"
ALL = ""

log = logging.getLogger(__name__)


class Wired(Protocol):
    """What an engine has of what is needed here."""

    @property
    def store(self) -> Store:
        """Truth."""

    @property
    def registry(self) -> Registry:
        """The versions' files."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One set of pictures, and how the current version did on it.

    Attributes
    ----------
    what
        `corrections`, or a month such as `2026-11`.
    low, high
        Within which the share it is right on lies, with 95 % confidence (Clopper-Pearson).
    expected
        The share right on its held-out pictures when it was trained, for the same mix of labels;
        None where they do not tell.
    fallen
        Whether it does worse than that, by more than chance explains.
    sentence
        All of it, for people.
    """

    what: str
    at: datetime
    n: int
    right: int
    low: float
    high: float
    expected: float | None
    fallen: bool
    sentence: str


def measure(wired: Wired, task_name: str, now: datetime) -> list[Measurement]:
    """Ask the current version of a task again, and keep how it did.

    Parameters
    ----------
    wired
        The open engine.
    task_name
        Which task. There is nothing to measure without a version of the user's own pictures, or
        with one that cannot be loaded, which whoever asks it hears anyway.
    now
        The present moment, aware.

    Raises
    ------
    NotFound
        No such task.
    """
    store = wired.store
    task, version = store.tasks.get(task_name), store.versions.current(task_name)
    if version is None or version.demo:
        return []
    try:
        head = wired.registry.load(version)
    except Unavailable as error:
        log.warning("%s cannot be measured: %s", version.id, error.message)
        return []
    labels = _labels(task, head)
    months = sorted(store.samples.months(task_name))
    gone = _measured(store, task_name, version.id).keys() - set(months)
    sets: dict[str, Counts] = {month: {} for month in gone}  # nothing of them is left to count
    for month in months[-MONTHS:]:
        sets[month] = _of_month(store, task, version, head, month)
    sets[CORRECTIONS] = _of_corrections(store, task, version, head)
    kept = []
    for what in sorted(sets):
        for name, n, right in _rows(what, sets[what], labels):
            kept.append(Measurement(task_name, version.id, name, now, n, right))
            store.measurements.put(kept[-1])
    return kept


def readings(store: Store, task_name: str) -> list[Reading]:
    """How the current version does on each set: corrections first, then months, newest first.

    Reads rows alone: nothing is asked again.

    Raises
    ------
    NotFound
        No such task.
    """
    version = store.versions.current(task_name)
    if version is None or version.demo:
        return []
    sets = _measured(store, task_name, version.id)
    promised = _promised(version, store.tasks.get(task_name))
    judged = [what for what, counted in sets.items() if _is_judged(counted, version)]
    found = []
    for what in sorted(sets, key=lambda one: (one == CORRECTIONS, one), reverse=True):
        counted = sets[what]
        if counted.n:
            compared = _compared(counted, promised, len(judged))
            fallen = compared is not None and compared.at_best < 0 and what in judged
            found.append(_reading(counted, compared.expected if compared else None, fallen))
    return found


def warnings(store: Store, task_name: str) -> list[str]:
    """What has fallen, in plain sentences; as `readings`."""
    return [reading.sentence for reading in readings(store, task_name) if reading.fallen]


# --- what is counted ---


def _labels(task: Task, head: Head) -> frozenset[str]:
    """What the version can say, as it is called now."""
    return frozenset(task.variants.get(label, label) for label in head.classes)


def _of_corrections(store: Store, task: Task, version: ModelVersion, head: Head) -> Counts:
    """What the version by itself answered to what was corrected since it answers.

    Where it stayed unsure, the label that its head finds likeliest.
    """
    promotions = store.versions.promotions(task.name)
    since = next((one.at for one in promotions if one.version == version.id), None)
    pairs, unsure = [], []
    for row in store.corrections.lately(task.name, LATEST):
        before = row.before
        if before is None or before.source is not VerdictSource.MODEL:
            continue  # people had said it, not the version
        if since is None or row.created_at < since:
            continue  # another version had
        if before.prediction == UNSURE:
            unsure.append(row)
        else:
            pairs.append((row.label, before.prediction))
    likeliest = _likeliest(store, version, head, [row.sha256 for row in unsure])
    pairs += [(row.label, likeliest[row.sha256]) for row in unsure if row.sha256 in likeliest]
    return _count(task, pairs, _labels(task, head))


def _of_month(store: Store, task: Task, version: ModelVersion, head: Head, month: str) -> Counts:
    """What the version says of a month's held-out pictures, one of each family.

    Those that only corrections brought are not among them: people correct what is wrong.
    """
    samples = store.samples.of_month(task.name, month, Split.TEST, PICTURES)
    # near-duplicates are right or wrong together: as many of them are no more sure than one
    families = {sample.family: sample for sample in reversed(samples) if not sample.taught}
    of = {sample.sha256: sample.label for sample in families.values()}
    likeliest = _likeliest(store, version, head, list(of))
    pairs = [(of[sha256], said) for sha256, said in likeliest.items()]
    return _count(task, pairs, _labels(task, head))


def _likeliest(
    store: Store, version: ModelVersion, head: Head, sha256s: Sequence[str]
) -> dict[str, str]:
    """By picture that has a vector, the label its head finds likeliest."""
    found, vectors = store.vectors.get(version.embedder, list(dict.fromkeys(sha256s)))
    if not found:
        return {}
    best = head.predict_proba(vectors).argmax(axis=1)
    return {sha256: head.classes[row] for sha256, row in zip(found, best, strict=True)}


def _count(task: Task, pairs: Sequence[tuple[str, str]], labels: frozenset[str]) -> Counts:
    """Count (true, said) labels; of a label that came after the version it knows nothing."""
    n, right = Counter[str](), Counter[str]()
    for true, said in pairs:
        label = task.variants.get(true, true)
        if label in labels:
            n[label] += 1
            right[label] += label == task.variants.get(said, said)
    return {label: (n[label], right[label]) for label in n}


def _rows(what: str, counts: Counts, labels: frozenset[str]) -> Iterator[tuple[str, int, int]]:
    """A set as it is kept: the whole, and each label where they are few."""
    yield what, *together(counts)
    if len(labels) <= MOST_LABELS:
        for label in sorted(labels):
            yield f"{what}{BY_LABEL}{label}", *counts.get(label, (0, 0))


# --- what is read ---


@dataclass(frozen=True, slots=True)
class _Counted:
    """A set as it was kept."""

    what: str
    at: datetime
    n: int
    right: int
    by_label: Counts


def _measured(store: Store, task_name: str, version_id: str) -> dict[str, _Counted]:
    rows = {row.what: row for row in store.measurements.all(task_name, version_id)}
    parts: dict[str, dict[str, tuple[int, int]]] = {}
    for name, row in rows.items():
        what, apart, label = name.partition(BY_LABEL)
        if apart and row.n:
            parts.setdefault(what, {})[label] = (row.n, row.right)
    return {
        name: _Counted(name, row.at, row.n, row.right, parts.get(name, {}))
        for name, row in rows.items()
        if BY_LABEL not in name
    }


def _is_judged(counted: _Counted, version: ModelVersion) -> bool:
    """Whether a set can show decay: of pictures that came when the version was there already.

    An earlier month is a part of what its held-out figure is the mean of, harder or easier.
    """
    if counted.what == CORRECTIONS:
        return counted.n >= FEWEST_CORRECTIONS
    return counted.n > 0 and counted.what >= f"{version.created_at.astimezone(UTC):%Y-%m}"


def _promised(version: ModelVersion, task: Task) -> Counts:
    """Of each label as it is called now, how the version did on its held-out pictures."""
    held_out = version.card.get("metrics", {}).get("held_out", {})
    counts: dict[str, tuple[int, int]] = {}
    for name, figures in held_out.get("per_class", {}).items():
        label, n = task.variants.get(name, name), int(figures["support"])
        before = counts.get(label, (0, 0))
        right = round(n * (figures["recall"] or 0.0))
        counts[label] = (before[0] + n, before[1] + right)
    return {label: one for label, one in counts.items() if one[0]}


def _compared(counted: _Counted, promised: Counts, sets: int) -> Comparison | None:
    """With what the card promises for the same mix of labels, or as a whole where they are many."""
    if counted.by_label:
        return compare(counted.by_label, promised, sets)
    return compare({ALL: (counted.n, counted.right)}, {ALL: together(promised)}, sets)


def _reading(counted: _Counted, expected: float | None, fallen: bool) -> Reading:
    low, high = interval(counted.right, counted.n)
    return Reading(
        what=counted.what,
        at=counted.at,
        n=counted.n,
        right=counted.right,
        low=low,
        high=high,
        expected=expected,
        fallen=fallen,
        sentence=_sentence(counted, low, high, expected, fallen),
    )


def _sentence(
    counted: _Counted, low: float, high: float, expected: float | None, fallen: bool
) -> str:
    share = f"{counted.right / counted.n:.0%}, 95% interval {low:.0%} to {high:.0%}"
    told = f"{counted.right} of {counted.n} ({share})"
    promised = "" if expected is None else f"; its held-out pictures promised {expected:.0%}"
    if counted.what == CORRECTIONS:
        said = (
            f"Of the pictures corrected last, the current version had answered {told} "
            f"rightly{promised}. People correct what is wrong, so this counts too many mistakes"
        )
        advice = "the corrections are worth a look, and a training takes them in."
    else:
        said = f"Of the held-out pictures of {counted.what} the current version is right on {told}"
        said += promised
        advice = "what comes now may be unlike what it learned from; collect and train again."
    return f"{said}: {advice}" if fallen else f"{said}."
