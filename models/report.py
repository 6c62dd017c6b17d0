"""The report of a training run: one page of HTML with plots, and the same as JSON, CSV, text."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from models.card import Predictions
from models.changes import CHANGED, change_rows, told
from models.markup import STYLE, table
from models.metrics import reliability
from models.slices import ALIKE, CONFIDENCE, SOURCE
from models.summary import (
    HEADLINES,
    MEASURED,
    SLICE_TITLES,
    SOURCE_TITLES,
    TRIED_TITLES,
    as_csv,
    as_text,
    headline_rows,
    label_rows,
    measured,
    not_left_out,
    promise,
    redelivered,
    setting_text,
    shown,
    slice_rows,
    source_rows,
    tried_rows,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NUMBERED_FROM = 13
"""Labels from which plots show their numbers, which the legend explains."""
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,15}")
"""Labels that a plot can write: its font has few scripts, and $ would start a formula."""


def render(
    card: Mapping[str, Any], tested: Predictions, validated: Predictions
) -> dict[str, bytes]:
    """Every form of the report.

    Parameters
    ----------
    card
        The version's card.
    tested, validated
        Held-out and out-of-fold probabilities, for the plots.

    Returns
    -------
    dict[str, bytes]
        `report.json`, `report.csv`, `report.txt` and `report.html`, UTF-8.
    """
    pages = {
        "report.json": json.dumps(card, ensure_ascii=False, indent=1),
        "report.csv": as_csv(card),
        "report.txt": as_text(card),
        "report.html": _page(card, tested, validated),
    }
    return {name: page.encode() for name, page in pages.items()}


def _page(card: Mapping[str, Any], tested: Predictions, validated: Predictions) -> str:
    parts = {"held_out": tested, "cross_validated": validated}
    parts = {key: part for key, part in parts.items() if len(part.examples)}
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f"<title>{escape(card['task'])} · training report</title>",
            f"<style>{STYLE}</style></head><body>",
            *_opening(card),
            *_shortcuts(card),
            *_plots(parts),
            *_curve(card),
            *_changes(card),
            *_slices(card),
            *_legend(card["labels"]),
            *_tables(card),
            "</body></html>",
        ]
    )


def _opening(card: Mapping[str, Any]) -> Iterator[str]:
    classifier, counts = card["classifier"], card["n_samples"]
    yield f"<h1>{escape(card['task'])}: {escape(classifier['name'])}</h1>"
    yield f"<p>{escape(setting_text(classifier['setting']))}; embedder {escape(card['embedder'])}; "
    yield f"calibrated by {escape(card['calibration']['method'])}. "
    yield f"{counts['train']} training pictures and {counts['test']} held out, in "
    yield f"{counts['families']} families. Fitted on {escape(card['fitted_on'])}.</p>"
    yield table(["measured", "pictures", *(title for _, title in HEADLINES)], headline_rows(card))
    if not_left_out(card):
        yield f"<p>{escape(not_left_out(card))}</p>"
    if promise(card):
        yield f"<p>{escape(str(promise(card)))}</p>"
    if redelivered(card):
        yield f"<p>{escape(redelivered(card))}</p>"


def _shortcuts(card: Mapping[str, Any]) -> Iterator[str]:
    """What tells the labels apart without looking at the pictures."""
    alarm = card.get("shortcuts") or {}
    if alarm.get("message"):
        yield f"<h2>Shortcuts</h2><p>{escape(alarm['message'])}</p>"
    if alarm.get("equalised"):
        yield f"<p>{alarm['equalised']} training pictures were made alike in form.</p>"


def _curve(card: Mapping[str, Any]) -> Iterator[str]:
    """How the task's versions did, one after the other."""
    points = card.get("learning_curve") or []
    if len(points) > 1:
        yield "<h2>Learning curve over versions</h2>"
        yield _figure(
            "Balanced accuracy of the versions in their order; filled: promoted",
            lambda axes: _draw_curve(axes, points),
        )
        yield table(
            ["version", "trained on", *MEASURED.values(), "gate"],
            [
                [point["version"], str(point["pictures"]), *(shown(point[way]) for way in MEASURED),
                 point["gate"] or "this one"]
                for point in points
            ],
        )  # fmt: skip


