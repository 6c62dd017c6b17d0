"""What a crawl is asked for, checked before anything is fetched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from config import HIDDEN, Settings
from domain import DEFAULT_TASK, NotFound, Task, TaskKind, Unacceptable, Unavailable
from scraper.folders import normal
from scraper.ingest import task_with
from scraper.intake import Collection, Offer
from scraper.sources import Listed, Source, source_named
from scraper.sources.listing import UNSAYABLE
from storage import Store

CREDENTIALS = re.compile(r"//[^/?#\s]*@")
"""In an address: a user name, perhaps with a password, before the host."""


@dataclass(frozen=True, slots=True)
class CrawlRequest:
    """What is asked for: so many new pictures of one source, as samples of one task.

    `url` and `license` are for the source `page` alone: the others know where they are and state
    a licence for each picture.
    """

    source: str
    task: str = DEFAULT_TASK
    count: int = 100
    query: str = ""
    url: str = ""
    label: str = ""
    license: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A request that can be done: with its source, its task and what the pictures are."""

    source: Source
    task: Task
    label: str
    query: str
    count: int
    license: str

    def offer(self, listed: Listed) -> Offer:
        """What is said of a picture when it is taken in."""
        # pages are of many hands; the host tells them apart where training looks at sources
        host = urlsplit(listed.page_url).hostname if self.license else None
        return Offer(
            label=self.label,
            source=host or self.source.name,
            license=listed.license,
            author=listed.author,
            page_url=listed.page_url,
        )


def plan_crawl(collection: Collection, request: CrawlRequest) -> Plan:
    """Check a request, and make the task or its label where there is none.

    Raises
    ------
    Unacceptable
        The source, query, address, licence, label, task or number cannot be used.
    Unavailable
        The source's key is missing.
    """
    source = source_named(request.source)
    if request.count < 1:
        raise Unacceptable("count", request.count, "1 or more")
    if key := missing_key(collection.settings, source):
        raise Unavailable(f"{source.name} needs its key in {key.upper()}; see {source.terms}")
    query = _query(source, request)
    label = _label(collection.store, source, request)
    task = task_with(collection.store, request.task, [label])
    label = task.variants.get(label, label)
    if task.kind is TaskKind.AUTHENTICITY and source.label not in (None, label):
        raise Unacceptable("label", label, f"{source.label}, as {source.name}'s pictures are")
    return Plan(source, task, label, query, request.count, request.license.strip())


def missing_key(settings: Settings, source: Source) -> str:
    """The setting in which a source's key is missing; empty when it is there or not needed."""
    return source.key if source.key and not getattr(settings, source.key) else ""


def _label(store: Store, source: Source, request: CrawlRequest) -> str:
    """What was said, or in the task authenticity what the source is known for."""
    if request.label:
        return normal(request.label)
    try:
        authenticity = store.tasks.get(request.task).kind is TaskKind.AUTHENTICITY
    except NotFound:
        authenticity = False
    if source.label is None or not authenticity:
        raise Unacceptable("label", "", f"what the pictures are in the task {request.task}")
    return source.label


def _query(source: Source, request: CrawlRequest) -> str:
    for name, given in (("query", request.query), ("url", request.url)):
        if CREDENTIALS.search(given):  # before any other error says the address
            raise Unacceptable(name, HIDDEN, "an address without user name and password")
    for name, given in (("query", request.query), ("url", request.url)):
        if UNSAYABLE.search(given):
            raise Unacceptable(name, given, "words without control characters, in UTF-8")
    if source.name != "page":
        for name, given in (("url", request.url), ("license", request.license)):
            if given:
                raise Unacceptable(name, given, "nothing: it is for the source page alone")
        source.check_query(request.query)
        return request.query
    if request.query:
        raise Unacceptable("query", request.query, "nothing: the source page has an address")
    source.check_query(request.url)
    if not request.license.strip():
        raise Unacceptable("license", "", f"the terms that the pictures of {request.url} are under")
    return request.url
