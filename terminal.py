"""How the commands look to people: one progress bar for all of them, on stderr; tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from wording import sureness


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="dim")


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar with count, rate, time gone and time left; yields what moves it on."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task(what, total=total)
        yield lambda n: progress.advance(bar, n)


def print_verdicts(results: Sequence[Mapping[str, Any]]) -> None:
    """Print described verdicts and errors as a table, and what holds for all of them below."""
    console = Console()
    table = Table("picture", "prediction", "confidence", "decided by")
    for result in results:
        name = escape(result["file"])
        if "error" in result:
            table.add_row(name, "[red]no answer[/]", "", escape(result["error"]["message"]))
        else:
            sure = escape(sureness(result))
            table.add_row(name, escape(result["prediction"]), sure, result["source"])
    console.print(table)
    answered = [result for result in results if "error" not in result]
    counts = Counter(result["prediction"] for result in answered)
    console.print(", ".join(f"{escape(label)}: {n}" for label, n in counts.most_common()))
    for reason in answered[0]["reasons"] if len(answered) == 1 else _shared_reasons(answered):
        console.print(f"- {escape(reason)}")
    if len(answered) == 1 and (explained := answered[0].get("explained")):
        console.print(f"- {escape(explained['why'])}")


def _shared_reasons(answered: Sequence[Mapping[str, Any]]) -> list[str]:
    """What holds for every verdict alike, said once below the table."""
    if not answered:
        return []
    return [r for r in answered[0]["reasons"] if all(r in a["reasons"] for a in answered)]


def print_receipt(receipt: Mapping[str, Any]) -> None:
    """Print what a correction did."""
    console = Console()
    before, after, effect = receipt["before"], receipt["after"], receipt["effect"]
    done = "would be" if receipt["dry_run"] else "is taken back" if receipt["undone"] else "is"
    console.print(f"[bold]{escape(receipt['label'])}[/] {done} what {receipt['sha256'][:12]} is.")
    table = Table("", "prediction", "confidence", "decided by")
    for name, answer in (("before", before), ("after", after)):
        table.add_row(name, escape(answer["prediction"]), sureness(answer), answer["source"])
    console.print(table)
    console.print(
        f"- {effect['near_samples']} of {effect['of_samples']} known pictures and "
        f"{effect['past_verdicts_flipped']} of the last {effect['of_verdicts']} verdicts change."
    )
    if golden := effect["golden"]:
        console.print(
            f"- Held-out pictures answered rightly: {golden['right_before']} before, "
            f"{golden['right_after']} after, of {golden['of']}."
        )
    console.print(f"- Learned in {receipt['learned_ms']:.0f} ms.")
    if not receipt["dry_run"] and not receipt["undone"]:
        console.print(f"- Take it back: python feedback.py --undo {receipt['id']}")


def print_corrections(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows of the log, as they are given."""
    table = Table("id", "when", "label", "picture", "by", "note")
    for row in rows:
        label = escape(row["label"]) if row["undoes"] is None else f"undoes {row['undoes'][:12]}"
        when = row["created_at"][:16].replace("T", " ")
        cells = (row["id"], when, label, row["sha256"][:12], escape(row["person"]))
        table.add_row(*cells, escape(row["note"]))
    Console().print(table)
