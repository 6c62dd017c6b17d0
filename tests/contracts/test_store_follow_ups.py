"""What a store promises of what follows a promotion: changed verdicts, messages, measurements."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain import Change, Delivery, Measurement, NotFound, TaskKind
from storage import Store
from tests.contracts.stores import NOON, sha

TASK = "authenticity"
MINUTE = timedelta(minutes=1)


def change(name: str, version: str = "v2", **fields: Any) -> Change:
    made = Change(TASK, version, sha(name), f"verdict {name}", "ai", "real", 0.75, NOON)
    return replace(made, **fields)


# --- changed verdicts ---


def test_changes_of_a_version_come_in_the_order_they_were_given(any_store: Store) -> None:
    given = [change(name) for name in ("b", "c", "a")]
    any_store.changes.put(TASK, "v2", given)
    assert any_store.changes.all(TASK, "v2") == given
    assert any_store.changes.all(TASK, "v2", limit=2) == given[:2]
    assert any_store.changes.count(TASK, "v2") == 3
    assert any_store.changes.all(TASK, "v1") == []
    assert any_store.changes.count(TASK, "v1") == 0


def test_changes_put_again_take_the_place_of_those_before(any_store: Store) -> None:
    any_store.changes.put(TASK, "v1", [change("z", "v1")])
    any_store.changes.put(TASK, "v2", [change("a"), change("b")])
    any_store.changes.put(TASK, "v2", [change("b", after="unsure")])
    assert any_store.changes.all(TASK, "v2") == [change("b", after="unsure")]
    any_store.changes.put(TASK, "v2", [])
    assert any_store.changes.all(TASK) == [change("z", "v1")]


def test_changes_of_all_versions_come_latest_first(any_store: Store) -> None:
    old = [change("a", "v1"), change("b", "v1")]
    new = [change("c", at=NOON + MINUTE), change("a", at=NOON + MINUTE)]
    any_store.changes.put(TASK, "v2", new)
    any_store.changes.put(TASK, "v1", old)
    assert any_store.changes.all(TASK) == [*new, *old]


def test_changes_written_at_once_are_there_once(
    any_store: Store, open_another: Callable[[], Store]
) -> None:
    given = [change(str(i)) for i in range(50)]
    together = threading.Barrier(3)

    def put(own: Store) -> None:
        together.wait()
        own.changes.put(TASK, "v2", given)

    threads = [threading.Thread(target=put, args=(open_another(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert any_store.changes.all(TASK, "v2") == given


# --- messages ---


def test_message_is_due_at_once_and_comes_back_as_given(any_store: Store) -> None:
    body = {"task": TASK, "changed": [{"sha256": sha("a"), "before": "ಕನ್ನಡ"}]}
    made = any_store.deliveries.add("promoted", body, NOON)
    assert made == Delivery(made.id, "promoted", body, NOON, 0, NOON, None, None)
    assert any_store.deliveries.due(NOON) == any_store.deliveries.all() == [made]
    assert any_store.deliveries.due(NOON - MINUTE) == []


def test_message_that_failed_waits_for_its_next_try(any_store: Store) -> None:
    deliveries = any_store.deliveries
    made = deliveries.add("promoted", {}, NOON)
    assert deliveries.hold(made, NOON + 9 * MINUTE)
    deliveries.failed(made.id, "it answered 500", NOON + MINUTE)
    waiting = replace(made, attempts=1, next_try_at=NOON + MINUTE, last_error="it answered 500")
    assert deliveries.due(NOON) == []
    assert deliveries.due(NOON + MINUTE) == [waiting]
    assert deliveries.hold(waiting, NOON + 9 * MINUTE)
    deliveries.failed(made.id, "it answered 410", None)
    given_up = replace(waiting, attempts=2, next_try_at=None, last_error="it answered 410")
    assert deliveries.due(NOON + timedelta(days=99)) == []
    assert deliveries.all() == [given_up]
    assert not deliveries.hold(given_up, NOON)


def test_message_that_arrived_is_not_sent_again(any_store: Store) -> None:
    deliveries = any_store.deliveries
    made = deliveries.add("promoted", {}, NOON)
    assert deliveries.hold(made, NOON + MINUTE)
    deliveries.delivered(made.id, NOON + MINUTE)
    deliveries.failed(made.id, "a try that lasted longer", NOON + MINUTE)
    (arrived,) = deliveries.all()
    assert arrived == replace(made, attempts=1, next_try_at=None, delivered_at=NOON + MINUTE)
    assert deliveries.due(NOON + timedelta(days=99)) == []
    assert not deliveries.hold(arrived, NOON)


def test_of_many_that_come_to_a_message_at_once_one_sends_it(
    any_store: Store, open_another: Callable[[], Store]
) -> None:
    made = any_store.deliveries.add("promoted", {}, NOON)
    together = threading.Barrier(4)
    held: list[bool] = []

    def hold(own: Store) -> None:
        together.wait()
        held.append(own.deliveries.hold(made, NOON + MINUTE))

    threads = [threading.Thread(target=hold, args=(open_another(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(held) == [False, False, False, True]


def test_message_whose_sender_fell_silent_is_due_again(any_store: Store) -> None:
    made = any_store.deliveries.add("promoted", {}, NOON)
    assert any_store.deliveries.hold(made, NOON + MINUTE)
    assert any_store.deliveries.due(NOON) == []
    (again,) = any_store.deliveries.due(NOON + MINUTE)
    assert (again.id, again.attempts) == (made.id, 1)


def test_messages_are_sent_oldest_first_and_shown_newest_first(any_store: Store) -> None:
    made = [any_store.deliveries.add(str(i), {}, NOON + i * MINUTE) for i in range(4)]
    assert any_store.deliveries.due(NOON + 2 * MINUTE) == made[:3]
    assert any_store.deliveries.due(NOON + 2 * MINUTE, limit=1) == made[:1]
    assert any_store.deliveries.all(limit=2) == [made[3], made[2]]


def test_unknown_message_is_not_found(any_store: Store) -> None:
    with pytest.raises(NotFound):
        any_store.deliveries.delivered("none", NOON)
    with pytest.raises(NotFound):
        any_store.deliveries.failed("none", "x", NOON)


# --- measurements ---


def measurement(what: str, right: int = 3, version: str = "v1", task: str = TASK) -> Measurement:
    return Measurement(task, version, what, NOON, 4, right)


def test_measurements_come_corrections_first_then_the_latest_month(any_store: Store) -> None:
    any_store.tasks.create("smile", TaskKind.PHOTO, open=True)
    names = ("2026-09", "corrections", "2026-11", "2026-10")
    for what in names:
        any_store.measurements.put(measurement(what))
    any_store.measurements.put(measurement("corrections", version="v2"))
    any_store.measurements.put(measurement("corrections", task="smile"))
    latest_first = ("corrections", "2026-11", "2026-10", "2026-09")
    assert any_store.measurements.all(TASK, "v1") == [measurement(what) for what in latest_first]
    assert any_store.measurements.all(TASK, "v3") == []


def test_measurement_takes_the_place_of_the_one_before(any_store: Store) -> None:
    any_store.measurements.put(measurement("corrections"))
    latest = replace(measurement("corrections", 0), at=NOON + MINUTE, n=9)
    any_store.measurements.put(latest)
    assert any_store.measurements.all(TASK, "v1") == [latest]


def test_what_follows_belongs_to_a_task_and_goes_and_comes_with_it(any_store: Store) -> None:
    any_store.changes.put(TASK, "v2", [change("a")])
    any_store.measurements.put(measurement("corrections", version="v2"))
    archive = any_store.tasks.reset(TASK)
    assert any_store.changes.all(TASK) == []
    assert any_store.measurements.all(TASK, "v2") == []
    any_store.tasks.restore(TASK, archive.id)
    assert any_store.changes.all(TASK) == [change("a")]
    assert any_store.measurements.all(TASK, "v2") == [measurement("corrections", version="v2")]


def test_unknown_task_has_nothing_that_follows(any_store: Store) -> None:
    for ask in (
        lambda: any_store.changes.put("none", "v1", []),
        lambda: any_store.changes.all("none"),
        lambda: any_store.changes.count("none", "v1"),
        lambda: any_store.measurements.put(measurement("corrections", task="none")),
        lambda: any_store.measurements.all("none", "v1"),
    ):
        with pytest.raises(NotFound):
            ask()
