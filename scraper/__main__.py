"""`python -m scraper`: bring pictures into a task."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

DESCRIPTION = """Take every picture of a folder, also of its subfolders, into a task.

Pictures are copied into DATA_DIR; the folder stays as it is. Doing it again does no harm: what
is there already is counted and left alone, and a run that was stopped goes on. A file that is
no picture (text, JSON, .DS_Store) is passed over. A picture that cannot be decoded, or that the
task has under another label, is put aside with its reason. Pictures that look alike are kept
as one family, so that training never tests on a copy of what it learnt from."""

EXAMPLES = """examples:
  python -m scraper folder pictures/ai --label ai
        one label for all, for the task authenticity
  python -m scraper folder pictures --labels-from-folders --source webmix
        pictures/ai/... are ai, pictures/real/... are real
  python -m scraper folder faces --task smile --labels-from-folders
        makes the task smile with a label for each subfolder
  python -m scraper folder letters --task kannada --labels-from-folders --kind drawing
        for handwriting and line drawings
  python -m scraper folder pictures/real --label real --license CC-BY-4.0 --json

Name where pictures come from with --source: training keeps sources apart to say how well it
does on one that it has never seen. Then run `python -m embeddings` and `python train.py`.

exit codes: 0 every picture is taken or was there; 1 some were put aside or had no label;
2 wrong usage or settings, or the database does not work; 130 stopped by Ctrl-C
"""


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}: allowed: 1 or more")
    return number


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m scraper", description="Bring pictures into a task."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    folder = commands.add_parser(
        "folder",
        help="from a folder on this machine; see `python -m scraper folder --help`",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    folder.add_argument("folder", type=Path, metavar="DIR", help="where the pictures are")
    folder.add_argument("--task", default="authenticity", metavar="T", help="default: %(default)s")
    label = folder.add_mutually_exclusive_group(required=True)
    label.add_argument("--label", metavar="L", help="what every picture is")
    label.add_argument(
        "--labels-from-folders",
        action="store_true",
        help="the subfolder a picture lies in is its label",
    )
    folder.add_argument(
        "--source", default="", metavar="NAME", help="where they come from; default: DIR's name"
    )
    folder.add_argument("--license", default="", metavar="TEXT", help="under which terms")
    folder.add_argument(
        "--kind", choices=["photo", "drawing"], help="of a task that is made; default: photo"
    )
    folder.add_argument(
        "--workers", type=_positive, metavar="N", help="threads that decode; default: one a core"
    )
    folder.add_argument("--json", action="store_true", help="JSON on stdout, for programs")
    return parser.parse_args(argv)


if __name__ == "__main__":
    # before the imports below, which take a while: --help and a wrong option answer at once
    ARGUMENTS = parse_arguments()

# ruff: noqa: E402
import json
import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from config import Settings, load_settings
from domain import ExposrError, TaskKind
from scraper.ingest import Request, Summary, ingest_folder
from scraper.intake import Outcome
from storage import Store, open_store
from terminal import progress_bar

DONE, SOME_ASIDE, CANNOT, INTERRUPTED = 0, 1, 2, 130
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
    summary = Summary(arguments.task, "")
    # a plain kill ends as cleanly as Ctrl-C does
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _take(arguments, summary)
    except KeyboardInterrupt:
        summary.stopped = True
    except ExposrError as error:
        errors.print(escape(error.message), style="red", highlight=False)
        return CANNOT
    finally:
        signal.signal(signal.SIGTERM, before)
    if arguments.json:
        print(json.dumps(describe(summary), ensure_ascii=False))
    else:
        _print_summary(summary)
    if summary.stopped:
        errors.print("Stopped. Nothing is lost: the same command goes on from here.")
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
        with ExitStack() as bars:

            def progress(total: int) -> Callable[[int], None]:
                return bars.enter_context(progress_bar(f"take in {arguments.task}", total))

            ingest_folder(Opened(settings, store), request, summary=summary, progress=progress)
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
