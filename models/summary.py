"""A card as text for people and as CSV for tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from models.changes import CHANGED, change_rows, told
from models.promise import others_of, percent, raised_by, share

HEADLINES = (
    ("accuracy", "accuracy"),
    ("balanced_accuracy", "balanced accuracy"),
    ("roc_auc", "ROC AUC"),
    ("expected_calibration_error", "calibration error"),
)
MEASURED = {
    "held_out": "held out",
    "cross_validated": "cross-validated",
    "leave_one_source_out": "sources left out",
}
TOP_TRIED = 12
SLICE_FIGURES = ("n", "right", "error", "low", "high", "rest", "p", "weak")


def headline_rows(card: Mapping[str, Any]) -> list[list[str]]:
    """One row a way of measuring: its name, pictures, then every figure of HEADLINES."""
    return [
        [MEASURED[key], str(figures["n"]), *(shown(figures[name]) for name, _ in HEADLINES)]
        for key, figures in measured(card)
    ]


def measured(card: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The ways the version was measured, those that were skipped left out."""
    ways = {**card["metrics"], "leave_one_source_out": card["leave_one_source_out"]}
    for key in MEASURED:
        if "skipped" not in ways[key]:
            yield key, ways[key]


def not_left_out(card: Mapping[str, Any]) -> str:
    """Which sources were not left out in turn and why; empty where all were."""
    unseen = card["leave_one_source_out"]
    if "skipped" in unseen:
        return f"Sources left out in turn: not measured, {unseen['skipped']}."
    large = unseen.get("too_large") or {}
    why = "; ".join(f"{source} ({left})" for source, left in large.items())
    return f"Not left out, because too little would remain: {why}." if large else ""


def shown(value: float | None) -> str:
    """A figure with three decimals, a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def setting_text(setting: Mapping[str, Any]) -> str:
    """Such as `C=10, gamma=0.5`."""
    return ", ".join(f"{key}={value}" for key, value in setting.items())


def promise(card: Mapping[str, Any]) -> str | None:
    """What is promised of each label that has a limit, in a sentence or two; None of none."""
    thresholds = card.get("thresholds") or {}
    told = [promise_of(card["labels"], *one) for one in (thresholds.get("labels") or {}).items()]
    if thresholds.get("unmeasured"):
        told.append(
            "These scores hold for known sources alone, though they were to hold on sources left "
            f"out, too (PROMISE_FOR=unseen): {thresholds['unmeasured']}."
        )
    return " ".join(told) or None


def promise_of(labels: Sequence[str], label: str, limit: Mapping[str, Any]) -> str:
    """From which score on a label is said, what that keeps, where, and what it buys."""
    others = others_of(labels, label)
    kept = f"at most {share(limit['budget'])} of {others} are called {label}"
    if limit["from"] is None:
        return f"{label} is never said: no score makes sure that {kept}."
    if limit["promised"]:
        basis = f"with 95 % confidence {kept}, by {limit['n_others']} not trained on"
        if raised := raised_by(limit):
            basis = f"from {percent(limit['from_known'])} on {basis}; {raised}"
    else:
        basis = (
            f"not promised that {kept}, which takes {limit['needed']} {others} and "
            f"{limit['n_others']} are known ({share(limit['can_promise'])} is what they show)"
        )
    told = (
        f"{label} is said from {percent(limit['from'])} on: {basis}; it finds "
        f"{shown_share(limit['recall'])} of {label} pictures."
    )
    elsewhere = limit["unseen_sources"]
    if not elsewhere:
        return f"{told} How that is on other sources was not measured."
    return (
        f"{told} On {elsewhere['sources']} sources left out in turn, by scores found without them, "
        f"{elsewhere['wrongly']} of "
        f"{elsewhere['n_others']} {others} were called {label}, and "
        f"{shown_share(elsewhere['recall'])} of {label} pictures."
    )


def shown_share(value: float | None) -> str:
    """A share as a percentage, a dash where there is none."""
    return "–" if value is None else f"{value:.1%}"


def as_text(card: Mapping[str, Any]) -> str:
    """The whole card on one page of plain text."""
    counts, classifier = card["n_samples"], card["classifier"]
    lines = [
        f"{card['task']}: {classifier['name']} ({setting_text(classifier['setting'])})",
        f"embedder {card['embedder']}, {counts['train']} training pictures, "
        f"{counts['test']} held out, {counts['families']} families",
        f"calibrated by {card['calibration']['method']}; fitted on {card['fitted_on']}",
        "",
        *_columns(
            [["measured", "pictures", *(title for _, title in HEADLINES)]], headline_rows(card)
        ),
    ]
    if not_left_out(card):
        lines.append(not_left_out(card))
    if promise(card):
        lines.extend(["", str(promise(card))])
    shortcuts = (card.get("shortcuts") or {}).get("message")
    if shortcuts:
        lines.extend(["", shortcuts])
    if redelivered(card):
        lines.extend(["", redelivered(card)])
    if card.get("changes"):
        lines.extend(["", told(card["changes"])])
        lines.extend(_columns([["", *CHANGED]], change_rows(card["changes"])))
    for key, figures in measured(card):
        lines.extend(["", f"{MEASURED[key]}, per label"])
        lines.extend(
            _columns([["label", "precision", "recall", "f1", "pictures"]], label_rows(figures))
        )
        if len(figures["per_source"]) > 1:
            lines.extend(["", f"{MEASURED[key]}, per source"])
            lines.extend(_columns([SOURCE_TITLES], source_rows(figures)))
    if slice_rows(card):
        lines.extend(["", f"slices ({card['slices']['on']})"])
        lines.extend(_columns([SLICE_TITLES], slice_rows(card)))
    lines.extend(["", f"tried, best first ({card['search']['score']})"])
    lines.extend(_columns([TRIED_TITLES], tried_rows(card)[:TOP_TRIED]))
    lines.extend(f"skipped {item['name']}: {item['reason']}" for item in card["search"]["skipped"])
    return "\n".join(lines) + "\n"


SLICE_TITLES = [
    "slice",
    "",
    "pictures",
    "right",
    "error",
    "95 % from",
    "to",
    "others, or claimed",
    "sources left out",
    "",
]
"""Where a whole source was left out, a slice's share of right answers is often another."""


