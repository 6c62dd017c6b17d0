from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from config import Settings, load_settings
from domain import ExposrError, FetchRefused, Unacceptable, Unavailable
from scraper.arguments import SIDES
from scraper.manners import Visitor
from scraper.sources import SOURCES, Listed, Page, source_named
from scraper.sources.gallery import base_of, next_page, parsed, pictures, reserved
from tests.scraper.apis import APIS, Fault, Site, serving_apis

WITH_API = [name for name in APIS if name != "page"]
PAGED = [name for name in WITH_API if name not in ("lexica", "unsplash")]


@pytest.fixture
def site() -> Iterator[Site]:
    with serving_apis(page_size=10) as served:
        yield served


@pytest.fixture
def settings(site: Site) -> Settings:
    return load_settings(_env_file=None, **site.settings)


def list_pages(
    settings: Settings, name: str, query: str = "", cursor: Mapping[str, Any] | None = None
) -> Iterator[Page]:
    with Visitor(settings) as visitor:
        yield from source_named(name).pages(visitor, settings, query, cursor)


def list_all(settings: Settings, name: str, query: str = "") -> list[Listed]:
    return [listed for page in list_pages(settings, name, query) for listed in page.items]


def first(site: Site, settings: Settings, name: str, **facts: Any) -> Listed:
    site.add(name, 1, facts=facts)
    return list_all(settings, name)[0]


@pytest.mark.parametrize("name", WITH_API)
def test_every_picture_of_every_page_is_listed_once_the_newest_first(
    site: Site, settings: Settings, name: str
) -> None:
    site.add(name, 35)
    listed = list_all(settings, name)
    assert [each.url for each in listed] == [site.url(one) for one in site.shown(name)]
    assert len({each.key for each in listed}) == 35
    assert all(SOURCES[name].allows(each) and not each.unwanted for each in listed)
    assert all(each.page_url.startswith("https://") for each in listed)


@pytest.mark.parametrize("name", [*PAGED, "unsplash"])
def test_a_cursor_goes_on_with_the_next_page(site: Site, settings: Settings, name: str) -> None:
    site.add(name, 70)
    pages = list(list_pages(settings, name))
    assert len(pages) > 1 and pages[-1].cursor is None
    kept = json.loads(json.dumps(pages[0].cursor))
    going_on = [each for page in list_pages(settings, name, "", kept) for each in page.items]
    assert going_on == [each for page in pages[1:] for each in page.items]


@pytest.mark.parametrize("name", WITH_API)
def test_nothing_shown_is_an_empty_listing(settings: Settings, name: str) -> None:
    assert list_all(settings, name) == []


@pytest.mark.parametrize(
    ("name", "author", "licence"),
    [
        ("civitai", "maker1", "none stated (https://civitai.com/content/tos)"),
        ("lexica", "", "Lexica's terms (https://lexica.art/terms)"),
        (
            "commons",
            "Ann & Bo 1",
            "CC BY-SA 4.0 (https://creativecommons.org/licenses/by-sa/4.0)",
        ),
        (
            "openverse",
            "Ann",
            "CC BY 2.0 (https://creativecommons.org/licenses/by/2.0/)",
        ),
        ("unsplash", "Ann", "Unsplash License (https://unsplash.com/license)"),
        ("pexels", "Ann", "Pexels License (https://www.pexels.com/license/)"),
    ],
)
def test_licence_and_author_are_kept_as_stated(
    site: Site, settings: Settings, name: str, author: str, licence: str
) -> None:
    listed = first(site, settings, name)
    assert (listed.author, listed.license) == (author, licence)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("openverse", {"license": None}),
        ("openverse", {"license": "by-nc"}),
        ("openverse", {"license": "by-nd"}),
        ("openverse", {"license": "by-nc-sa", "license_version": "4.0"}),
        ("openverse", {"license": "sampling+"}),
        ("openverse", {"license": 7}),
        ("unsplash", {"plus": True}),
        ("unsplash", {"premium": True}),
        ("commons", {"extmetadata": {"LicenseShortName": None}}),
        ("commons", {"extmetadata": {"LicenseShortName": ""}}),
        ("commons", {"extmetadata": {"LicenseShortName": "CC BY-NC-SA 4.0"}}),
        ("commons", {"extmetadata": {"LicenseShortName": "CC BY-ND 2.0"}}),
        ("commons", {"extmetadata": {"LicenseShortName": "Fair use"}}),
        ("commons-ai", {"extmetadata": {"LicenseShortName": None}}),
    ],
)
def test_a_licence_the_rule_does_not_take_is_refused(
    site: Site, settings: Settings, name: str, facts: dict[str, Any]
) -> None:
    assert not SOURCES[name].allows(first(site, settings, name, **facts))


