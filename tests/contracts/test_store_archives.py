"""What a store promises of a task that is reset, and of one that comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from domain import DEFAULT_TASK, Archive, NotFound, TaskKind
from storage import Store
from tests.contracts.stores import facts, new, teach, verdict, version

TASK = "letters"


@pytest.fixture
def taught(any_store: Store) -> Store:
    """A store with a task that has a bit of everything."""
    prompts = {"ka": "the letter ka"}
    any_store.tasks.create(TASK, TaskKind.DRAWING, ("ka", "kha"), open=True, prompts=prompts)
    any_store.tasks.add_label(TASK, "ga")
    any_store.tasks.settle(TASK, {"unsure_below": 0.4})
    any_store.samples.add(TASK, facts("a"), new("ka"))
    any_store.samples.add(TASK, facts("demo"), new("ka", demo=True))
    teach(any_store, "b", "gha", task=TASK, idempotency_key="k")
    slip = teach(any_store, "c", "kha", task=TASK)
    any_store.corrections.undo(TASK, [slip.id], "me", True)
    any_store.tasks.link(TASK, "ka", "x")
    any_store.versions.add(version("v1", TASK))
    any_store.versions.promote(TASK, "v1", "asked")
    any_store.verdicts.add(verdict("old", TASK))
    return any_store


def test_reset_task_begins_anew_as_it_was_made(taught: Store) -> None:
    old, began = taught.tasks.get(TASK), datetime.now(UTC)
    archive = taught.tasks.reset(TASK)
    fresh = taught.tasks.get(TASK)
    assert began <= archive.at <= datetime.now(UTC)
    assert archive == Archive(old.id, TASK, archive.at, samples=2, corrections=3, version="v1")
    assert taught.tasks.archives(TASK) == [archive]
    assert (fresh.kind, fresh.open, fresh.prompts) == (old.kind, old.open, old.prompts)
    assert fresh.settings == old.settings == {"unsure_below": 0.4}
    assert (fresh.labels, fresh.variants) == (("ka", "kha", "ga"), {})
    assert fresh.id != old.id
    assert taught.samples.all(TASK) == taught.samples.all(TASK, demo=True) == []
    assert taught.corrections.since(TASK, 0) == []
    assert taught.versions.all(TASK) == []
    state = taught.versions.state(TASK)
    assert (state.task_id, state.counter, state.corrections) == (fresh.id, 0, 0)
    assert teach(taught, "b", "ka", task=TASK, idempotency_key="k").seq == 1


def test_restored_task_is_as_it_was(taught: Store) -> None:
    def everything() -> tuple[object, ...]:
        return (
            taught.tasks.get(TASK),
            taught.samples.all(TASK),
            taught.corrections.since(TASK, 0),
            taught.versions.current(TASK),
            taught.versions.state(TASK),
            taught.verdicts.count(TASK),
        )

    before = everything()
    archive = taught.tasks.reset(TASK)
    teach(taught, "z", "new", task=TASK)
    assert taught.tasks.restore(TASK, archive.id) == before[0]
    assert everything() == before
    (other,) = taught.tasks.archives(TASK)  # what was there meanwhile is not lost either
    assert (other.corrections, other.version) == (1, None)
    taught.tasks.restore(TASK, other.id)
    assert taught.tasks.get(TASK).labels == ("ka", "kha", "ga", "new")


def test_archives_come_newest_first(taught: Store) -> None:
    resets = [taught.tasks.reset(TASK) for _ in range(3)]
    assert taught.tasks.archives(TASK) == resets[::-1]
    assert taught.tasks.archives("none") == taught.tasks.archives("a\0b") == []


def test_the_default_task_can_be_reset_and_is_always_there(any_store: Store) -> None:
    teach(any_store, "a")
    archive = any_store.tasks.reset(DEFAULT_TASK)
    assert any_store.tasks.get(DEFAULT_TASK).labels == ("ai", "real")
    assert any_store.corrections.count(DEFAULT_TASK) == 0
    any_store.tasks.restore(DEFAULT_TASK, archive.id)
    assert any_store.corrections.count(DEFAULT_TASK) == 1


def test_deleted_task_can_be_brought_back(taught: Store) -> None:
    before = taught.tasks.get(TASK)
    taught.tasks.delete(TASK)
    (archive,) = taught.tasks.archives(TASK)
    assert taught.tasks.restore(TASK, archive.id) == before


def test_only_an_archive_of_that_name_is_restored(taught: Store) -> None:
    archive = taught.tasks.reset(TASK)
    current = taught.tasks.get(TASK)
    taught.tasks.create("other", TaskKind.PHOTO, open=True)
    for name, number in (
        (TASK, current.id),
        (TASK, 0),
        (TASK, -1),
        (TASK, 2**80),
        ("other", archive.id),
        ("none", archive.id),
    ):
        with pytest.raises(NotFound):
            taught.tasks.restore(name, number)
    assert taught.tasks.get(TASK) == current


def test_whoever_waited_while_a_task_was_reset_writes_to_the_new_one(
    taught: Store, open_another: Callable[[], Store]
) -> None:
    """The reset and the corrections take turns; none of them ends up in the archive after it."""
    elsewhere = open_another()
    archived: list[Archive] = []
    acknowledged: list[str] = []

    def write() -> None:
        for i in range(40):
            acknowledged.append(teach(elsewhere, str(i), "ka", task=TASK).id)

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        archived.append(taught.tasks.reset(TASK))
    writer.join()
    archived.append(taught.tasks.reset(TASK))
    kept = []
    for archive in archived:
        taught.tasks.restore(TASK, archive.id)
        rows = taught.corrections.since(TASK, 0)
        assert len(rows) == archive.corrections  # nothing came after it was put away
        kept += [row.id for row in rows]
    assert set(acknowledged) <= set(kept)
