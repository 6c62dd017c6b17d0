"""What a store promises of samples, vectors and the quarantine, on each database."""

from __future__ import annotations

import hashlib
import threading
import time
from datetime import UTC, datetime

import numpy as np
import pytest

from domain import (
    NewCorrection,
    NewSample,
    NotFound,
    Person,
    Sample,
    Split,
    TaskKind,
    Unacceptable,
    Unavailable,
)
from storage import Store
from tests.contracts.stores import WRITINGS, facts, new, sha, teach

TASK = "authenticity"


def rows(n: int, dim: int, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).standard_normal((n, dim), dtype=np.float32)


# --- samples ---


def test_sample_comes_back_as_added(any_store: Store) -> None:
    before = datetime.now(UTC)
    offered = NewSample(
        label="real",
        source="stock",
        family=sha("founder"),
        split=Split.TEST,
        license="CC BY 4.0",
        author="ಅ. Author",
        page_url="https://pictures.example/1",
        demo=False,
    )
    kept = any_store.samples.add(TASK, facts("a", phash=2**63 + 5), offered)
    assert kept is not None
    assert before <= kept.added_at <= datetime.now(UTC)
    assert kept == Sample(
        id=kept.id,
        task=TASK,
        sha256=sha("a"),
        label="real",
        source="stock",
        family=sha("founder"),
        split=Split.TEST,
        license="CC BY 4.0",
        author="ಅ. Author",
        page_url="https://pictures.example/1",
        demo=False,
        phash=2**63 + 5,
        added_at=kept.added_at,
    )
    assert any_store.samples.get(TASK, sha("a")) == kept
    assert any_store.samples.all(TASK) == [kept]


def test_perceptual_hash_keeps_all_its_64_bits(any_store: Store) -> None:
    hashes = [0, 1, 2**63 - 1, 2**63, 2**64 - 1]
    for phash in hashes:
        any_store.samples.add(TASK, facts(str(phash), phash=phash), new())
    assert [s.phash for s in any_store.samples.all(TASK)] == hashes


def test_text_from_outside_is_never_refused(any_store: Store) -> None:
    """File names and web pages hold anything; what a database cannot hold is shown escaped."""
    texts = (*WRITINGS, "nul \0 inside", "broken \udcff name", "a\r\nb\t")
    for text in texts:
        any_store.samples.add(TASK, facts(text), new(source=text, author=text, page_url=text))
        any_store.samples.quarantine(TASK, text, "corrupt", text, text, None)
    shown = [text.replace("\0", "\\x00").replace("\udcff", "\\udcff") for text in texts]
    kept, aside = any_store.samples.all(TASK), any_store.samples.quarantined(TASK)
    assert [(s.source, s.author, s.page_url) for s in kept] == [(s, s, s) for s in shown]
    assert [(row.name, row.message, row.source) for row in aside] == [(s, s, s) for s in shown]


def test_no_sample_of_that_picture_is_none(any_store: Store) -> None:
    any_store.tasks.create("smile", TaskKind.PHOTO, ("ai", "x"), open=False)
    any_store.samples.add("smile", facts("a"), new())
    assert any_store.samples.get(TASK, sha("a")) is None
    assert any_store.samples.get("smile", "a\0b") is None


def test_same_picture_again_is_a_duplicate(any_store: Store) -> None:
    first = any_store.samples.add(TASK, facts("a"), new("ai"))
    assert any_store.samples.add(TASK, facts("a"), new("real", source="elsewhere")) is None
    assert any_store.samples.all(TASK) == [first]


def test_same_picture_may_be_in_two_tasks(any_store: Store) -> None:
    any_store.tasks.create("smile", TaskKind.PHOTO, ("ai", "x"), open=False)
    assert any_store.samples.add(TASK, facts("a"), new()) is not None
    assert any_store.samples.add("smile", facts("a"), new()) is not None