@pytest.mark.parametrize(
    "words",
    [
        "CC0",
        "Public domain",
        "CC BY 4.0",
        "CC BY-SA 3.0",
        "CC BY-SA 3.0 de",
        "CC BY 2.5 scotland",
        "cc by-sa 4.0",
        "CC BY-SA 4.0,3.0,2.5,2.0,1.0",
        "PD-algorithm",
        "PD-old-70",
        "GFDL",
        "FAL",
    ],
)
def test_the_free_licences_of_commons_are_taken(site: Site, settings: Settings, words: str) -> None:
    said = {"LicenseShortName": words}
    assert SOURCES["commons"].allows(first(site, settings, "commons", extmetadata=said))


@pytest.mark.parametrize(
    "words",
    [
        "CC BY 4.0 NonCommercial",
        "CC BY 4.0-NonCommercial",
        "CC BY 4.0 NC",
        "CC BY-SA 4.0\u00a0NC",
        "cc by 4.0 no derivatives",
        "CC BY 4.0 with additional terms: no AI training",
        "CC BY NC",
        "CC BY noncommercial",
        "CC BY",
        "CC BY-SA 4.0 (http://creativecommons.org/licenses/by-nc-sa/4.0/)",
        "CC BY 4.0 (see the page)",
        "CC0 in part",
        "Public domain in the US only, non-free elsewhere",
        "Public domain dedication revoked",
        "PD Not",
        "GFDL or none",
        "Falsified",
    ],
)
def test_words_that_take_back_what_a_licence_gives_are_heard(words: str) -> None:
    for name in ("commons", "commons-ai", "openverse"):
        assert not SOURCES[name].allows(Listed("k", "https://x.example/y", "", words, ""))


@pytest.mark.parametrize(
    "words", ["CC BY 4.0", "CC BY-SA 2.0", "CC0 1.0", "Public Domain Mark 1.0"]
)
def test_the_licences_that_openverse_is_asked_for_are_taken(words: str) -> None:
    for stated in (words, f"{words} (https://creativecommons.org/licenses/by/2.0/)"):
        assert SOURCES["openverse"].allows(Listed("k", "https://x.example/y", "", stated, ""))


@pytest.mark.parametrize(
    ("name", "facts", "words"),
    [
        ("civitai", {"type": "video"}, "video"),
        ("civitai", {"nsfwLevel": "X"}, "everybody"),
        ("civitai", {"nsfw": True}, "everybody"),
        ("civitai", {"browsingLevel": 4}, "everybody"),
        ("lexica", {"nsfw": True}, "everybody"),
        ("lexica", {"grid": True}, "several"),
        ("openverse", {"mature": True}, "everybody"),
        ("openverse", {"unstable__sensitivity": ["sensitive_text"]}, "everybody"),
        ("openverse", {"tags": [{"name": "Midjourney"}]}, "generated"),
        ("commons", {"imageinfo": {"mime": "image/svg+xml"}}, "svg"),
        ("commons", {"imageinfo": {"mime": "video/webm"}}, "webm"),
        ("commons", {"extmetadata": {"NonFree": "true"}}, "free"),
        ("commons", {"extmetadata": {"Categories": "Trees|AI-generated images"}}, "generated"),
    ],
)
def test_what_the_source_itself_rules_out_is_unwanted(
    site: Site, settings: Settings, name: str, facts: dict[str, Any], words: str
) -> None:
    assert words in first(site, settings, name, **facts).unwanted


def test_a_file_too_large_to_open_is_taken_as_its_rendition(site: Site, settings: Settings) -> None:
    small = "https://upload.example/1920px-x.png"
    info = {"thumburl": small, "size": settings.max_image_bytes + 1}
    assert first(site, settings, "commons", imageinfo=info).url == small
    info = {"thumburl": small, "width": 9000, "height": 9000}
    assert first(site, settings, "commons", imageinfo=info).url == small


def test_only_subcategories_of_generated_images_are_looked_into(
    site: Site, settings: Settings
) -> None:
    site.add("commons-ai", 25)
    list_all(settings, "commons-ai")
    looked = [asked.query["gcmtitle"] for asked in site.asked]
    assert set(looked) == {
        "Category:AI-generated images",
        "Category:AI-generated images of cats",
    }


