"""What a store promises once a picture is erased, on each database."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from config import Settings
from domain import (
    Answer,
    Change,
    Conflict,
    Correction,
    Erased,
    Nearest,
    NotFound,
    Seen,
    TaskKind,
    VerdictSource,
)
from storage import Store, open_store
from tests.contracts.stores import NOON, facts, new, run, sha, teach, verdict, version

TASK = "authenticity"
BYTES = b"the bytes of a picture"
PICTURE = hashlib.sha256(BYTES).hexdigest()
TEXT = "the picture"
VECTOR = np.frombuffer(b"0123456789abcdef" * 16, np.float32)[None]


@pytest.fixture
def of_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let TEXT stand for the picture whose bytes are BYTES."""
    plain = sha

    def known(text: str) -> str:
        return PICTURE if text == TEXT else plain(text)

    monkeypatch.setattr("tests.contracts.stores.sha", known)


@pytest.fixture
def store(any_store: Store, of_picture: None) -> Store:
    """A store that has one picture in every place there is, and another one beside it."""
    any_store.tasks.create("smile", TaskKind.PHOTO, ("no", "yes"), open=False)
    any_store.tasks.create("idle", TaskKind.PHOTO, ("no", "yes"), open=False)
    any_store.blobs.put(BYTES)
    before = Answer("ai", 0.5, VerdictSource.MODEL)
    for text in (TEXT, "other"):
        teach(any_store, text, "real", verdict_id=f"v {text}", note=f"of {text}", before=before)
        any_store.verdicts.add(verdict(f"v {text}", picture=facts(text)))
        any_store.verdicts.add(verdict(f"idle {text}", "idle", picture=facts(text)))
        any_store.samples.add("smile", facts(text), new("yes"))
        any_store.samples.quarantine(TASK, "f", "corrupt", "m", "web", facts(text).sha256)
    pictures = [PICTURE, sha("other")]
    for embedder in ("a", "b", "z:copy/2"):
        any_store.vectors.put(embedder, pictures, np.repeat(VECTOR, 2, axis=0))
    return any_store


def rows_of(store: Store, task: str = TASK) -> list[Correction]:
    return store.corrections.since(task, 0)


def test_erased_picture_is_nowhere_and_everything_else_is_where_it_was(store: Store) -> None:
    receipts = store.receipts
    first, second = rows_of(store)
    for row in (first, second):
        receipts.put(row.id, {"said": "something"})
    erased = store.erase(PICTURE)
    assert erased == Erased(
        PICTURE, file=True, vectors=3, samples=2, corrections=1, verdicts=2, trained_versions=()
    )
    assert not store.blobs.exists(PICTURE)
    assert [store.vectors.count(embedder) for embedder in ("a", "b", "z:copy/2")] == [1, 1, 1]
    assert [s.sha256 for s in store.samples.all("smile")] == [sha("other")]
    assert [s.sha256 for s in store.samples.all(TASK)] == [sha("other")]
    assert [q.sha256 for q in store.samples.quarantined(TASK)] == [sha("other")]
    assert store.verdicts.get("v other")
    assert store.verdicts.count("idle") == 1
    for name in (f"v {TEXT}", f"idle {TEXT}"):
        with pytest.raises(NotFound):
            store.verdicts.get(name)
    assert receipts.get(first.id) is None
    assert receipts.get(second.id) == {"said": "something"}
    with pytest.raises(NotFound):
        receipts.put(first.id, {})


def seen_as(text: str) -> Seen:
    return Seen(text, "https://example.org/a", "kept", NOON, facts(text).sha256, '"1"', "Sunday")


def changed(text: str) -> Change:
    return Change(TASK, "v1", facts(text).sha256, f"v {text}", "ai", "real", 0.5, NOON)


