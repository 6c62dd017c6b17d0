"""What a source lists, and how an API that speaks JSON is asked for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol
from urllib.parse import urlencode, urlsplit

from config import Settings
from domain import ExposrError, FetchRefused, Unacceptable, Unavailable
from scraper.fetch import Answer
from scraper.manners import Visitor

UNLESS_CHANGED = "unless_changed"
"""In a cursor that leads back to the start: what tells whether that is still as it was."""
API_BYTES = 8_000_000
ASKED_AGAIN = 2
"""Times an API is asked once more when its answer is no JSON: some break off, or send HTML."""
LONGEST = 500
"""Characters of a name or title that are kept."""
LONGEST_TOKEN = 4_000
"""Characters of what an API wants back to go on."""
UNSAYABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
FOR_GOOD = frozenset(
    {"robots", "noai", "url", "scheme", "credentials", "port", "address", "redirects", "too_large"}
)
"""Why an address is not fetched, where a second try changes nothing."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A picture that a source offers. `key` is the source's own name for it.

    `unwanted` says why the source's own words rule it out, such as a video. `announce` is where
    a source wants to be told before a picture is fetched.
    """

    key: str
    url: str
    page_url: str
    license: str
    author: str
    title: str = ""
    unwanted: str = ""
    announce: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Pictures listed together; `cursor` is where to go on, None at the end.

    `unusable` counts entries without what is needed to fetch them.
    """

    items: tuple[Listed, ...]
    cursor: Mapping[str, Any] | None
    unusable: int = 0


class Source(Protocol):
    """Where pictures are collected from."""

    @property
    def name(self) -> str:
        """What it is asked for by, and what its samples say they are from."""

    @property
    def label(self) -> str | None:
        """What its pictures are in the task authenticity; None: whoever asks says so."""

    @property
    def terms(self) -> str:
        """Where to read under which terms it may be used."""

    @property
    def licence_rule(self) -> str:
        """Which licences are taken, in a sentence for people."""

    @property
    def per_second(self) -> float:
        """Requests a second to its listing that suit it."""

    @property
    def pictures_per_second(self) -> float:
        """The same for its pictures."""

    @property
    def newest_first(self) -> bool:
        """Whether what is new stands at the top of its listing."""

    @property
    def key(self) -> str:
        """The setting that must hold a key; empty: none is needed."""

    def check_query(self, query: str) -> None:
        """Raise Unacceptable when it cannot be asked for this."""

    def pages(
        self, visitor: Visitor, settings: Settings, query: str, cursor: Mapping[str, Any] | None
    ) -> Iterator[Page]:
        """List pictures, from a cursor on."""

    def allows(self, listed: Listed) -> bool:
        """Whether the licence that was stated is one the rule takes."""

    def announce(self, visitor: Visitor, settings: Settings, listed: Listed) -> None:
        """Tell the source that a picture is about to be fetched, where its terms ask for it."""


