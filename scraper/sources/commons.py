"""Pictures of Wikimedia Commons: what people picked as good, and what is filed as generated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from bs4 import BeautifulSoup

from config import Settings
from scraper.manners import Visitor
from scraper.sources.licences import is_free
from scraper.sources.listing import (
    LONGEST,
    Declined,
    JsonApi,
    Listed,
    Page,
    link,
    number,
    page_of,
    text,
    token,
)

PICTURES = ("image/jpeg", "image/png", "image/webp")
GENERATED = re.compile(
    r"AI[- ]generated|Midjourney|Stable[ -]Diffusion|DALL[-·]E|Adobe Firefly|PD-algorithm",
    re.IGNORECASE,
)
"""What a category says whose files are generated."""
SMALLER = 1920
"""Pixels across of the rendition that is taken where the file itself is larger than we open."""
LONGEST_HTML = 4_000
LONGEST_LIST = 20_000
MOST_CATEGORIES = 500
FILE_NAMESPACE = 6
CATEGORY_NAMESPACE = 14


class WikimediaCommons(JsonApi):
    """https://www.mediawiki.org/wiki/API:Categorymembers and API:Imageinfo"""

    terms = "https://commons.wikimedia.org/wiki/Commons:Reusing_content_outside_Wikimedia"
    licence_rule = (
        "Public domain, CC0, CC BY, CC BY-SA, GFDL and FAL, as the file's page states, by name and "
        "version and with nothing added; without a stated licence it is refused."
    )
    address = "https://commons.wikimedia.org"
    per_second = 1.0  # their etiquette: one request after the other
    pictures_per_second = 2.0
    categories: ClassVar[tuple[str, ...]]
    search_filter: ClassVar[str]
    subcategories: ClassVar[bool]

    def pages(
        self, visitor: Visitor, settings: Settings, query: str, cursor: Mapping[str, Any] | None
    ) -> Iterator[Page]:
        """What a search inside the categories finds, or all that they hold; the newest first.

        Of several categories a page is taken from each in turn: some hold a few files, some
        hundreds of thousands.
        """
        state = _valid(cursor) or self._start(query)
        while state["waiting"]:
            this, *others = state["waiting"]
            asked = self._asked(query, str(this["category"])) | (this["continue"] or {})
            found = self.ask(visitor, settings, "/w/api.php", asked)
            if "error" in found:
                raise Declined(f"{self.name} answered: {text(found, 'error', 'info')}")
            state["waiting"] = others
            listed = self._read_page(found, settings, state, going_on=bool(this["continue"]))
            if onward := _onward(found):
                state["waiting"] = [*state["waiting"], {**this, "continue": onward}]
            yield page_of(listed, dict(state) if state["waiting"] else None)

    def _start(self, query: str) -> dict[str, Any]:
        categories = [""] if query else list(self.categories)
        waiting = [{"category": each, "continue": None} for each in categories]
        return {"waiting": waiting, "known": categories}

    def _asked(self, query: str, category: str) -> dict[str, Any]:
        generator: dict[str, Any] = {
            "generator": "categorymembers",
            "gcmtitle": category,
            "gcmtype": "file|subcat" if self.subcategories else "file",
            "gcmlimit": 50,
            "gcmsort": "timestamp",
            "gcmdir": "desc",
        }
        if query:
            generator = {
                "generator": "search",
                "gsrsearch": f"{query} {self.search_filter} filetype:bitmap",
                "gsrnamespace": FILE_NAMESPACE,
                "gsrlimit": 50,
                "gsrsort": "create_timestamp_desc",
            }
        return {
            "action": "query",
            "format": "json",
            "formatversion": 2,
            **generator,
            "prop": "imageinfo",
            "iiprop": "url|extmetadata|mime|size",
            "iiurlwidth": SMALLER,
            "iiextmetadatalanguage": "en",
        }

    def _read_page(
        self,
        found: Mapping[str, Any],
        settings: Settings,
        state: dict[str, Any],
        *,
        going_on: bool,
    ) -> list[Listed | None]:
        query = found.get("query")
        if query is None and found.get("batchcomplete"):  # an empty category
            return []
        if not isinstance(query, dict):
            raise Declined(f"{self.name} answered without the object 'query' its API has.")
        listed: list[Listed | None] = []
        in_parts = going_on or "continue" in found
        for entry in self.entries(query, "pages"):
            if number(entry, "ns") == CATEGORY_NAMESPACE:
                self._remember(text(entry, "title"), state)
            elif isinstance(entry, dict) and "imageinfo" not in entry and in_parts:
                continue  # another answer has it: a batch is filled in over several
            else:
                listed.append(self._listed(entry, settings))
        return listed

    def _remember(self, category: str, state: dict[str, Any]) -> None:
        """Look into a subcategory, too, if its name says what is in it."""
        wanted = GENERATED.search(category) and category not in state["known"]
        if wanted and len(state["known"]) < MOST_CATEGORIES:
            state["known"] = [*state["known"], category]
            state["waiting"] = [*state["waiting"], {"category": category, "continue": None}]

    def _listed(self, entry: Any, settings: Settings) -> Listed | None:
        infos = entry.get("imageinfo") if isinstance(entry, dict) else None
        info = infos[0] if isinstance(infos, list) and infos else {}
        key, url = text(entry, "pageid"), link(info, "url")
        if not key or not url:
            return None
        pixels = number(info, "width") * number(info, "height")
        if number(info, "size") > settings.max_image_bytes or pixels > settings.max_image_pixels:
            url = link(info, "thumburl") or url
        said = info["extmetadata"] if "extmetadata" in info else None
        return Listed(
            key=key,
            url=url,
            page_url=link(info, "descriptionurl"),
            license=_licence(said),
            author=_words(said, "Artist") or _words(said, "Credit"),
            title=text(entry, "title").removeprefix("File:"),
            unwanted=self._unwanted(info, said),
        )

    def _unwanted(self, info: Mapping[str, Any], said: Any) -> str:
        mime = text(info, "mime")
        if mime not in PICTURES:
            return f"it is of the type {mime or 'unknown'}"
        if text(said, "NonFree", "value").lower() == "true":
            return "it is not free"
        if self.label == "real" and GENERATED.search(
            text(said, "Categories", "value", longest=LONGEST_LIST)
        ):
            return "its categories say that it is generated"
        return ""

    def allows(self, listed: Listed) -> bool:
        """A licence that Commons counts as free, as it abbreviates it."""
        return is_free(listed.license)


