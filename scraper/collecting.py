"""`python -m scraper ai|real|SOURCE` and `--list`: collecting as a command."""

from __future__ import annotations

import signal
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from types import FrameType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from config import Settings
from domain import Crawl, Unacceptable, Unavailable
from scraper import ledger
from scraper.arguments import SIDES
from scraper.crawl import AS_IT_SHOULD, STOPPED, CrawlRequest, crawl, utc_now
from scraper.intake import Collection
from scraper.plan import missing_key
from scraper.sources import SOURCES, source_named
from storage import Store
from terminal import progress_bar

REFUSALS = {
    ledger.REFUSED_LICENCE: "licence",
    ledger.REFUSED_ROBOTS: "robots.txt",
    ledger.REFUSED_NOAI: "noai",
    ledger.REFUSED_OTHER: "other",
}


@dataclass(slots=True)
class Collected:
    """What came of a command: a row of the ledger for each source, and who was not asked."""

    crawls: list[Crawl] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        """Pictures that are new in the task."""
        return sum(each.counts.get(ledger.KEPT, 0) for each in self.crawls)

    @property
    def stopped(self) -> bool:
        """Whether it ended before it was done."""
        return any(each.ended == STOPPED for each in self.crawls)

    @property
    def failed(self) -> bool:
        """Whether a source ended as it should not have."""
        return any(each.ended not in AS_IT_SHOULD for each in self.crawls)

    def described(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        return {
            "kept": self.kept,
            "stopped": self.stopped,
            "crawls": [described(each) for each in self.crawls],
            "skipped": self.skipped,
        }


def described(one: Crawl) -> dict[str, Any]:
    """A row of the ledger, JSON-ready."""
    return {
        **asdict(one),
        "started_at": one.started_at.isoformat(),
        "finished_at": one.finished_at.isoformat() if one.finished_at else None,
        "counts": ledger.counts_of(one.counts),
    }


def collect(collection: Collection, arguments: Namespace, collected: Collected) -> None:
    """Collect from the source that is named, or from all of a side in turn.

    Raises
    ------
    Unacceptable, Unavailable
        The one source cannot be asked for this, or none of the side can.
    """
    with stopping() as stop:
        if arguments.command not in SIDES:
            collected.crawls.append(_collect_one(collection, arguments, arguments.count, stop))
            return
        waiting = list(SIDES[arguments.command])
        while waiting and not stop.is_set() and collected.kept < arguments.count:
            # evenly among those that are left, which make up for what the others lacked
            count = -(-(arguments.count - collected.kept) // len(waiting))
            one = Namespace(**{**vars(arguments), "command": waiting.pop(0)})
            try:
                collected.crawls.append(_collect_one(collection, one, count, stop))
            except (Unacceptable, Unavailable) as error:
                if error.detail.get("field") in ("task", "label", "name"):
                    raise  # none of them could be asked for this
                collected.skipped[one.command] = error.message
    if not collected.crawls and collected.skipped:
        raise Unavailable("; ".join(collected.skipped.values()))


def _collect_one(
    collection: Collection, arguments: Namespace, count: int, stop: threading.Event
) -> Crawl:
    request = CrawlRequest(
        source=arguments.command,
        task=arguments.task,
        count=count,
        query=arguments.query,
        url=arguments.url,
        label=arguments.label,
        license=arguments.license,
    )
    with ExitStack() as bars:
        advance: Callable[[int], None] | None = None
        shown = 0

        def progress(kept: int, count: int) -> None:
            nonlocal advance, shown
            if advance is None:  # the request has been found good by now
                bar = progress_bar(f"collect from {request.source}", count)
                advance = bars.enter_context(bar)
            advance(kept - shown)
            shown = kept

        return crawl(collection, request, stop=stop, progress=progress)


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that Ctrl-C and a plain kill set; the second one of them ends at once."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def print_collected(collected: Collected) -> None:
    """The ledger's new rows as a table, and below why each ended."""
    console = Console()
    table = Table("source", *(heading for heading, _ in _COLUMNS), "refused")
    for column in table.columns[1:-1]:
        column.justify = "right"
    for one in collected.crawls:
        counts = ledger.counts_of(one.counts)
        cells = [str(counts[name]) for _, name in _COLUMNS]
        table.add_row(escape(one.source), *cells, _refusals(counts))
    console.print(table)
    for one in collected.crawls:
        console.print(f"{escape(one.source)}: {escape(one.ended or '')}.", highlight=False)
    for source, reason in collected.skipped.items():
        console.print(f"{escape(source)} was not asked: {escape(reason)}", highlight=False)


_COLUMNS = (
    ("listed", ledger.LISTED),
    ("fetched", ledger.FETCHED),
    ("kept", ledger.KEPT),
    ("near-duplicates", ledger.NEAR_DUPLICATE),
    ("duplicates", ledger.DUPLICATE),
    ("seen before", ledger.UNCHANGED),
    ("contradicted", ledger.CONTRADICTED),
    ("unreadable", ledger.UNREADABLE),
    ("failed", ledger.FAILED),
)


def _refusals(counts: dict[str, int]) -> str:
    return ", ".join(f"{counts[name]} {word}" for name, word in REFUSALS.items() if counts[name])


# --- the list of sources ---


def listing(settings: Settings, store: Store) -> list[dict[str, Any]]:
    """Every source, whether it can be asked, and what it brought today; JSON-ready."""
    today = ledger.since_midnight(store, utc_now())
    return [
        {
            "name": name,
            "label": source.label,
            "key": source.key.upper(),
            "key_missing": bool(missing_key(settings, source)),
            "terms": source.terms,
            "licence_rule": source.licence_rule,
            "per_second": _pace(settings, source.per_second),
            "pictures_per_second": _pace(settings, source.pictures_per_second),
            "today": ledger.counts_of(today.get(name, {})),
        }
        for name in SOURCES
        for source in [source_named(name)]
    ]


def _pace(settings: Settings, usual: float) -> float:
    return usual if settings.crawl_per_second is None else settings.crawl_per_second


def print_listing(sources: list[dict[str, Any]]) -> None:
    """The sources as a table, and below their rules and terms."""
    console = Console()
    table = Table(
        "source", "pictures are", "key", title="sources, and what they brought today (UTC)"
    )
    for heading, _ in _TODAY:
        table.add_column(heading, justify="right")
    table.add_column("refused")
    for one in sources:
        key = (
            f"[red]{one['key']} is missing[/]"
            if one["key_missing"]
            else one["key"] or "none needed"
        )
        label = one["label"] or "as you say"
        today = one["today"]
        cells = [str(today[name]) for _, name in _TODAY]
        table.add_row(one["name"], label, key, *cells, _refusals(today))
    console.print(table)
    for one in sources:
        console.print(f"[bold]{one['name']}[/]: {escape(one['licence_rule'])}", highlight=False)
        console.print(f"  terms: {escape(one['terms'])}", highlight=False)


_TODAY = _COLUMNS[:4]