def _changes(card: Mapping[str, Any]) -> Iterator[str]:
    """What changed in the pictures since the version that answered then."""
    changes = card.get("changes")
    if changes:
        yield f"<h2>What changed in the pictures</h2><p>{escape(told(changes))}</p>"
        if changes["added"] or changes["removed"] or changes["relabelled"]:
            yield table(["", *CHANGED], change_rows(changes))


def _plots(parts: Mapping[str, Predictions]) -> Iterator[str]:
    yield "<h2>Plots</h2>"
    yield _figure(_roc_caption(parts), lambda axes: _draw_roc(axes, parts))
    yield _figure(
        "Calibration: how often it is right when it is so sure",
        lambda axes: _draw_reliability(axes, parts),
    )
    for key, part in parts.items():
        yield _figure(
            f"Confusion, {MEASURED[key]}: rows are the truth",
            lambda axes, part=part: _draw_confusion(axes, part),  # type: ignore[misc]
        )


def _slices(card: Mapping[str, Any]) -> Iterator[str]:
    """How it did on pictures of one size, format, manner and the like."""
    rows = slice_rows(card)
    if rows:
        yield f"<h2>Slices</h2><p>{escape(card['slices']['on'])}.</p>"
        yield _figure(
            "Error by slice with its 95 % interval; filled: weak on the whole (see the table)",
            lambda axes: _draw_slices(axes, card["slices"]["parts"]),
        )
        yield table(SLICE_TITLES, rows)


def _roc_caption(parts: Mapping[str, Predictions]) -> str:
    labels = next(iter(parts.values())).classes
    if len(labels) == 2:
        return f"ROC: {labels[0]} found, against {labels[1]} taken for it"
    return "ROC, mean over labels: each found, against others taken for it"


def _legend(labels: Sequence[str]) -> Iterator[str]:
    if any(name != label for name, label in zip(plot_names(labels), labels, strict=True)):
        yield "<h2>Labels by number</h2>"
        rows = [[name, label] for name, label in zip(plot_names(labels), labels, strict=True)]
        yield table(["number", "label"], rows)


def _tables(card: Mapping[str, Any]) -> Iterator[str]:
    for key, figures in measured(card):
        yield f"<h2>Per label, {MEASURED[key]}</h2>"
        yield table(["label", "precision", "recall", "F1", "pictures"], label_rows(figures))
        if len(figures["per_source"]) > 1:
            yield f"<h2>Per source, {MEASURED[key]}</h2>"
            yield table(SOURCE_TITLES, source_rows(figures))
        if figures["undefined"]:
            yield table(["has no value", "because"], list(figures["undefined"].items()))
    search = card["search"]
    yield "<h2>What was tried, best first</h2>"
    yield f"<p>By {escape(search['score'])}. {search['folds']} folds, {search['seconds']} s.</p>"
    yield table(TRIED_TITLES, tried_rows(card))
    if search["skipped"]:
        yield "<h2>What was skipped, and why</h2>"
        yield table(["classifier", "reason"], [[s["name"], s["reason"]] for s in search["skipped"]])