def test_what_sources_listed_and_versions_changed_forgets_it(store: Store) -> None:
    for task in (TASK, "smile"):
        store.crawls.note(task, "commons", [seen_as(TEXT), seen_as("other")])
    store.changes.put(TASK, "v1", [changed(TEXT), changed("other")])
    store.file_facts.put_many("r1", {PICTURE: {"n": 1}, sha("other"): {"n": 2}})
    store.file_facts.put_many("r2", {PICTURE: {"n": 3}})
    store.erase(PICTURE)
    for task in (TASK, "smile"):
        assert store.crawls.seen(task, "commons", [TEXT, "other"]) == {
            # its key is left, so it is not fetched again
            TEXT: Seen(TEXT, "", "kept", NOON),
            "other": seen_as("other"),
        }
    assert store.changes.all(TASK) == [changed("other")]
    assert store.file_facts.get("r1", [PICTURE, sha("other")]) == {sha("other"): {"n": 2}}
    assert store.file_facts.get("r2", [PICTURE]) == {}


def test_what_was_told_no_longer_names_it(store: Store) -> None:
    told = {"wrong": [PICTURE, sha("other")], PICTURE: 1}
    left = {"wrong": ["", sha("other")], "": 1}
    store.runs.add(run("r", detail=told))
    store.runs.add(run("s", detail={"wrong": []}))
    job = store.jobs.ask("retrain", request={}, now=NOON)
    store.jobs.claim("me", "retrain", NOON)
    store.jobs.keep(job.id, "me", told, NOON)
    store.jobs.finish(job.id, "me", NOON, result=told)
    store.deliveries.add("promoted", told, NOON)
    store.erase(PICTURE)
    assert {one.id: one.detail for one in store.runs.all(TASK)} == {"r": left, "s": {"wrong": []}}
    assert (store.jobs.get(job.id).kept, store.jobs.get(job.id).result) == (left, left)
    assert [message.body for message in store.deliveries.all()] == [left]


def test_verdicts_on_other_pictures_that_name_it_go_with_it(store: Store) -> None:
    like = (f"It is 99% like the picture {PICTURE[:12]}, which me labelled real.",)
    (of_it,) = (s.id for s in store.samples.all(TASK) if s.sha256 == PICTURE)
    longer = Nearest(of_it * 10 + 1, "real", 0.9)
    near = (longer, Nearest(of_it, "real", 0.9))
    another = facts("another")
    store.verdicts.add_many(
        [
            verdict("like it", picture=another, reasons=like, nearest=()),
            verdict("near it", picture=another, nearest=near),
            verdict("near another", picture=another, nearest=(longer,)),
        ]
    )
    # 2 of its own, one of them of a task that has it under another number
    assert store.erase(PICTURE).verdicts == 4
    for name in ("like it", "near it"):
        with pytest.raises(NotFound):
            store.verdicts.get(name)
    assert store.verdicts.get("near another")
    assert store.verdicts.get("v other")


def test_of_an_erased_pictures_corrections_the_place_is_left(store: Store) -> None:
    (row,) = store.corrections.undo(TASK, [rows_of(store)[0].id], "me", True, "a slip")
    before = rows_of(store)
    store.erase(PICTURE)
    after = rows_of(store)
    assert [r.seq for r in after] == [1, 2, 3]
    assert after[1] == before[1]
    for was, now in ((before[0], after[0]), (row, after[2])):
        assert now.erased
        assert (now.sha256, now.note, now.verdict_id, now.phash) == ("", "", None, 0)
        assert (now.id, now.label, now.person, now.undoes) == (
            was.id,
            was.label,
            was.person,
            was.undoes,
        )
    assert store.corrections.of_person(TASK, "me") == [before[1]]
    assert store.corrections.last_befores(TASK, 9) == [("ai", "real")]
    assert teach(store, "next").seq == 4


def test_tasks_that_had_the_picture_are_read_anew_and_no_others(store: Store) -> None:
    names = (TASK, "smile", "idle")
    before = [store.versions.state(name) for name in names]
    store.erase(PICTURE)
    after = [store.versions.state(name) for name in names]
    moved = [(b.counter - a.counter, b.epoch - a.epoch) for a, b in zip(before, after, strict=True)]
    assert moved == [(1, 1), (1, 1), (0, 0)]


