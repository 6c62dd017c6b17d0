"""What a store promises to several processes, and to one that is killed, on each database."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from config import Settings
from domain import Correction
from storage import Store, open_store
from tests.contracts.stores import teach
from tests.contracts.teaching import (
    Toll,
    begin,
    finish,
    kill_after,
    kill_while_teaching,
    line_of,
    own_pictures,
    processes,
    teach_at_once,
)

TASK = "authenticity"


def test_four_processes_teach_at_once_and_nothing_is_lost_or_doubled(
    any_settings: Settings,
) -> None:
    toll = teach_at_once(any_settings, 4, 500)
    assert toll == Toll(acknowledged=2000, written=2000, lost=0, doubled=0, gaps=0)


def test_four_processes_write_one_sequence_and_a_reader_misses_nothing(
    any_settings: Settings,
) -> None:
    store = open_store(any_settings)
    people = ["ann", "bob", "cem", "dai"]
    read: list[Correction] = []
    with processes(any_settings, "correct", people, 25) as writers:
        for writer in writers:
            begin(writer)
        acknowledged = []
        for _ in range(25):
            acknowledged.append(line_of(writers[0]))
            read += store.corrections.since(TASK, len(read))
        acknowledged += [line for writer in writers for line in finish(writer)]
    read += store.corrections.since(TASK, len(read))
    log = store.corrections.since(TASK, 0)
    store.close()
    assert sorted(int(line.split()[0]) for line in acknowledged) == list(range(1, 101))
    assert [row.seq for row in log] == list(range(1, 101))
    assert read == log
    for person in people:  # nobody's corrections changed their order
        own = [row.sha256 for row in log if row.person == person]
        assert own == own_pictures(person, 25)


def test_processes_that_repeat_one_another_write_once(any_settings: Settings) -> None:
    """The same person in two processes uses the same idempotency keys."""
    store = open_store(any_settings)
    with processes(any_settings, "correct", ["ann"] * 2, 10) as writers:
        for writer in writers:
            begin(writer)
        answers = [finish(writer) for writer in writers]
    assert store.corrections.count(TASK) == 10
    store.close()
    expected = [f"{seq} {name}" for seq, name in enumerate(own_pictures("ann", 10), 1)]
    assert answers == [expected] * 2


def test_killed_writer_loses_no_acknowledged_correction_and_doubles_none(
    any_settings: Settings,
) -> None:
    toll = kill_while_teaching(any_settings, 3)
    assert toll.acknowledged >= 6
    # nothing else either: what had no answer was sent again under its key
    assert toll == Toll(toll.acknowledged, toll.acknowledged, lost=0, doubled=0, gaps=0)


def test_killed_writer_loses_no_acknowledged_picture(any_settings: Settings) -> None:
    with processes(any_settings, "add", ["ann"], 1_000_000) as (writer,):
        begin(writer)
        acknowledged = [line.split() for line in kill_after(writer, 30)]
    store = open_store(any_settings)
    kept = {sample.sha256 for sample in store.samples.all(TASK)}
    found, vectors = store.vectors.get("e", [name for _, name in acknowledged])
    blobs = [store.blobs.get(name) for name, _ in acknowledged]
    store.close()
    assert {name for _, name in acknowledged} <= kept
    assert found == [name for _, name in acknowledged]
    assert vectors[:, 0].tolist() == list(range(len(acknowledged)))
    assert blobs == [f"ann {i}".encode() * 1000 for i in range(len(acknowledged))]


def test_writer_killed_in_the_middle_leaves_neither_lock_nor_half_a_change(
    any_settings: Settings,
) -> None:
    with processes(any_settings, "hold", ["ann"], 0) as (holder,):
        begin(holder)
        assert line_of(holder) == "holding"
        kill_after(holder, 0)
    store = open_store(any_settings)
    assert store.versions.state(TASK).corrections == 0
    assert teach(store, "a").seq == 1
    store.close()


def test_four_processes_open_an_empty_database_at_once(empty_settings: Settings) -> None:
    with processes(empty_settings, "open", ["ann", "bob", "cem", "dai"], 0) as openers:
        for opener in openers:
            begin(opener)
        assert [finish(opener) for opener in openers] == [["1"]] * 4
    store = open_store(empty_settings)
    assert [task.name for task in store.tasks.all()] == [TASK]
    assert teach(store, "a").seq == 1
    store.close()


@pytest.mark.parametrize("n", [1, 3])
def test_what_one_process_writes_another_reads_at_once(
    any_store: Store, open_another: Callable[[], Store], n: int
) -> None:
    readers = [open_another() for _ in range(n)]
    any_store.tasks.link(TASK, "ai", "synthetic")
    for reader in readers:
        assert reader.tasks.get(TASK).variants == {"synthetic": "ai"}