def test_commons_takes_a_page_of_each_category_in_turn(site: Site, settings: Settings) -> None:
    site.add("commons", 30)
    list_all(settings, "commons")
    looked = [asked.query["gcmtitle"].removeprefix("Category:") for asked in site.asked]
    good, featured = "Quality images", "Featured pictures on Wikimedia Commons"
    assert looked == [good, featured, good, good]


def test_files_that_commons_fills_in_later_are_not_lost(site: Site, settings: Settings) -> None:
    site.add("commons", 1)
    empty = {"pageid": 9, "ns": 6, "title": "File:Later.png"}
    answer = {"query": {"pages": [empty]}, "continue": {"iistart": "1", "continue": "||"}}
    site.fail("commons", Fault(body=json.dumps(answer).encode()))
    pages = list(list_pages(settings, "commons"))
    assert [page.unusable for page in pages] == [0] * len(pages)
    assert len([each for page in pages for each in page.items]) == 1
    assert [asked.query["iistart"] for asked in site.asked if "iistart" in asked.query] == ["1"]


# --- asking ---


@pytest.mark.parametrize("name", WITH_API)
def test_words_are_searched_for(site: Site, settings: Settings, name: str) -> None:
    query = "user:ann" if name == "civitai" else "old lighthouse & sea"
    site.add(name, 12)
    assert len(list_all(settings, name, query)) == 12
    said = [value for asked in site.asked for value in asked.query.values()]
    assert any(query.removeprefix("user:") in value for value in said)


def test_a_civitai_filter_is_asked_for_by_its_parameter(site: Site, settings: Settings) -> None:
    list_all(settings, "civitai", "model:42")
    asked = site.asked[0].query
    assert (asked["modelId"], asked["sort"], asked["nsfw"]) == ("42", "Newest", "None")


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("civitai", "cats"),
        ("civitai", "user:"),
        ("lexica", "https://example.org/x.png"),
        ("page", "ftp://example.org"),
        ("page", ""),
    ],
)
def test_what_a_source_cannot_be_asked_for_is_said(name: str, query: str) -> None:
    with pytest.raises(Unacceptable) as caught:
        SOURCES[name].check_query(query)
    assert caught.value.detail["field"] == "query" and name in caught.value.message


def test_keys_go_to_their_api_and_nowhere_else(site: Site, settings: Settings) -> None:
    site.add("pexels", 25)
    settings = settings.model_copy(update={"civitai_key": "civitai-key"})
    for name in WITH_API:
        list_all(settings, name)
    for asked in site.asked:
        name = asked.path.split("/")[1]
        sent = asked.headers.get("authorization")
        expected = {
            "unsplash": "Client-ID unsplash-key",
            "pexels": "pexels-key",
            "civitai": "Bearer civitai-key",
        }
        assert sent == expected.get(name)


def test_a_wrong_key_is_said_by_its_setting(settings: Settings) -> None:
    settings = settings.model_copy(update={"pexels_key": "wrong"})
    with pytest.raises(Unavailable, match="PEXELS_KEY"):
        list_all(settings, "pexels")


def test_unsplash_is_told_of_each_download(site: Site, settings: Settings) -> None:
    listed = first(site, settings, "unsplash")
    with Visitor(settings) as visitor:
        SOURCES["unsplash"].announce(visitor, settings, listed)
    assert site.asked[-1].path == f"/unsplash/photos/{listed.key}/download"
    assert site.asked[-1].status == 200


def test_the_unsplash_key_is_sent_to_no_other_host(site: Site, settings: Settings) -> None:
    away = {"links": {"download_location": f"http://localhost:{site.port}/unsplash/x/download"}}
    listed = first(site, settings, "unsplash", **away)
    before = len(site.asked)
    with Visitor(settings) as visitor, pytest.raises(Unavailable):
        SOURCES["unsplash"].announce(visitor, settings, listed)
    assert len(site.asked) == before


# --- answers that are none ---

HTML = Fault(body=b"<html><body>We are down for maintenance.</body></html>")


@pytest.mark.parametrize("name", WITH_API)
@pytest.mark.parametrize(
    "fault", [HTML, Fault(cut=True), Fault(body=b"")], ids=["html", "cut", "empty"]
)
def test_an_answer_that_is_no_json_is_asked_for_again(
    site: Site, settings: Settings, name: str, fault: Fault
) -> None:
    site.add(name, 3)
    site.fail(name, fault)
    assert len(list_all(settings, name)) == 3