def test_label_must_be_one_of_the_task(any_store: Store) -> None:
    with pytest.raises(Unacceptable, match="one of ai, real"):
        any_store.samples.add_many(TASK, [(facts("a"), new("ai")), (facts("b"), new("cat"))])
    assert any_store.samples.all(TASK) == []


def test_the_users_picture_takes_the_place_of_the_demonstrations(any_store: Store) -> None:
    demo = any_store.samples.add(TASK, facts("a"), new("real", demo=True))
    mine = any_store.samples.add(TASK, facts("a"), new("ai"))
    assert demo is not None
    assert mine is not None
    assert mine.id != demo.id
    assert any_store.samples.all(TASK) == [mine]
    assert any_store.samples.all(TASK, demo=True) == []


def test_the_demonstration_never_takes_the_users_place(any_store: Store) -> None:
    mine = any_store.samples.add(TASK, facts("a"), new("ai"))
    assert any_store.samples.add(TASK, facts("a"), new("real", demo=True)) is None
    assert any_store.samples.all(TASK) == [mine]
    assert any_store.samples.all(TASK, demo=True) == []


def test_the_demonstration_again_is_a_duplicate(any_store: Store) -> None:
    demo = any_store.samples.add(TASK, facts("a"), new("real", demo=True))
    assert any_store.samples.add(TASK, facts("a"), new("ai", demo=True)) is None
    assert any_store.samples.all(TASK, demo=True) == [demo]


def test_demonstration_and_the_users_own_are_read_apart(any_store: Store) -> None:
    any_store.samples.add(TASK, facts("a"), new("ai", demo=True, source="starter"))
    any_store.samples.add(TASK, facts("b"), new("real"))
    assert [s.sha256 for s in any_store.samples.all(TASK, demo=True)] == [sha("a")]
    assert [s.sha256 for s in any_store.samples.all(TASK)] == [sha("b")]
    assert any_store.samples.counts(TASK, demo=True) == [("ai", "starter", 1)]
    assert any_store.samples.counts(TASK) == [("real", "webmix", 1)]


def test_many_at_once_answer_each_in_its_place(any_store: Store) -> None:
    any_store.samples.add(TASK, facts("old"), new())
    any_store.samples.add(TASK, facts("demo"), new(demo=True))
    kept = any_store.samples.add_many(
        TASK,
        [
            (facts("z"), new("real")),
            (facts("old"), new("real")),
            (facts("a"), new("ai")),
            (facts("z"), new("ai")),
            (facts("demo"), new("ai")),
            (facts("twice"), new("real", demo=True)),
            (facts("twice"), new("ai")),
        ],
    )
    assert [s and (s.sha256, s.label, s.demo) for s in kept] == [
        (sha("z"), "real", False),
        None,
        (sha("a"), "ai", False),
        None,
        (sha("demo"), "ai", False),
        None,
        (sha("twice"), "ai", False),
    ]
    order = [s.sha256 for s in any_store.samples.all(TASK)]
    assert order == [sha("old"), sha("z"), sha("a"), sha("demo"), sha("twice")]
    assert any_store.samples.add_many(TASK, []) == []


def test_an_id_never_comes_back(any_store: Store) -> None:
    demo = any_store.samples.add(TASK, facts("a"), new(demo=True))
    mine = any_store.samples.add(TASK, facts("a"), new())
    assert demo is not None
    assert mine is not None
    assert mine.id > demo.id


def test_counts_are_by_label_and_source(any_store: Store) -> None:
    for i, (label, source) in enumerate(
        [("real", "b"), ("ai", "b"), ("ai", "a"), ("ai", "b"), ("ai", "B")]
    ):
        any_store.samples.add(TASK, facts(str(i)), new(label, source=source))
    assert any_store.samples.counts(TASK) == [
        ("ai", "B", 1),
        ("ai", "a", 1),
        ("ai", "b", 2),
        ("real", "b", 1),
    ]


