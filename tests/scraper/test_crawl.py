from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config import Collect, Settings
from domain import Crawl, NotFound, Split, TaskKind, Unacceptable, Unavailable
from scraper import crawl as crawling
from scraper.crawl import CrawlRequest, crawl
from scraper.ledger import COUNTS, since_midnight
from scraper.sources import SOURCES
from storage import Store
from tests.pictures import encode, photo
from tests.provenance.files import A1111, png
from tests.scraper.apis import KEYS, Fault, Shown, Site, picture, serving_apis

TASK = "authenticity"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Opened:
    settings: Settings
    store: Store


@dataclass
class Desk:
    """A site, a store, and what is asked of them."""

    site: Site
    opened: Opened

    def collect(self, source: str, count: int = 100, **asked: Any) -> Crawl:
        options = {name: asked.pop(name) for name in ("stop", "progress", "now") if name in asked}
        if source == "page":
            asked = {"url": self.site.address("page"), "label": "real", "license": "CC0", **asked}
        return crawl(self.opened, CrawlRequest(source, count=count, **asked), **options)

    def again_with(self, **changes: Any) -> Desk:
        settings = self.opened.settings.model_copy(update=changes)
        return Desk(self.site, Opened(settings, self.opened.store))

    @property
    def store(self) -> Store:
        return self.opened.store

    def kept(self, source: str) -> set[str]:
        """The bytes kept of a source, by sha256."""
        return {one.sha256 for one in self.store.samples.all(TASK) if one.source == source}

    def cursor(self, source: str, query: str = "") -> dict[str, Any] | None:
        return self.store.crawls.cursor(TASK, source, query)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving_apis(page_size=20) as served:
        yield served


@pytest.fixture
def desk(site: Site, settings: Settings, store: Store) -> Desk:
    return Desk(site, Opened(settings.model_copy(update=site.settings), store))


def told(row: Crawl) -> dict[str, int]:
    return {name: n for name, n in row.counts.items() if n}


@pytest.mark.parametrize("source", SOURCES)
def test_pictures_arrive_with_label_licence_author_and_page(desk: Desk, source: str) -> None:
    desk.site.add(source, 6)
    row = desk.collect(source)
    assert (row.ended, told(row)) == (crawling.NO_MORE, {"listed": 6, "fetched": 6, "kept": 6})
    samples = desk.store.samples.all(TASK)
    assert {one.label for one in samples} == {SOURCES[source].label or "real"}
    assert {one.source for one in samples} == {source if source != "page" else "127.0.0.1"}
    assert all(one.license and one.page_url for one in samples)
    assert all(one.author for one in samples) or source in ("lexica", "page")
    for one in samples:
        assert desk.store.blobs.get(one.sha256) in [shown.data for shown in desk.site.shown(source)]


@pytest.mark.parametrize("source", SOURCES)
def test_a_second_run_brings_what_is_new_and_fetches_nothing_twice(desk: Desk, source: str) -> None:
    desk.site.add(source, 30)
    assert desk.collect(source, 12).counts["kept"] == 12
    assert desk.collect(source, 12).counts["kept"] == 12
    desk.collect(source)
    desk.site.add(source, 5)
    assert desk.collect(source).counts["kept"] == 5
    fetched = [path for path in desk.site.fetched(source) if path.startswith("/pictures/")]
    assert len(fetched) == len(set(fetched)) == 35
    assert len(desk.store.samples.all(TASK)) == 35


def test_no_more_is_fetched_than_was_asked_for(desk: Desk) -> None:
    desk.site.add("civitai", 60)
    row = desk.collect("civitai", 7)
    assert (row.ended, row.counts["kept"], row.counts["fetched"]) == (crawling.ENOUGH, 7, 7)


def test_a_run_goes_on_after_the_pages_that_are_wholly_settled(desk: Desk) -> None:
    desk.site.add("openverse", 70)
    desk.collect("openverse", 50)
    assert desk.cursor("openverse") == {"page": 3}
    before = len(desk.site.asked)
    desk.collect("openverse", 10)
    pages = [asked.query["page"] for asked in desk.site.asked[before:] if "page" in asked.query]
    assert pages == ["3"]


