"""What a source brought: one row for each crawl, written while it goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

from domain import Crawl
from storage import Store

LISTED = "listed"
FETCHED = "fetched"
KEPT = "kept"
NEAR_DUPLICATE = "near_duplicate"
DUPLICATE = "duplicate"
UNREADABLE = "unreadable"
CONTRADICTED = "contradicted"
UNCHANGED = "unchanged"
FAILED = "failed"
REFUSED_ROBOTS = "refused_robots"
REFUSED_NOAI = "refused_noai"
REFUSED_LICENCE = "refused_licence"
REFUSED_OTHER = "refused_other"
COUNTS = (
    LISTED,
    FETCHED,
    REFUSED_ROBOTS,
    REFUSED_NOAI,
    REFUSED_LICENCE,
    REFUSED_OTHER,
    FAILED,
    UNCHANGED,
    DUPLICATE,
    UNREADABLE,
    CONTRADICTED,
    KEPT,
    NEAR_DUPLICATE,
)
"""Every picture listed is counted as one of those after `fetched` that a crawl is done with, and
the near-duplicates once more among the kept."""
TRIED_AGAIN = frozenset({FAILED, REFUSED_ROBOTS, UNREADABLE})
"""What may come out otherwise the next time: what is unreadable if it has changed. All else is not
asked for again, but for what has another licence by then."""


class Ledger:
    """The row of one crawl."""

    def __init__(
        self, store: Store, task: str, source: str, query: str, now: Callable[[], datetime]
    ) -> None:
        self._crawls, self._now = store.crawls, now
        self._begun = now()
        self._row = (task, source, query)
        self.counts: Counter[str] = Counter({name: 0 for name in COUNTS})
        self.id = self._crawls.begin(task, source, query, self._begun)

    def write(self) -> None:
        """Tell how far it is."""
        self._crawls.count(self.id, dict(self.counts), self._now())

    def close(self, ended: str) -> Crawl:
        """Tell why it ended."""
        now = self._now()
        self._crawls.count(self.id, dict(self.counts), now, ended=ended)
        return Crawl(self.id, *self._row, self._begun, now, dict(self.counts), ended)


def since_midnight(store: Store, now: datetime) -> dict[str, Counter[str]]:
    """What each source brought today (UTC), all tasks and runs together."""
    midnight = now - timedelta(
        hours=now.hour, minutes=now.minute, seconds=now.second, microseconds=now.microsecond
    )
    return summed(store.crawls.all(since=midnight, limit=10_000))


def summed(crawls: Collection[Crawl]) -> dict[str, Counter[str]]:
    """The counts of each source's crawls together."""
    sums: dict[str, Counter[str]] = {}
    for crawl in crawls:
        sums.setdefault(crawl.source, Counter()).update(counts_of(crawl.counts))
    return sums


def counts_of(counts: Mapping[str, int]) -> dict[str, int]:
    """All counts by name, also those that are 0."""
    return {name: int(counts.get(name, 0)) for name in COUNTS}
