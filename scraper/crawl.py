"""Collecting from a source: its pages listed, its pictures fetched at its pace and taken in."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from typing import Any

from domain import Crawl, Seen
from scraper import ledger
from scraper.intake import Collection, Intake, Outcome
from scraper.ledger import Ledger
from scraper.manners import Stopped, Visitor
from scraper.place import Place
from scraper.plan import CrawlRequest, Plan, plan_crawl
from scraper.sources import UNLESS_CHANGED, Listed
from scraper.visit import Settled, Visits
from scraper.walk import Broke, Walk

__all__ = ["CrawlRequest", "crawl"]

AHEAD = 6
"""Pictures begun for each thread: enough to fetch while the next page is listed and stored."""
BATCH = 32
"""Pictures committed together."""
LONGEST_UNTAKEN = timedelta(seconds=2)
"""A slow source's pictures are not kept waiting for a full batch."""
MORE_THREADS = 16
"""Beside those that fetch from one host: for other hosts, and for those that decode and store."""
LOOKED_BACK = 50
MOSTLY = 0.9
"""A crawl ends when so many of the last so many were there already."""
FAILURES = 20
"""A crawl ends when so many in a row failed."""
IN_VAIN = 100
"""A crawl ends when so many in a row were asked for and are not wanted."""
UNWANTED = frozenset(
    {ledger.CONTRADICTED, ledger.UNREADABLE, ledger.REFUSED_NOAI, ledger.REFUSED_OTHER}
)
FRUITLESS = 20
"""A crawl ends when so many pages in a row brought nothing."""

Candidate = tuple[Listed, int, Seen | None]
"""A picture that is listed, the number of its page, and what is known of it."""

ENOUGH = "as many as were asked for"
NO_MORE = "the source has no more"
MOSTLY_KNOWN = "most of what it lists is here already"
NOTHING_KEPT = f"nothing of {FRUITLESS} pages could be kept"
NONE_WANTED = f"{IN_VAIN} pictures in a row were refused, unreadable or contradicted"
FAILING = f"{FAILURES} pictures in a row failed"
STOPPED = "stopped"
AS_IT_SHOULD = frozenset({ENOUGH, NO_MORE, MOSTLY_KNOWN})
"""The ends that nobody has to look into."""


def utc_now() -> datetime:
    """The time that rows are written with."""
    return datetime.now(UTC)


def crawl(
    collection: Collection,
    request: CrawlRequest,
    *,
    stop: threading.Event | None = None,
    progress: Callable[[int, int], None] = lambda kept, count: None,
    now: Callable[[], datetime] = utc_now,
) -> Crawl:
    """Collect from one source, going on from where the last crawl of it ended.

    Parameters
    ----------
    collection
        An engine, or anything with its settings and its store.
    request
        Which source, how many pictures, for which task.
    stop
        Once set, what is in flight is finished and kept, and nothing more is begun.
    progress
        Told how many pictures are kept, and how many were asked for.
    now
        The clock that the ledger is written by.

    Returns
    -------
    Crawl
        The ledger's row. A source that does not answer is no exception: `ended` tells.

    Raises
    ------
    Unacceptable
        The source, query, address, licence, label, task or number cannot be used.
    Unavailable
        The source's key is missing.
    """
    plan = plan_crawl(collection, request)
    stop = stop or threading.Event()
    with Visitor(collection.settings, stop=stop) as visitor:
        return _Run(collection, plan, visitor, stop, progress, now).go()