def slice_rows(card: Mapping[str, Any]) -> list[list[str]]:
    """Slice by slice, as SLICE_TITLES says; empty for versions that have none."""
    parts = (card.get("slices") or {}).get("parts") or {}
    return [
        [
            dimension,
            name,
            str(row["n"]),
            str(row["right"]),
            *(shown(row[figure]) for figure in ("error", "low", "high", "rest")),
            "{right} of {n} right".format(**row["unseen"]) if row["unseen"] else "–",
            "; ".join(_weaknesses(row)),
        ]
        for dimension, part in parts.items()
        for name, row in part.items()
    ]


def redelivered(card: Mapping[str, Any]) -> str:
    """How answers hold when pictures are delivered anew; empty where that was not measured."""
    found: Mapping[str, Any] = card.get("redelivery") or {}
    if "flips" not in found:
        return ""
    trained = "trained" if found["used"] else "not trained"
    return (
        "When pictures are delivered anew (saved anew, made smaller, cut), "
        f"{found['flips']:.1%} of its answers change, out of fold on {found['pictures']} "
        f"pictures; it was {trained} against that: {found['why']}."
    )


def _weaknesses(row: Mapping[str, Any]) -> Iterator[str]:
    """Where in a slice the version is clearly worse: as a whole, or on one label."""
    if row["weak"]:
        yield "weak"
    for label, one in row["labels"].items():
        if one.get("weak"):
            yield f"weak on {label}: {one['right']} of {one['n']} right"
            if one["unseen"]:
                yield "{right} of {n} with sources left out".format(**one["unseen"])


SOURCE_TITLES = ["source", "pictures", "accuracy", "balanced accuracy", "ROC AUC"]
TRIED_TITLES = ["classifier", "setting", "log loss", "balanced accuracy", "folds", "seconds"]


def label_rows(figures: Mapping[str, Any]) -> list[list[str]]:
    """Per label: precision, recall, F1, pictures."""
    return [
        [label, *(shown(row[name]) for name in ("precision", "recall", "f1")), str(row["support"])]
        for label, row in figures["per_class"].items()
    ]


def source_rows(figures: Mapping[str, Any]) -> list[list[str]]:
    """Per source, as SOURCE_TITLES says."""
    names = ("accuracy", "balanced_accuracy", "roc_auc")
    return [
        [source, str(row["n"]), *(shown(row[name]) for name in names)]
        for source, row in figures["per_source"].items()
    ]


def tried_rows(card: Mapping[str, Any]) -> list[list[str]]:
    """Everything that was scored, best first, as TRIED_TITLES says."""
    return [
        [
            row["name"],
            setting_text(row["setting"]),
            f"{row['log_loss']:.4f}",
            shown(row["balanced_accuracy"]),
            str(row["folds"]),
            f"{row['seconds']:.2f}",
        ]
        for row in card["search"]["tried"]
    ]


def _columns(titles: Sequence[Sequence[str]], rows: Sequence[Sequence[str]]) -> list[str]:
    table = [*titles, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def as_csv(card: Mapping[str, Any]) -> str:
    """Long form: measured, scope (all, label or source), name, figure, value."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["measured", "scope", "name", "figure", "value"])
    for key, figures in measured(card):
        for name in ("n", *(name for name, _ in HEADLINES)):
            writer.writerow([key, "all", "", name, _cell(figures[name])])
        for scope, parts in (("label", figures["per_class"]), ("source", figures["per_source"])):
            for part, row in parts.items():
                for name, value in row.items():
                    if not isinstance(value, Mapping):
                        writer.writerow([key, scope, part, name, _cell(value)])
    writer.writerows(["slices", *cells] for cells in _slice_figures(card))
    return text.getvalue()


def _slice_figures(card: Mapping[str, Any]) -> Iterator[list[str]]:
    """Dimension, slice, figure and value: of each slice, then of each label in it."""
    for dimension, slices in ((card.get("slices") or {}).get("parts") or {}).items():
        for part, row in slices.items():
            for name in SLICE_FIGURES:
                yield [dimension, part, name, _cell(row[name])]
            for label, one in row["labels"].items():
                for name in SLICE_FIGURES:
                    yield [dimension, part, f"{name} on {label}", _cell(one.get(name))]


def _cell(value: float | None) -> str:
    return "" if value is None else str(value)
