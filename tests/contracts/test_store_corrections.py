"""What a store promises of the log of corrections, on each database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError

from domain import Conflict, Correction, NotFound, TaskKind, Unacceptable
from storage import Store, schema
from storage.corrections import Corrections
from tests.contracts.stores import in_utc, sha

TASK = "authenticity"


def test_correction_comes_back_as_written(
    any_store: Store, open_another: Callable[[], Store]
) -> None:
    before = datetime.now(UTC)
    written = any_store.corrections.append(
        TASK, sha("a"), "ai", "ಅನಾಮಿಕ", verdict_id="v", variant_of="real", note="look 👀 \0"
    )
    assert before <= written.created_at <= datetime.now(UTC)
    assert written == Correction(
        id=written.id,
        task=TASK,
        seq=1,
        sha256=sha("a"),
        label="ai",
        person="ಅನಾಮಿಕ",
        created_at=written.created_at,
        verdict_id="v",
        variant_of="real",
        note="look 👀 \\x00",
        undoes=None,
    )
    (found,) = open_another().corrections.since(TASK, 0)
    assert found == written
    assert in_utc(found.created_at)


def test_sequence_counts_from_one_in_each_task(any_store: Store) -> None:
    any_store.tasks.create("smile", TaskKind.PHOTO, ("no", "yes"), open=False)
    append = any_store.corrections.append
    seqs = [append(TASK, sha(str(i)), "ai", "me").seq for i in range(3)]
    assert seqs == [1, 2, 3]
    assert append("smile", sha("a"), "yes", "me").seq == 1
    assert append(TASK, sha("a"), "ai", "me").seq == 4
    assert any_store.corrections.count(TASK) == 4
    assert any_store.corrections.count("smile") == 1


def test_since_gives_only_what_is_new_in_order(any_store: Store) -> None:
    written = [any_store.corrections.append(TASK, sha(str(i)), "ai", "me") for i in range(5)]
    assert any_store.corrections.since(TASK, 0) == written
    assert any_store.corrections.since(TASK, 3) == written[3:]
    assert any_store.corrections.since(TASK, 5) == []


def test_each_correction_moves_the_state_that_workers_watch(
    any_store: Store, open_another: Callable[[], Store]
) -> None:
    elsewhere = open_another().versions
    states = [elsewhere.state(TASK)]
    for i in range(2):
        any_store.corrections.append(TASK, sha(str(i)), "ai", "me")
        states.append(elsewhere.state(TASK))
    assert [state.corrections for state in states] == [0, 1, 2]
    assert states[0].counter < states[1].counter < states[2].counter


def test_same_idempotency_key_writes_once(
    any_store: Store, open_another: Callable[[], Store]
) -> None:
    first = any_store.corrections.append(TASK, sha("a"), "ai", "me", idempotency_key="k")
    again = open_another().corrections.append(TASK, sha("b"), "real", "you", idempotency_key="k")
    other = any_store.corrections.append(TASK, sha("a"), "ai", "me", idempotency_key="k2")
    bare = any_store.corrections.append(TASK, sha("a"), "ai", "me")
    assert again == first
    assert [first.seq, other.seq, bare.seq] == [1, 2, 3]
    assert any_store.corrections.since(TASK, 0) == [first, other, bare]
    assert any_store.versions.state(TASK).corrections == 3


def test_idempotency_keys_of_two_tasks_are_apart(any_store: Store) -> None:
    any_store.tasks.create("smile", TaskKind.PHOTO, ("no", "yes"), open=False)
    any_store.corrections.append(TASK, sha("a"), "ai", "me", idempotency_key="k")
    any_store.corrections.append("smile", sha("a"), "yes", "me", idempotency_key="k")
    assert any_store.corrections.count("smile") == 1


def test_idempotency_key_must_have_a_length(any_store: Store) -> None:
    for key in ("", "k" * 256):
        with pytest.raises(Unacceptable) as caught:
            any_store.corrections.append(TASK, sha("a"), "ai", "me", idempotency_key=key)
        assert caught.value.detail["field"] == "Idempotency-Key"
    assert any_store.corrections.append(TASK, sha("a"), "ai", "me", idempotency_key="k" * 255)


def test_refused_correction_leaves_no_gap(any_store: Store) -> None:
    any_store.corrections.append(TASK, sha("a"), "ai", "me")
    with pytest.raises(Unacceptable):
        any_store.corrections.append(TASK, sha("a"), "cat", "me")
    with pytest.raises(NotFound):
        any_store.corrections.append(TASK, sha("a"), "ai", "me", undoes="none")
    assert any_store.corrections.append(TASK, sha("a"), "ai", "me").seq == 2


def test_undo_is_a_row_as_well(any_store: Store) -> None:
    first = any_store.corrections.append(TASK, sha("a"), "ai", "me")
    undo = any_store.corrections.append(TASK, sha("a"), "ai", "me", undoes=first.id)
    assert undo.undoes == first.id
    assert any_store.corrections.since(TASK, 0) == [first, undo]


def test_a_correction_is_undone_once(any_store: Store) -> None:
    first = any_store.corrections.append(TASK, sha("a"), "ai", "me")
    any_store.corrections.append(TASK, sha("a"), "ai", "me", undoes=first.id)
    with pytest.raises(Conflict):
        any_store.corrections.append(TASK, sha("a"), "ai", "me", undoes=first.id)
    assert any_store.corrections.count(TASK) == 2


def test_only_a_correction_of_the_same_task_is_undone(any_store: Store) -> None:
    any_store.tasks.create("smile", TaskKind.PHOTO, ("no", "yes"), open=False)
    other = any_store.corrections.append("smile", sha("a"), "yes", "me")
    with pytest.raises(NotFound):
        any_store.corrections.append(TASK, sha("a"), "ai", "me", undoes=other.id)


def test_the_log_has_no_verb_that_changes_it() -> None:
    verbs = {name for name in vars(Corrections) if not name.startswith("_")}
    assert verbs == {"append", "since", "count"}


def test_the_database_itself_refuses_to_change_the_log(any_store: Store) -> None:
    written = any_store.corrections.append(TASK, sha("a"), "ai", "me")
    table = schema.corrections
    for change in (
        update(table).values(label="real"),
        update(table).where(table.c.seq == 1).values(note="other"),
        delete(table),
    ):
        with (
            pytest.raises(DBAPIError, match="append-only"),
            any_store.database.writing() as connection,
        ):
            connection.execute(change)
    assert any_store.corrections.since(TASK, 0) == [written]


def test_a_deleted_task_keeps_its_log_apart_from_its_successors(any_store: Store) -> None:
    any_store.tasks.create("smile", TaskKind.PHOTO, ("no", "yes"), open=False)
    any_store.corrections.append("smile", sha("a"), "yes", "me", idempotency_key="k")
    any_store.tasks.delete("smile")
    any_store.tasks.create("smile", TaskKind.PHOTO, ("no", "yes"), open=False)
    assert any_store.corrections.since("smile", 0) == []
    assert any_store.corrections.append("smile", sha("a"), "no", "me", idempotency_key="k").seq == 1


def test_threads_write_a_sequence_without_gaps(any_store: Store) -> None:
    acknowledged: list[int] = []

    def write(person: str) -> None:
        for i in range(15):
            row = any_store.corrections.append(TASK, sha(str(i)), "ai", person)
            acknowledged.append(row.seq)

    threads = [threading.Thread(target=write, args=(f"person {i}",)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(acknowledged) == list(range(1, 91))
    assert [row.seq for row in any_store.corrections.since(TASK, 0)] == list(range(1, 91))
