"""How far into a source's listing a crawl has come."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scraper.sources import UNLESS_CHANGED, Page

AGAIN = "again"
"""In a cursor that is kept: the pages on which pictures failed, beside where to go on."""
MOST_AGAIN = 10
"""Pages that are kept there."""
TRIES = 3
"""Crawls that try a page's failed pictures; what fails for longer is not waited for."""


@dataclass(frozen=True, slots=True)
class Again:
    """A page with pictures that failed: the cursor that leads to it, None for the first."""

    at: Mapping[str, Any] | None
    tries: int

    @property
    def name(self) -> str:
        """Which page it is."""
        return json.dumps(self.at, sort_keys=True)


@dataclass(slots=True)
class _Open:
    left: int
    cursor: Mapping[str, Any] | None
    again: Again
    revisited: bool = False
    kept: int = 0
    failed: int = 0


class Place:
    """Counts pages off, in their order, as the last picture of each is settled.

    Parameters
    ----------
    kept
        The cursor that the last crawl left.
    """

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        self.began: Mapping[str, Any] = {k: v for k, v in (kept or {}).items() if k != AGAIN}
        self._again = {each.name: each for each in _read((kept or {}).get(AGAIN))}
        self._open: dict[int, _Open] = {}
        self.listed = 0
        """Pages begun."""
        self._settled = 0
        self.fruitless = 0
        """Pages in a row of which nothing was kept."""
        self._cursor: Mapping[str, Any] = self.began
        self._moved = False

    @property
    def cursor(self) -> Mapping[str, Any]:
        """Where to go on after the pages that are wholly settled, and what failed on them."""
        return self._with_failed(self._cursor)

    @property
    def start(self) -> Mapping[str, Any]:
        """The top of the listing, and what failed further on."""
        return self._with_failed({})

    def _with_failed(self, cursor: Mapping[str, Any]) -> Mapping[str, Any]:
        again = [{"at": each.at, "tries": each.tries} for each in self._again.values()]
        return {**cursor, AGAIN: again} if again else cursor

    def failed_before(self) -> list[Again]:
        """The pages on which earlier crawls had failures."""
        return list(self._again.values())

    def forget(self, again: Again) -> None:
        """A page on which pictures failed is not there any longer."""
        self._again.pop(again.name, None)
        self._moved = True

    def list(self, page: Page, at: Mapping[str, Any] | None = None) -> int:
        """Begin a page that the cursor `at` led to; returns its number."""
        return self._begin(_Open(len(page.items), page.cursor, Again(at, 1)))

    def list_again(self, page: Page, again: Again) -> int:
        """Begin a page once more, for what failed on it; returns its number."""
        tried = Again(again.at, again.tries + 1)
        self._again[again.name] = tried
        self._moved = True
        return self._begin(_Open(len(page.items), page.cursor, tried, revisited=True))

    def _begin(self, page: _Open) -> int:
        number = self.listed
        self._open[number] = page
        self.listed += 1
        self._close_settled()
        return number

    def settle(self, number: int, *, kept: bool, failed: bool = False) -> None:
        """One more picture of a page is settled."""
        page = self._open[number]
        page.left -= 1
        page.kept += kept
        page.failed += failed
        self._close_settled()

    def _close_settled(self) -> None:
        while (page := self._open.get(self._settled)) is not None and page.left == 0:
            del self._open[self._settled]
            self._settled += 1
            self._moved = True
            if page.revisited:
                if not page.failed or page.again.tries >= TRIES:
                    self._again.pop(page.again.name, None)
                continue
            self.fruitless = 0 if page.kept else self.fruitless + 1
            self._cursor = page.cursor or {}
            if page.failed and not _is_whole(page) and len(self._again) < MOST_AGAIN:
                self._again.setdefault(page.again.name, page.again)

    def moved(self) -> bool:
        """Whether the cursor is another than when this was asked last."""
        moved, self._moved = self._moved, False
        return moved


def _is_whole(page: _Open) -> bool:
    """Whether a listing has this one page alone: then the next crawl begins with it anyway."""
    return page.again.at is None and (page.cursor is None or UNLESS_CHANGED in page.cursor)


def _read(kept: Any) -> list[Again]:
    """What was kept of failures; whatever else stands there is no such thing."""
    found = []
    for each in kept if isinstance(kept, list) else []:
        at = each.get("at") if isinstance(each, dict) else 0
        tries = each.get("tries") if isinstance(each, dict) else 0
        if (at is None or isinstance(at, dict)) and isinstance(tries, int) and 0 < tries < TRIES:
            found.append(Again(at, tries))
    return found[:MOST_AGAIN]
