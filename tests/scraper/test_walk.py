"""A listing that does not end, breaks, forgets its cursors, or had pictures that failed."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from config import Settings
from scraper import crawl as crawling
from scraper.crawl import FRUITLESS
from scraper.manners import Visitor
from scraper.place import MOST_AGAIN, TRIES, Again, Place
from scraper.sources import Listed, Page
from scraper.sources.lexica import Lexica
from scraper.walk import Broke, Walk
from storage import Store
from tests.scraper.apis import Fault, Site, picture, serving_apis
from tests.scraper.test_crawl import NOON, TASK, Desk, Opened, told


@pytest.fixture
def site() -> Iterator[Site]:
    with serving_apis(page_size=4) as served:
        yield served


@pytest.fixture
def desk(site: Site, settings: Settings, store: Store) -> Desk:
    return Desk(site, Opened(settings.model_copy(update=site.settings), store))


def answer(**said: Any) -> Fault:
    return Fault(body=json.dumps(said).encode())


def listings(desk: Desk, source: str) -> int:
    return sum(asked.path.startswith(f"/{source}/") for asked in desk.site.asked)


# --- listings that go on and on ---


@pytest.mark.parametrize("items", [[{}], [{"id": 1}], [None, 7]])
def test_a_listing_of_nothing_usable_ends(desk: Desk, items: list[Any]) -> None:
    pages = [answer(items=items, metadata={"nextCursor": f"c{n}"}) for n in range(200)]
    desk.site.fail("civitai", *pages)
    assert desk.collect("civitai").ended == crawling.NOTHING_KEPT
    assert listings(desk, "civitai") == FRUITLESS


@pytest.mark.parametrize(
    ("source", "page"),
    [
        ("civitai", answer(items=[{}], metadata={"nextCursor": "same"})),
        ("commons", answer(batchcomplete=True, **{"continue": {"gcmcontinue": "same"}})),
    ],
)
def test_a_listing_that_comes_back_to_where_it_was_is_at_its_end(
    desk: Desk, source: str, page: Fault
) -> None:
    desk.site.fail(source, *[page] * 200)
    assert desk.collect(source).ended == crawling.NO_MORE
    assert listings(desk, source) < 8
    assert desk.cursor(source) == {}


def test_galleries_that_name_a_next_page_for_ever_end(desk: Desk) -> None:
    pages = [f'<a rel=next href="?from={n}">more</a>'.encode() for n in range(1, 200)]
    desk.site.fail("page", *[Fault(body=page) for page in pages])
    assert desk.collect("page").ended == crawling.NOTHING_KEPT
    assert listings(desk, "page") == FRUITLESS


def test_pages_of_refused_pictures_end_also_while_one_picture_is_fetched(desk: Desk) -> None:
    desk.site.add("civitai", 400, facts={"nsfw": True})
    desk.site.add("civitai", 1)
    row = desk.collect("civitai")
    assert row.ended == crawling.NOTHING_KEPT and row.counts["kept"] == 1
    assert row.counts["listed"] < 400


# --- a kept cursor that is refused now ---


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=400),
        Fault(status=404),
        answer(error={"code": "badcontinue", "info": "Invalid continue param."}),
    ],
)
@pytest.mark.parametrize("source", ["commons", "civitai", "page"])
def test_a_cursor_that_is_refused_begins_the_listing_anew(
    desk: Desk, source: str, fault: Fault
) -> None:
    if source == "page" and fault.status == 200:
        pytest.skip("pages have no errors of their own")
    desk.site.add(source, 12)
    desk.collect(source, 5)
    desk.site.fail(source, fault)
    row = desk.collect(source)
    assert (row.ended, row.counts["kept"]) == (crawling.NO_MORE, 7)


def test_a_refusal_at_the_top_ends_the_crawl_and_keeps_the_place(desk: Desk) -> None:
    desk.site.add("civitai", 12)
    desk.collect("civitai", 5)
    place = desk.cursor("civitai")
    desk.site.fail("civitai", *[Fault(status=400)] * 2)
    row = desk.collect("civitai")
    assert row.ended is not None and "400" in row.ended
    assert desk.cursor("civitai") == place
    assert desk.collect("civitai").counts["kept"] == 7


@pytest.mark.parametrize(
    "kept",
    [
        {"continue": None, "categories": ["x"]},
        {"waiting": 1, "known": []},
        {"waiting": [{"category": "Category:X"}], "known": ["Category:X"]},
        {"waiting": [{"category": 5, "continue": None}], "known": []},
        {"waiting": [{"category": "Category:X", "continue": {"a": [1]}}], "known": []},
        {"waiting": [], "known": [None]},
        {"page": "x"},
        {"again": [1, {"at": 3}, {"at": None, "tries": "x"}, {"at": {"page": 2}, "tries": -1}]},
    ],
)
def test_a_cursor_of_another_shape_begins_the_listing_anew(
    desk: Desk, kept: Mapping[str, Any]
) -> None:
    desk.site.add("commons", 3)
    desk.store.crawls.move_cursor(TASK, "commons", "", kept, NOON)
    row = desk.collect("commons")
    assert (row.ended, row.counts["kept"]) == (crawling.NO_MORE, 3)


# --- listings that break ---


class Breaking(Lexica):
    """A source whose reading has a fault of its own."""

    def pages(self, *_: Any) -> Iterator[Page]:
        yield Page((), {"page": 2})
        raise KeyError("waiting")


def test_an_unforeseen_fault_of_a_listing_is_that_sources_own(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    settings = desk.opened.settings
    with Visitor(settings) as visitor:
        thread = ThreadPoolExecutor(1)
        pages = Walk(Breaking(), "", visitor, settings, Place(), thread).pages()
        assert next(pages)[0] == 0
        with pytest.raises(Broke, match="lexica: its listing cannot be read: KeyError"):
            next(pages)
    assert "Traceback" in caplog.text and caplog.records[0].levelno == logging.ERROR


# --- what failed ---


def test_the_failed_pictures_of_a_gallery_are_tried_again(desk: Desk) -> None:
    desk.site.add("page", 3)
    desk.site.fail("page", Fault(status=500), pictures=True)
    row = desk.collect("page", 2)
    assert (row.ended, row.counts["failed"]) == (crawling.ENOUGH, 1)
    assert desk.collect("page").counts["kept"] == 1
    assert told(desk.collect("page")) == {}  # nothing is open now: 304


def test_what_failed_deep_in_a_listing_is_tried_before_going_on(desk: Desk) -> None:
    desk.site.add("civitai", 30)
    desk.site.fail("civitai", Fault(status=500), pictures=True)
    first = desk.collect("civitai", 10)
    assert first.counts["failed"] == 1
    (failed,) = [asked.path for asked in desk.site.asked if asked.status == 500]
    before = len(desk.site.asked)
    second = desk.collect("civitai", 4)
    after = [asked.path for asked in desk.site.asked[before:] if "/pictures/" in asked.path]
    assert second.counts["kept"] == 4
    assert failed in after  # not first for sure: several are asked for at once
    assert "again" not in (desk.cursor("civitai") or {})
    assert desk.collect("civitai").counts["kept"] == 30 - first.counts["kept"] - 4


def test_what_fails_on_and_on_is_not_tried_for_ever(desk: Desk) -> None:
    desk.site.add("civitai", 40)
    (broken,) = desk.site.add("civitai", 1, status=500)
    for _ in range(TRIES + 2):
        desk.collect("civitai", 6)
    tried = [asked for asked in desk.site.asked if asked.path == broken.path]
    assert len(tried) == TRIES
    assert "again" not in (desk.cursor("civitai") or {})


def test_a_page_with_failures_that_is_gone_is_forgotten(desk: Desk) -> None:
    desk.site.add("openverse", 12)
    desk.collect("openverse", 4)
    place = dict(desk.cursor("openverse") or {}, again=[{"at": {"page": 99}, "tries": 1}])
    desk.store.crawls.move_cursor(TASK, "openverse", "", place, NOON)
    desk.site.fail("openverse", Fault(status=404))
    assert desk.collect("openverse").counts["kept"] == 8
    assert desk.cursor("openverse") == {}


def page(*keys: str, onward: int = 1) -> Page:
    items = tuple(Listed(key, f"http://x/{key}", "", "", "") for key in keys)
    return Page(items, {"page": onward})


def test_only_so_many_pages_with_failures_are_kept() -> None:
    place = Place({"page": 1})
    for number in range(1, 2 * MOST_AGAIN):
        place.settle(
            place.list(page("a", onward=number + 1), {"page": number}), kept=False, failed=True
        )
    assert place.cursor["page"] == 2 * MOST_AGAIN
    again = Place(place.cursor).failed_before()
    assert again == [Again({"page": number}, 1) for number in range(1, MOST_AGAIN + 1)]
    assert Place(place.cursor).began == {"page": 2 * MOST_AGAIN}


def test_words_that_no_database_or_address_can_hold_are_dropped(desk: Desk) -> None:
    (one,) = desk.site.add("civitai", [picture("ai", 5)])
    item = {"id": "a\ud800\u0007", "url": desk.site.url(one), "username": "x\ud800\u0000y"}
    for onward in ("\ud800", "c\ud800d"):
        desk.site.fail("civitai", answer(items=[item], metadata={"nextCursor": onward}))
        assert desk.collect("civitai").ended is not None
        json.dumps(desk.cursor("civitai"), ensure_ascii=False).encode()
    (sample,) = desk.store.samples.all(TASK)
    assert sample.author == "xy"
