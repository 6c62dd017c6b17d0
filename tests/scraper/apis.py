"""One server that speaks the API of every source, as each documents it, and can misbehave.

    with serving_apis() as site:
        site.add("civitai", 30, look="ai")          # newest pictures come first
        settings = settings.model_copy(update=site.settings)
        crawl(collection, CrawlRequest("civitai", count=20))
        site.add("civitai", 5, look="ai")           # what a later run finds

`site.address(name)` is what SOURCE_ADDRESSES needs, or the gallery's URL for `page`. `add` takes
`private` (robots.txt keeps it), `noai` (its header does), `status` (its file is not there) and
`facts` that replace what the API says of it (None: left out). `fail` lets the next listings, or
with `pictures=True` the next files, go wrong. `asked` is all that was asked for, in order.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np

from tests.pictures import encode, photo

KEYS = {"unsplash_key": "unsplash-key", "pexels_key": "pexels-key"}
LICENCES: dict[str, Mapping[str, Any]] = {
    "commons": {"LicenseShortName": "CC BY-SA 4.0"},
    "commons-ai": {"LicenseShortName": "Public domain"},
    "openverse": {"license": "by", "license_version": "2.0"},
}


def picture(look: str, seed: int, side: int = 96) -> bytes:
    """A PNG that shows its look in its pixels alone: `ai` has a regular fine weave, `real` grain.

    Both are of the same size and format, so that nothing but the content tells them apart.
    """
    base = photo(seed, side, side).astype(np.int16)
    if look == "ai":
        rows, columns = np.indices((side, side))
        base = base + (((rows // 2 + columns // 2) % 2) * 24 - 12)[:, :, None]
    else:
        grain = np.random.default_rng(seed + 1).normal(0, 9, (side, side, 1))
        base = base + grain.astype(np.int16)
    return encode(np.clip(base, 0, 255).astype(np.uint8), "PNG")


@dataclass(frozen=True)
class Fault:
    """What is answered in the place of what was asked for."""

    status: int = 200
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    """The true answer, but only its first half."""


@dataclass(frozen=True)
class Shown:
    """One picture of a source."""

    source: str
    number: int
    data: bytes
    path: str
    facts: Mapping[str, Any]
    noai: bool
    status: int

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.data).hexdigest()[:16]}"'


@dataclass(frozen=True)
class Asked:
    """One request, and the status it was answered with."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    status: int
    at: float


class Site:
    """Every source behind one address."""

    def __init__(self, delay: float, page_size: int) -> None:
        self.port = 0
        self.delay = delay
        self.page_size = page_size
        self.asked: list[Asked] = []
        self.robots = "User-agent: *\nDisallow: /pictures/private/\n"
        self.head = ""
        """What the gallery's pages have in their <head>."""
        self._shown: dict[str, list[Shown]] = {}
        self._faults: dict[tuple[str, bool], deque[Fault]] = {}
        self._made = 0
        self._lock = threading.Lock()

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def address(self, source: str) -> str:
        """Where a source's API is; of `page`, the gallery itself."""
        return f"{self.host}/{source}" + ("/gallery.html" if source == "page" else "")

    @property
    def settings(self) -> dict[str, Any]:
        """What settings must have so that the sources are reached here, at full speed."""
        return {
            "source_addresses": {name: self.address(name) for name in APIS if name != "page"},
            "fetch_allowed_networks": ("127.0.0.0/8",),
            "fetch_ports": (self.port,),
            "crawl_per_second": 0.0,
            **KEYS,
        }

    def add(
        self,
        source: str,
        pictures: int | Sequence[bytes] = 1,
        *,
        look: str = "real",
        private: bool = False,
        noai: bool = False,
        status: int = 200,
        facts: Mapping[str, Any] | None = None,
    ) -> list[Shown]:
        """Show more pictures: made ones of a look, or these files. The newest stand first."""
        added = []
        for data in [None] * pictures if isinstance(pictures, int) else pictures:
            number = self._next()
            data = picture(look, 10_000 + number) if data is None else data
            folder = "private/" if private else ""
            path = f"/pictures/{folder}{source}/{number}.png"
            added.append(Shown(source, number, data, path, facts or {}, noai, status))
        with self._lock:
            self._shown[source] = [*reversed(added), *self._shown.get(source, [])]
        return added

    def _next(self) -> int:
        with self._lock:
            self._made += 1
            return self._made

    def change(self, shown: Shown, data: bytes) -> None:
        """Put another file in the place of one."""
        new = replace(shown, data=data, status=200)
        with self._lock:
            there = self._shown[shown.source]
            self._shown[shown.source] = [new if one.path == new.path else one for one in there]

    def fail(self, source: str, *faults: Fault, pictures: bool = False) -> None:
        """Let the next listings of a source go wrong, or its next pictures."""
        self._faults.setdefault((source, pictures), deque()).extend(faults)

    def fault(self, source: str, pictures: bool) -> Fault | None:
        waiting = self._faults.get((source, pictures))
        with self._lock:
            return waiting.popleft() if waiting else None

    def shown(self, source: str) -> list[Shown]:
        """What a source shows, the newest first."""
        return list(self._shown.get(source, []))

    def at(self, path: str) -> Shown | None:
        every = [one for shown in self._shown.values() for one in shown]
        return next((one for one in every if one.path == path), None)

    def url(self, one: Shown) -> str:
        """Where a picture's file is."""
        return self.host + one.path

    def fetched(self, source: str) -> list[str]:
        """The paths of a source's pictures that were asked for, in order."""
        return [asked.path for asked in self.asked if f"/{source}/" in asked.path[9:]]


