"""`python -m scraper`: bring pictures into a task."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from scraper.arguments import parse_arguments

__all__ = ["main", "parse_arguments"]

if __name__ == "__main__":
    # before the imports below, which take a while: --help and a wrong option answer at once
    ARGUMENTS = parse_arguments()

import argparse
import json
import signal
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from config import Settings, load_settings
from domain import ExposrError, TaskKind
from scraper.collecting import (
    Collected,
    collect,
    listing,
    print_collected,
    print_listing,
    stopping,
)
from scraper.ingest import Request, Summary, ingest_folder
from scraper.intake import Outcome
from storage import Store, open_store
from terminal import progress_bar

DONE, SOME_ASIDE, CANNOT, INTERRUPTED = 0, 1, 2, 130
GOES_ON = "Stopped. Nothing is lost: the same command goes on from here."
SHOWN = 10
"""Pictures put aside that the table names; --json has them all."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Settings and store alone: no embedder is needed to take pictures in."""

    settings: Settings
    store: Store


def main(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    errors = Console(stderr=True)
    # a plain kill ends as cleanly as Ctrl-C does
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if arguments.list:
            return _list(arguments)
        if arguments.command == "folder":
            return _folder(arguments, errors)
        return _collect(arguments, errors)
    except ExposrError as error:
        errors.print(escape(error.message), style="red", highlight=False)
        return CANNOT
    finally:
        signal.signal(signal.SIGTERM, before)


def _list(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    with closing(open_store(settings)) as store:
        sources = listing(settings, store)
    if arguments.json:
        print(json.dumps({"sources": sources}, ensure_ascii=False))
    else:
        print_listing(sources)
    return DONE


def _collect(arguments: argparse.Namespace, errors: Console) -> int:
    settings = load_settings()
    collected, ended_at_once = Collected(), False
    with closing(open_store(settings)) as store:
        try:
            collect(Opened(settings, store), arguments, collected)
        except KeyboardInterrupt:
            ended_at_once = True
    if arguments.json:
        print(json.dumps(collected.described(), ensure_ascii=False))
    else:
        print_collected(collected)
    if collected.stopped or ended_at_once:
        errors.print(GOES_ON)
        return INTERRUPTED
    return SOME_ASIDE if collected.failed else DONE


def _folder(arguments: argparse.Namespace, errors: Console) -> int:
    summary = Summary(arguments.task, "")
    try:
        _take(arguments, summary)
    except KeyboardInterrupt:
        summary.stopped = True
    if arguments.json:
        print(json.dumps(describe(summary), ensure_ascii=False))
    else:
        _print_summary(summary)
    if summary.stopped:
        errors.print(GOES_ON)
        return INTERRUPTED
    aside = summary.refused or summary.unlabelled or summary.closed
    return SOME_ASIDE if aside else DONE


def _take(arguments: argparse.Namespace, summary: Summary) -> None:
    settings = load_settings()
    request = Request(
        folder=arguments.folder,
        task=arguments.task,
        label=arguments.label,
        source=arguments.source,
        license=arguments.license,
        kind=TaskKind(arguments.kind) if arguments.kind else None,
        workers=arguments.workers,
    )
    store = open_store(settings)
    try:
        with stopping() as stop, ExitStack() as bars:

            def progress(total: int) -> Callable[[int], None]:
                return bars.enter_context(progress_bar(f"take in {arguments.task}", total))

            ingest_folder(
                Opened(settings, store), request, summary=summary, stop=stop, progress=progress
            )
    finally:
        store.close()


def describe(summary: Summary) -> dict[str, Any]:
    """What came of the folder, JSON-ready."""
    return {
        "task": summary.task,
        "source": summary.source,
        **_counts(summary),
        "labels": {label: _counts(summary, label) for label in sorted(summary.per_label)},
        "families": summary.families,
        "put_aside": [asdict(refused) for refused in summary.refused],
        "not_pictures": summary.others,
        "without_label": summary.unlabelled,
        "closed_folders": summary.closed,
        "stopped": summary.stopped,
        "seconds": round(summary.seconds, 3),
    }


def _counts(summary: Summary, label: str | None = None) -> dict[str, int]:
    return {outcome.value: summary.total(outcome, label) for outcome in Outcome}


def _print_summary(summary: Summary) -> None:
    console = Console()
    table = Table("label", title=f"{escape(summary.task)}, source {escape(summary.source)}")
    for heading in ("kept", "near-duplicates", "duplicates", "contradicted", "unreadable"):
        table.add_column(heading, justify="right")
    rows = [(label, _counts(summary, label)) for label in sorted(summary.per_label)]
    if len(rows) > 1:
        rows.append(("all", _counts(summary)))
    for label, counts in rows:
        if label == "all":
            table.add_section()
        order = ("kept", "near_duplicate", "duplicate", "contradicted", "unreadable")
        table.add_row(escape(label), *(str(counts[name]) for name in order))
    console.print(table)
    for line in _remarks(summary):
        console.print(escape(line), highlight=False)


def _remarks(summary: Summary) -> list[str]:
    """What the table cannot say."""
    rate = sum(sum(tally.values()) for tally in summary.per_label.values()) / max(
        summary.seconds, 1e-9
    )
    lines = [f"{summary.families} families in the task; {rate:.0f} pictures a second."]
    if summary.near_duplicates:
        lines.append("Near-duplicates are kept, and counted among the kept.")
    if summary.others:
        lines.append(f"{summary.others} files that are no pictures were passed over.")
    if summary.unlabelled:
        lines.append(
            f"{len(summary.unlabelled)} pictures lie in no subfolder, so they have no label: "
            f"{_some(summary.unlabelled)}"
        )
    if summary.closed:
        lines.append(f"These folders may not be read: {_some(summary.closed)}")
    for refused in summary.refused[:SHOWN]:
        lines.append(f"put aside: {refused.name} ({refused.reason}): {refused.message}")
    if len(summary.refused) > SHOWN:
        lines.append(f"... and {len(summary.refused) - SHOWN} more; --json has them all")
    return lines


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")


if __name__ == "__main__":
    sys.exit(main(ARGUMENTS))
