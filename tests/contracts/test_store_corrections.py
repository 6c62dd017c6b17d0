"""What a store promises of the log of corrections, on each database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from domain import (
    Answer,
    Conflict,
    Correction,
    Limited,
    NewCorrection,
    NotFound,
    Person,
    TaskKind,
    TeachLimits,
    Unacceptable,
    VerdictSource,
)
from storage import Store, schema
from storage.corrections import Corrections
from tests.contracts.stores import NOON, facts, in_utc, new, sha, teach, version

TASK = "authenticity"
UNKNOWN = ("none", "a\0b", "\ud800", "x" * 5000)
ANN = Person("ann", trusted=False)


def smile(store: Store, *, open: bool = False) -> None:
    store.tasks.create("smile", TaskKind.PHOTO, ("no", "yes"), open=open)


def said(
    text: str, label: str = "ai", person: Person = ANN, idempotency_key: str | None = None
) -> NewCorrection:
    return NewCorrection(sha(text), label, person, idempotency_key=idempotency_key)


def undo(store: Store, *rows: Correction, task: str = TASK, note: str = "") -> list[Correction]:
    return store.corrections.undo(task, [row.id for row in rows], "me", True, note)


# --- teaching ---


def test_correction_comes_back_as_taught(
    any_store: Store, open_another: Callable[[], Store]
) -> None:
    began = datetime.now(UTC)
    before = Answer("real", 0.1 + 0.2, VerdictSource.SIMILAR)
    given = NewCorrection(
        sha("a"),
        "fake",
        Person("ಅನಾಮಿಕ", trusted=False),
        before=before,
        verdict_id="v",
        variant_of="ai",
        note="look 👀 \0",
        idempotency_key="k",
    )
    taught = any_store.corrections.teach(TASK, given, facts("a", phash=2**64 - 1), new("ai"))
    written = taught.correction
    assert taught.fresh
    assert began <= written.created_at <= datetime.now(UTC)
    assert written == Correction(
        id=written.id,
        task=TASK,
        seq=1,
        sha256=sha("a"),
        label="fake",
        person="ಅನಾಮಿಕ",
        created_at=written.created_at,
        verdict_id="v",
        variant_of="ai",
        note="look 👀 \\x00",
        undoes=None,
        trusted=False,
        before=before,
        erased=False,
        phash=2**64 - 1,
    )
    elsewhere = open_another().corrections
    (found,) = elsewhere.since(TASK, 0)
    assert found == written == elsewhere.get(TASK, written.id)
    assert in_utc(found.created_at)


def test_sequence_counts_from_one_in_each_task(any_store: Store) -> None:
    smile(any_store)
    assert [teach(any_store, str(i)).seq for i in range(3)] == [1, 2, 3]
    assert teach(any_store, "a", "yes", task="smile").seq == 1
    assert teach(any_store, "a").seq == 4
    assert any_store.corrections.count(TASK) == 4
    assert any_store.corrections.count("smile") == 1


def test_since_gives_only_what_is_new_in_order(any_store: Store) -> None:
    written = [teach(any_store, str(i)) for i in range(5)]
    assert any_store.corrections.since(TASK, 0) == written
    assert any_store.corrections.since(TASK, 3) == written[3:]
    assert any_store.corrections.since(TASK, 5) == []


def test_each_correction_moves_the_state_that_workers_watch(
    any_store: Store, open_another: Callable[[], Store]
) -> None:
    elsewhere = open_another().versions
    states = [elsewhere.state(TASK)]
    rows = []
    for i in range(2):
        rows.append(teach(any_store, str(i)))
        states.append(elsewhere.state(TASK))
    undo(any_store, *rows)
    states.append(elsewhere.state(TASK))
    assert [state.corrections for state in states] == [0, 1, 2, 4]
    assert [state.counter for state in states] == [0, 1, 2, 3]
    assert {state.epoch for state in states} == {0}


def test_picture_and_correction_given_together_must_be_of_one_picture(store: Store) -> None:
    with pytest.raises(ValueError, match="facts of"):
        store.corrections.teach(TASK, said("a"), facts("b"), None)


@pytest.mark.parametrize("name", ["", "x" * 129])
def test_person_must_have_a_name_that_can_be_looked_up(store: Store, name: str) -> None:
    with pytest.raises(Unacceptable, match="person"):
        teach(store, "a", person=name)
    assert teach(store, "a", person="x" * 128)


def test_longest_person_and_key_of_any_script_can_be_looked_up(any_store: Store) -> None:
    person, key = "👩" * 128, "'\"\\ಕ" + "👩" * 251
    first = teach(any_store, "a", person=person, idempotency_key=key)
    assert teach(any_store, "a", person=person, idempotency_key=key) == first


# --- rehearsing ---


def test_rehearsed_correction_is_what_would_be_written_and_leaves_no_trace(
    any_store: Store,
) -> None:
    any_store.tasks.create("letters", TaskKind.DRAWING, ("ka",), open=True)
    before = any_store.tasks.get("letters"), any_store.versions.state("letters")
    given = NewCorrection(sha("a"), " x ", ANN, variant_of="ka", idempotency_key="k")
    rehearsed = any_store.corrections.rehearse("letters", given, facts("a", phash=5))
    assert rehearsed.fresh
    row = rehearsed.correction
    assert (row.seq, row.label, row.variant_of, row.phash) == (1, "x", "ka", 5)
    assert (any_store.tasks.get("letters"), any_store.versions.state("letters")) == before
    assert any_store.corrections.since("letters", 0) == []
    with any_store.database.reading() as connection:
        assert connection.execute(select(schema.pictures)).all() == []
    taught = any_store.corrections.teach("letters", given, facts("a"), None)
    assert taught.fresh
    again = any_store.corrections.rehearse("letters", given, facts("a"))
    assert (again.correction, again.fresh) == (taught.correction, False)


def test_rehearsal_refuses_what_would_be_refused(any_store: Store) -> None:
    limits = TeachLimits(per_minute=1)
    rehearse = any_store.corrections.rehearse
    with pytest.raises(Unacceptable):
        rehearse(TASK, said("a", "cat"), facts("a"))
    with pytest.raises(NotFound):
        rehearse("none", said("a"), facts("a"))
    any_store.corrections.teach(TASK, said("a"), facts("a"), None, limits)
    with pytest.raises(Limited):
        rehearse(TASK, said("b"), facts("b"), limits)


# --- found by its id ---


def test_correction_is_found_without_naming_its_task(any_store: Store) -> None:
    smile(any_store)
    here, there = teach(any_store, "a"), teach(any_store, "a", "yes", task="smile")
    (taken_back,) = undo(any_store, there, task="smile")
    find = any_store.corrections.find
    assert (find(here.id), find(there.id), find(taken_back.id)) == (here, there, taken_back)
    for unknown in UNKNOWN:
        with pytest.raises(NotFound):
            find(unknown)


def test_correction_of_a_task_that_is_gone_is_found_no_more(any_store: Store) -> None:
    smile(any_store)
    kept, gone = teach(any_store, "a"), teach(any_store, "a", "yes", task="smile")
    any_store.tasks.delete("smile")
    smile(any_store)
    with pytest.raises(NotFound):
        any_store.corrections.find(gone.id)
    assert any_store.corrections.find(kept.id) == kept


# --- the same again ---


def test_same_idempotency_key_writes_once(
    any_store: Store, open_another: Callable[[], Store]
) -> None:
    first = teach(any_store, "a", idempotency_key="k")
    given = said("a", person=Person("me", True), idempotency_key="k")
    again = open_another().corrections.teach(TASK, given, facts("a"), new())
    other = teach(any_store, "a", idempotency_key="k2")
    bare = teach(any_store, "a")
    assert again.correction == first
    assert not again.fresh
    assert [first.seq, other.seq, bare.seq] == [1, 2, 3]
    assert any_store.corrections.since(TASK, 0) == [first, other, bare]
    assert any_store.versions.state(TASK).corrections == 3


def test_idempotency_key_used_for_something_else_is_a_conflict(any_store: Store) -> None:
    teach(any_store, "a", "ai", idempotency_key="k")
    for text, label in (("b", "ai"), ("a", "real")):
        with pytest.raises(Conflict, match="Idempotency-Key"):
            teach(any_store, text, label, idempotency_key="k")
    assert any_store.corrections.count(TASK) == 1


def test_key_that_said_nothing_of_a_variant_cannot_say_it_later(any_store: Store) -> None:
    any_store.tasks.create("letters", TaskKind.DRAWING, ("ka", "kha"), open=True)

    def again(key: str, variant_of: str | None) -> Correction:
        return teach(
            any_store, "a", "ga", task="letters", idempotency_key=key, variant_of=variant_of
        )

    bare = again("bare", None)
    linked = again("linked", "ka")
    assert (again("bare", None), again("linked", " ka ")) == (bare, linked)
    for key, variant_of in (("bare", "ka"), ("linked", None), ("linked", "kha")):
        with pytest.raises(Conflict, match="Idempotency-Key"):
            again(key, variant_of)
    assert any_store.corrections.count("letters") == 2


def test_idempotency_keys_of_two_people_are_apart(any_store: Store) -> None:
    teach(any_store, "a", "ai", "ann", idempotency_key="k")
    assert teach(any_store, "b", "real", "bob", idempotency_key="k").seq == 2
    tricky = teach(any_store, "c", person='a", "b', idempotency_key="k")
    assert teach(any_store, "d", person="a", idempotency_key='b", "k').seq == tricky.seq + 1


def test_idempotency_keys_of_two_tasks_are_apart(any_store: Store) -> None:
    smile(any_store)
    teach(any_store, "a", idempotency_key="k")
    teach(any_store, "a", "yes", task="smile", idempotency_key="k")
    assert any_store.corrections.count("smile") == 1


def test_idempotency_key_must_have_a_length(any_store: Store) -> None:
    for key in ("", "k" * 256):
        with pytest.raises(Unacceptable) as caught:
            teach(any_store, "a", idempotency_key=key)
        assert caught.value.detail["field"] == "Idempotency-Key"
    assert teach(any_store, "a", idempotency_key="k" * 255)


def test_retry_is_answered_although_the_minute_is_full(any_store: Store) -> None:
    limits = TeachLimits(per_minute=1)
    given = said("a", idempotency_key="k")
    first = any_store.corrections.teach(TASK, given, facts("a"), None, limits)
    again = any_store.corrections.teach(TASK, given, facts("a"), None, limits)
    assert again.correction == first.correction


# --- too much ---


def test_rate_of_one_person_is_counted_over_all_processes(
    any_store: Store, open_another: Callable[[], Store]
) -> None:
    limits = TeachLimits(per_minute=3)
    stores = [any_store, open_another()]
    for i in range(3):
        stores[i % 2].corrections.teach(TASK, said(str(i)), facts(str(i)), None, limits)
    with pytest.raises(Limited) as caught:
        stores[1].corrections.teach(TASK, said("x"), facts("x"), None, limits)
    assert 1 <= caught.value.retry_after <= 60
    assert any_store.corrections.count(TASK) == 3
    bob = said("x", person=Person("bob", trusted=False))
    assert any_store.corrections.teach(TASK, bob, facts("x"), None, limits).fresh


def test_somebody_trusted_has_no_rate(any_store: Store) -> None:
    boss = Person("ann", trusted=True)
    for i in range(5):
        given = said(str(i), person=boss)
        any_store.corrections.teach(TASK, given, facts(str(i)), None, TeachLimits(per_minute=1))


def test_what_was_said_a_minute_ago_no_longer_counts(any_store: Store) -> None:
    limits = TeachLimits(per_minute=2)
    long_ago = datetime.now(UTC) - timedelta(seconds=61)
    with any_store.database.writing() as connection:
        task_id = any_store.tasks.get(TASK).id
        for seq in (1, 2):
            row = {"id": f"old {seq}", "task_id": task_id, "seq": seq, "sha256": sha("a")}
            row |= {"label": "ai", "person": "ann", "note": "", "created_at": long_ago}
            connection.execute(insert(schema.corrections), row)
        connection.execute(update(schema.task_state).values(corrections=2))
    for i in range(2):
        any_store.corrections.teach(TASK, said(str(i)), facts(str(i)), None, limits)
    with pytest.raises(Limited):
        any_store.corrections.teach(TASK, said("x"), facts("x"), None, limits)


def test_clock_that_was_set_back_shuts_nobody_out(any_store: Store) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with any_store.database.writing() as connection:
        row = {"id": "odd", "task_id": any_store.tasks.get(TASK).id, "seq": 1, "sha256": sha("a")}
        row |= {"label": "ai", "person": "ann", "note": "", "created_at": tomorrow}
        connection.execute(insert(schema.corrections), row)
        connection.execute(update(schema.task_state).values(corrections=1))
    limits = TeachLimits(per_minute=1)
    assert any_store.corrections.teach(TASK, said("b"), facts("b"), None, limits).fresh


# --- taking back ---


def test_undo_is_a_row_as_well(any_store: Store) -> None:
    first = teach(any_store, "a", "real", note="mine")
    (row,) = any_store.corrections.undo(TASK, [first.id], "bob", False, "a slip")
    assert row == Correction(
        id=row.id,
        task=TASK,
        seq=2,
        sha256=sha("a"),
        label="real",
        person="bob",
        created_at=row.created_at,
        note="a slip",
        undoes=first.id,
        trusted=False,
        phash=7,
    )
    assert any_store.corrections.since(TASK, 0) == [first, row]
    assert any_store.corrections.undone_by(TASK, first.id) == row
    assert any_store.corrections.undone_by(TASK, row.id) is None


def test_many_are_taken_back_together_in_the_order_asked(any_store: Store) -> None:
    rows = [teach(any_store, str(i)) for i in range(4)]
    undone = undo(any_store, rows[2], rows[0], rows[2])
    assert [(row.seq, row.undoes) for row in undone] == [(5, rows[2].id), (6, rows[0].id)]
    assert any_store.corrections.count(TASK) == 6
    assert undo(any_store) == []


def test_one_that_cannot_be_taken_back_keeps_all_of_them(any_store: Store) -> None:
    rows = [teach(any_store, str(i)) for i in range(3)]
    (row,) = undo(any_store, rows[0])
    state = any_store.versions.state(TASK)
    for wrong, error in ((rows[0], Conflict), (row, Unacceptable)):
        with pytest.raises(error):
            undo(any_store, rows[1], wrong)
    for name in UNKNOWN:
        with pytest.raises(NotFound):
            any_store.corrections.undo(TASK, [rows[1].id, name], "me", True)
    assert any_store.versions.state(TASK) == state
    assert any_store.corrections.undone_by(TASK, rows[1].id) is None


def test_only_a_correction_of_the_same_task_is_undone(any_store: Store) -> None:
    smile(any_store)
    other = teach(any_store, "a", "yes", task="smile")
    with pytest.raises(NotFound):
        undo(any_store, other)
    with pytest.raises(NotFound):
        any_store.corrections.get(TASK, other.id)
    assert any_store.corrections.undone_by(TASK, other.id) is None


# --- reading ---


def test_unknown_correction_is_not_found(any_store: Store) -> None:
    for name in UNKNOWN:
        with pytest.raises(NotFound):
            any_store.corrections.get(TASK, name)


def test_pages_go_back_from_the_newest_and_meet_without_a_gap(any_store: Store) -> None:
    rows = [teach(any_store, str(i)) for i in range(4)]
    rows += undo(any_store, rows[1])
    first = any_store.corrections.page(TASK, limit=3)
    second = any_store.corrections.page(TASK, limit=3, before_seq=first[-1].seq)
    assert first + second == rows[::-1]
    assert any_store.corrections.page(TASK, limit=3, before_seq=2**80) == first
    assert any_store.corrections.page(TASK, limit=3, before_seq=1) == []


def test_pages_of_one_person_and_of_one_picture(any_store: Store) -> None:
    mine, yours = teach(any_store, "a", person="ann"), teach(any_store, "a", "real", "bob")
    other = teach(any_store, "b", person="ann")
    page = any_store.corrections.page
    assert page(TASK, limit=9, person="ann") == [other, mine]
    assert page(TASK, limit=9, sha256=sha("a")) == [yours, mine]
    assert page(TASK, limit=9, sha256=sha("a"), person="bob") == [yours]
    for name in UNKNOWN:
        assert page(TASK, limit=9, person=name) == []
        assert page(TASK, limit=9, sha256=name) == []


def test_live_ones_of_a_person_leave_out_what_was_taken_back(any_store: Store) -> None:
    rows = [teach(any_store, str(i), person="ann") for i in range(3)]
    teach(any_store, "x", person="bob")
    any_store.corrections.undo(TASK, [rows[1].id], "ann", True)
    assert any_store.corrections.of_person(TASK, "ann", None) == [rows[0], rows[2]]
    assert any_store.corrections.of_person(TASK, "ann", rows[2].created_at) == [rows[2]]
    assert any_store.corrections.of_person(TASK, "nobody", NOON) == []


def test_last_befores_tell_how_right_the_answers_were(any_store: Store) -> None:
    def answered(text: str, label: str, prediction: str) -> Correction:
        before = Answer(prediction, 0.9, VerdictSource.MODEL)
        return teach(any_store, text, label, before=before)

    answered("a", "ai", "ai")
    teach(any_store, "b", "ai")
    slip = answered("c", "ai", "unsure")
    answered("d", "real", "ai")
    undo(any_store, slip)
    assert any_store.corrections.last_befores(TASK, 9) == [("ai", "real"), ("ai", "ai")]
    assert any_store.corrections.last_befores(TASK, 1) == [("ai", "real")]


def test_lately_are_the_live_ones_that_were_said_of_an_answer(any_store: Store) -> None:
    before = Answer("ai", 0.9, VerdictSource.MODEL)
    first = teach(any_store, "a", "real", "ann", before=before)
    teach(any_store, "b", "real")
    slip = teach(any_store, "c", "real", before=before)
    again = teach(any_store, "a", "ai", "bob", before=before)
    gone = teach(any_store, "d", "real", before=before)
    undo(any_store, slip)
    any_store.erase(gone.sha256)
    assert any_store.corrections.lately(TASK, 9) == [again, first]
    assert any_store.corrections.lately(TASK, 1) == [again]
    assert any_store.corrections.lately(TASK, 0) == []


def test_receipt_is_kept_with_its_correction(any_store: Store) -> None:
    row = teach(any_store, "a")
    assert any_store.receipts.get(row.id) is None
    any_store.receipts.put(row.id, {"after": {"prediction": "ಕ\0"}, "ms": 1.5})
    any_store.receipts.put(row.id, {"after": {"prediction": "ai"}, "ms": 2.5})
    assert any_store.receipts.get(row.id) == {"after": {"prediction": "ai"}, "ms": 2.5}
    for name in UNKNOWN:
        assert any_store.receipts.get(name) is None
        with pytest.raises(NotFound):
            any_store.receipts.put(name, {})


# --- append-only ---


def test_refused_correction_leaves_no_gap_and_no_trace(any_store: Store) -> None:
    teach(any_store, "a")
    with pytest.raises(Unacceptable):
        teach(any_store, "b", "cat")
    with any_store.database.reading() as connection:
        assert connection.execute(select(schema.pictures.c.sha256)).scalars().all() == [sha("a")]
    assert teach(any_store, "a").seq == 2


def test_the_log_has_no_verb_that_changes_it() -> None:
    verbs = {name for name in vars(Corrections) if not name.startswith("_")}
    one, count = {"get", "find", "undone_by"}, {"count"}
    many = {"page", "since", "of_person", "lately", "last_befores"}
    assert verbs == {"teach", "rehearse", "undo"} | one | many | count


def test_the_database_itself_refuses_to_change_the_log(any_store: Store) -> None:
    any_store.versions.add(version("v1"))
    written = teach(any_store, "a", note="n", verdict_id="v", before=None)
    table = schema.corrections
    blank = {"erased": True, "sha256": "", "note": "", "verdict_id": None}
    other = {
        **{column.name: "other" for column in table.columns},
        **{"task_id": 99, "seq": 99, "before_confidence": 0.5, "trusted": False},
        **{"created_at": NOON, "undoes": written.id, "label": "real", "erased": False},
    }
    changes = [update(table).values({name: value}) for name, value in other.items()]
    changes[[*other].index("erased")] = update(table).values(erased=True)
    for name in set(other) - set(blank):  # nor in the shadow of an erasure
        changes.append(update(table).values({**blank, name: other[name]}))
    for name in set(blank) - {"erased"}:
        changes.append(update(table).values({**blank, name: "left"}))
    for change in (*changes, delete(table)):
        with (
            pytest.raises(DBAPIError, match="append-only"),
            any_store.database.writing() as connection,
        ):
            connection.execute(change)
    assert any_store.corrections.since(TASK, 0) == [written]


def test_a_deleted_task_keeps_its_log_apart_from_its_successors(any_store: Store) -> None:
    smile(any_store)
    teach(any_store, "a", "yes", task="smile", idempotency_key="k")
    any_store.tasks.delete("smile")
    smile(any_store)
    assert any_store.corrections.since("smile", 0) == []
    assert teach(any_store, "a", "no", task="smile", idempotency_key="k").seq == 1


def test_threads_write_a_sequence_without_gaps(any_store: Store) -> None:
    acknowledged: list[int] = []

    def write(person: str) -> None:
        for i in range(15):
            acknowledged.append(teach(any_store, str(i), person=person).seq)

    threads = [threading.Thread(target=write, args=(f"person {i}",)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(acknowledged) == list(range(1, 91))
    assert [row.seq for row in any_store.corrections.since(TASK, 0)] == list(range(1, 91))