def test_new_pictures_are_found_on_top_after_the_whole_listing_was_gone_through(
    desk: Desk,
) -> None:
    desk.site.add("commons", 160)
    assert desk.collect("commons", 200).counts["kept"] == 160
    new = desk.site.add("commons", 8)
    before = len(desk.site.asked)
    row = desk.collect("commons", 200)
    assert (row.ended, row.counts["kept"]) == (crawling.MOSTLY_KNOWN, 8)
    listings = [asked for asked in desk.site.asked[before:] if asked.path == "/commons/w/api.php"]
    assert len(listings) < 8  # of ten: what comes after is known
    assert {one.data for one in new} <= {
        desk.store.blobs.get(one.sha256) for one in desk.store.samples.all(TASK)
    }
    desk.site.add("commons", 3)
    assert desk.collect("commons", 200).counts["kept"] == 3


@pytest.mark.parametrize("source", ["unsplash", "pexels"])
def test_new_pictures_on_top_do_not_end_a_run_that_is_deep_inside(desk: Desk, source: str) -> None:
    desk.site.add(source, 180)
    desk.collect(source, 60)
    desk.site.add(source, 90)  # a listing that is numbered by pages moves down
    row = desk.collect(source, 300)
    assert (row.counts["kept"], len(desk.kept(source))) == (210, 270)


def test_each_query_and_task_has_its_own_place(desk: Desk) -> None:
    desk.site.add("openverse", 50)
    desk.collect("openverse", 25, query="trees")
    assert desk.cursor("openverse", "trees") == {"page": 2}
    assert desk.cursor("openverse") is None


# --- what is not taken ---


def test_every_refusal_is_counted_by_its_reason(desk: Desk) -> None:
    site = desk.site
    site.add("openverse", 3)
    site.add("openverse", 1, facts={"license": "by-nc"})
    site.add("openverse", 2, facts={"license": None})
    site.add("openverse", 1, noai=True)
    site.add("openverse", 1, private=True)
    site.add("openverse", 1, facts={"mature": True})
    site.add("openverse", 1, status=404)
    site.add("openverse", 1, facts={"url": "http://169.254.169.254/latest"})
    site.add("openverse", [b"\x89PNG no picture"])
    row = desk.collect("openverse")
    assert told(row) == {
        "listed": 12,
        "fetched": 4,
        "kept": 3,
        "refused_licence": 3,
        "refused_noai": 1,
        "refused_robots": 1,
        "refused_other": 3,
        "unreadable": 1,
    }
    assert set(row.counts) == set(COUNTS)


@pytest.mark.parametrize("private", [True, False])
def test_what_may_not_be_fetched_is_not_asked_for(desk: Desk, private: bool) -> None:
    facts = None if private else {"license": "by-nc"}
    (one,) = desk.site.add("openverse", 1, private=private, facts=facts)
    desk.collect("openverse")
    assert one.path not in [asked.path for asked in desk.site.asked]


def test_a_refusal_may_be_lifted_and_a_failure_mended(desk: Desk) -> None:
    site = desk.site
    (kept_back,) = site.add("lexica", 1, private=True)
    (broken,) = site.add("lexica", [b"\x89PNG no picture"])
    site.add("lexica", 1)
    site.fail("lexica", Fault(status=500), pictures=True)
    row = desk.collect("lexica")
    assert row.counts["kept"] + row.counts["failed"] + row.counts["unreadable"] == 2
    site.robots = ""
    site.change(broken, picture("ai", 99))
    assert desk.collect("lexica").counts["kept"] == 3 - row.counts["kept"]
    assert kept_back.path in site.fetched("lexica")


def test_a_broken_file_is_asked_for_again_only_if_it_has_changed(desk: Desk) -> None:
    (broken,) = desk.site.add("lexica", [b"\x89PNG no picture"])
    assert desk.collect("lexica").counts["unreadable"] == 1
    row = desk.collect("lexica")
    assert told(row) == {"listed": 1, "unchanged": 1}
    assert [asked.status for asked in desk.site.asked if asked.path == broken.path] == [200, 304]
    desk.site.change(broken, picture("ai", 5))
    assert desk.collect("lexica").counts["kept"] == 1


@pytest.mark.parametrize("versions", [False, True])
def test_a_broken_file_that_does_not_tell_its_versions_is_asked_for_once(
    desk: Desk, versions: bool
) -> None:
    (broken,) = desk.site.add("lexica", [b"\x89PNG no picture"])
    headers = {"ETag": broken.etag} if versions else {}
    faults = [Fault(body=b"<html>log in</html>", headers=headers)] * (2 if versions else 1)
    desk.site.fail("lexica", *faults, pictures=True)
    for _ in range(4):
        desk.collect("lexica")
    assert desk.site.fetched("lexica") == [broken.path] * (2 if versions else 1)
    desk.site.add("lexica", 1, facts={"id": f"0482ee68-{broken.number}"})  # at another address
    assert desk.collect("lexica").counts["kept"] == 1