def test_versions_trained_while_it_was_there_are_named(store: Store) -> None:
    now = datetime.now(UTC)
    for name, task, at in (
        ("early", TASK, now - timedelta(days=1)),
        ("late", TASK, now + timedelta(days=2)),
        ("soon", TASK, now + timedelta(days=1)),
        ("smile", "smile", now + timedelta(days=1)),
        ("idle", "idle", now + timedelta(days=1)),
    ):
        store.versions.add(version(name, task, created_at=at))
    assert store.erase(PICTURE).trained_versions == ("soon", "late", "smile")


def test_archived_tasks_are_erased_from_as_well(store: Store) -> None:
    archive = store.tasks.reset(TASK)
    epoch = store.versions.state(TASK).epoch
    assert store.erase(PICTURE).corrections == 1
    assert store.versions.state(TASK).epoch == epoch
    store.tasks.restore(TASK, archive.id)
    assert rows_of(store)[0].erased
    assert store.versions.state(TASK).epoch == epoch + 1


def test_erasing_again_finds_nothing(store: Store) -> None:
    store.erase(PICTURE)
    state = store.versions.state(TASK)
    nothing = Erased(PICTURE, file=False, vectors=0, samples=0, corrections=0, verdicts=0)
    assert store.erase(PICTURE) == nothing
    assert store.versions.state(TASK) == state
    with pytest.raises(NotFound):
        store.erase("../../etc/passwd")


def test_erasing_again_finishes_what_was_cut_off(store: Store) -> None:
    """The rows go first; a crash before the file went is mended by asking once more."""
    store.erase(PICTURE)
    store.blobs.put(BYTES)
    assert store.erase(PICTURE).file
    assert not store.blobs.exists(PICTURE)


def test_erased_correction_can_neither_be_undone_nor_repeated(store: Store) -> None:
    row = teach(store, TEXT, idempotency_key="k")
    store.erase(PICTURE)
    with pytest.raises(Conflict):
        store.corrections.undo(TASK, [row.id], "me", True)
    with pytest.raises(Conflict):
        teach(store, TEXT, idempotency_key="k")


def test_erased_picture_may_be_taught_anew(store: Store) -> None:
    store.erase(PICTURE)
    row = teach(store, TEXT)
    assert (row.sha256, row.phash, row.erased) == (PICTURE, 7, False)
    assert PICTURE in {sample.sha256 for sample in store.samples.all(TASK)}


def test_labels_and_variants_that_rested_on_the_picture_go_with_it(any_store: Store) -> None:
    any_store.tasks.create("letters", TaskKind.DRAWING, ("ka",), open=True)
    teach(any_store, "a", "ga", task="letters")
    teach(any_store, "a", "x", task="letters", variant_of="ka")
    any_store.erase(sha("a"))
    task = any_store.tasks.get("letters")
    assert (task.labels, task.variants) == (("ka",), {})


def test_nothing_of_it_is_left_in_the_files(settings: Settings, of_picture: None) -> None:
    """SQLite leaves what is deleted in its file, unless it is told otherwise."""
    store = open_store(settings)
    teach(store, TEXT, verdict_id="v", note="a private note")
    store.verdicts.add(verdict("v", picture=facts(TEXT), reasons=("a private reason",)))
    store.vectors.put("e", [PICTURE], VECTOR)
    store.blobs.put(BYTES)
    store.crawls.note(TASK, "page", [seen_as(TEXT)])
    store.changes.put(TASK, "v1", [changed(TEXT)])
    store.file_facts.put_many("r", {PICTURE: {"camera": "a private camera"}})
    store.deliveries.add("promoted", {"changed": [PICTURE]}, NOON)
    store.close()
    secrets = (PICTURE.encode(), b"a private", b"example.org", VECTOR.tobytes(), BYTES)
    found = b"".join(file.read_bytes() for file in _files(settings.data_dir))
    assert all(secret in found for secret in secrets)

    store = open_store(settings)
    store.erase(PICTURE)
    store.close()
    left = b"".join(file.read_bytes() for file in _files(settings.data_dir))
    assert not any(secret in left for secret in secrets)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
