"""Pictures that were posted to Civitai by those who generated them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from config import Settings
from scraper.manners import Visitor
from scraper.sources.listing import (
    JsonApi,
    Listed,
    Page,
    link,
    number,
    page_of,
    text,
    token,
    unacceptable_query,
)

FILTERS = {"user": "username", "model": "modelId", "version": "modelVersionId", "post": "postId"}
FOR_EVERYBODY = 1
"""The lowest of its browsing levels (PG)."""


class Civitai(JsonApi):
    """https://developer.civitai.com/site/reference/images"""

    name = "civitai"
    label = "ai"
    terms = "https://civitai.com/content/tos"
    licence = "none stated (https://civitai.com/content/tos)"
    licence_rule = (
        "Civitai states no licence for a picture, and all are taken all the same; its terms leave "
        "the rights with whoever posted it. Recorded as none stated: judge yourself whether you "
        "may learn from them."
    )
    address = "https://civitai.com"
    per_second = 1.0

    def check_query(self, query: str) -> None:
        """Its pictures cannot be searched by words."""
        kind, _, value = query.partition(":")
        if query and not (kind in FILTERS and value):
            names = ", ".join(f"{each}:..." for each in FILTERS)
            raise unacceptable_query(self.name, query, f"{names}, or nothing for the newest")

    def headers(self, settings: Settings) -> dict[str, str]:
        """A key is optional."""
        if not settings.civitai_key:
            return {}
        return {"Authorization": f"Bearer {settings.civitai_key}"}

    def pages(
        self, visitor: Visitor, settings: Settings, query: str, cursor: Mapping[str, Any] | None
    ) -> Iterator[Page]:
        """The newest first."""
        asked: dict[str, Any] = {"limit": 100, "sort": "Newest", "period": "AllTime"}
        # the older of the two filters beside the newer one, which wins where it is known
        asked |= {"nsfw": "None", "browsingLevel": FOR_EVERYBODY, "type": "image"}
        kind, _, value = query.partition(":")
        if query:
            asked[FILTERS[kind]] = value
        onward = token(cursor, "cursor")
        while True:
            found = self.ask(
                visitor,
                settings,
                "/api/v1/images",
                {**asked, "cursor": onward} if onward else asked,
            )
            listed = [self._listed(entry) for entry in self.entries(found, "items")]
            onward = self._onward(found) if listed else ""
            yield page_of(listed, {"cursor": onward} if onward else None)
            if not onward:
                return

    def _onward(self, found: Mapping[str, Any]) -> str:
        if onward := token(found, "metadata", "nextCursor"):
            return onward
        # its address is not followed: the key must not go wherever an answer points
        following = parse_qs(urlsplit(link(found, "metadata", "nextPage")).query)
        return token(following.get("cursor", [""])[0])

    def _listed(self, entry: Any) -> Listed | None:
        key, url = text(entry, "id"), link(entry, "url")
        if not key or not url:
            return None
        return Listed(
            key=key,
            url=url,
            page_url=f"https://civitai.com/images/{key}",
            license=self.licence,
            author=text(entry, "username"),
            unwanted=_unwanted(entry),
        )

    def allows(self, listed: Listed) -> bool:
        """Only what is recorded as what it is: without a licence."""
        return listed.license == self.licence


def _unwanted(entry: Mapping[str, Any]) -> str:
    if text(entry, "type") not in ("", "image"):
        return f"it is of the type {text(entry, 'type')}"
    level = text(entry, "nsfwLevel")
    if level not in ("", "None", "PG", "1") or entry.get("nsfw") in (True, "Soft", "Mature", "X"):
        return "it is not for everybody"
    if number(entry, "browsingLevel") > FOR_EVERYBODY:
        return "it is not for everybody"
    return ""