def _figure(caption: str, draw: Callable[[Axes], None]) -> str:
    """One plot as an SVG that the page carries in itself, apart from its other plots."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # not pyplot: it keeps figures in a registry that threads share
    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    FigureCanvasSVG(figure)
    draw(figure.subplots())
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    source = base64.b64encode(buffer.getvalue()).decode()
    picture = f'<img alt="{escape(caption)}" src="data:image/svg+xml;base64,{source}">'
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def _draw_curve(axes: Axes, points: Sequence[Mapping[str, Any]]) -> None:
    places = np.arange(1, len(points) + 1)
    promoted = np.asarray([point["gate"] == "promoted" for point in points])
    for way, title in MEASURED.items():
        values = np.asarray([np.nan if p[way] is None else p[way] for p in points], np.float64)
        if np.isfinite(values).any():
            (line,) = axes.plot(places, values, marker="o", markerfacecolor="white", label=title)
            axes.scatter(places[promoted], values[promoted], color=line.get_color(), zorder=3)
    axes.set(xlabel="version", ylabel="balanced accuracy", ylim=(None, 1.01))
    axes.set_xticks(places[:: max(1, len(places) // 10)])
    axes.legend(loc="lower right")


def _draw_slices(axes: Axes, parts: Mapping[str, Any]) -> None:
    """Of the slices whose names are no one's own: a source may be called anything."""
    drawn = [
        (f"{dimension}: {name}" if dimension == CONFIDENCE else name, row)
        for dimension, part in parts.items()
        if dimension not in (ALIKE, SOURCE)
        for name, row in part.items()
    ][::-1]
    for place, (_, row) in enumerate(drawn):
        colour = "C3" if row["weak"] else "C0"
        axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=1)
        face = colour if row["weak"] else "white"
        axes.plot(row["error"], place, "o", color=colour, markerfacecolor=face, markersize=5)
    names = [f"{name} ({row['n']})" for name, row in drawn]
    axes.set_yticks(range(len(drawn)), names, fontsize=7)
    axes.set(xlabel="share answered wrongly", xlim=(0, None))


def plot_names(labels: Sequence[str]) -> list[str]:
    """The labels as plots write them: themselves if all are short and plain, else numbers."""
    if len(labels) < NUMBERED_FROM and all(PLAIN.fullmatch(label) for label in labels):
        return list(labels)
    return [str(number) for number in range(1, len(labels) + 1)]


def _draw_roc(axes: Axes, parts: Mapping[str, Predictions]) -> None:
    grid = np.linspace(0, 1, 201)
    for key, part in parts.items():
        curves = list(_roc_curves(part))
        if curves:
            mean = np.mean([np.interp(grid, false, true) for false, true in curves], axis=0)
            axes.plot(*(curves[0] if len(curves) == 1 else (grid, mean)), label=MEASURED[key])
    axes.plot([0, 1], [0, 1], color="0.7", linestyle=":", label="guessing")
    axes.set(xlabel="share taken for it", ylabel="share found", xlim=(0, 1), ylim=(0, 1.01))
    axes.legend(loc="lower right")


def _roc_curves(part: Predictions) -> Iterator[tuple[Any, Any]]:
    """One curve for two labels; each label against the rest for more."""
    from sklearn.metrics import roc_curve

    for column, label in list(enumerate(part.classes))[: 1 if len(part.classes) == 2 else None]:
        positive = part.examples.labels == label
        if positive.any() and not positive.all():
            yield roc_curve(positive, part.chances[:, column])[:2]


def _draw_reliability(axes: Axes, parts: Mapping[str, Predictions]) -> None:
    axes.plot([0, 1], [0, 1], color="0.7", linestyle=":", label="perfect")
    for key, part in parts.items():
        bins = reliability(part.examples.labels, part.chances, part.classes)
        sizes = [12 + 200 * n / len(part.examples) for _, _, n in bins]
        claimed, right = [b[0] for b in bins], [b[1] for b in bins]
        axes.plot(claimed, right, linewidth=1)
        axes.scatter(claimed, right, s=sizes, label=MEASURED[key])
    axes.set(xlabel="confidence", ylabel="share right", xlim=(0, 1.02), ylim=(0, 1.05))
    axes.legend(loc="upper left")


def _draw_confusion(axes: Axes, part: Predictions) -> None:
    said = part.chances.argmax(axis=1)
    true = np.searchsorted(np.asarray(part.classes), part.examples.labels)
    counts = np.zeros((len(part.classes), len(part.classes)))
    np.add.at(counts, (true, said), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = plot_names(part.classes)
    if len(names) < NUMBERED_FROM:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.6 else "black"
            axes.text(column, row, f"{count:.0f}", ha="center", va="center", color=colour)
    step = max(1, len(names) // 15)
    ticks = range(0, len(names), step)
    axes.set_xticks(ticks, [names[i] for i in ticks], rotation=90 if len(names) > 4 else 0)
    axes.set_yticks(ticks, [names[i] for i in ticks])
    axes.set(xlabel="predicted", ylabel="true")
