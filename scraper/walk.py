"""A source's listing, walked page by page from where the last crawl of it ended."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from config import Settings
from domain import ExposrError
from scraper.manners import Stopped, Visitor
from scraper.place import Again, Place
from scraper.sources import UNLESS_CHANGED, Page, Source
from scraper.sources.listing import declined

log = logging.getLogger(__name__)


class Broke(Exception):
    """A listing cannot be read on. `declined`: the place in it is at fault, another may do."""

    def __init__(self, message: str, *, declined: bool) -> None:
        super().__init__(message)
        self.message = message
        self.declined = declined


class Walk:
    """The pages of one source: first those with failures, then onward, then what is new on top.

    Parameters
    ----------
    source, query
        What is listed.
    visitor, settings
        How it is asked.
    place
        Where the last crawl left off; told of every page.
    thread
        Lists the page that is asked for by `look_ahead`.
    """

    def __init__(
        self,
        source: Source,
        query: str,
        visitor: Visitor,
        settings: Settings,
        place: Place,
        thread: ThreadPoolExecutor,
    ) -> None:
        self._source, self._query = source, query
        self._visitor, self._settings = visitor, settings
        self._place = place
        self._thread = thread
        self._pages: Iterator[Page] = iter(())
        self._ahead: Future[Page | None] | None = None
        self.began: Mapping[str, Any] | None = place.began or None
        """Where the listing goes on from; None: from its top."""
        self.top: int | None = None
        """The number of the page with which the listing begins, once it has."""
        self.bare = 0
        """Pages in a row that listed nothing that can be used."""

    def pages(self) -> Iterator[tuple[int, Page]]:
        """Each page with its number.

        Raises
        ------
        Broke
            The source does not answer, or with what is no listing.
        Stopped
            The stop was asked for.
        """
        for again in self._place.failed_before():
            yield from self._once_more(again)
        self.top = self._place.listed
        if self.began is not None:
            try:
                yield from self._onward(self.began)
            except Broke as broke:
                if not broke.declined or self._place.listed > self.top:
                    raise
                log.warning("%s does not go on from where it was left: %s", self._name, broke)
            else:
                if UNLESS_CHANGED in self.began:
                    return
            # what came meanwhile stands before the place where this crawl began
            self.began, self.top = None, self._place.listed
        yield from self._onward(None)

    def look_ahead(self) -> None:
        """List the next page while the pictures of this one are fetched."""
        if self._ahead is None and self.top is not None:  # those before are single pages
            self._ahead = self._thread.submit(next, self._pages, None)

    @property
    def _name(self) -> str:
        return self._source.name

    def _once_more(self, again: Again) -> Iterator[tuple[int, Page]]:
        """The one page on which pictures failed; not where it is not listed any longer."""
        try:
            page = next(self._listed(again.at), None)
        except Broke as broke:
            if not broke.declined:
                raise
            page = None
        if page is None:
            self._place.forget(again)
        else:
            yield self._place.list_again(page, again), page

    def _onward(self, cursor: Mapping[str, Any] | None) -> Iterator[tuple[int, Page]]:
        """Page after page; a listing that comes back to where it was is at its end."""
        met = {_name_of(cursor)}
        for page in self._listed(cursor):
            if page.cursor is not None and _name_of(page.cursor) in met:
                page = replace(page, cursor=None)
            met.add(_name_of(page.cursor))
            self.bare = 0 if page.items else self.bare + 1
            yield self._place.list(page, cursor), page
            if page.cursor is None:
                return
            cursor = page.cursor

    def _listed(self, cursor: Mapping[str, Any] | None) -> Iterator[Page]:
        self._pages = self._source.pages(self._visitor, self._settings, self._query, cursor)
        self._ahead = None
        while True:
            try:
                page = self._next()
            except Stopped:
                raise
            except ExposrError as error:
                raise Broke(error.message, declined=declined(error)) from error
            except Exception as error:  # one source's trouble is not to end the others
                log.exception("the listing of %s broke", self._name)
                message = f"{self._name}: its listing cannot be read: {type(error).__name__}"
                raise Broke(message, declined=True) from error
            if page is None:
                return
            yield page

    def _next(self) -> Page | None:
        ahead, self._ahead = self._ahead, None
        return ahead.result() if ahead else next(self._pages, None)


def _name_of(cursor: Mapping[str, Any] | None) -> str:
    return json.dumps(cursor, sort_keys=True)
