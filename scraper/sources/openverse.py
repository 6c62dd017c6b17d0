"""Openly licensed photographs of many collections, found by Openverse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from config import Settings
from scraper.manners import Visitor
from scraper.sources.licences import is_free
from scraper.sources.listing import (
    JsonApi,
    Listed,
    Page,
    link,
    number,
    page_number,
    page_of,
    text,
)

LICENCES = {"by": "CC BY", "by-sa": "CC BY-SA", "cc0": "CC0", "pdm": "Public Domain Mark"}
PAGE_SIZE = 20
"""The most somebody without an account may ask for at once."""
DEEPEST = 240
"""Results of one query that such a person can reach."""
GENERATED = ("ai generated", "ai-generated", "midjourney", "stable diffusion", "dall-e", "dalle")


class Openverse(JsonApi):
    """https://api.openverse.org/v1/"""

    name = "openverse"
    label = "real"
    terms = "https://docs.openverse.org/terms_of_service.html"
    licence_rule = (
        "CC0, Public Domain Mark, CC BY and CC BY-SA, as the API states for each picture, with its "
        "version; without a stated licence it is refused."
    )
    address = "https://api.openverse.org"
    per_second = 0.3  # twenty a minute without an account
    pictures_per_second = 2.0
    newest_first = False
    usual_query = "photograph"

    def pages(
        self, visitor: Visitor, settings: Settings, query: str, cursor: Mapping[str, Any] | None
    ) -> Iterator[Page]:
        """Photographs, as far as one may look without an account."""
        page = page_number(cursor)
        while True:
            asked = {
                "q": query or self.usual_query,
                "license": ",".join(LICENCES),
                "category": "photograph",
                "mature": "false",
                "page": page,
                "page_size": PAGE_SIZE,
            }
            found = self.ask(visitor, settings, "/v1/images/", asked)
            listed = [self._listed(entry) for entry in self.entries(found, "results")]
            reachable = min(number(found, "page_count"), DEEPEST // PAGE_SIZE)
            page = page + 1 if listed and page < reachable else 0
            yield page_of(listed, {"page": page} if page else None)
            if not page:
                return

    def _listed(self, entry: Any) -> Listed | None:
        key, url = text(entry, "id"), link(entry, "url")
        if not key or not url:
            return None
        return Listed(
            key=key,
            url=url,
            page_url=link(entry, "foreign_landing_url"),
            license=_licence(entry),
            author=text(entry, "creator"),
            title=text(entry, "title"),
            unwanted=_unwanted(entry),
        )

    def allows(self, listed: Listed) -> bool:
        """One of those that were asked for, with its version, and nothing that is like them."""
        return is_free(listed.license)


def _licence(entry: Mapping[str, Any]) -> str:
    """As stated, with version and link; what we do not know stays as it is written."""
    stated = text(entry, "license").lower()
    if not stated:
        return ""
    words = f"{LICENCES.get(stated, stated)} {text(entry, 'license_version')}".strip()
    url = link(entry, "license_url")
    return f"{words} ({url})" if url else words


def _unwanted(entry: Mapping[str, Any]) -> str:
    if entry.get("mature") is True or entry.get("unstable__sensitivity"):
        return "it is not for everybody"
    tags = entry.get("tags")
    names = [text(tag, "name").lower() for tag in tags] if isinstance(tags, list) else []
    if any(word in name for name in names for word in GENERATED):
        return "its tags say that it is generated"
    return ""