class NotAllowed(Exception):
    """An API's own refusal, with its status."""


Query = Mapping[str, str]
Api = Callable[[Site, str, Query, Mapping[str, str]], Any]


def _part(site: Site, source: str, start: int, most: int) -> tuple[list[Shown], int]:
    """A page of what is shown from a place on, and where the next begins; 0 at the end."""
    shown = site.shown(source)
    end = start + min(most, site.page_size)
    return shown[start:end], end if end < len(shown) else 0


def _said(entry: dict[str, Any], one: Shown) -> dict[str, Any]:
    merged = {**entry, **one.facts}
    return {name: value for name, value in merged.items() if value is not None}


def civitai(site: Site, path: str, query: Query, headers: Mapping[str, str]) -> Any:
    if path != "/api/v1/images":
        raise NotAllowed(404)
    # the number of the last picture that was shown: new ones on top move nothing
    last = int(base64.b64decode(query["cursor"])) if "cursor" in query else None
    shown = site.shown("civitai")
    start = 1 + [one.number for one in shown].index(last) if last is not None else 0
    part, onward = _part(site, "civitai", start, int(query.get("limit", "50")))
    items = [
        _said(
            {
                "id": one.number,
                "url": site.url(one),
                "hash": "U8D]o8_3",
                "width": 96,
                "height": 96,
                "type": "image",
                "nsfw": False,
                "nsfwLevel": "None",
                "browsingLevel": 1,
                "createdAt": "2026-11-01T00:00:00.000Z",
                "postId": one.number + 1,
                "username": f"maker{one.number}",
                "meta": {"prompt": "a weave", "Model": "m"},
            },
            one,
        )
        for one in part
    ]
    if not onward:
        return {"items": items, "metadata": {}}
    cursor = base64.b64encode(str(part[-1].number).encode()).decode()
    following = f"https://civitai.com/api/v1/images?cursor={cursor}"
    return {"items": items, "metadata": {"nextCursor": cursor, "nextPage": following}}


def lexica(site: Site, path: str, query: Query, headers: Mapping[str, str]) -> Any:
    if path != "/api/v1/search" or not query.get("q"):
        raise NotAllowed(400)
    images = [
        _said(
            {
                "id": f"0482ee68-{one.number}",
                "gallery": f"https://lexica.art?q=0482ee68-{one.number}",
                "src": site.url(one),
                "srcSmall": site.url(one),
                "prompt": query["q"],
                "width": 96,
                "height": 96,
                "grid": False,
                "model": "stable-diffusion",
                "nsfw": False,
            },
            one,
        )
        for one in site.shown("lexica")[:50]
    ]
    return {"images": images}


