"""The pictures of a web page that somebody named, with the label and licence they gave."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import urldefrag, urlsplit

from bs4 import BeautifulSoup, Tag

from config import Settings
from domain import FetchRefused
from scraper.addresses import joined, origin
from scraper.fetch import Answer
from scraper.folders import PICTURE_SUFFIXES
from scraper.manners import Visitor
from scraper.robots import opts_out, product
from scraper.sources.listing import (
    UNLESS_CHANGED,
    Listed,
    Page,
    is_fetchable,
    link,
    token,
    unacceptable_query,
)

PAGE_BYTES = 8_000_000
LAZY = ("data-full", "data-original", "data-src", "data-lazy-src", "data-lazy", "data-image")
"""Where scripts keep the address of a picture that is loaded late; the fullest first."""
SETS = ("srcset", "data-srcset", "data-lazy-srcset")
SMALLEST = 64
"""Pixels; what the page itself says is smaller is an icon."""
TAG = re.compile(
    rb"</?(?P<name>img|a|base|meta|link|source|picture|noscript)(?=[\s/>])"
    rb"""[^<>"']*(?:(?:"[^"<]*"|'[^'<]*')[^<>"']*)*>""",
    re.IGNORECASE,
)
"""A whole tag; an attribute may hold `>`, but not `<`, so that no search goes past the next tag."""
UNNESTED = frozenset({b"a", b"picture", b"noscript"})
HIDDEN = re.compile(rb"<(!--|script\b|style\b|template\b)")
CLOSED_BY = {
    b"!--": b"-->",
    b"script": b"</script",
    b"style": b"</style",
    b"template": b"</template",
}
MOST_TAGS = 40_000
MOST_ATTRIBUTES = 100
META = re.compile(rb"<meta(?=[\s/>])", re.IGNORECASE)
ATTRIBUTE = re.compile(
    rb"[\s/=]*([^\s=/>]{1,200})"
    rb"""(?:\s{0,9}=\s{0,9}(?:"([^"]{0,4000})"|'([^']{0,4000})'|([^\s>]{0,4000})))?"""
)
"""As browsers read it: a quoted value may hold anything, a bare one ends at a blank or `>`."""
DRAWN = (".svg", ".ico")


class Gallery:
    """Any page with pictures, and those that it names as its next ones."""

    name: ClassVar[str] = "page"
    label: ClassVar[str | None] = None
    terms: ClassVar[str] = "the page's own"
    licence_rule: ClassVar[str] = (
        "The licence you state for the page; without one nothing is taken."
    )
    per_second: ClassVar[float] = 1.0
    pictures_per_second: ClassVar[float] = 2.0
    newest_first: ClassVar[bool] = False
    key: ClassVar[str] = ""

    def check_query(self, query: str) -> None:
        """What is asked for is the page's address."""
        if not is_fetchable(query):
            allowed = "the address of a page, http or https, without a name and password"
            raise unacceptable_query(self.name, _without_password(query), allowed)

    def pages(
        self, visitor: Visitor, settings: Settings, query: str, cursor: Mapping[str, Any] | None
    ) -> Iterator[Page]:
        """The page at the address `query`, then what it links to as next on the same host."""
        url = link(cursor, "url") or query
        said = (cursor or {}).get(UNLESS_CHANGED)
        before = dict(said) if isinstance(said, dict) else {}
        visited: set[str] = set()
        while url and url not in visited:
            visited.add(url)
            answer = visitor.get(
                url,
                per_second=self.per_second,
                accept="text/html",
                max_bytes=PAGE_BYTES,
                etag=token(before.pop("etag", None)) or None,
                last_modified=token(before.pop("last_modified", None)) or None,
            )
            if answer.status == HTTPStatus.NOT_MODIFIED:
                return
            if reserved(answer.data, product(settings.user_agent)):
                raise FetchRefused("noai", f"{url} asks not to be used for AI.")
            soup = parsed(answer.data)
            base = base_of(soup, answer.url)
            onward = next_page(soup, base, answer.url)
            onward = onward if onward not in visited else ""
            items = tuple(
                Listed(each, each, answer.url, license="", author="")
                for each in pictures(soup, base)
            )
            yield Page(items, {"url": onward} if onward else _unless_changed(query, url, answer))
            url = onward

    def allows(self, listed: Listed) -> bool:
        """Whatever was stated, if something was."""
        return bool(listed.license.strip())

    def announce(self, visitor: Visitor, settings: Settings, listed: Listed) -> None:
        """Nobody asks for it."""


def _without_password(address: str) -> str:
    """An address as it may be shown."""
    return re.sub(r"//[^/]*@", "//", address)


def _unless_changed(query: str, url: str, answer: Answer) -> Mapping[str, Any] | None:
    """Where a gallery of a single page is begun again: there, and only if it has changed."""
    said = {
        "etag": answer.headers.get("etag"),
        "last_modified": answer.headers.get("last-modified"),
    }
    return {"url": url, UNLESS_CHANGED: said} if url == query and any(said.values()) else None


def parsed(html: bytes) -> BeautifulSoup:
    """The tags of a page that have to do with pictures; all else is left out.

    The parser's time grows with the square of what is begun and never closed (200 KB of it take a
    minute), so only whole tags are given to it, and of comments and scripts nothing. What it gets
    is bytes: the page itself may say how it is encoded.
    """
    kept: list[bytes] = []
    for found in TAG.finditer(_without_hidden(html)):
        name = found["name"].lower()
        if name in UNNESTED:  # browsers close the last one, the parser would nest them
            kept.append(b"</" + name + b">")
        kept.append(found[0])
        if len(kept) >= MOST_TAGS:
            break
    return BeautifulSoup(b"".join(kept), "html.parser")


