"""Photographs on Unsplash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from config import Settings
from domain import Unavailable
from scraper.addresses import origin
from scraper.manners import Visitor
from scraper.sources.listing import JsonApi, Listed, Page, link, number, page_number, page_of, text

PAGE_SIZE = 30
"""The most it gives at once."""


class Unsplash(JsonApi):
    """https://unsplash.com/documentation"""

    name = "unsplash"
    label = "real"
    terms = "https://unsplash.com/api-terms"
    licence = "Unsplash License (https://unsplash.com/license)"
    licence_rule = (
        "The Unsplash License, which holds for all it gives except Unsplash+ pictures, which are "
        "refused; no picture states one. Your key stands for their API terms: read there what they "
        "say on learning from pictures."
    )
    address = "https://api.unsplash.com"
    per_second = 1.0
    key = "unsplash_key"

    def headers(self, settings: Settings) -> dict[str, str]:
        """The key, and the version of the API this is written for."""
        return {"Authorization": f"Client-ID {settings.unsplash_key}", "Accept-Version": "v1"}

    def pages(
        self, visitor: Visitor, settings: Settings, query: str, cursor: Mapping[str, Any] | None
    ) -> Iterator[Page]:
        """The newest first."""
        page = page_number(cursor)
        while True:
            asked: dict[str, Any] = {"page": page, "per_page": PAGE_SIZE, "order_by": "latest"}
            path = "/photos"
            if query:
                path, asked = "/search/photos", {"query": query, **asked, "content_filter": "high"}
            found = self.ask(visitor, settings, path, asked)
            listed = [self._listed(entry) for entry in self.entries(found, "results")]
            # the plain list does not say how many pages it has: one that is not full is its last
            more = page < number(found, "total_pages") if query else len(listed) == PAGE_SIZE
            page = page + 1 if listed and more else 0
            yield page_of(listed, {"page": page} if page else None)
            if not page:
                return

    def _listed(self, entry: Any) -> Listed | None:
        key, url = text(entry, "id"), link(entry, "urls", "full") or link(entry, "urls", "regular")
        if not key or not url:
            return None
        plus = entry.get("plus") is True or entry.get("premium") is True
        return Listed(
            key=key,
            url=url,
            page_url=link(entry, "links", "html"),
            license="Unsplash+ License" if plus else self.licence,
            author=text(entry, "user", "name") or text(entry, "user", "username"),
            title=text(entry, "description") or text(entry, "alt_description"),
            announce=link(entry, "links", "download_location"),
        )

    def allows(self, listed: Listed) -> bool:
        """The free licence alone."""
        return listed.license == self.licence

    def announce(self, visitor: Visitor, settings: Settings, listed: Listed) -> None:
        """Its guidelines want each download counted at the address that goes with the picture."""
        if not listed.announce:
            return
        there = origin(listed.announce)
        if there != origin(self.base(settings)):
            raise Unavailable(f"unsplash wants the key sent to {there}, which is not its API.")
        self.get(visitor, settings, listed.announce)
