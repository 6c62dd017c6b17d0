"""What a store promises of the months in which samples came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from domain import Split, TaskKind, Unacceptable
from storage import Store
from tests.contracts.stores import facts, new, sha, teach

TASK = "authenticity"
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def add(store: Store, text: str, at: datetime, **fields: Any) -> None:
    assert store.samples.add(TASK, facts(text), new(**fields), now=at) is not None


def names(store: Store, month: str, split: Split = Split.TRAIN, limit: int = 99) -> set[str]:
    found = store.samples.of_month(TASK, month, split, limit)
    return {text for text in "abcdefgh" if sha(text) in {sample.sha256 for sample in found}}


def test_month_begins_and_ends_in_utc_wherever_one_is(any_store: Store) -> None:
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    add(any_store, "a", MARCH - MOMENT)
    add(any_store, "b", MARCH.astimezone(kathmandu))
    add(any_store, "c", datetime(2026, 4, 1, 5, 44, 59, tzinfo=kathmandu))
    add(any_store, "d", datetime(2026, 4, 1, 5, 45, tzinfo=kathmandu))
    assert any_store.samples.months(TASK) == ["2026-02", "2026-03", "2026-04"]
    assert names(any_store, "2026-02") == {"a"}
    assert names(any_store, "2026-03") == {"b", "c"}
    assert names(any_store, "2026-04") == {"d"}
    assert names(any_store, "2025-03") == names(any_store, "2026-05") == set()


def test_months_without_pictures_are_left_out_across_years(any_store: Store) -> None:
    for text, at in (("a", datetime(2025, 12, 31, 23, tzinfo=UTC)), ("b", MARCH)):
        add(any_store, text, at)
        add(any_store, text + "2", at)
    assert any_store.samples.months(TASK) == ["2025-12", "2026-03"]
    any_store.tasks.create("smile", TaskKind.PHOTO, open=True)
    assert any_store.samples.months("smile") == []


def test_only_readable_pictures_of_the_user_that_are_there_make_a_month(any_store: Store) -> None:
    add(any_store, "a", MARCH, demo=True)
    add(any_store, "b", MARCH)
    any_store.samples.quarantine_sample(TASK, sha("b"), "corrupt", "m")
    taught = teach(any_store, "c")
    assert any_store.samples.months(TASK) == [f"{taught.created_at:%Y-%m}"]
    any_store.corrections.undo(TASK, [taught.id], "me", True)
    assert any_store.samples.months(TASK) == []
    assert names(any_store, "2026-03") == set()
    (demo,) = any_store.samples.of_month(TASK, "2026-03", Split.TRAIN, 9, demo=True)
    assert demo.sha256 == sha("a")


def test_pictures_of_a_month_are_of_one_side_and_the_same_each_time(any_store: Store) -> None:
    for i, text in enumerate("abcdef"):
        add(any_store, text, MARCH + i * MOMENT, split=Split.TEST if i % 2 else Split.TRAIN)
    assert names(any_store, "2026-03", Split.TEST) == {"b", "d", "f"}
    first = any_store.samples.of_month(TASK, "2026-03", Split.TEST, 2)
    assert [sample.sha256 for sample in first] == sorted(map(sha, "bdf"))[:2]


@pytest.mark.parametrize("month", ["", "2026-13", "2026-3", "0000-01", "9999-12", "2026-03\n", "x"])
def test_what_is_no_month_is_refused(any_store: Store, month: str) -> None:
    with pytest.raises(Unacceptable):
        any_store.samples.of_month(TASK, month, Split.TEST, 9)
