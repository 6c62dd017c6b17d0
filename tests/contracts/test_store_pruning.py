"""What is forgotten after a while, and what never is, on each database."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from config import Settings
from domain import RETRAIN, NotFound, Seen
from scheduler import forget_old
from storage import Store
from storage.pruning import prune
from tests.contracts.stores import NOON, facts, new, verdict

DAY = timedelta(days=1)
TASK = "authenticity"


def night(store: Store, due: datetime) -> str:
    """A night that was taken and whose retrain is done; its job's id."""
    job = store.jobs.take_night(f"night {due:%Y-%m-%d}", due, {}, due)
    assert job is not None
    store.jobs.claim("me", RETRAIN, due)
    store.jobs.finish(job.id, "me", due, result={})
    return job.id


def message(store: Store, at: datetime, *, arrived: bool) -> str:
    made = store.deliveries.add("promoted", {}, at)
    store.deliveries.hold(made, at + DAY)
    if arrived:
        store.deliveries.delivered(made.id, at)
    return made.id


def find(store: Store, key: str, outcome: str, at: datetime, sha256: str | None = None) -> None:
    store.crawls.note(TASK, "lexica", [Seen(key, f"https://x.example/{key}", outcome, at, sha256)])


def test_old_nights_and_their_jobs_are_forgotten_and_the_latest_is_not(any_store: Store) -> None:
    ids = [night(any_store, NOON + i * DAY) for i in range(3)]
    assert any_store.prune(NOON + 9 * DAY) == {"nights": 2, "jobs": 2}
    assert [one.job_id for one in any_store.nights.all(9)] == [ids[2]]
    assert any_store.jobs.take_night(f"night {NOON + 2 * DAY:%Y-%m-%d}", NOON, {}, NOON) is None
    with pytest.raises(NotFound):
        any_store.jobs.get(ids[0])


def test_what_waits_or_runs_stays_however_old(any_store: Store) -> None:
    job = any_store.jobs.ask(RETRAIN, request={}, now=NOON)
    waiting = message(any_store, NOON, arrived=False)
    assert any_store.prune(NOON + 900 * DAY) == {}
    any_store.jobs.claim("me", RETRAIN, NOON)
    assert any_store.prune(NOON + 900 * DAY) == {}
    assert any_store.jobs.get(job.id).holder == "me"
    assert [one.id for one in any_store.deliveries.all()] == [waiting]


def test_messages_that_arrived_or_were_given_up_are_forgotten(any_store: Store) -> None:
    message(any_store, NOON, arrived=True)
    any_store.deliveries.failed(message(any_store, NOON, arrived=False), "no answer", None)
    recent = message(any_store, NOON + 2 * DAY, arrived=True)
    assert any_store.prune(NOON + DAY) == {"deliveries": 2}
    assert [one.id for one in any_store.deliveries.all()] == [recent]


def test_refused_finds_are_forgotten_and_pictures_that_are_here_are_not(any_store: Store) -> None:
    find(any_store, "refused", "refused_licence", NOON)
    find(any_store, "recent", "refused_licence", NOON + 2 * DAY)
    find(any_store, "kept", "kept", NOON, "a" * 64)
    assert any_store.prune(NOON + DAY) == {"seen": 1}
    left = any_store.crawls.seen(TASK, "lexica", ["refused", "recent", "kept"])
    assert set(left) == {"recent", "kept"}


def test_name_of_an_erased_picture_stays_so_that_it_is_not_fetched_again(
    any_store: Store,
) -> None:
    find(any_store, "erased", "contradicted", NOON, "a" * 64)
    any_store.erase("a" * 64)
    assert any_store.prune(NOON + DAY) == {}
    assert any_store.crawls.seen(TASK, "lexica", ["erased"])["erased"].sha256 is None


@pytest.mark.parametrize("rows", [8, 9])
def test_many_rows_go_in_portions(any_store: Store, rows: int) -> None:
    for i in range(rows):
        find(any_store, str(i), "failed", NOON)
    assert prune(any_store.database, NOON + DAY, at_once=3) == {"seen": rows}


def test_keep_days_is_counted_from_now_and_0_forgets_nothing(
    any_store: Store, settings: Settings
) -> None:
    find(any_store, "old", "failed", NOON)
    at = NOON + 31 * DAY
    for days in (0, 40):
        kept = settings.model_copy(update={"keep_days": days})
        assert forget_old(any_store, kept, at) == {}
    assert forget_old(any_store, settings.model_copy(update={"keep_days": 30}), at) == {"seen": 1}


def test_pictures_verdicts_and_history_are_never_forgotten(any_store: Store) -> None:
    any_store.samples.add_many(TASK, [(facts("a"), new())])
    any_store.verdicts.add(verdict("b" * 32))
    crawl = any_store.crawls.begin(TASK, "lexica", "", NOON)
    any_store.crawls.count(crawl, {}, NOON, ended="done")
    assert any_store.prune(NOON + 9000 * DAY) == {}
    assert any_store.verdicts.get("b" * 32)
    assert len(any_store.samples.all(TASK)) == len(any_store.crawls.all()) == 1