@pytest.mark.parametrize("name", WITH_API)
@pytest.mark.parametrize(
    "body",
    [
        b"<html>no</html>",
        b"null",
        b"7",
        b"{}",
        b'{"items":{},"images":"x","results":null,"photos":1,"query":{"pages":{}}}',
        b'{"error":{"code":"internal","info":"broken"}}',
        b"[" * 100_000,
        b"\xff\xfe\x00",
    ],
)
def test_an_api_that_speaks_otherwise_is_said_to(
    site: Site, settings: Settings, name: str, body: bytes
) -> None:
    site.fail(name, *[Fault(body=body)] * 3)
    with pytest.raises(Unavailable, match=name):
        list_all(settings, name)


@pytest.mark.parametrize("name", WITH_API)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_an_api_s_refusal_is_said(site: Site, settings: Settings, name: str, status: int) -> None:
    site.fail(name, Fault(status=status, body=b"<html>no</html>"))
    with pytest.raises(Unavailable, match=f"{name}.*{status}"):
        list_all(settings, name)


@pytest.mark.parametrize("name", WITH_API)
def test_retry_after_is_waited_for(site: Site, settings: Settings, name: str) -> None:
    site.add(name, 3)
    site.fail(name, Fault(status=429, headers={"Retry-After": "1"}))
    assert len(list_all(settings, name)) == 3
    refused, answered = site.asked[:2]
    assert (refused.status, answered.status) == (429, 200)
    assert answered.at - refused.at >= 0.9


@pytest.mark.parametrize("name", WITH_API)
def test_an_entry_without_what_fetching_needs_is_counted_and_passed_over(
    site: Site, settings: Settings, name: str
) -> None:
    site.add(name, 2)
    gone: dict[str, Any] = {"url": None, "src": None, "srcSmall": None, "urls": None}
    site.add(name, 1, facts={**gone, "imageinfo": {"url": None}})
    pages = list(list_pages(settings, name))
    assert sum(len(page.items) for page in pages) == 2
    assert sum(page.unusable for page in pages) == 1


@pytest.mark.parametrize("name", WITH_API)
def test_no_shape_of_an_answer_breaks_the_reading(
    site: Site, settings: Settings, name: str
) -> None:
    """Every value of a true answer in turn becomes something else; only our errors are raised."""
    chance = random.Random(7)  # noqa: S311  no secret
    site.add(name, 2)
    list_all(settings, name)
    with Visitor(settings) as visitor:
        true = json.loads(visitor.get(_listing(site, name), headers=_own(site, name)).data)
    others: list[Any] = [None, 0, -1, True, "", "x" * 1000, [], {}, [[]], [None], {"a": []}, 1e300]
    for path in _paths(true):
        site.fail(name, Fault(body=json.dumps(_with(true, path, chance.choice(others))).encode()))
        try:
            for page in list_pages(settings, name):
                for listed in page.items:
                    assert isinstance(listed.key, str) and listed.url.startswith("http")
                    SOURCES[name].allows(listed)
        except ExposrError:
            pass


def _listing(site: Site, name: str) -> str:
    asked = next(asked for asked in site.asked if asked.path.startswith(f"/{name}/"))
    words = "&".join(f"{key}={value}" for key, value in asked.query.items())
    return f"{site.host}{asked.path}?{words.replace('|', '%7C').replace(' ', '%20')}"


def _own(site: Site, name: str) -> dict[str, str]:
    asked = next(asked for asked in site.asked if asked.path.startswith(f"/{name}/"))
    sent = asked.headers.get("authorization")
    return {"Authorization": sent} if sent else {}


def _paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if here:
        yield here
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*here, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _paths(inner, (*here, place))


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _with(value[path[0]], path[1:], new)
    return copy


# --- the table of sources ---