def test_a_refused_licence_is_looked_at_again_only_when_another_is_stated(desk: Desk) -> None:
    (one,) = desk.site.add("openverse", 1, facts={"id": "a", "license": "by-nc"})
    assert told(desk.collect("openverse")) == {"listed": 1, "refused_licence": 1}
    assert told(desk.collect("openverse")) == {"listed": 1, "unchanged": 1}
    desk.site.add("openverse", 1, facts={"id": "a", "license": "by"})
    assert desk.collect("openverse").counts["kept"] == 1
    assert one.path not in desk.site.fetched("openverse")


def test_a_run_ends_when_picture_after_picture_is_not_wanted(desk: Desk) -> None:
    desk.site.add("page", [png({"parameters": A1111}, seed=n) for n in range(200)])
    desk.site.page_size = 1000
    row = desk.collect("page", 1)
    assert row.ended == crawling.NONE_WANTED
    assert crawling.IN_VAIN <= row.counts["fetched"] < 150
    assert row.counts["contradicted"] == row.counts["fetched"]
    row = desk.collect("page", 1)  # what was not looked at yet
    assert row.counts["fetched"] + row.counts["unchanged"] == 200
    assert not [*(desk.opened.settings.data_dir / "pictures").rglob("*/*/*")]


def test_broken_files_are_put_aside_with_their_address(desk: Desk) -> None:
    (broken,) = desk.site.add("lexica", [b"\x89PNG no picture"])
    desk.collect("lexica")
    (aside,) = desk.store.samples.quarantined(TASK)
    assert (aside.name, aside.source) == (desk.site.url(broken), "lexica")
    assert aside.reason in ("corrupt", "truncated", "unsupported_format")


def test_copies_and_near_copies_are_told_apart(desk: Desk) -> None:
    pixels = photo(1)
    original, near = encode(pixels, "PNG"), encode(pixels, "JPEG", quality=80)
    desk.site.add("commons", [original])
    desk.collect("commons")
    desk.site.add("openverse", [original, near])
    row = desk.collect("openverse")
    expected = {"listed": 2, "fetched": 2, "duplicate": 1, "near_duplicate": 1, "kept": 1}
    assert told(row) == expected
    assert len({one.family for one in desk.store.samples.all(TASK)}) == 1


def test_the_same_file_under_another_label_is_contradicted(desk: Desk) -> None:
    data = picture("ai", 3)
    desk.site.add("civitai", [data])
    desk.site.add("pexels", [data])
    desk.collect("civitai")
    assert told(desk.collect("pexels")) == {"listed": 1, "fetched": 1, "contradicted": 1}
    assert [aside.reason for aside in desk.store.samples.quarantined(TASK)] == ["contradiction"]
    assert [one.label for one in desk.store.samples.all(TASK)] == ["ai"]


def test_a_file_that_says_it_is_generated_is_kept_from_the_real_pile(desk: Desk) -> None:
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
        'syntax-ns#"><rdf:Description xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-'
        '29/" Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/'
        'trainedAlgorithmicMedia"/></rdf:RDF></x:xmpmeta>'
    )
    data = encode(photo(4), "JPEG", xmp=xmp.encode())
    desk.site.add("pexels", [data])
    assert desk.collect("pexels").counts["contradicted"] == 1
    (aside,) = desk.store.samples.quarantined(TASK)
    assert aside.reason == "evidence"
    assert desk.store.samples.all(TASK) == []


# --- ends ---


def test_a_run_ends_early_when_most_is_here_already(desk: Desk) -> None:
    shown = desk.site.add("lexica", 50)
    desk.site.add("page", [one.data for one in shown])
    desk.site.add("page", 200)
    desk.site.add("page", [one.data for one in shown])
    for one in desk.site.shown("page")[50:250]:
        desk.site.change(one, shown[one.number % 50].data)
    desk.collect("lexica")
    row = desk.collect("page", label="ai")
    assert row.ended == crawling.MOSTLY_KNOWN
    assert row.counts["duplicate"] < 150 and row.counts["kept"] == 0


def test_a_run_ends_when_picture_after_picture_fails(desk: Desk) -> None:
    desk.site.add("openverse", 100, status=500)
    row = desk.collect("openverse")
    assert row.ended == crawling.FAILING
    assert row.counts["failed"] < 100


