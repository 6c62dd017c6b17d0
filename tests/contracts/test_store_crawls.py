"""What a store promises of the ledger, of what sources listed before, and of facts of files."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain import Crawl, NotFound, Seen, TaskKind
from storage import Store
from tests.contracts.stores import NOON, WRITINGS, sha

TASK = "authenticity"
HOUR = timedelta(hours=1)


def seen(key: str, outcome: str = "kept", at: datetime = NOON) -> Seen:
    return Seen(
        key=key,
        url=f"https://example.org/{key}",
        outcome=outcome,
        at=at,
        sha256=sha(key),
        etag='W/"1"',
        last_modified="Sun, 01 Mar 2026 12:00:00 GMT",
    )


# --- the ledger ---


def test_crawl_is_told_while_it_goes_on_and_when_it_ended(any_store: Store) -> None:
    crawls = any_store.crawls
    crawl_id = crawls.begin(TASK, "commons", "ಕನ್ನಡ", NOON)
    began = Crawl(crawl_id, TASK, "commons", "ಕನ್ನಡ", NOON, None, {}, None)
    assert crawls.all() == [began]
    crawls.count(crawl_id, {"listed": 3, "kept": 1}, NOON + HOUR)
    assert crawls.all() == [replace(began, counts={"listed": 3, "kept": 1})]
    crawls.count(crawl_id, {"listed": 9, "kept": 2}, NOON + HOUR, ended="count reached")
    ended = replace(began, counts={"listed": 9, "kept": 2}, finished_at=NOON + HOUR)
    assert crawls.all() == [replace(ended, ended="count reached")]


def test_crawl_that_never_ended_is_closed_by_the_next_of_its_source(any_store: Store) -> None:
    crawls = any_store.crawls
    any_store.tasks.create("smile", TaskKind.PHOTO, open=True)
    left = crawls.begin(TASK, "commons", "a", NOON)
    crawls.count(left, {"kept": 7}, NOON)
    done = crawls.begin(TASK, "lexica", "", NOON)
    crawls.count(done, {}, NOON, ended="done")
    others = {crawls.begin(TASK, "pexels", "", NOON), crawls.begin("smile", "commons", "", NOON)}
    latest = crawls.begin(TASK, "commons", "b", NOON + HOUR)
    by_id = {crawl.id: crawl for crawl in crawls.all()}
    assert (by_id[left].ended, by_id[left].finished_at) == ("broken off", NOON + HOUR)
    assert by_id[left].counts == {"kept": 7}
    assert by_id[done].ended == "done"
    assert {name for name, crawl in by_id.items() if crawl.ended is None} == {*others, latest}


def test_ledger_comes_newest_first_of_one_task_or_all(any_store: Store) -> None:
    crawls = any_store.crawls
    any_store.tasks.create("smile", TaskKind.PHOTO, open=True)
    ids = [
        crawls.begin(task, str(i), "", NOON + i * HOUR)
        for i, task in enumerate([TASK, "smile", TASK])
    ]
    assert [crawl.id for crawl in crawls.all()] == ids[::-1]
    assert [crawl.id for crawl in crawls.all(limit=1)] == ids[2:]
    assert [crawl.id for crawl in crawls.all(TASK)] == [ids[2], ids[0]]
    assert [crawl.id for crawl in crawls.all(since=NOON + HOUR)] == [ids[2], ids[1]]
    any_store.tasks.delete("smile")
    assert [crawl.id for crawl in crawls.all()] == [ids[2], ids[0]]


def test_unknown_task_or_crawl_is_not_found(any_store: Store) -> None:
    crawls = any_store.crawls
    for ask in (
        lambda: crawls.count("none", {}, NOON),
        lambda: crawls.begin("none", "s", "", NOON),
        lambda: crawls.all("none"),
        lambda: crawls.cursor("none", "s", ""),
        lambda: crawls.move_cursor("none", "s", "", {}, NOON),
        lambda: crawls.move_cursor("none", "s", "", None, NOON),
        lambda: crawls.seen("none", "s", ["k"]),
        lambda: crawls.note("none", "s", [seen("k")]),
    ):
        with pytest.raises(NotFound):
            ask()


# --- where it goes on from ---


def test_cursor_is_where_it_was_left(any_store: Store) -> None:
    crawls = any_store.crawls
    assert crawls.cursor(TASK, "commons", "") is None
    for cursor in ({"page": 1}, {"page": 2, "more": ["x", None]}, {}):
        crawls.move_cursor(TASK, "commons", "", cursor, NOON)
        assert crawls.cursor(TASK, "commons", "") == cursor
    crawls.move_cursor(TASK, "commons", "", None, NOON)
    assert crawls.cursor(TASK, "commons", "") is None


def test_each_task_source_and_query_has_a_cursor_of_its_own(any_store: Store) -> None:
    any_store.tasks.create("smile", TaskKind.PHOTO, open=True)
    long = "ಕ" * 5000
    places = [
        (task, source, query)
        for task in (TASK, "smile")
        for source in ("commons", "pexels")
        for query in ("", "\0\ud800", long, long + "x", *WRITINGS[:3])
    ]
    for i, place in enumerate(places):
        any_store.crawls.move_cursor(*place, {"page": i}, NOON)
    for i, place in enumerate(places):
        assert any_store.crawls.cursor(*place) == {"page": i}


# --- what was listed before ---


def test_what_was_seen_is_known_by_its_key(any_store: Store) -> None:
    crawls = any_store.crawls
    bare = Seen("b", "https://example.org/b", "failed", NOON)
    crawls.note(TASK, "commons", [seen("a"), bare])
    assert crawls.seen(TASK, "commons", ["a", "b", "c"]) == {"a": seen("a"), "b": bare}
    assert crawls.seen(TASK, "commons", []) == crawls.seen(TASK, "pexels", ["a"]) == {}
    assert crawls.seen(TASK, "commons", ["a"])["a"].at.tzinfo is UTC


def test_what_is_seen_again_is_remembered_as_it_is_now(any_store: Store) -> None:
    crawls = any_store.crawls
    crawls.note(TASK, "commons", [seen("a", "failed"), seen("b")])
    crawls.note(TASK, "commons", [])
    again = Seen("a", "https://example.org/moved", "kept", NOON + HOUR, sha("x"))
    crawls.note(TASK, "commons", [again])
    assert crawls.seen(TASK, "commons", ["a", "b"]) == {"a": again, "b": seen("b")}


def test_the_last_word_counts_within_one_call(any_store: Store) -> None:
    any_store.crawls.note(TASK, "commons", [seen("a", "failed"), seen("a", "kept")])
    assert any_store.crawls.seen(TASK, "commons", ["a"]) == {"a": seen("a", "kept")}


def test_key_may_be_of_any_length_and_writing(any_store: Store) -> None:
    address = "https://example.org/" + "ಕ" * 3000
    keys = [*WRITINGS, address, address + "1", "x" * 500, "x" * 501, "a\0b", "\ud800"]
    any_store.crawls.note(TASK, "page", [replace(seen("k"), key=key) for key in keys])
    found = any_store.crawls.seen(TASK, "page", keys)
    assert list(found) == [one.key for one in found.values()]
    assert sorted(found) == sorted(keys)


def test_crawls_of_one_source_at_once_note_everything(
    any_store: Store, open_another: Callable[[], Store]
) -> None:
    keys = [str(i) for i in range(200)]

    def note(own: Store, order: list[str]) -> None:
        for start in range(0, len(order), 20):
            own.crawls.note(TASK, "commons", [seen(key) for key in order[start : start + 20]])

    threads = [
        threading.Thread(target=note, args=(open_another(), order)) for order in (keys, keys[::-1])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(any_store.crawls.seen(TASK, "commons", keys)) == len(keys)


def test_reset_task_goes_through_its_sources_anew_and_gets_its_own_back(any_store: Store) -> None:
    crawls = any_store.crawls
    crawl_id = crawls.begin(TASK, "commons", "", NOON)
    crawls.move_cursor(TASK, "commons", "", {"page": 3}, NOON)
    crawls.note(TASK, "commons", [seen("a")])
    archive = any_store.tasks.reset(TASK)
    assert crawls.all(TASK) == crawls.all() == []
    assert crawls.cursor(TASK, "commons", "") is None
    assert crawls.seen(TASK, "commons", ["a"]) == {}
    any_store.tasks.restore(TASK, archive.id)
    assert [crawl.id for crawl in crawls.all(TASK)] == [crawl_id]
    assert crawls.cursor(TASK, "commons", "") == {"page": 3}
    assert crawls.seen(TASK, "commons", ["a"]) == {"a": seen("a")}


# --- facts of files ---


def test_facts_are_kept_by_picture_and_recipe(any_store: Store) -> None:
    facts = any_store.file_facts
    first: dict[str, dict[str, object]] = {
        sha("a"): {"format": "JPEG", "tables": [1, 2]},
        sha("b"): {"format": None},
    }
    facts.put_many("files:1", first)
    facts.put_many("files:1", {})
    facts.put_many("files:2", {sha("a"): {"format": "WEBP"}})
    assert facts.get("files:1", [sha("a"), sha("b"), sha("c")]) == first
    assert facts.get("files:2", [sha("a"), sha("b")]) == {sha("a"): {"format": "WEBP"}}
    assert facts.get("files:1", []) == facts.get("files:3", [sha("a")]) == {}


def test_facts_that_are_there_stay_as_they_are(any_store: Store) -> None:
    any_store.file_facts.put_many("files:1", {sha("a"): {"n": 1}})
    any_store.file_facts.put_many("files:1", {sha("a"): {"n": 2}, sha("b"): {"n": 3}})
    found = any_store.file_facts.get("files:1", [sha("a"), sha("b")])
    assert found == {sha("a"): {"n": 1}, sha("b"): {"n": 3}}


def test_facts_of_very_many_pictures_are_found(any_store: Store) -> None:
    given = {sha(str(i)): {"n": i} for i in range(9_001)}
    any_store.file_facts.put_many("files:1", given)
    assert any_store.file_facts.get("files:1", given) == given
