"""Training runs and versions side by side: what they were made from, and how they do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from domain import ModelVersion, Run
from models.answers import Answers
from models.changes import changed_pictures, paired_answers
from models.summary import HEADLINES, MEASURED, measured, setting_text, shown

CURVE = "balanced_accuracy"
HISTORY_TITLES = ["when", "why", "version", "trained on", *MEASURED.values(), "gate", "reason"]
DIFFERENCE_TITLES = ["", "pictures", "before", "after", "difference", "95 % interval",
                     "gained", "lost"]  # fmt: skip
LONGEST_REASON = 120


def learning_curve(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """How versions did as they were made, oldest first; for cards and plots.

    Parameters
    ----------
    runs
        Of one task, newest first; those that made no version are left out.
    """
    return [
        curve_point(run.version, run.finished_at.isoformat(), run.counts, run.metrics, run.gate)
        for run in reversed(runs)
        if run.version is not None
    ]


def curve_point(
    version: str, at: str, counts: Mapping[str, Any], metrics: Mapping[str, Any], gate: str | None
) -> dict[str, Any]:
    """One version on the learning curve; `gate` is None while nothing is decided."""
    figures = {way: metrics.get(way, {}).get(CURVE) for way in MEASURED}
    return {"version": version, "at": at, "pictures": counts.get("train"), **figures, "gate": gate}


def history_rows(runs: Sequence[Run]) -> list[list[str]]:
    """One row a run, as HISTORY_TITLES says; figures are balanced accuracies."""
    return [
        [
            f"{run.started_at:%Y-%m-%d %H:%M}",
            run.why,
            run.version or "–",
            str(run.counts.get("train", "–")),
            *(shown(run.metrics.get(way, {}).get(CURVE)) for way in MEASURED),
            run.gate,
            run.reason if len(run.reason) <= LONGEST_REASON else f"{run.reason[:LONGEST_REASON]}…",
        ]
        for run in runs
    ]


def comparison(
    one: ModelVersion,
    other: ModelVersion,
    answers: tuple[Answers | None, Answers | None],
) -> dict[str, Any]:
    """Two versions side by side, JSON-ready.

    Parameters
    ----------
    one, other
        The versions; differences are what `other` has more.
    answers
        What each kept of its answers; where one kept none, nothing is paired.

    Returns
    -------
    dict[str, Any]
        Each version's `summary`; `pictures` that changed; `paired` differences on pictures that
        both know under one label, and had not learned from, overall and by label.
    """
    found: dict[str, Any] = {
        "versions": [summary(one), summary(other)],
        "pictures": None,
        "paired": None,
    }
    before, after = answers
    if before is None or after is None:
        return found
    found["pictures"] = changed_pictures(after, before, one.id)
    overall, per_label = paired_answers(before, after)
    if overall is not None:
        found["paired"] = {
            "overall": overall.as_json(),
            "per_label": {label: one.as_json() for label, one in per_label.items()},
        }
    return found


def summary(version: ModelVersion) -> dict[str, Any]:
    """A version in short, JSON-ready."""
    card = version.card
    counts = card["n_samples"]
    return {
        "version": version.id,
        "created_at": version.created_at.isoformat(),
        "classifier": card["classifier"]["name"],
        "setting": setting_text(card["classifier"]["setting"]),
        "embedder": version.embedder,
        "labels": list(card["labels"]),
        "pictures": {name: counts[name] for name in ("total", "train", "test")},
        "metrics": {
            way: {name: part[name] for name in ("n", *(name for name, _ in HEADLINES))}
            for way, part in measured(card)
        },
    }


def comparison_rows(found: Mapping[str, Any]) -> list[list[str]]:
    """One row a thing, the two versions beside each other."""
    one, other = found["versions"]
    rows = [[name, str(one[name]), str(other[name])]
            for name in ("created_at", "classifier", "setting", "embedder")]  # fmt: skip
    rows.append(["labels", ", ".join(one["labels"]), ", ".join(other["labels"])])
    for name, title in (("train", "trained on"), ("test", "held out")):
        rows.append([title, str(one["pictures"][name]), str(other["pictures"][name])])
    for way, title in MEASURED.items():
        for name, figure in HEADLINES:
            cells = [side["metrics"].get(way, {}).get(name) for side in (one, other)]
            rows.append([f"{title}: {figure}", *(shown(cell) for cell in cells)])
    return rows


def difference_rows(
    overall: Mapping[str, Any] | None, per_label: Mapping[str, Mapping[str, Any]]
) -> Iterator[list[str]]:
    """As DIFFERENCE_TITLES says: all labels weighed alike, then each label."""
    if overall is not None:
        yield difference_row("balanced accuracy", overall)
    for label, one in per_label.items():
        yield difference_row(label, one)


def difference_row(name: str, one: Mapping[str, Any]) -> list[str]:
    """One paired difference in words."""
    return [
        name,
        str(one["n"]),
        f"{one['before']:.1%}",
        f"{one['after']:.1%}",
        f"{100 * one['change']:+.1f}",
        f"{100 * one['low']:+.1f} to {100 * one['high']:+.1f}",
        str(one["gained"]),
        str(one["lost"]),
    ]
