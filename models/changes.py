"""What changed in the pictures between two versions: added, removed, under another label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from models.answers import NOTHING, Answers
from models.examples import Rows, Strings
from models.paired import Difference, differences

CHANGED = ("added", "removed", "relabelled")


def changed_pictures(new: Answers, old: Answers, since: str) -> dict[str, Any]:
    """What `new` was made from and `old` was not, and the other way around, for cards.

    Parameters
    ----------
    new, old
        The answers of two versions.
    since
        The id of the old one.

    Returns
    -------
    dict[str, Any]
        Totals, `per_label` and `per_source`; of a picture under another label both labels are
        told of, the one it has now and the one that it had (`relabelled_from`).
    """
    place = old.rows_of(new.pictures)
    known = np.flatnonzero(place != NOTHING)
    added = np.flatnonzero(place == NOTHING)
    removed = np.flatnonzero(new.rows_of(old.pictures) == NOTHING)
    labels, before = new.label_names(), old.label_names()
    other = known[labels[known] != before[place[known]]]
    sources, sources_before = _sources(new), _sources(old)
    per_label = _counted(
        added=labels[added],
        removed=before[removed],
        relabelled=labels[other],
        relabelled_from=before[place[other]],
    )
    per_source = _counted(
        added=sources[added], removed=sources_before[removed], relabelled=sources[other]
    )
    return {
        "since": since,
        "added": len(added),
        "removed": len(removed),
        "relabelled": len(other),
        "same": len(known) - len(other),
        "per_label": per_label,
        "per_source": per_source,
    }


def _sources(answers: Answers) -> Strings:
    return np.asarray(answers.source_names, np.str_)[answers.sources]


def _counted(**columns: Strings) -> dict[str, dict[str, int]]:
    """How often each name is in each column."""
    counts = {column: Counter(names.tolist()) for column, names in columns.items()}
    named = sorted({name for count in counts.values() for name in count})
    return {name: {column: counts[column][name] for column in columns} for name in named}


def shared_rows(one: Answers, other: Answers) -> tuple[Rows, Rows]:
    """The rows of the pictures that both know, under one label; of each."""
    place = other.rows_of(one.pictures)
    rows = np.flatnonzero(place != NOTHING)
    same = one.label_names()[rows] == other.label_names()[place[rows]]
    return rows[same], place[rows[same]]


def paired_answers(
    before: Answers, after: Answers
) -> tuple[Difference | None, Mapping[str, Difference]]:
    """How far two versions are apart on the pictures that both know under one label."""
    rows, places = shared_rows(before, after)
    labels = before.label_names()[rows]
    return differences(
        labels,
        before.families[rows],
        np.asarray(before.classes)[before.said[rows]] == labels,
        np.asarray(after.classes)[after.said[places]] == labels,
    )


def change_rows(changes: Mapping[str, Any]) -> list[list[str]]:
    """Per label and per source: name, added, removed, under another label."""
    return [
        [f"{scope} {name}", *(str(counts[column]) for column in CHANGED)]
        for scope, parts in (("label", changes["per_label"]), ("source", changes["per_source"]))
        for name, counts in parts.items()
    ]


def told(changes: Mapping[str, Any]) -> str:
    """The totals in one sentence."""
    return (
        f"Since {changes['since']}: {changes['added']} pictures added, {changes['removed']} "
        f"removed, {changes['relabelled']} under another label, {changes['same']} the same."
    )