def test_threads_that_add_the_same_pictures_keep_each_once(any_store: Store) -> None:
    offered = [(facts(str(i)), new()) for i in range(40)]
    kept: list[Sample] = []

    def add(order: int) -> None:
        for pair in offered[::order]:
            sample = any_store.samples.add(TASK, *pair)
            if sample is not None:
                kept.append(sample)

    threads = [threading.Thread(target=add, args=(order,)) for order in (1, -1, 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(s.sha256 for s in kept) == sorted(sha(str(i)) for i in range(40))
    assert sorted(kept, key=lambda s: s.id) == any_store.samples.all(TASK)


def test_a_sample_is_found_by_its_number(any_store: Store) -> None:
    any_store.tasks.create("smile", TaskKind.PHOTO, ("ai", "x"), open=False)
    kept = any_store.samples.add(TASK, facts("a"), new())
    other = any_store.samples.add("smile", facts("a"), new())
    assert kept is not None
    assert other is not None
    assert any_store.samples.by_id(TASK, kept.id) == kept
    for number in (other.id, 0, -1, 2**31, 2**80):
        with pytest.raises(NotFound):
            any_store.samples.by_id(TASK, number)


def test_after_gives_what_came_since(any_store: Store) -> None:
    for name in ("a", "b", "demo", "c", "bad"):
        any_store.samples.add(TASK, facts(name), new(demo=name == "demo"))
    any_store.samples.quarantine_sample(TASK, sha("bad"), "corrupt", "bit rot")
    first, *rest = any_store.samples.all(TASK)
    assert any_store.samples.after(TASK, first.id) == rest
    assert any_store.samples.after(TASK, rest[-1].id) == any_store.samples.after(TASK, 2**80) == []
    assert [s.sha256 for s in any_store.samples.after(TASK, 0, demo=True)] == [sha("demo")]


# --- samples that corrections brought ---


def names(store: Store) -> list[str]:
    return [sample.sha256 for sample in store.samples.all(TASK)]


def test_corrected_picture_becomes_a_sample_with_the_label_given(any_store: Store) -> None:
    said = NewCorrection(sha("a"), "real", Person("me", True))
    kept = new("ai", source="feedback", family=sha("f"), split=Split.TEST, author="me")
    any_store.corrections.teach(TASK, said, facts("a", phash=2**64 - 1), kept)
    (sample,) = any_store.samples.all(TASK)
    assert (sample.sha256, sample.label, sample.source, sample.family, sample.split) == (
        sha("a"),
        "real",
        "feedback",
        sha("f"),
        Split.TEST,
    )
    assert (sample.phash, sample.demo, sample.author) == (2**64 - 1, False, "me")
    assert any_store.samples.get(TASK, sha("a")) == sample
    assert any_store.samples.by_id(TASK, sample.id) == sample
    assert any_store.samples.counts(TASK) == [("real", "feedback", 1)]
    assert any_store.samples.missing_vectors(TASK, "e") == [sha("a")]


def test_picture_that_is_not_to_be_kept_is_no_sample(any_store: Store) -> None:
    said = NewCorrection(sha("a"), "real", Person("me", True))
    row = any_store.corrections.teach(TASK, said, facts("a", phash=5), None).correction
    assert names(any_store) == []
    assert any_store.corrections.get(TASK, row.id).phash == 5


def test_taught_sample_is_there_as_long_as_a_correction_stands(any_store: Store) -> None:
    samples = any_store.samples
    first, second = teach(any_store, "a"), teach(any_store, "a")
    (sample,) = samples.all(TASK)
    any_store.corrections.undo(TASK, [first.id], "me", True)
    assert samples.all(TASK) == [sample]
    any_store.corrections.undo(TASK, [second.id], "me", True)
    assert samples.all(TASK) == samples.after(TASK, 0) == []
    assert samples.counts(TASK) == []
    assert samples.missing_vectors(TASK, "e") == []
    assert samples.get(TASK, sha("a")) is None
    with pytest.raises(NotFound):
        samples.by_id(TASK, sample.id)
    teach(any_store, "a")
    assert samples.all(TASK) == [sample]


def epochs(store: Store, text: str) -> int:
    """How many epochs teaching a picture moves."""
    was = store.versions.state(TASK)
    teach(store, text)
    now = store.versions.state(TASK)
    assert now.counter == was.counter + 1
    return now.epoch - was.epoch


def test_sample_that_comes_back_is_told_to_whoever_reads_only_later_ones(any_store: Store) -> None:
    rows = [teach(any_store, "a"), teach(any_store, "a")]
    assert epochs(any_store, "b") == 0
    any_store.corrections.undo(TASK, [rows[0].id], "me", True)
    assert epochs(any_store, "a") == 0
    live = [row.id for row in any_store.corrections.of_person(TASK, "me") if row.sha256 == sha("a")]
    any_store.corrections.undo(TASK, live, "me", True)
    last = any_store.samples.all(TASK)[-1].id
    assert epochs(any_store, "a") == 1
    assert [s.sha256 for s in any_store.samples.after(TASK, last)] == []
    assert sha("a") in names(any_store)
    assert epochs(any_store, "a") == 0


def test_unreadable_sample_that_comes_back_is_told_too(any_store: Store) -> None:
    any_store.samples.add(TASK, facts("a"), new())
    any_store.samples.quarantine_sample(TASK, sha("a"), "corrupt", "bit rot")
    assert epochs(any_store, "a") == 1
    assert epochs(any_store, "a") == 0
    assert names(any_store) == [sha("a")]


def test_taught_sample_has_the_label_that_stands(any_store: Store) -> None:
    def label() -> str:
        return any_store.samples.all(TASK)[0].label

    teach(any_store, "a", "ai", "ann")
    second = teach(any_store, "a", "real", "bob")
    third = teach(any_store, "a", "ai", "cem")
    any_store.corrections.undo(TASK, [third.id], "me", True)
    assert label() == "real"
    any_store.corrections.undo(TASK, [second.id], "me", True)
    assert label() == "ai"


def test_trusted_label_of_a_taught_sample_outlasts_later_ones(any_store: Store) -> None:
    def label() -> str:
        return any_store.samples.all(TASK)[0].label

    teach(any_store, "a", "ai", "eve", trusted=False)
    trusted = teach(any_store, "a", "real", "admin")
    assert label() == "real"
    last = teach(any_store, "a", "ai", "eve", trusted=False)
    assert label() == "real"
    any_store.corrections.undo(TASK, [trusted.id], "admin", True)
    assert label() == "ai"
    any_store.corrections.undo(TASK, [last.id], "eve", False)
    assert label() == "ai"


def test_sample_kept_late_has_the_trusted_label_given_before(any_store: Store) -> None:
    said = NewCorrection(sha("a"), "real", Person("admin", True))
    any_store.corrections.teach(TASK, said, facts("a"), None)

    teach(any_store, "a", "ai", "eve", trusted=False)

    assert [sample.label for sample in any_store.samples.all(TASK)] == ["real"]


def test_sample_of_a_folder_keeps_its_label_and_stays_after_an_undo(any_store: Store) -> None:
    mine = any_store.samples.add(TASK, facts("a"), new("ai"))
    row = teach(any_store, "a", "real")
    assert any_store.samples.all(TASK) == [mine]
    any_store.corrections.undo(TASK, [row.id], "me", True)
    assert any_store.samples.all(TASK) == [mine]


def test_picture_of_a_folder_takes_the_place_of_a_taught_one(any_store: Store) -> None:
    row = teach(any_store, "a", "real")
    mine = any_store.samples.add(TASK, facts("a"), new("ai"))
    assert any_store.samples.all(TASK) == [mine]
    any_store.corrections.undo(TASK, [row.id], "me", True)
    assert any_store.samples.all(TASK) == [mine]


def test_demonstration_takes_the_place_only_of_what_nobody_holds_up(any_store: Store) -> None:
    row = teach(any_store, "a", "real")
    assert any_store.samples.add(TASK, facts("a"), new(demo=True)) is None
    any_store.corrections.undo(TASK, [row.id], "me", True)
    assert any_store.samples.add(TASK, facts("a"), new(demo=True)) is not None
    assert names(any_store) == []


def test_corrected_picture_of_the_demonstration_stays_there(any_store: Store) -> None:
    demo = any_store.samples.add(TASK, facts("a"), new(demo=True))
    teach(any_store, "a", "real")
    assert any_store.samples.all(TASK, demo=True) == [demo]
    assert names(any_store) == []


def test_picture_put_aside_as_unreadable_comes_back_when_it_is_taught(any_store: Store) -> None:
    any_store.samples.add(TASK, facts("a"), new("real"))
    any_store.samples.quarantine_sample(TASK, sha("a"), "corrupt", "bit rot")
    teach(any_store, "a", "real")
    assert names(any_store) == [sha("a")]


# --- what still needs a vector ---


def test_missing_vectors_are_those_of_this_embedder_in_order(any_store: Store) -> None:
    for name in ("c", "a", "b"):
        any_store.samples.add(TASK, facts(name), new())
    any_store.samples.add(TASK, facts("d"), new(demo=True))
    any_store.vectors.put("one", [sha("a")], rows(1, 3))
    any_store.vectors.put("two", [sha("b"), sha("c"), sha("d")], rows(3, 3))
    missing = any_store.samples.missing_vectors
    assert missing(TASK, "one") == [sha("c"), sha("b"), sha("d")]
    assert missing(TASK, "one", demo=False) == [sha("c"), sha("b")]
    assert missing(TASK, "one", demo=True) == [sha("d")]
    assert missing(TASK, "two") == [sha("a")]
    assert missing(TASK, "three", demo=True) == [sha("d")]


# --- quarantine ---


def test_quarantine_tells_what_was_not_kept(any_store: Store) -> None:
    before = datetime.now(UTC)
    any_store.samples.quarantine(TASK, "b.jpg", "truncated", "ends early", "web", sha("b"))
    any_store.samples.quarantine(TASK, "a.txt", "unsupported_format", "no picture", "web", None)
    first, second = any_store.samples.quarantined(TASK)
    assert (first.task, first.name, first.reason, first.message, first.source, first.sha256) == (
        TASK,
        "b.jpg",
        "truncated",
        "ends early",
        "web",
        sha("b"),
    )
    assert before <= first.at <= datetime.now(UTC)
    assert (second.name, second.sha256) == ("a.txt", None)


def test_same_bad_file_again_is_one_row_with_the_latest_reason(any_store: Store) -> None:
    for reason in ("truncated", "corrupt"):
        any_store.samples.quarantine(TASK, "b.jpg", reason, f"it is {reason}", "web", sha("b"))
    any_store.samples.quarantine(TASK, "b.jpg", "corrupt", "other bytes", "web", sha("c"))
    any_store.samples.quarantine(TASK, "b.jpg", "corrupt", "other source", "disk", sha("b"))
    messages = [row.message for row in any_store.samples.quarantined(TASK)]
    assert messages == ["it is corrupt", "other bytes", "other source"]


def test_very_long_name_can_be_quarantined(any_store: Store) -> None:
    name = "".join(sha(str(i)) for i in range(200))  # 12,800 characters that do not compress
    any_store.samples.quarantine(TASK, name, "status", "gone", name, None)
    assert any_store.samples.quarantined(TASK)[0].name == name


def test_quarantined_sample_is_gone_from_the_task_but_not_forgotten(any_store: Store) -> None:
    any_store.samples.add(TASK, facts("a"), new("real"))
    any_store.samples.add(TASK, facts("b"), new("real"))
    any_store.samples.quarantine_sample(TASK, sha("a"), "corrupt", "bit rot")
    assert [s.sha256 for s in any_store.samples.all(TASK)] == [sha("b")]
    assert any_store.samples.counts(TASK) == [("real", "webmix", 1)]
    assert any_store.samples.missing_vectors(TASK, "e") == [sha("b")]
    (row,) = any_store.samples.quarantined(TASK)
    assert any_store.samples.count_quarantined(TASK) == 1
    assert (row.sha256, row.reason, row.message, row.source) == (
        sha("a"),
        "corrupt",
        "bit rot",
        "webmix",
    )


def test_quarantined_sample_comes_back_when_its_picture_is_offered_again(any_store: Store) -> None:
    any_store.samples.add(TASK, facts("a"), new("real"))
    any_store.samples.quarantine_sample(TASK, sha("a"), "corrupt", "bit rot")
    assert any_store.samples.add(TASK, facts("a"), new("real")) is not None
    assert any_store.samples.counts(TASK) == [("real", "webmix", 1)]
    assert any_store.samples.missing_vectors(TASK, "e") == [sha("a")]


def test_only_a_sample_can_be_put_aside(any_store: Store) -> None:
    with pytest.raises(NotFound):
        any_store.samples.quarantine_sample(TASK, sha("a"), "corrupt", "m")
    assert any_store.samples.quarantined(TASK) == []


# --- vectors ---


def test_vectors_come_back_bit_for_bit_in_the_order_asked(any_store: Store) -> None:
    odd = np.array(
        [[0.0, -0.0, np.nan], [np.inf, -np.inf, 1e-45], [0.1, 1 / 3, 3.4e38]], np.float32
    )
    any_store.vectors.put("e", [sha("a"), sha("b"), sha("c")], odd)
    found, back = any_store.vectors.get("e", [sha("c"), sha("none"), sha("a"), sha("b")])
    assert found == [sha("c"), sha("a"), sha("b")]
    assert back.dtype == np.float32
    assert back.tobytes() == odd[[2, 0, 1]].tobytes()


def test_asked_twice_is_answered_twice(any_store: Store) -> None:
    any_store.vectors.put("e", [sha("a"), sha("b")], rows(2, 4))
    found, back = any_store.vectors.get("e", [sha("b"), sha("a"), sha("b")])
    assert found == [sha("b"), sha("a"), sha("b")]
    assert np.array_equal(back, rows(2, 4)[[1, 0, 1]])


def test_vectors_can_be_written_to_and_cut(any_store: Store) -> None:
    any_store.vectors.put("e", [sha("a"), sha("b")], np.asfortranarray(rows(2, 4)))
    _, back = any_store.vectors.get("e", [sha("a"), sha("b")])
    assert np.array_equal(back, rows(2, 4))
    back[0] = 0
    assert np.array_equal(any_store.vectors.get("e", [sha("a")])[1], rows(2, 4)[:1])


def test_no_vectors_is_an_empty_matrix(any_store: Store) -> None:
    any_store.vectors.put("e", [], np.empty((0, 8), np.float32))
    asked: list[list[str]] = [[], ["none"]]
    for names in asked:
        found, back = any_store.vectors.get("e", names)
        assert found == []
        assert len(back) == 0
        assert back.dtype == np.float32


def test_which_pictures_have_a_vector_is_told_of_each_embedder(any_store: Store) -> None:
    any_store.vectors.put("e", [sha("a"), sha("b")], rows(2, 4))
    any_store.vectors.put("other", [sha("c")], rows(1, 4))

    asked = [sha("c"), sha("b"), sha("a"), sha("none"), sha("a")]
    assert any_store.vectors.present("e", asked) == {sha("a"), sha("b")}
    assert any_store.vectors.present("other", asked) == {sha("c")}
    assert any_store.vectors.present("e", []) == set()


def test_which_of_very_many_pictures_have_a_vector(any_store: Store) -> None:
    names = [sha(str(i)) for i in range(100_003)]
    any_store.vectors.put("e", names[-2:], rows(2, 4))

    assert any_store.vectors.present("e", names) == set(names[-2:])


def test_putting_again_changes_nothing(any_store: Store) -> None:
    any_store.vectors.put("e", [sha("a")], rows(1, 4, seed=1))
    any_store.vectors.put("e", [sha("a"), sha("b"), sha("b")], rows(3, 4, seed=2))
    found, back = any_store.vectors.get("e", [sha("a"), sha("b")])
    assert found == [sha("a"), sha("b")]
    assert np.array_equal(back[0], rows(1, 4, seed=1)[0])
    assert any_store.vectors.count("e") == 2


def test_vectors_of_two_embedders_never_mix(any_store: Store) -> None:
    any_store.vectors.put("one", [sha("a")], rows(1, 4))
    any_store.vectors.put("two", [sha("a")], rows(1, 6))
    assert any_store.vectors.get("one", [sha("a")])[1].shape == (1, 4)
    assert any_store.vectors.get("two", [sha("a")])[1].shape == (1, 6)
    assert any_store.vectors.count("one") == 1
    assert any_store.vectors.count("three") == 0


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 4), np.float32),
        np.zeros(4, np.float32),
        np.zeros((1, 4), np.float64),
    ],
    ids=["two rows for one picture", "no rows", "float64"],
)
def test_what_is_no_matrix_of_these_pictures_is_refused(
    store: Store, wrong: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> None:
    with pytest.raises(ValueError, match="float32"):
        store.vectors.put("e", [sha("a")], wrong)
    assert store.vectors.count("e") == 0


def test_embedder_that_changed_under_one_id_is_noticed(any_store: Store) -> None:
    any_store.vectors.put("e", [sha("a")], rows(1, 4))
    any_store.vectors.put("e", [sha("b")], rows(1, 6))
    with pytest.raises(Unavailable, match="different lengths"):
        any_store.vectors.get("e", [sha("a"), sha("b")])


def test_embedder_id_may_be_a_long_path(any_store: Store) -> None:
    long = "clip:ViT-B-32//srv/" + "x" * 1000 + "/ಕ.pt"
    any_store.vectors.put(long, [sha("a")], rows(1, 4))
    assert any_store.vectors.count(long) == 1


def test_a_hundred_thousand_vectors_load_fast(any_store: Store) -> None:
    n, dim = 100_000, 64
    names = [hashlib.sha256(i.to_bytes(4)).hexdigest() for i in range(n)]
    vectors = rows(n, dim)
    for start in range(0, n, 20_000):
        part = slice(start, start + 20_000)
        any_store.vectors.put("e", names[part], vectors[part])
    started = time.perf_counter()
    found, back = any_store.vectors.get("e", names)
    seconds = time.perf_counter() - started
    assert found == names
    assert np.array_equal(back, vectors)
    # 0.5 s on a quiet machine; one query a vector would take half a minute
    assert seconds < 8


def test_threads_that_put_the_same_vectors_do_not_block_each_other(any_store: Store) -> None:
    names = [sha(str(i)) for i in range(500)]
    vectors = rows(500, 16)
    failures: list[BaseException] = []

    def put(order: int) -> None:
        try:
            for _ in range(3):
                any_store.vectors.put(f"e{_}", names[::order], vectors[::order])
        except BaseException as error:  # noqa: BLE001 -- carried to the test
            failures.append(error)

    threads = [threading.Thread(target=put, args=(order,)) for order in (1, -1, 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert np.array_equal(any_store.vectors.get("e0", names)[1], vectors)


def test_facts_of_pictures_are_known_of_any_task(any_store: Store) -> None:
    any_store.samples.add("authenticity", facts("a", phash=2**64 - 1), new())
    found = any_store.samples.facts([sha("a"), sha("b")])
    assert found == {sha("a"): facts("a", phash=2**64 - 1)}
    assert any_store.samples.facts([]) == {}
