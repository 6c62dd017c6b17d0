"""What a store promises of jobs, of the nights that ask for them, and of the schedule."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import pytest

from config import Settings
from domain import Clock, Conflict, Job, JobStatus, Night, NotFound, TaskKind
from storage import Store, open_store
from tests.contracts.stores import NOON
from tests.contracts.teaching import begin, finish, kill_after, line_of, processes

TASK = "authenticity"
SECOND = timedelta(seconds=1)
AT_ONCE = 4
T = TypeVar("T")


def asked(store: Store, kind: str = "retrain", now: datetime = NOON) -> Job:
    return store.jobs.ask(kind, request={"why": "asked"}, now=now)


def claimed(store: Store, holder: str = "me", kind: str = "retrain") -> Job:
    job = store.jobs.claim(holder, kind, NOON)
    assert job is not None
    return job


def at_once(stores: list[Store], do: Callable[[Store], T]) -> list[T]:
    """What each store's own thread gets, all of them beginning together."""
    results: list[T] = []
    together = threading.Barrier(len(stores))

    def one(store: Store) -> None:
        together.wait()
        results.append(do(store))

    threads = [threading.Thread(target=one, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(stores)
    return results


# --- asked for ---


def test_job_comes_back_as_it_was_asked_for(any_store: Store) -> None:
    request = {"why": "ಕನ್ನಡ", "options": {"n": [1, None]}}
    job = any_store.jobs.ask("retrain", request=request, now=NOON, task=TASK)
    assert job == Job(
        id=job.id,
        kind="retrain",
        task=TASK,
        status=JobStatus.QUEUED,
        request=request,
        done=0,
        total=0,
        stage="",
        result=None,
        error=None,
        created_at=NOON,
        updated_at=NOON,
    )
    assert any_store.jobs.get(job.id) == job


def test_unknown_job_is_not_found(any_store: Store) -> None:
    jobs = any_store.jobs
    for ask in (
        lambda: jobs.get("none"),
        lambda: jobs.cancel("a\0b \ud800", NOON),
        lambda: jobs.beat("none", "me", NOON),
        lambda: jobs.progress("none", "me", 1, 2, "x", NOON),
        lambda: jobs.keep("none", "me", {}, NOON),
        lambda: jobs.finish("none", "me", NOON),
        lambda: jobs.give_back("none", "me", NOON),
        lambda: jobs.ask("retrain", request={}, now=NOON, task="none"),
        lambda: jobs.all(task="none"),
    ):
        with pytest.raises(NotFound):
            ask()
    assert jobs.take_over("none", 0, "me", NOON) is None


def test_second_job_of_a_kind_is_refused_until_the_first_is_over(any_store: Store) -> None:
    first = asked(any_store)
    for begin_it in (lambda: None, lambda: claimed(any_store)):
        begin_it()
        with pytest.raises(Conflict) as refused:
            asked(any_store)
        assert refused.value.detail["job"] == first.id
    assert asked(any_store, "collect").kind == "collect"
    any_store.jobs.finish(first.id, "me", NOON)
    assert asked(any_store).id != first.id


def test_of_many_that_ask_at_once_one_gets_the_job(
    open_another: Callable[[], Store],
) -> None:
    def ask(store: Store) -> str:
        try:
            return asked(store).id
        except Conflict as refused:
            return f"refused for {refused.detail['job']}"

    stores = [open_another() for _ in range(AT_ONCE)]
    answers = Counter(at_once(stores, ask))
    (job,) = stores[0].jobs.all()
    assert answers == {job.id: 1, f"refused for {job.id}": AT_ONCE - 1}


def test_jobs_come_newest_first(any_store: Store) -> None:
    any_store.tasks.create("smile", TaskKind.PHOTO, open=True)
    made = [
        any_store.jobs.ask(str(i), request={}, now=NOON + i * SECOND, task=task)
        for i, task in enumerate([TASK, "smile", None])
    ]
    assert any_store.jobs.all() == made[::-1]
    assert any_store.jobs.all(limit=1) == made[2:]
    assert any_store.jobs.all(task="smile") == [made[1]]


def test_job_of_a_deleted_task_is_still_to_be_read(any_store: Store) -> None:
    any_store.tasks.create("smile", TaskKind.PHOTO, open=True)
    job = any_store.jobs.ask("embed", request={}, now=NOON, task="smile")
    any_store.tasks.delete("smile")
    assert any_store.jobs.get(job.id) == job


# --- worked on ---


def test_claimed_job_is_its_holders(any_store: Store) -> None:
    job = asked(any_store)
    later = NOON + SECOND
    running = any_store.jobs.claim("me", "retrain", later)
    assert running is not None
    assert (running.id, running.status, running.holder) == (job.id, JobStatus.RUNNING, "me")
    assert (running.attempts, running.updated_at) == (1, later)
    assert any_store.jobs.running("retrain") == [running]
    assert any_store.jobs.running("collect") == []
    assert any_store.jobs.claim("another", "retrain", later) is None


def test_of_many_that_claim_at_once_one_gets_the_job(open_another: Callable[[], Store]) -> None:
    stores = [open_another() for _ in range(AT_ONCE)]
    for i in range(5):
        job = asked(stores[0], now=NOON + i * SECOND)
        got = at_once(stores, lambda s: s.jobs.claim(str(id(s)), "retrain", NOON))
        (holder,) = [one for one in got if one is not None]
        assert (holder.id, holder.attempts) == (job.id, 1)
        stores[0].jobs.finish(job.id, holder.holder or "", NOON)


def test_holder_tells_how_far_it_is_and_what_it_leaves(any_store: Store) -> None:
    asked(any_store)
    job = claimed(any_store)
    later = NOON + SECOND
    any_store.jobs.progress(job.id, "me", 3, 9, "embed", later)
    any_store.jobs.keep(job.id, "me", {"version": "v0"}, later)
    any_store.jobs.keep(job.id, "me", {"version": "v1", "x": 1.5}, later)
    assert any_store.jobs.beat(job.id, "me", later) is False
    now = any_store.jobs.get(job.id)
    assert (now.done, now.total, now.stage) == (3, 9, "embed")
    assert now.kept == {"version": "v1", "x": 1.5}
    assert (now.beats, now.updated_at) == (job.beats + 1, later)


@pytest.mark.parametrize(
    ("given", "status"),
    [({"result": {"version": "v1"}}, JobStatus.DONE), ({"error": "no disk"}, JobStatus.FAILED)],
)
def test_finished_job_tells_how_it_ended(
    any_store: Store, given: dict[str, object], status: JobStatus
) -> None:
    asked(any_store)
    job = claimed(any_store)
    any_store.jobs.finish(job.id, "me", NOON + SECOND, **given)  # type: ignore[arg-type]
    ended = any_store.jobs.get(job.id)
    assert (ended.status, ended.result, ended.error) == (
        status,
        given.get("result"),
        given.get("error"),
    )
    assert any_store.jobs.running("retrain") == []


def refuses(store: Store, job: Job, holder: str) -> None:
    """Whoever does not hold a job can do nothing to it."""
    jobs, before = store.jobs, store.jobs.get(job.id)
    for ask in (
        lambda: jobs.beat(job.id, holder, NOON),
        lambda: jobs.progress(job.id, holder, 1, 2, "x", NOON),
        lambda: jobs.keep(job.id, holder, {"a": 1}, NOON),
        lambda: jobs.finish(job.id, holder, NOON),
        lambda: jobs.give_back(job.id, holder, NOON),
    ):
        with pytest.raises(Conflict):
            ask()
    assert jobs.get(job.id) == before


def test_only_the_holder_writes_and_only_while_it_runs(any_store: Store) -> None:
    job = asked(any_store)
    refuses(any_store, job, "me")  # nobody holds it yet
    claimed(any_store)
    refuses(any_store, job, "another")
    any_store.jobs.finish(job.id, "me", NOON)
    refuses(any_store, job, "me")


def test_job_that_stands_still_is_taken_over_once(any_store: Store) -> None:
    asked(any_store)
    job = claimed(any_store)
    any_store.jobs.keep(job.id, "me", {"version": "v1"}, NOON)
    later = NOON + SECOND
    taken = any_store.jobs.take_over(job.id, job.beats, "another", later)
    assert taken is not None
    assert (taken.holder, taken.attempts, taken.status) == ("another", 2, JobStatus.RUNNING)
    assert (taken.kept, taken.updated_at) == ({"version": "v1"}, later)
    refuses(any_store, job, "me")
    assert any_store.jobs.take_over(job.id, job.beats, "a third", later) is None
    assert any_store.jobs.beat(job.id, "another", later) is False


def test_job_that_beat_meanwhile_is_not_taken_over(any_store: Store) -> None:
    asked(any_store)
    job = claimed(any_store)
    any_store.jobs.beat(job.id, "me", NOON)
    assert any_store.jobs.take_over(job.id, job.beats, "another", NOON) is None
    assert any_store.jobs.get(job.id).holder == "me"


def test_job_that_was_given_back_and_begun_again_does_not_look_as_if_it_stood_still(
    any_store: Store,
) -> None:
    asked(any_store)
    job = claimed(any_store)
    any_store.jobs.give_back(job.id, "me", NOON)
    claimed(any_store, "another")
    assert any_store.jobs.take_over(job.id, job.beats, "a third", NOON) is None


def test_of_many_that_take_over_at_once_one_gets_the_job(
    open_another: Callable[[], Store],
) -> None:
    stores = [open_another() for _ in range(AT_ONCE)]
    asked(stores[0])
    job = claimed(stores[0])
    got = at_once(stores, lambda s: s.jobs.take_over(job.id, job.beats, str(id(s)), NOON))
    (taken,) = [one for one in got if one is not None]
    assert stores[0].jobs.get(job.id) == taken


def test_job_given_back_waits_for_somebody_with_what_was_kept(any_store: Store) -> None:
    asked(any_store)
    job = claimed(any_store)
    any_store.jobs.keep(job.id, "me", {"a": 1}, NOON)
    any_store.jobs.give_back(job.id, "me", NOON)
    waiting = any_store.jobs.get(job.id)
    assert (waiting.status, waiting.holder, waiting.kept) == (JobStatus.QUEUED, None, {"a": 1})
    with pytest.raises(Conflict):
        asked(any_store)
    assert claimed(any_store, "another").attempts == 2


# --- cancelled ---


def test_cancelled_before_it_began_it_never_begins(any_store: Store) -> None:
    job = asked(any_store)
    ended = any_store.jobs.cancel(job.id, NOON + SECOND)
    assert (ended.status, ended.error, ended.cancelled) == (JobStatus.FAILED, "cancelled", True)
    assert any_store.jobs.get(job.id) == ended
    assert any_store.jobs.claim("me", "retrain", NOON) is None
    assert asked(any_store)


def test_holder_of_a_cancelled_job_is_told_so(any_store: Store) -> None:
    asked(any_store)
    job = claimed(any_store)
    marked = any_store.jobs.cancel(job.id, NOON)
    assert (marked.status, marked.cancelled) == (JobStatus.RUNNING, True)
    assert any_store.jobs.cancel(job.id, NOON) == marked
    assert any_store.jobs.beat(job.id, "me", NOON) is True
    any_store.jobs.finish(job.id, "me", NOON, error="cancelled")
    with pytest.raises(Conflict):
        any_store.jobs.cancel(job.id, NOON)


def test_cancelled_job_that_is_given_back_ends(any_store: Store) -> None:
    asked(any_store)
    job = claimed(any_store)
    any_store.jobs.cancel(job.id, NOON)
    any_store.jobs.give_back(job.id, "me", NOON)
    ended = any_store.jobs.get(job.id)
    assert (ended.status, ended.error, ended.holder) == (JobStatus.FAILED, "cancelled", None)
    assert asked(any_store)


# --- nights ---


def test_night_is_taken_with_its_job_once(any_store: Store) -> None:
    request = {"why": "the schedule"}
    job = any_store.jobs.take_night("2026-03-01", NOON, request, NOON + SECOND)
    assert job is not None
    assert (job.kind, job.status, job.request) == ("retrain", JobStatus.QUEUED, request)
    night = Night("2026-03-01", NOON, NOON + SECOND, job.id)
    assert any_store.nights.all(9) == [night]
    assert any_store.nights.taken("2026-03-01")
    claimed(any_store)
    any_store.jobs.finish(job.id, "me", NOON)
    assert any_store.jobs.take_night("2026-03-01", NOON, request, NOON) is None
    assert any_store.jobs.all() == [any_store.jobs.get(job.id)]


def test_night_waits_for_the_retrain_that_is_going_on(any_store: Store) -> None:
    job = asked(any_store)
    assert any_store.jobs.take_night("2026-03-01", NOON, {}, NOON) is None
    assert not any_store.nights.taken("2026-03-01")
    any_store.jobs.cancel(job.id, NOON)
    assert any_store.jobs.take_night("2026-03-01", NOON, {}, NOON)


def test_nights_come_newest_first(any_store: Store) -> None:
    for i in range(3):
        due = NOON + timedelta(days=i)
        job = any_store.jobs.take_night(str(i), due, {}, due)
        assert job is not None
        any_store.jobs.cancel(job.id, due)
    assert [night.slot for night in any_store.nights.all(2)] == ["2", "1"]


def take_night(slot: str, store: Store) -> Job | None:
    return store.jobs.take_night(slot, NOON, {}, NOON)


def test_of_many_that_take_a_night_at_once_one_gets_it(
    open_another: Callable[[], Store],
) -> None:
    stores = [open_another() for _ in range(AT_ONCE)]
    for i in range(5):
        got = at_once(stores, partial(take_night, str(i)))
        (job,) = [one for one in got if one is not None]
        stores[0].jobs.cancel(job.id, NOON)
    assert len(stores[0].jobs.all()) == len(stores[0].nights.all(9)) == 5


def test_four_processes_take_and_work_off_each_night_once(any_settings: Settings) -> None:
    people, n = ["ann", "bob", "cem", "dai"], 30
    with processes(any_settings, "nights", people, n) as schedulers:
        for scheduler in schedulers:
            begin(scheduler)
        lines = [line for scheduler in schedulers for line in finish(scheduler)]
    store = open_store(any_settings)
    jobs, nights = store.jobs.all(limit=999), store.nights.all(999)
    store.close()
    assert Counter(line.split()[0] for line in lines if "took" in line) == Counter(
        f"{i:03d}" for i in range(n)
    )
    assert Counter(job.status for job in jobs) == {JobStatus.DONE: n}
    assert [job.attempts for job in jobs] == [1] * n
    assert {night.job_id for night in nights} == {job.id for job in jobs}
    worked = [line.split()[0] for line in lines if "worked" in line]
    assert sorted(worked) == sorted(job.id for job in jobs)


def test_another_goes_on_with_what_a_killed_process_kept(any_settings: Settings) -> None:
    store = open_store(any_settings)
    job = asked(store)
    with processes(any_settings, "retrain", ["ann"], 7) as (worker,):
        begin(worker)
        assert line_of(worker) == "kept"
        kill_after(worker, 0)
    left = store.jobs.get(job.id)
    assert (left.status, left.holder) == (JobStatus.RUNNING, "ann")
    taken = store.jobs.take_over(job.id, left.beats, "bob", NOON)
    assert taken is not None
    assert (taken.kept, taken.attempts) == ({"stage": 7}, 2)
    store.jobs.finish(job.id, "bob", NOON)
    assert store.jobs.running("retrain") == []
    store.close()


# --- the schedule and its clocks ---


def test_schedule_holds_since_it_was_first_seen(any_store: Store) -> None:
    nights = any_store.nights
    assert nights.schedule("daily 02:00", NOON) == NOON
    assert nights.schedule("daily 02:00", NOON + SECOND) == NOON
    assert nights.schedule("weekly 02:00", NOON + 2 * SECOND) == NOON + 2 * SECOND
    assert nights.schedule("daily 02:00", NOON + 3 * SECOND) == NOON + 3 * SECOND


def test_many_that_see_a_schedule_at_once_agree_since_when_it_holds(
    open_another: Callable[[], Store],
) -> None:
    stores = [open_another() for _ in range(AT_ONCE)]
    ages = {id(store): NOON + i * SECOND for i, store in enumerate(stores)}
    since = at_once(stores, lambda s: s.nights.schedule("daily", ages[id(s)]))
    assert len(set(since)) == 1


def clock(name: str, seen_at: datetime = NOON, next_run: datetime | None = None) -> Clock:
    return Clock(name, "ಹೋಸ್ಟ್", 4_194_304, NOON, seen_at, next_run)


def test_clock_is_as_it_last_showed_itself(any_store: Store) -> None:
    any_store.clocks.seen(clock("b"))
    any_store.clocks.seen(clock("a"))
    latest = clock("a", NOON + SECOND, NOON + timedelta(days=1))
    any_store.clocks.seen(latest)
    assert any_store.clocks.all() == [latest, clock("b")]
    assert any_store.clocks.all()[0].seen_at.tzinfo is UTC


def test_clocks_that_end_or_fall_silent_are_forgotten(any_store: Store) -> None:
    for name, age in (("gone", 0), ("silent", 9), ("here", 1)):
        any_store.clocks.seen(clock(name, NOON - age * SECOND))
    any_store.clocks.gone("gone")
    any_store.clocks.gone("none")
    any_store.clocks.forget(NOON - 5 * SECOND)
    assert [one.id for one in any_store.clocks.all()] == ["here"]
