"""What a store promises to several processes, and to one that is killed, on each database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config import Settings
from domain import Correction
from storage import Store, open_store
from tests.contracts.stores import sha, teach

ROOT = Path(__file__).resolve().parents[2]
TASK = "authenticity"
Process = subprocess.Popen[str]


@contextmanager
def processes(settings: Settings, verb: str, people: list[str], n: int) -> Iterator[list[Process]]:
    """Start one process a person; all are ready, none has begun."""
    started = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.contracts.store_process"),
                *(str(settings.data_dir), settings.database_url, verb, person, str(n)),
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for person in people
    ]
    try:
        for process in started:
            assert line_of(process) == "ready"
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def begin(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def line_of(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def finish(process: Process) -> list[str]:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return output.split("\n")[:-1]


def kill_after(process: Process, n: int) -> list[str]:
    """Kill -9 once n lines came; everything it had acknowledged by then."""
    lines = [line_of(process) for _ in range(n)]
    process.kill()
    output, _ = process.communicate()
    assert process.returncode == -9
    # the last line may be cut off in the middle
    return lines + output.split("\n")[:-1]


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
            acknowledged.append(int(line_of(writers[0])))
            read += store.corrections.since(TASK, len(read))
        acknowledged += [int(seq) for writer in writers for seq in finish(writer)]
    read += store.corrections.since(TASK, len(read))
    log = store.corrections.since(TASK, 0)
    store.close()
    assert sorted(acknowledged) == list(range(1, 101))
    assert [row.seq for row in log] == list(range(1, 101))
    assert read == log
    for person in people:  # nobody's corrections changed their order
        own = [row.sha256 for row in log if row.person == person]
        assert own == [sha(f"{person} {i}") for i in range(25)]


def test_processes_that_repeat_one_another_write_once(any_settings: Settings) -> None:
    """The same person in two processes uses the same idempotency keys."""
    store = open_store(any_settings)
    with processes(any_settings, "correct", ["ann"] * 2, 10) as writers:
        for writer in writers:
            begin(writer)
        answers = [finish(writer) for writer in writers]
    assert store.corrections.count(TASK) == 10
    store.close()
    assert answers == [[str(seq) for seq in range(1, 11)]] * 2


def test_killed_writer_loses_no_acknowledged_correction(any_settings: Settings) -> None:
    with processes(any_settings, "correct", ["ann"], 1_000_000) as (writer,):
        begin(writer)
        acknowledged = [int(seq) for seq in kill_after(writer, 50)]
    store = open_store(any_settings)
    # the server may still be busy with what the killed process sent last: this waits for it
    following = teach(store, "next", person="bob").seq
    seqs = [row.seq for row in store.corrections.since(TASK, 0)]
    store.close()
    assert acknowledged == list(range(1, len(acknowledged) + 1))
    assert seqs == list(range(1, following + 1))
    # one more may have been written and never acknowledged
    assert following - len(acknowledged) in (1, 2)


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