def test_the_command_line_knows_the_sources() -> None:
    assert {side: [name for name in SOURCES if SOURCES[name].label == side] for side in SIDES} == {
        side: list(names) for side, names in SIDES.items()
    }
    assert {*SIDES["ai"], *SIDES["real"], "page"} == set(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_says_its_terms_and_its_rule(name: str) -> None:
    source = SOURCES[name]
    assert source.name == name
    assert source.terms.startswith("https://") or name == "page"
    assert source.licence_rule.endswith(".")
    assert source.per_second > 0 and source.pictures_per_second > 0
    assert not source.allows(Listed("k", "https://x.example/y", "", license="", author=""))


# --- addresses ---


@pytest.mark.parametrize("url", ["http://ann:secret@x.example/a.png", "http://x.example/\ud800"])
@pytest.mark.parametrize("name", ["civitai", "lexica", "pexels"])
def test_addresses_with_passwords_or_broken_letters_are_not_listed(
    site: Site, settings: Settings, name: str, url: str
) -> None:
    there: dict[str, Any] = {"url": url, "src": url, "srcSmall": url}
    if name == "pexels":
        there = {"src": {"original": url}}
    site.add(name, 1, facts=there)
    (page,) = list_pages(settings, name)
    assert (page.items, page.unusable) == ((), 1)


def test_no_password_of_a_gallery_is_kept_or_shown(site: Site, settings: Settings) -> None:
    with pytest.raises(Unacceptable) as caught:
        SOURCES["page"].check_query("https://ann:secret@x.example/a")
    assert "secret" not in caught.value.message
    assert found('<img src="//ann:secret@x.example/a.png"><img src="/b.png">') == [
        "https://art.example/b.png"
    ]


# --- galleries ---

HERE = "https://art.example/shows/spring.html"


def found(html: str) -> list[str]:
    soup = parsed(html.encode())
    return pictures(soup, base_of(soup, HERE))


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<img src="a.png">', ["https://art.example/shows/a.png"]),
        ('<img src=" /a.png#top ">', ["https://art.example/a.png"]),
        ('<base href="//cdn.example/x/"><img src="a.png">', ["https://cdn.example/x/a.png"]),
        (
            '<img data-src="b.jpg" src="data:image/gif;base64,AA">',
            ["https://art.example/shows/b.jpg"],
        ),
        ('<img data-original="/full.jpg" src="/thumb.jpg">', ["https://art.example/full.jpg"]),
        (
            '<img src="/s.jpg" srcset="/s.jpg 320w, /l,1.jpg 1600w,/m.jpg 800w">',
            ["https://art.example/l,1.jpg"],
        ),
        ('<img src="/1.jpg" srcset="/1.jpg, /2.jpg 2x">', ["https://art.example/2.jpg"]),
        (
            '<picture><source srcset="/p.webp 900w"><img src="/p.jpg"></picture>',
            ["https://art.example/p.webp"],
        ),
        (
            '<a href="/full.jpeg?x=1"><img src="/thumb.jpg"></a>',
            ["https://art.example/full.jpeg?x=1"],
        ),
        ('<a href="/page.html"><img src="/thumb.jpg"></a>', ["https://art.example/thumb.jpg"]),
        ('<a href="/only.webp">see it</a>', ["https://art.example/only.webp"]),
        ('<noscript><img src="/late.jpg"></noscript>', ["https://art.example/late.jpg"]),
        ('<img src="/a.png"><img src="/a.png">', ["https://art.example/a.png"]),
        ('<img src="/icon.png" width="16" height="16">', []),
        ('<img src="/icon.png" width="32px">', []),
        ('<img src="/logo.svg">', []),
        ('<img src="data:image/png;base64,AAAA">', []),
        ('<img src="javascript:alert(1)"><img src="file:///etc/passwd">', []),
        ('<img src="http://[broken">', []),
        ("<img><img src=''><a>x</a>", []),
        ('<img alt="5 > 3" src="/a.png">', ["https://art.example/a.png"]),
        ("<IMG SRC=/a.png>", ["https://art.example/a.png"]),
        ('<!-- <img src="/old.png"> --><img src="/a.png">', ["https://art.example/a.png"]),
        ("<script>s = '<img src=\"/js.png\">';</script>", []),
        (
            '<a href="/1.png">1<a href="/x.html"><img src="/2.png">',
            [f"https://art.example/{n}.png" for n in (1, 2)],
        ),
        ("<p>no pictures</p>", []),
    ],
)
def test_a_page_s_pictures_are_found_however_it_shows_them(html: str, expected: list[str]) -> None:
    assert found(html) == expected


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        ('<meta name="robots" content="noai">', True),
        ('<META NAME="Robots" CONTENT="index, NoImageAI">', True),
        ('<meta name="exposr" content="noai, noimageai">', True),
        ('<meta name="tdm-reservation" content="1">', True),
        ('<meta name="robots" content="noai" data-x="a<b">', True),
        ('<meta data-x="a<b>c" name="robots" content="noai">', True),
        ("<meta name=robots content=noai title=it's>", True),
        ("<meta name='robots' content='noai' title='x\"y'>", True),
        ('<meta property="robots" content="noai">', True),
        ('<meta name="robots" content="noai; noimageai">', True),
        ('<meta name="robots" content="index noai">', True),
        ('<meta content="noai" name="robots"/>', True),
        ('<meta/name="robots"/content="noai"/>', True),
        ('<meta name="robots" content="no&#97;i">', True),
        ('<!-- <meta name="robots" content="noai"> -->', True),
        ('<noscript><meta name="robots" content="noai"></noscript>', True),
        ('<meta name="robots" content="index"><meta name="keywords" content="noai">', False),
        ('<metadata name="robots" content="noai">', False),
        ('<meta name="robots" content="index, follow">', False),
        ('<meta name="googlebot" content="noai">', False),
        ('<meta name="tdm-reservation" content="0">', False),
        ('<meta name="description" content="noai">', False),
        ("", False),
    ],
)
def test_pages_that_keep_their_pictures_from_ai_are_heard(head: str, kept: bool) -> None:
    page = f"<html><head>{head}</head><p>of noai</p></html>".encode()
    assert reserved(page, "exposr") is kept


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<a rel="next" href="?page=2">', "https://art.example/shows/spring.html?page=2"),
        ('<link rel="prefetch next" href="/2">', "https://art.example/2"),
        ('<a rel="next" href="https://elsewhere.example/2">', ""),
        ('<a rel="prev" href="/0">', ""),
        ('<a rel="next">', ""),
    ],
)
def test_the_next_page_is_one_on_the_same_host(html: str, expected: str) -> None:
    soup = parsed(html.encode())
    assert next_page(soup, HERE, HERE) == expected