def commons(site: Site, path: str, query: Query, headers: Mapping[str, str]) -> Any:
    if path != "/w/api.php" or query.get("action") != "query" or query["formatversion"] != "2":
        raise NotAllowed(400)
    source = "commons-ai" if "AI-generated" in str([*query.values()]) else "commons"
    name = "gcm" if query["generator"] == "categorymembers" else "gsr"
    if query.get("gcmtitle") not in (
        None,
        "Category:Quality images",
        "Category:AI-generated images",
    ):
        return {"batchcomplete": True}
    start = int(query.get(f"{name}continue", "0"))
    part, onward = _part(site, source, start, int(query[f"{name}limit"]))
    pages = [_file(site, one) for one in part]
    if source == "commons-ai" and name == "gcm" and not start:
        pages.append({"pageid": 1, "ns": 14, "title": "Category:AI-generated images of cats"})
        pages.append({"pageid": 2, "ns": 14, "title": "Category:Artists"})
    answer: dict[str, Any] = {"batchcomplete": True, "query": {"pages": pages}}
    if onward:
        answer["continue"] = {f"{name}continue": str(onward), "continue": f"{name}continue||"}
    return answer


def _file(site: Site, one: Shown) -> dict[str, Any]:
    title = f"File:Picture {one.number}.png"
    said = {
        "Artist": f'<a href="//commons.wikimedia.org/wiki/User:A">Ann &amp; Bo {one.number}</a>',
        "LicenseUrl": "https://creativecommons.org/licenses/by-sa/4.0",
        "Categories": "Quality images|Trees",
        **LICENCES[one.source],
        **one.facts.get("extmetadata", {}),
    }
    info = {
        "size": len(one.data),
        "width": 96,
        "height": 96,
        "thumburl": site.url(one),
        "url": site.url(one),
        "descriptionurl": f"https://commons.wikimedia.org/wiki/{title.replace(' ', '_')}",
        "mime": "image/png",
        "extmetadata": {
            key: {"value": value, "source": "commons-desc-page"}
            for key, value in said.items()
            if value is not None
        },
    }
    info.update(one.facts.get("imageinfo", {}))
    return {"pageid": one.number, "ns": 6, "title": title, "imageinfo": [info]}