def test_a_run_ends_when_page_after_page_brings_nothing(desk: Desk) -> None:
    desk.site.page_size = 2
    desk.site.add("civitai", 100, facts={"nsfw": True})
    row = desk.collect("civitai")
    assert row.ended == crawling.NOTHING_KEPT
    assert row.counts["listed"] < 100
    assert desk.cursor("civitai") != {}


@pytest.mark.parametrize(
    "faults", [[Fault(status=500)], [Fault(body=b"<html>down</html>")] * 3, [Fault(cut=True)] * 3]
)
def test_a_source_that_breaks_keeps_what_it_gave_and_goes_on_from_there(
    desk: Desk, faults: list[Fault]
) -> None:
    desk.site.add("openverse", 50)
    desk.collect("openverse", 20)
    desk.site.fail("openverse", *faults)
    row = desk.collect("openverse")
    assert row.ended is not None and row.ended.startswith("openverse")
    assert desk.collect("openverse").counts["kept"] == 30


def test_a_stop_finishes_what_is_in_flight_and_keeps_it(desk: Desk) -> None:
    desk.site.add("civitai", 200)
    stop = threading.Event()

    def progress(kept: int, count: int) -> None:
        if kept:
            stop.set()

    row = desk.collect("civitai", 200, stop=stop, progress=progress)
    assert row.ended == crawling.STOPPED
    files = [path for path in desk.site.fetched("civitai") if path.startswith("/pictures/")]
    assert 0 < row.counts["kept"] == len(files) < 200
    assert len(desk.kept("civitai")) == row.counts["kept"]
    assert desk.collect("civitai", 200).counts["kept"] == 200 - row.counts["kept"]


def test_a_stop_that_was_set_before_asks_for_nothing(desk: Desk) -> None:
    desk.site.add("civitai", 3)
    stop = threading.Event()
    stop.set()
    assert desk.collect("civitai", stop=stop).ended == crawling.STOPPED
    assert desk.site.asked == []


def test_an_interrupt_keeps_what_was_fetched_and_closes_the_ledger(desk: Desk) -> None:
    desk.site.add("civitai", 100)

    def progress(kept: int, count: int) -> None:
        if kept:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        desk.collect("civitai", progress=progress)
    (row,) = desk.store.crawls.all(TASK)
    assert row.ended == crawling.STOPPED and row.finished_at is not None
    assert row.counts["kept"] == len(desk.kept("civitai")) > 0


def test_the_ledger_is_written_while_it_goes(desk: Desk) -> None:
    desk.site.add("civitai", 100)
    rows: list[Crawl] = []

    def progress(kept: int, count: int) -> None:
        rows.extend(desk.store.crawls.all(TASK))

    last = desk.collect("civitai", progress=progress)
    assert [row.counts.get("kept", 0) for row in rows] == sorted(
        row.counts.get("kept", 0) for row in rows
    )
    assert any(0 < row.counts.get("kept", 0) < 100 and row.ended is None for row in rows)
    assert desk.store.crawls.all(TASK) == [last]


def test_today_is_summed_over_runs_and_tasks(desk: Desk) -> None:
    desk.site.add("civitai", 10)
    clock = iter(range(10_000))

    def at(day: datetime) -> Callable[[], datetime]:
        return lambda: day + timedelta(milliseconds=next(clock))

    desk.collect("civitai", 3, now=at(NOON - timedelta(days=1)))
    desk.collect("civitai", 4, now=at(NOON))
    desk.collect("civitai", 2, now=at(NOON))
    assert since_midnight(desk.store, NOON)["civitai"]["kept"] == 6


def test_a_clock_that_stands_still_does_no_harm(desk: Desk) -> None:
    desk.site.add("civitai", 80)
    assert desk.collect("civitai", now=lambda: NOON).counts["kept"] == 80