def _without_hidden(html: bytes) -> bytes:
    """The page without comments, scripts and styles, in one pass."""
    shown: list[bytes] = []
    place, lower = 0, html.lower()
    while found := HIDDEN.search(lower, place):
        shown.append(html[place : found.start()])
        end = lower.find(CLOSED_BY[found[1]], found.end())
        if end < 0:
            return b"".join(shown)
        place = end + len(CLOSED_BY[found[1]])
    return b"".join([*shown, html[place:]])


def reserved(html: bytes, agent: str) -> bool:
    """Whether a page keeps its pictures from AI.

    Read are `<meta name="robots">` and the same for our own name with `noai` or `noimageai`, and
    the TDM reservation protocol's `<meta name="tdm-reservation" content="1">`, wherever they
    stand: who asks in a comment is heard, too.

    Parameters
    ----------
    html
        The page.
    agent
        Our product name, lower-case.
    """
    for said in _metas(html):
        names = {said.get(name, "").strip().lower() for name in ("name", "property", "http-equiv")}
        content = unescape(said.get("content", ""))
        if names & {"robots", "x-robots-tag", agent} and opts_out(content):
            return True
        if "tdm-reservation" in names and content.strip() == "1":
            return True
    return False


def _metas(html: bytes) -> Iterator[dict[str, str]]:
    """The attributes of each `<meta>`; no character is read twice."""
    place = 0
    while found := META.search(html, place):
        said: dict[str, str] = {}
        place = found.end()
        while attribute := ATTRIBUTE.match(html, place):
            place = attribute.end()
            name, *values = (each or b"" for each in attribute.groups())
            value = next(filter(None, values), b"").decode("utf-8", "replace")
            said.setdefault(name.decode("utf-8", "replace").lower(), value)
            if len(said) > MOST_ATTRIBUTES:
                break
        yield said


def base_of(soup: BeautifulSoup, url: str) -> str:
    """What addresses on the page are relative to."""
    base = soup.find("base", href=True)
    return _whole(url, str(base["href"])) or url if isinstance(base, Tag) else url


def pictures(soup: BeautifulSoup, base: str) -> list[str]:
    """The address of each picture, at the largest size that the page names, in its order."""
    found: dict[str, None] = {}
    for tag in soup.find_all(["img", "a", "noscript"]):
        if tag.name == "noscript":
            # what stands in for a picture that a script would load
            inner = BeautifulSoup(tag.decode_contents(), "html.parser")
            candidates = [_picture(each) for each in inner.find_all("img")]
        elif tag.name == "a":
            candidates = [_linked(tag)]
        else:
            candidates = [] if _shown_larger(tag) else [_picture(tag)]
        for candidate in candidates:
            url = urldefrag(_whole(base, candidate)).url
            if url and not urlsplit(url).path.lower().endswith(DRAWN):
                found.setdefault(url)
    return list(found)


def _linked(tag: Tag) -> str:
    """The picture file that a link leads to."""
    target = str(tag.get("href", ""))
    path = target.split("?")[0].split("#")[0].lower()
    return target if path.endswith(tuple(PICTURE_SUFFIXES)) else ""


def _shown_larger(tag: Tag) -> bool:
    """Whether it is the thumbnail of a picture that a link around it leads to."""
    around = tag.find_parent("a")
    return around is not None and bool(_linked(around))


def _picture(tag: Tag) -> str:
    """The fullest address of an `<img>`; empty for what is none, or an icon."""
    if any(_is_small(tag.get(side)) for side in ("width", "height")):
        return ""
    parent = tag.find_parent("picture")
    sets = [*(parent.find_all("source") if parent else ()), tag]
    largest = max(
        (each for one in sets for name in SETS for each in _srcset(str(one.get(name, "")))),
        key=lambda each: each[0],
        default=(0.0, ""),
    )[1]
    # an explicit full-size address beats what the browser would choose from
    for name in (*LAZY[:2], "", *LAZY[2:], "src"):
        url = str(tag.get(name, "")) if name else largest
        if url and not url.startswith("data:"):
            return url
    return ""


def _is_small(side: Any) -> bool:
    digits = re.fullmatch(r"\s*(\d{1,6})(px)?\s*", str(side or ""))
    return digits is not None and int(digits[1]) < SMALLEST


def _srcset(value: str) -> Iterator[tuple[float, str]]:
    """Each address of a srcset with its width or density."""
    # an address may hold commas, but not spaces: candidates are parted by a comma and a space,
    # or by a comma that ends an address or a descriptor
    for found in re.finditer(r"\s*,*\s*(\S*[^\s,])\s*(?:\s([\d.]+)([wxh]))?\s*(?:,|$)", value):
        url, size = found[1], found[2]
        if not url.startswith("data:"):
            yield (_size(size) * (1000.0 if found[3] == "x" else 1.0), url)


def _size(text: str | None) -> float:
    try:
        return float(text) if text else 0.001
    except ValueError:
        return 0.0


def next_page(soup: BeautifulSoup, base: str, here: str) -> str:
    """What the page links to with rel=next, if that is of the same origin."""
    for tag in soup.find_all(["link", "a"], rel=True, href=True):
        if "next" in [str(each).lower() for each in tag.get_attribute_list("rel")]:
            url = urldefrag(_whole(base, str(tag["href"]))).url
            if url and origin(url) == origin(here):
                return url
    return ""


def _whole(base: str, address: str) -> str:
    """A whole address that may be asked for; empty for what cannot be one."""
    url = joined(base, address.strip()) if address.strip() else ""
    return url if is_fetchable(url) else ""
