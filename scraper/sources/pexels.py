"""Photographs on Pexels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from config import Settings
from scraper.manners import Visitor
from scraper.sources.listing import JsonApi, Listed, Page, link, page_number, page_of, text

PAGE_SIZE = 80
"""The most it gives at once."""


class Pexels(JsonApi):
    """https://www.pexels.com/api/documentation/"""

    name = "pexels"
    label = "real"
    terms = "https://www.pexels.com/terms-of-service/"
    licence = "Pexels License (https://www.pexels.com/license/)"
    licence_rule = (
        "The Pexels License, which holds for all its API gives; no picture states one. Your key "
        "stands for their terms: read there what they say on learning from pictures."
    )
    address = "https://api.pexels.com"
    per_second = 0.05  # two hundred an hour
    newest_first = False
    key = "pexels_key"

    def headers(self, settings: Settings) -> dict[str, str]:
        """The key, bare."""
        return {"Authorization": settings.pexels_key}

    def pages(
        self, visitor: Visitor, settings: Settings, query: str, cursor: Mapping[str, Any] | None
    ) -> Iterator[Page]:
        """What a search finds, or what Pexels picked lately."""
        page = page_number(cursor)
        while True:
            asked: dict[str, Any] = {"page": page, "per_page": PAGE_SIZE}
            path = "/v1/curated"
            if query:
                path, asked = "/v1/search", {"query": query, **asked}
            found = self.ask(visitor, settings, path, asked)
            listed = [self._listed(entry) for entry in self.entries(found, "photos")]
            # that there is a next page is believed, where it is said to be is not
            page = page + 1 if listed and link(found, "next_page") else 0
            yield page_of(listed, {"page": page} if page else None)
            if not page:
                return

    def _listed(self, entry: Any) -> Listed | None:
        key, url = (
            text(entry, "id"),
            link(entry, "src", "original") or link(entry, "src", "large2x"),
        )
        if not key or not url:
            return None
        return Listed(
            key=key,
            url=url,
            page_url=link(entry, "url"),
            license=self.licence,
            author=text(entry, "photographer"),
            title=text(entry, "alt"),
        )

    def allows(self, listed: Listed) -> bool:
        """Their one licence."""
        return listed.license == self.licence