# --- what cannot be asked for ---


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (CrawlRequest("elsewhere"), "source"),
        (CrawlRequest("civitai", count=0), "count"),
        (CrawlRequest("civitai", query="cats"), "query"),
        (CrawlRequest("civitai", label="real"), "label"),
        (CrawlRequest("civitai", label="cat"), "label"),
        (CrawlRequest("civitai", url="https://x.example"), "url"),
        (CrawlRequest("civitai", license="CC0"), "license"),
        (CrawlRequest("page", label="ai", license="CC0"), "query"),
        (CrawlRequest("page", url="https://x.example", label="ai"), "license"),
        (CrawlRequest("page", url="https://x.example", label="ai", license=" "), "license"),
        (CrawlRequest("page", url="https://x.example", license="CC0"), "label"),
        (CrawlRequest("page", url="file:///etc", label="ai", license="CC0"), "query"),
        (CrawlRequest("openverse", query="a\udcff"), "query"),
        (CrawlRequest("page", url="https://x.example/\x00", label="ai", license="CC0"), "url"),
        (CrawlRequest("openverse", task="smile"), "label"),
        (CrawlRequest("openverse", task="Not a name", label="x"), "name"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_asked(
    desk: Desk, request_: CrawlRequest, field: str
) -> None:
    with pytest.raises(Unacceptable) as caught:
        crawl(desk.opened, request_)
    assert caught.value.detail["field"] == field
    assert desk.site.asked == [] and desk.store.crawls.all() == []
    with pytest.raises(NotFound):
        desk.store.tasks.get("smile")


@pytest.mark.parametrize("source", ["page", "civitai", "openverse"])
@pytest.mark.parametrize("field", ["url", "query"])
@pytest.mark.parametrize(
    "address",
    [
        "https://ann:hunter2@x.example/",
        "https://ann:hunter2@x.example/\x00",
        "https://hunter2@x.example",
        "//ann:hunter2@x.example/",
        "https://a\\hunter2@x.example?q=@",
    ],
)
def test_no_password_in_an_address_is_taken_or_said(
    desk: Desk, source: str, field: str, address: str
) -> None:
    asked: dict[str, Any] = {field: address, "label": "ai", "license": "CC0"}
    with pytest.raises(Unacceptable) as caught:
        crawl(desk.opened, CrawlRequest(source, **asked))
    assert caught.value.detail["field"] == field
    assert "hunter2" not in f"{caught.value.message} {caught.value.detail}"
    assert desk.site.asked == [] and desk.store.crawls.all() == []


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_key_is_said_by_its_setting(desk: Desk, key: str) -> None:
    source = key.removesuffix("_key")
    with pytest.raises(Unavailable, match=key.upper()):
        desk.again_with(**{key: ""}).collect(source)


def test_another_task_takes_what_it_is_told_the_pictures_are(desk: Desk) -> None:
    desk.site.add("openverse", 4)
    desk.collect("openverse", task="weather", label="sunny")
    desk.store.tasks.create("closed", TaskKind.PHOTO, ["a", "b"], open=False)
    with pytest.raises(Unacceptable):
        desk.collect("openverse", task="closed", label="c")
    assert desk.store.samples.counts("weather") == [("sunny", "openverse", 4)]
    assert desk.store.tasks.get("weather").kind is TaskKind.PHOTO


def test_both_sides_of_the_split_get_their_share(desk: Desk) -> None:
    desk.site.add("civitai", 120)
    desk.collect("civitai", 120)
    held_out = sum(one.split is Split.TEST for one in desk.store.samples.all(TASK))
    assert 8 <= held_out <= 45


def test_an_erased_picture_is_not_brought_back(desk: Desk) -> None:
    shown: list[Shown] = desk.site.add("civitai", 3)
    desk.collect("civitai")
    gone = desk.store.samples.all(TASK)[0].sha256
    desk.store.erase(gone)
    row = desk.collect("civitai")
    assert told(row) == {"listed": 3, "unchanged": 3}
    assert len(desk.store.samples.all(TASK)) == len(shown) - 1


def test_whatever_words_a_source_has_are_kept_on_every_database(
    site: Site, any_settings: Settings, any_store: Store
) -> None:
    odd = "a\x00b\ud800\u202e<script>'; DROP TABLE samples;--"
    site.add("civitai", 2)
    site.add("civitai", 1, facts={"id": odd, "username": odd})
    site.add("civitai", 1, facts={"id": "k" * 10_000})
    site.add("civitai", 1, facts={"url": f"{site.host}/pictures/{odd}"})
    desk = Desk(site, Opened(any_settings.model_copy(update=site.settings), any_store))
    row = desk.collect("civitai")
    assert (row.counts["listed"], row.counts["kept"]) == (5, 4)
    assert desk.collect("civitai").counts["kept"] == 0
    assert any("DROP TABLE" in one.author for one in desk.store.samples.all(TASK))


def test_the_setting_collect_says_all_that_a_crawl_can_be_asked(desk: Desk) -> None:
    desk.site.add("page", 2)
    asked = Collect(
        source="page", count=5, url=desk.site.address("page"), label="ai", license="CC0-1.0"
    )
    assert crawl(desk.opened, CrawlRequest(**asked.model_dump())).counts["kept"] == 2
    assert {field.name for field in fields(CrawlRequest)} == set(Collect.model_fields)
