"""Training runs and versions as the command shows them: tables for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from domain import ModelVersion, NotFound, Run
from models.changes import CHANGED, change_rows, told
from models.history import (
    DIFFERENCE_TITLES,
    HISTORY_TITLES,
    comparison_rows,
    difference_rows,
    history_rows,
)
from models.summary import (
    HEADLINES,
    SOURCE_TITLES,
    headline_rows,
    measured,
    promise,
    redelivered,
    setting_text,
    source_rows,
)
from storage import Store

SENTENCES = ("version", "why", "reason")
"""Of the history's columns, those that are told below its table."""


def version_named(store: Store, task: str, name: str) -> ModelVersion:
    """The version of a task that is meant by an id, its beginning, `current` or `previous`.

    Raises
    ------
    NotFound
        There is none, or several begin like that.
    """
    versions = store.versions
    if name == "current":
        current = versions.current(task)
        if current is not None:
            return current
    if name == "previous":
        before = versions.previous(task)
        if before is not None:
            return versions.get(task, before.version)
    found = [version for version in versions.all(task) if version.id.startswith(name)]
    if len(found) != 1:
        many = f"{len(found)} versions that begin" if found else "no version that begins"
        raise NotFound(f"The task {task} has {many} with {name}; see `python train.py --history`.")
    return found[0]


def described(version: ModelVersion, run: Run) -> dict[str, Any]:
    """A run that made a version, JSON-ready; the names of hundreds of pictures are left out."""
    return {
        "version": version.id,
        "promoted": run.gate == "promoted",
        "reason": run.reason,
        "run": described_run(run),
        "card": {key: part for key, part in version.card.items() if key != "support"},
    }


def described_run(run: Run) -> dict[str, Any]:
    """A row of the history, JSON-ready."""
    times = {key: getattr(run, key).isoformat() for key in ("started_at", "finished_at")}
    return {**asdict(run), **times}


def print_history(task: str, runs: Sequence[Run]) -> None:
    """Print every run of a task."""
    if not runs:
        print(f"The task {task} has not been trained yet.")
        return
    console, rows = Console(), history_rows(runs)
    shown = [place for place, title in enumerate(HISTORY_TITLES) if title not in SENTENCES]
    console.print(
        _table([HISTORY_TITLES[at] for at in shown], [[row[at] for at in shown] for row in rows])
    )
    for row, run in zip(rows, runs, strict=True):  # a narrow terminal would make columns of words
        console.print(escape(f"{row[0]} {row[2]} ({run.why}): {run.reason}"), highlight=False)


def print_comparison(found: Mapping[str, Any]) -> None:
    """Print two versions side by side, as `comparison` found them."""
    console = Console()
    one, other = (side["version"] for side in found["versions"])
    console.print(_table(["", one, other], comparison_rows(found)))
    if found["pictures"] is None:
        console.print("One of the two kept no answers, so they cannot be compared by picture.")
        return
    console.print(escape(told(found["pictures"])))
    console.print(_table(["", *CHANGED], change_rows(found["pictures"])))
    if found["paired"] is not None:
        rows = list(difference_rows(found["paired"]["overall"], found["paired"]["per_label"]))
        console.print("On pictures both know under one label and had not learned from:")
        console.print(_table(DIFFERENCE_TITLES, rows))


def print_run(version: ModelVersion, run: Run) -> None:
    """Print what a run made, how it does, and what became of it."""
    console, card = Console(), version.card
    classifier, counts = card["classifier"], card["n_samples"]
    setting = setting_text(classifier["setting"])
    console.print(f"[bold]{escape(classifier['name'])}[/] ({setting}) on {card['embedder']}")
    console.print(
        f"{counts['train']} training pictures, {counts['test']} held out; "
        + ", ".join(f"{escape(k)} {n['train']}+{n['test']}" for k, n in counts["per_label"].items())
    )
    console.print(_table(["measured", "pictures", *(t for _, t in HEADLINES)], headline_rows(card)))
    for key, figures in measured(card):
        if key == "leave_one_source_out":
            console.print(_table(SOURCE_TITLES, source_rows(figures)))
    if counts["without_vectors"]:
        console.print(
            f"[yellow]{counts['without_vectors']} pictures have no vector yet and were left out: "
            f"run `python -m embeddings --task {card['task']}`.[/]"
        )
    if counts["left_out"]:
        few = ", ".join(f"{escape(label)} {n}" for label, n in counts["left_out"].items())
        console.print(f"[yellow]left out, too few different pictures to train on: {few}[/]")
    if card["changes"]:
        console.print(escape(told(card["changes"])))
    if card["shortcuts"].get("message"):
        console.print(f"[yellow]{escape(card['shortcuts']['message'])}[/]")
    for skipped in card["search"]["skipped"]:
        console.print(f"[dim]skipped {skipped['name']}: {escape(skipped['reason'])}[/]")
    if promise(card):
        console.print(promise(card))
    if redelivered(card):
        console.print(escape(redelivered(card)))
    state = "promoted" if run.gate == "promoted" else "kept, not promoted"
    console.print(f"Version [bold]{version.id}[/] is {state}. {escape(run.reason)}")


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(*titles)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table
