"""How far into a source's listing a crawl has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scraper.sources import Page


@dataclass(slots=True)
class _Open:
    left: int
    cursor: Mapping[str, Any] | None
    kept: int = 0


class Place:
    """Counts pages off, in their order, as the last picture of each is settled."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}
        self.listed = 0
        """Pages begun."""
        self._settled = 0
        self.fruitless = 0
        """Pages in a row of which nothing was kept."""
        self.cursor: Mapping[str, Any] = {}
        """Where to go on after the pages that are wholly settled; empty: from the start."""
        self._moved = False

    def list(self, page: Page) -> int:
        """Begin a page; returns its number."""
        number = self.listed
        self._open[number] = _Open(len(page.items), page.cursor)
        self.listed += 1
        self._close_settled()
        return number

    def settle(self, number: int, *, kept: bool) -> None:
        """One more picture of a page is settled."""
        page = self._open[number]
        page.left -= 1
        page.kept += kept
        self._close_settled()

    def _close_settled(self) -> None:
        while (page := self._open.get(self._settled)) is not None and page.left == 0:
            del self._open[self._settled]
            self._settled += 1
            self.fruitless = 0 if page.kept else self.fruitless + 1
            self.cursor, self._moved = page.cursor or {}, True

    def moved(self) -> bool:
        """Whether the cursor is another than when this was asked last."""
        moved, self._moved = self._moved, False
        return moved