def openverse(site: Site, path: str, query: Query, headers: Mapping[str, str]) -> Any:
    page, size = int(query.get("page", "1")), int(query["page_size"])
    if path != "/v1/images/" or size > 20 or page * size > 240:
        raise NotAllowed(401)
    size = min(size, site.page_size)
    shown = site.shown("openverse")
    results = [
        _said(
            {
                "id": f"8a5f-{one.number}",
                "title": f"Picture {one.number}",
                "foreign_landing_url": f"https://www.flickr.com/photos/x/{one.number}",
                "url": site.url(one),
                "creator": "Ann",
                **LICENCES["openverse"],
                "license_url": "https://creativecommons.org/licenses/by/2.0/",
                "provider": "flickr",
                "category": "photograph",
                "tags": [{"name": "tree"}],
                "mature": False,
                "unstable__sensitivity": [],
            },
            one,
        )
        for one in shown[(page - 1) * size : page * size]
    ]
    count = -(-len(shown) // size)
    said = {"result_count": len(shown), "page_count": count, "page_size": size, "page": page}
    return {**said, "results": results}


def unsplash(site: Site, path: str, query: Query, headers: Mapping[str, str]) -> Any:
    if headers.get("authorization") != f"Client-ID {KEYS['unsplash_key']}":
        raise NotAllowed(401)
    if path.endswith("/download"):
        return {"url": "https://images.unsplash.com/x"}
    size = min(int(query["per_page"]), 30)
    page = int(query["page"])
    shown = site.shown("unsplash")
    address = f"{site.address('unsplash')}/photos"
    photos = [
        _said(
            {
                "id": f"u{one.number}",
                "width": 96,
                "height": 96,
                "description": None,
                "alt_description": "a tree",
                "urls": {"full": site.url(one), "regular": site.url(one)},
                "links": {
                    "html": f"https://unsplash.com/photos/u{one.number}",
                    "download_location": f"{address}/u{one.number}/download",
                },
                "user": {"username": "ann", "name": "Ann"},
            },
            one,
        )
        for one in shown[(page - 1) * size : page * size]
    ]
    if path == "/photos":
        return photos
    if path != "/search/photos" or not query["query"]:
        raise NotAllowed(404)
    return {"total": len(shown), "total_pages": -(-len(shown) // size), "results": photos}


def pexels(site: Site, path: str, query: Query, headers: Mapping[str, str]) -> Any:
    if headers.get("authorization") != KEYS["pexels_key"]:
        raise NotAllowed(401)
    if path not in ("/v1/curated", "/v1/search") or (path == "/v1/search") != ("query" in query):
        raise NotAllowed(404)
    page, size = int(query["page"]), min(int(query["per_page"]), 80, site.page_size)
    shown = site.shown("pexels")
    photos = [
        _said(
            {
                "id": one.number,
                "width": 96,
                "height": 96,
                "url": f"https://www.pexels.com/photo/{one.number}/",
                "photographer": "Ann",
                "src": {"original": site.url(one), "large2x": site.url(one)},
                "alt": "a tree",
            },
            one,
        )
        for one in shown[(page - 1) * size : page * size]
    ]
    answer = {"page": page, "per_page": size, "photos": photos, "total_results": len(shown)}
    if page * size < len(shown):
        answer["next_page"] = f"https://api.pexels.com{path}/?page={page + 1}&per_page={size}"
    return answer


def gallery(site: Site, path: str, query: Query, headers: Mapping[str, str]) -> Any:
    """HTML with a picture in each of the ways that pages show them."""
    start = int(query.get("from", "0"))
    part, onward = _part(site, "page", start, 1000)
    ways = (
        '<img src="{0}">',
        '<img data-src="{0}" src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
        '<img srcset="/pictures/none.png 100w, {0} 900w" src="/pictures/none.png">',
        '<a href="{0}"><img src="/pictures/none.png"></a>',
    )
    shown = [ways[place % len(ways)].format(one.path) for place, one in enumerate(part)]
    following = f'<a rel="next" href="/page/gallery.html?from={onward}">more</a>' if onward else ""
    body = f"<html><head>{site.head}</head><body>{' '.join(shown)} {following}</body></html>"
    return body.encode()


APIS: dict[str, Api] = {
    "civitai": civitai,
    "lexica": lexica,
    "commons": commons,
    "commons-ai": commons,
    "openverse": openverse,
    "unsplash": unsplash,
    "pexels": pexels,
    "page": gallery,
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if self.site.delay:
            time.sleep(self.site.delay)
        status, body, more = self._answer(parts.path, query, headers)
        asked = Asked(parts.path, query, headers, status, time.monotonic())
        self.site.asked.append(asked)
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in {**more, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    def _answer(
        self, path: str, query: Query, headers: Mapping[str, str]
    ) -> tuple[int, bytes, Mapping[str, str]]:
        site = self.site
        if path == "/robots.txt":
            return 200, site.robots.encode(), {"Content-Type": "text/plain"}
        if path.startswith("/pictures/"):
            return self._picture(path, headers)
        source, _, rest = path[1:].partition("/")
        if source not in APIS:
            return 404, b"", {}
        fault = site.fault(source, pictures=False)
        if fault is not None and not fault.cut:
            return fault.status, fault.body or b"", fault.headers
        try:
            found = APIS[source](site, f"/{rest}", query, headers)
        except NotAllowed as refused:
            return int(str(refused)), b'{"errors":["not allowed"]}', {}
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        if source == "page":
            etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            if headers.get("if-none-match") == etag:
                return 304, b"", {"ETag": etag}
            return 200, body, {"Content-Type": "text/html", "ETag": etag}
        if fault is not None:
            body = body[: len(body) // 2]
        return 200, body, {"Content-Type": "application/json"}

    def _picture(
        self, path: str, headers: Mapping[str, str]
    ) -> tuple[int, bytes, Mapping[str, str]]:
        one = self.site.at(path)
        if one is None or one.status != 200:
            return (one.status if one else 404), b"", {}
        fault = self.site.fault(one.source, pictures=True)
        if fault is not None:
            body = one.data[: len(one.data) // 2] if fault.cut else fault.body or b""
            return fault.status, body, fault.headers
        if headers.get("if-none-match") == one.etag:
            return 304, b"", {"ETag": one.etag}
        more = {"Content-Type": "image/png", "ETag": one.etag}
        return 200, one.data, {**more, **({"X-Robots-Tag": "noai"} if one.noai else {})}

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up on a kept connection is no news."""


@contextlib.contextmanager
def serving_apis(*, delay: float = 0.0, page_size: int = 1000) -> Iterator[Site]:
    """The server, on a port of loopback; `page_size` is the most a listing gives at once."""
    site = Site(delay, page_size)
    handler = type("Handler", (_Handler,), {"site": site})
    with _Server(("127.0.0.1", 0), handler) as server:
        site.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