class JsonApi:
    """What the sources with an API share: where it is, how it is asked, how it is read."""

    name: ClassVar[str]
    label: ClassVar[str | None]
    terms: ClassVar[str]
    licence_rule: ClassVar[str]
    address: ClassVar[str]
    per_second: ClassVar[float]
    pictures_per_second: ClassVar[float] = 4.0
    newest_first: ClassVar[bool] = True
    key: ClassVar[str] = ""

    def check_query(self, query: str) -> None:
        """Any words will do."""

    def announce(self, visitor: Visitor, settings: Settings, listed: Listed) -> None:
        """Nothing is asked for."""

    def headers(self, settings: Settings) -> dict[str, str]:
        """What goes with each request beside the usual."""
        return {}

    def base(self, settings: Settings) -> str:
        """Where the API is reached: its own address, or the one the settings give."""
        return settings.source_addresses.get(self.name, self.address).rstrip("/")

    def ask(
        self, visitor: Visitor, settings: Settings, path: str, asked: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The API's answer, a JSON object.

        Raises
        ------
        Unavailable
            It cannot be reached, asks to be left alone for longer than we wait, answers with an
            error, or with something else than that.
        """
        url = f"{self.base(settings)}{path}?{urlencode(asked)}"
        for _ in range(1 + ASKED_AGAIN):
            found = self._read(self.get(visitor, settings, url))
            if isinstance(found, dict):
                return found
            if isinstance(found, list):
                return {"results": found}
        raise Unavailable(f"{self.name} answered with something that is not its API's JSON.")

    def get(self, visitor: Visitor, settings: Settings, url: str) -> Answer:
        """One request to the API.

        Raises
        ------
        Unavailable
            As `ask`.
        """
        try:
            return visitor.get(
                url,
                per_second=self.per_second,
                headers=self.headers(settings),
                accept="application/json",
                api=True,
                max_bytes=API_BYTES,
            )
        except FetchRefused as refused:
            cannot = Declined if declined(refused) else Unavailable
            if refused.detail.get("status") in (401, 403) and self.key:
                raise cannot(
                    f"{self.name}: {refused.message} The key in {self.key.upper()} is not "
                    "accepted, or has no requests left for now."
                ) from refused
            raise cannot(f"{self.name}: {refused.message}") from refused

    @staticmethod
    def _read(answer: Answer) -> Any:
        try:
            return json.loads(answer.data)
        except (ValueError, RecursionError):
            return None

    def entries(self, found: Mapping[str, Any], name: str) -> list[Any]:
        """The list an answer must have.

        Raises
        ------
        Unavailable
            It has none.
        """
        listed = found.get(name)
        if not isinstance(listed, list):
            raise Declined(f"{self.name} answered without the list {name!r} its API has.")
        return listed


class Declined(Unavailable):
    """A source answered, but not with what was asked for: another question may do."""


def declined(error: ExposrError) -> bool:
    """Whether what was asked for is at fault, not that it was asked just now."""
    if isinstance(error, FetchRefused):
        status = error.detail.get("status", 0)
        return error.reason in FOR_GOOD or 400 <= status < 500
    return isinstance(error, Declined)


def page_of(listed: list[Listed | None], cursor: Mapping[str, Any] | None) -> Page:
    """A page of what could be read; the rest is counted."""
    items = tuple(each for each in listed if each is not None)
    return Page(items, cursor, unusable=len(listed) - len(items))


def text(entry: Any, *path: str, longest: int = LONGEST) -> str:
    """The words at a place inside an answer, on one line; empty where there are none.

    They come without what no database, address or terminal takes: halves of surrogate pairs and
    control characters.
    """
    for name in path:
        entry = entry.get(name) if isinstance(entry, dict) else None
    if isinstance(entry, bool) or not isinstance(entry, str | int | float):
        return ""
    return " ".join(UNSAYABLE.sub("", " ".join(str(entry).split())).split())[:longest]


def link(entry: Any, *path: str) -> str:
    """The web address at a place inside an answer; empty where there is none."""
    for name in path:
        entry = entry.get(name) if isinstance(entry, dict) else None
    return entry.strip() if isinstance(entry, str) and is_fetchable(entry.strip()) else ""


def token(entry: Any, *path: str) -> str:
    """What an API wants back as it gave it; empty where it is too long or cannot be sent."""
    for name in path:
        entry = entry.get(name) if isinstance(entry, dict) else None
    if isinstance(entry, bool) or not isinstance(entry, str | int):
        return ""
    said = str(entry)
    return "" if len(said) > LONGEST_TOKEN or UNSAYABLE.search(said) else said


def is_web(url: str) -> bool:
    """Whether it is a whole http(s) address."""
    try:
        parts = urlsplit(url)
        return parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def is_fetchable(url: str) -> bool:
    """Whether it is such an address in plain form, and holds no name or password."""
    return is_web(url) and not UNSAYABLE.search(url) and "@" not in urlsplit(url).netloc


def number(entry: Any, *path: str) -> int:
    """The whole number at a place inside an answer; 0 where there is none."""
    for name in path:
        entry = entry.get(name) if isinstance(entry, dict) else None
    return entry if isinstance(entry, int) and not isinstance(entry, bool) else 0


def page_number(cursor: Mapping[str, Any] | None) -> int:
    """Of a cursor that counts pages: which is next."""
    return max(1, number(dict(cursor or {}), "page"))


def unacceptable_query(source: str, query: str, allowed: str) -> Unacceptable:
    """The error for what a source cannot be asked for."""
    return Unacceptable("query", query, f"for {source}: {allowed}")