class _Run:
    """One source being collected from, by the thread that lists, takes in and writes."""

    def __init__(  # what `crawl` was given
        self,
        collection: Collection,
        plan: Plan,
        visitor: Visitor,
        stop: threading.Event,
        progress: Callable[[int, int], None],
        now: Callable[[], datetime],
    ) -> None:
        self._plan, self._stop, self._progress, self._now = plan, stop, progress, now
        self._settings, self._store, self._visitor = collection.settings, collection.store, visitor
        self._intake = Intake(collection, plan.task)
        self._visits = Visits(collection.settings, plan.source, visitor, self._intake, plan.label)
        self._names = (plan.task.name, plan.source.name)
        self._threads = collection.settings.crawl_connections + MORE_THREADS
        self._place = Place(self._store.crawls.cursor(*self._names, plan.query))
        self._lister = ThreadPoolExecutor(1, thread_name_prefix="list")
        self._walk = Walk(
            plan.source, plan.query, visitor, self._settings, self._place, self._lister
        )
        self._met: set[str] = set()
        self._recent: deque[bool] = deque(maxlen=LOOKED_BACK)
        self._failures = 0
        self._in_vain = 0
        self._in_flight = 0
        self._ready: list[Settled] = []
        self._done: SimpleQueue[Future[Settled | None]] = SimpleQueue()
        self._taken_at = now()
        self._ledger = Ledger(self._store, *self._names, plan.query, now)

    def go(self) -> Crawl:
        """Collect until there is a reason to end."""
        ended = STOPPED
        self._progress(0, self._plan.count)
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="crawl")
        try:
            ended = self._collect(pool)
        except Exception as error:
            ended = f"broken off by {type(error).__name__}"
            raise
        finally:  # also when interrupted, by whoever is told of progress, too: what is here is kept
            self._progress = lambda kept, count: None
            pool.shutdown(cancel_futures=True)
            self._lister.shutdown(cancel_futures=True)
            while self._in_flight:
                self._gather()
            self._take()
            self._leave_off(ended)
            row = self._ledger.close(ended)
        return row

    def _collect(self, pool: ThreadPoolExecutor) -> str:
        candidates = self._candidates()
        ended = ""
        while not ended or self._in_flight:
            while not self._done.empty():  # a listing may be long that brings nothing to fetch
                self._gather()
            if not ended and self._has_room():
                ended = self._begin_next(pool, candidates)
            elif self._in_flight:
                self._gather()
            else:
                self._take()
            ended = ended or self._reason_to_end()
        return ended

    def _has_room(self) -> bool:
        """Whether one more may be begun without fetching more than is wanted."""
        return self._in_flight < min(self._wanted(), AHEAD * self._threads)

    def _wanted(self) -> int:
        """How many more are to be read, those in flight among them."""
        read = sum(not settled.fate for settled in self._ready)
        return self._plan.count - self._ledger.counts[ledger.KEPT] - read

    def _reason_to_end(self) -> str:
        if self._stop.is_set():
            return STOPPED
        if self._ledger.counts[ledger.KEPT] >= self._plan.count:
            return ENOUGH
        if len(self._recent) == LOOKED_BACK and sum(self._recent) >= MOSTLY * LOOKED_BACK:
            return MOSTLY_KNOWN
        if self._failures >= FAILURES:
            return FAILING
        if self._in_vain >= IN_VAIN:
            return NONE_WANTED
        fruitless = max(self._place.fruitless, self._walk.bare)
        return NOTHING_KEPT if fruitless >= FRUITLESS else ""

    # --- listing ---

    def _candidates(self) -> Iterator[Candidate | None]:
        """Every picture that the source lists; None after each page, which may have had none."""
        for number, page in self._walk.pages():
            if number == self._walk.top:
                self._recent.clear()
            self._ledger.counts[ledger.LISTED] += len(page.items) + page.unusable
            self._ledger.counts[ledger.REFUSED_OTHER] += page.unusable
            more = self._wanted() - self._in_flight
            if page.cursor is not None and 0 < len(page.items) < more:
                self._walk.look_ahead()
            known = self._store.crawls.seen(*self._names, [listed.key for listed in page.items])
            for listed in page.items:
                if self._plan.license:
                    listed = replace(listed, license=self._plan.license)
                yield listed, number, known.get(listed.key)
            yield None

    def _begin_next(self, pool: ThreadPoolExecutor, candidates: Iterator[Candidate | None]) -> str:
        """Begin with the next picture; returns why there is none."""
        try:
            candidate = next(candidates)
        except StopIteration:
            return NO_MORE
        except Stopped:
            return STOPPED
        except Broke as broke:
            return broke.message
        if candidate is None:
            return ""
        listed, number, _ = candidate
        settled = self._visits.look(*candidate)
        if listed.key in self._met:  # a listing that grows meanwhile repeats itself
            settled = Settled(listed, number, ledger.UNCHANGED)
        self._met.add(listed.key)
        if settled is not None:
            self._settle(settled)
            return ""
        self._in_flight += 1
        pool.submit(self._visits.visit, *candidate).add_done_callback(self._done.put)
        return ""

    # --- taking in ---

    def _gather(self) -> None:
        """Wait for the next picture that a thread is done with."""
        future = self._done.get()
        self._in_flight -= 1
        settled = None if future.cancelled() else future.result()
        if settled is not None:
            self._settle(settled)

    def _settle(self, settled: Settled) -> None:
        self._ready.append(settled)
        if len(self._ready) >= BATCH or self._now() - self._taken_at >= LONGEST_UNTAKEN:
            self._take()

    def _take(self) -> None:
        """Store what was read, note what became of each, and tell how far it is."""
        ready, self._ready = self._ready, []
        offers = [(s.read, self._plan.offer(s.listed)) for s in ready if s.read and not s.fate]
        outcomes = iter(self._intake.take([(read, offer) for read, offer in offers if read]))
        settled = [each if each.fate else self._taken(each, next(outcomes)[0]) for each in ready]
        self._taken_at = self._now()
        self._note(settled)
        for each in settled:
            self._count(each)
        self._ledger.write()
        self._keep_place()
        self._progress(self._ledger.counts[ledger.KEPT], self._plan.count)

    def _taken(self, settled: Settled, outcome: Outcome) -> Settled:
        if outcome is not Outcome.CONTRADICTED or settled.read is None:
            return replace(settled, fate=outcome.value)
        reason, message = self._intake.objection(settled.read, self._plan.label)
        return replace(settled, fate=outcome.value, reason=reason, message=message)

    def _note(self, settled: list[Settled]) -> None:
        at = self._taken_at
        noted = [
            Seen(e.listed.key, e.listed.url, e.fate, at, e.sha256, e.etag, e.last_modified)
            for e in settled
            if e.fate != ledger.UNCHANGED
        ]
        if noted:
            self._store.crawls.note(*self._names, noted)
        for each in settled:
            if each.fate in (ledger.UNREADABLE, ledger.CONTRADICTED):
                source = self._plan.offer(each.listed).source
                self._store.samples.quarantine(
                    self._names[0],
                    each.listed.url,
                    each.reason,
                    each.message,
                    source,
                    each.sha256,
                )

    def _count(self, settled: Settled) -> None:
        counts, fate = self._ledger.counts, settled.fate
        counts[fate] += 1
        counts[ledger.FETCHED] += settled.fetched
        counts[ledger.KEPT] += fate == ledger.NEAR_DUPLICATE
        kept = fate in (ledger.KEPT, ledger.NEAR_DUPLICATE)
        self._place.settle(settled.page, kept=kept, failed=fate == ledger.FAILED)
        if fate == ledger.FAILED:
            self._failures += 1
        elif settled.fetched:
            self._failures = 0
        if kept or fate == ledger.DUPLICATE:
            self._in_vain = 0
        elif fate in UNWANTED and (settled.fetched or settled.reason):  # it took a request
            self._in_vain += 1
        known = fate in (ledger.DUPLICATE, ledger.NEAR_DUPLICATE, ledger.UNCHANGED)
        if fate != ledger.UNCHANGED or self._tells_of_the_rest(settled.page):
            self._recent.append(known)

    # --- going on the next time ---

    @property
    def _from_the_top(self) -> bool:
        """Whether the newest come first and this crawl began with them."""
        return self._plan.source.newest_first and self._walk.began is None

    def _tells_of_the_rest(self, page: int) -> bool:
        """Whether a picture that was seen before means that what follows was seen, too.

        The first page may be one that the last crawl left half done; and a crawl that goes on
        deep inside a listing meets again what newer pictures have pushed down.
        """
        top = self._walk.top
        return top is not None and page > top and self._from_the_top

    def _keep_place(self) -> None:
        if self._place.moved():
            self._move(self._place.cursor)

    def _leave_off(self, ended: str) -> None:
        """Begin anew the next time, where nothing is left further on."""
        known = ended == MOSTLY_KNOWN and self._from_the_top
        # an unchanged page would not be read, and what is to be tried again not be tried
        again = any(self._ledger.counts[fate] for fate in ledger.TRIED_AGAIN)
        if known or (again and UNLESS_CHANGED in self._place.cursor):
            self._move(self._place.start)

    def _move(self, cursor: Mapping[str, Any]) -> None:
        crawls, query = self._store.crawls, self._plan.query
        crawls.move_cursor(*self._names, query, dict(cursor), self._now())