class Commons(WikimediaCommons):
    """Featured pictures and quality images."""

    name = "commons"
    label = "real"
    categories = ("Category:Quality images", "Category:Featured pictures on Wikimedia Commons")
    search_filter = 'incategory:"Quality images|Featured pictures on Wikimedia Commons"'
    subcategories = False


class CommonsAi(WikimediaCommons):
    """Files in the categories of generated images."""

    name = "commons-ai"
    label = "ai"
    newest_first = False  # in each category, but there are many
    categories = ("Category:AI-generated images",)
    search_filter = 'deepcategory:"AI-generated images"'
    subcategories = True


def _onward(found: Any) -> dict[str, str]:
    """What an answer wants to be asked to go on; nothing at the end, or if that cannot be sent."""
    said = found.get("continue") if isinstance(found, dict) else None
    if not isinstance(said, dict):
        return {}
    onward = {token(name): token(value) for name, value in said.items()}
    whole = all(onward) and all(onward[name] or said[name] == "" for name in onward)
    return onward if whole else {}


def _valid(cursor: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A cursor that was kept, if it is of the shape that this version keeps."""
    waiting, known = (cursor or {}).get("waiting"), (cursor or {}).get("known")
    if not isinstance(waiting, list) or not isinstance(known, list) or not waiting:
        return None
    for each in waiting:
        if not isinstance(each, dict) or not isinstance(each.get("category"), str):
            return None
        if "continue" not in each or (each["continue"] is not None and not _onward(each)):
            return None
    return {"waiting": waiting, "known": known} if all(isinstance(k, str) for k in known) else None


def _words(said: Any, name: str) -> str:
    """What a file's page says under a name, which may be HTML."""
    html = text(said, name, "value", longest=LONGEST_HTML)
    if "<" not in html and "&" not in html:
        return html
    words = BeautifulSoup(html, "html.parser").get_text(" ")
    return " ".join(words.split())[:LONGEST]


def _licence(said: Any) -> str:
    name = _words(said, "LicenseShortName")
    url = text(said, "LicenseUrl", "value")
    return f"{name} ({url})" if name and url else name