def test_a_gallery_is_followed_from_page_to_page(site: Site, settings: Settings) -> None:
    site.add("page", 25)
    listed = list_all(settings, "page", site.address("page"))
    assert [each.url for each in listed] == [site.url(one) for one in site.shown("page")]
    assert all(each.license == "" for each in listed)


def test_a_gallery_that_leads_in_circles_ends(site: Site, settings: Settings) -> None:
    site.head = '<link rel="next" href="/page/gallery.html">'
    site.add("page", 3)
    assert len(list_all(settings, "page", site.address("page"))) == 3


def test_a_gallery_of_one_page_is_read_again_only_when_it_changed(
    site: Site, settings: Settings
) -> None:
    site.add("page", 3)
    url = site.address("page")
    cursor = [*list_pages(settings, "page", url)][-1].cursor
    assert list(list_pages(settings, "page", url, cursor)) == []
    site.add("page", 1)
    assert [len(page.items) for page in list_pages(settings, "page", url, cursor)] == [4]


def test_a_gallery_with_noai_gives_nothing(site: Site, settings: Settings) -> None:
    site.head = '<meta name="robots" content="noai">'
    site.add("page", 3)
    with pytest.raises(FetchRefused) as caught:
        list_all(settings, "page", site.address("page"))
    assert caught.value.reason == "noai"


def test_a_gallery_that_robots_txt_keeps_is_not_read(site: Site, settings: Settings) -> None:
    site.robots = "User-agent: *\nDisallow: /page/\n"
    with pytest.raises(FetchRefused) as caught:
        list_all(settings, "page", site.address("page"))
    assert caught.value.reason == "robots"
    assert [asked.path for asked in site.asked] == ["/robots.txt"]


@pytest.mark.parametrize(
    "piece",
    [b"<", b"<!--", b"<!-- >", b"<div>", b"<script>", b"<a ", b'<img src="', b'<img src="">',
     b'<a href="x.png">', b"<picture><noscript>", b"&", b"\x00\xff", b'<meta name="robots">',
     b"<![CDATA[", b"<meta ", b"<meta a='", b'<meta a="b" ', b"<meta " + b"a=" * 99],
)  # fmt: skip
def test_no_page_breaks_or_holds_up_the_reading(
    site: Site, settings: Settings, piece: bytes
) -> None:
    site.fail("page", Fault(body=piece * (2_000_000 // len(piece))))
    # seconds at most; where reading is quadratic this would not end today
    list_all(settings, "page", site.address("page"))
