"""Pictures that Lexica finds among those generated there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from config import Settings
from scraper.manners import Visitor
from scraper.sources.listing import (
    JsonApi,
    Listed,
    Page,
    is_web,
    link,
    page_of,
    text,
    unacceptable_query,
)


class Lexica(JsonApi):
    """https://lexica.art/docs"""

    name = "lexica"
    label = "ai"
    terms = "https://lexica.art/terms"
    licence = "Lexica's terms (https://lexica.art/terms)"
    licence_rule = (
        "Lexica states no licence for a picture, and all are taken all the same; each is recorded "
        "as under Lexica's terms, which tell personal from commercial use. Read them first."
    )
    address = "https://lexica.art"
    per_second = 0.5
    newest_first = False
    usual_query = "photograph"

    def check_query(self, query: str) -> None:
        """An address would be looked up there by likeness, which nobody asked for."""
        if is_web(query):
            raise unacceptable_query(self.name, query, "words")

    def pages(
        self, visitor: Visitor, settings: Settings, query: str, cursor: Mapping[str, Any] | None
    ) -> Iterator[Page]:
        """The one page it has for each query."""
        asked = {"q": query or self.usual_query}
        found = self.ask(visitor, settings, "/api/v1/search", asked)
        yield page_of([self._listed(entry) for entry in self.entries(found, "images")], None)

    def _listed(self, entry: Any) -> Listed | None:
        key, url = text(entry, "id"), link(entry, "src") or link(entry, "srcSmall")
        if not key or not url:
            return None
        unwanted = ""
        if entry.get("nsfw"):
            unwanted = "it is not for everybody"
        elif entry.get("grid"):
            unwanted = "it is several pictures in one"
        return Listed(
            key=key,
            url=url,
            page_url=link(entry, "gallery"),
            license=self.licence,
            author="",
            title=text(entry, "prompt"),
            unwanted=unwanted,
        )

    def allows(self, listed: Listed) -> bool:
        """Only what is recorded as under the site's terms."""
        return listed.license == self.licence
