from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from config import Settings
from domain import RETRAIN, DatabaseGone, Job, JobStatus
from nightly.foreman import ATTEMPTS, Foreman, now_utc
from storage import Store

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT = 60.0

Behave = Callable[..., Foreman]


@pytest.fixture
def shared(any_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that child processes read as well."""
    monkeypatch.setenv("DATA_DIR", str(any_settings.data_dir))
    monkeypatch.setenv("DATABASE_URL", any_settings.database_url)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return any_settings


@pytest.fixture
def behave(shared: Settings, any_store: Store) -> Iterator[Behave]:
    """A foreman whose children behave so; they are gone when the test is."""
    hired: list[Foreman] = []

    def hire(*behaviours: str, monotonic: Callable[[], float] = time.monotonic) -> Foreman:
        todo = list(behaviours)

        def command(job: Job, holder: str) -> Sequence[str]:
            program = [sys.executable, "-m", "tests.nightly.sleeper", job.id, holder]
            return [*program, todo.pop(0) if len(todo) > 1 else todo[0]]

        hired.append(Foreman(shared, any_store, monotonic=monotonic, command=command))
        return hired[-1]

    yield hire
    for foreman in hired:
        foreman.stop()


def ask(store: Store) -> Job:
    return store.jobs.ask(RETRAIN, request={}, now=now_utc())


def look_until(foreman: Foreman, done: Callable[[], bool]) -> None:
    ends = time.monotonic() + LIMIT
    while not done():
        assert time.monotonic() < ends, "it did not come to that"
        foreman.look()
        time.sleep(0.02)


def test_a_job_that_was_asked_for_is_worked_on(any_store: Store, behave: Behave) -> None:
    job, foreman = ask(any_store), behave("done")
    look_until(foreman, lambda: any_store.jobs.get(job.id).status is JobStatus.DONE)
    look_until(foreman, lambda: not foreman.busy)
    ended = any_store.jobs.get(job.id)
    assert ended.result == {"behaved": "done"}
    assert ended.attempts == 1


def test_a_job_whose_process_is_killed_is_begun_again(any_store: Store, behave: Behave) -> None:
    job, foreman = ask(any_store), behave("die", "die", "done")
    look_until(foreman, lambda: any_store.jobs.get(job.id).status is JobStatus.DONE)
    assert any_store.jobs.get(job.id).attempts == 3


def test_a_job_that_always_dies_fails_at_last(any_store: Store, behave: Behave) -> None:
    job, foreman = ask(any_store), behave("die")
    for attempt in range(ATTEMPTS):  # as if it had been begun so often
        held = any_store.jobs.claim("earlier", RETRAIN, now_utc())
        assert held is not None
        assert held.attempts == attempt + 1
        any_store.jobs.give_back(held.id, "earlier", now_utc())
    look_until(foreman, lambda: any_store.jobs.get(job.id).status is JobStatus.FAILED)
    assert "begun 20 times" in str(any_store.jobs.get(job.id).error)
    assert not any_store.jobs.running(RETRAIN)


def test_a_running_job_is_cancelled(any_store: Store, behave: Behave) -> None:
    job, foreman = ask(any_store), behave("hang")
    look_until(foreman, lambda: any_store.jobs.get(job.id).stage == "train")
    any_store.jobs.cancel(job.id, now_utc())
    look_until(foreman, lambda: any_store.jobs.get(job.id).status is JobStatus.FAILED)
    assert any_store.jobs.get(job.id).error == "cancelled"


def test_a_foreman_that_stops_leaves_the_job_to_the_next(any_store: Store, behave: Behave) -> None:
    job, foreman = ask(any_store), behave("hang")
    look_until(foreman, lambda: any_store.jobs.get(job.id).stage == "train")
    foreman.stop()
    assert not foreman.busy
    assert any_store.jobs.get(job.id).status is JobStatus.QUEUED
    another = behave("done")
    look_until(another, lambda: any_store.jobs.get(job.id).status is JobStatus.DONE)


def test_a_job_without_signs_of_life_is_taken_over(any_store: Store, behave: Behave) -> None:
    job = ask(any_store)
    any_store.jobs.claim("a process that is no more", RETRAIN, now_utc())
    seconds = [0.0]
    foreman = behave("done", monotonic=lambda: seconds[0])

    foreman.look()
    seconds[0] = 19.0
    foreman.look()
    assert any_store.jobs.get(job.id).holder == "a process that is no more"

    seconds[0] = 21.0
    look_until(foreman, lambda: any_store.jobs.get(job.id).status is JobStatus.DONE)


def test_a_job_that_shows_life_is_left_alone_however_the_clock_jumps(
    any_store: Store, behave: Behave
) -> None:
    job = ask(any_store)
    any_store.jobs.claim("alive", RETRAIN, now_utc())
    seconds = [0.0]
    foreman = behave("done", monotonic=lambda: seconds[0])
    for _ in range(10):
        foreman.look()
        any_store.jobs.beat(job.id, "alive", now_utc())
        seconds[0] += 15.0
    assert any_store.jobs.get(job.id).holder == "alive"


def test_a_cancelled_job_whose_process_died_ends(any_store: Store, behave: Behave) -> None:
    job = ask(any_store)
    any_store.jobs.claim("a process that is no more", RETRAIN, now_utc())
    any_store.jobs.cancel(job.id, now_utc())
    seconds = [0.0]
    foreman = behave("done", monotonic=lambda: seconds[0])
    foreman.look()
    seconds[0] = 21.0
    foreman.look()
    ended = any_store.jobs.get(job.id)
    assert (ended.status, ended.error) == (JobStatus.FAILED, "cancelled")


def test_a_child_that_shows_no_life_is_killed_and_its_job_gone_on_with(
    any_store: Store, behave: Behave
) -> None:
    job, seconds = ask(any_store), [0.0]
    foreman = behave("silent", "done", monotonic=lambda: seconds[0])
    foreman.look()
    for seconds[0] in (30.0, 59.0, 61.0, 80.0):
        foreman.look()
        assert any_store.jobs.get(job.id).attempts == 1
    seconds[0] = 82.0
    look_until(foreman, lambda: any_store.jobs.get(job.id).status is JobStatus.DONE)
    assert any_store.jobs.get(job.id).attempts == 2


def test_a_child_that_shows_no_life_cannot_keep_a_job_from_being_cancelled(
    any_store: Store, behave: Behave
) -> None:
    job, seconds = ask(any_store), [0.0]
    foreman = behave("silent", monotonic=lambda: seconds[0])
    foreman.look()
    any_store.jobs.cancel(job.id, now_utc())
    for seconds[0] in (61.0, 82.0, 83.0):
        foreman.look()
    ended = any_store.jobs.get(job.id)
    assert (ended.status, ended.error) == (JobStatus.FAILED, "cancelled")


def test_being_told_to_end_counts_as_no_attempt(any_store: Store, behave: Behave) -> None:
    job = ask(any_store)
    for _ in range(3):
        foreman = behave("hang")
        look_until(foreman, lambda: any_store.jobs.get(job.id).stage == "train")
        foreman.stop()
    assert any_store.jobs.get(job.id).attempts == 0


def test_what_was_not_seen_did_not_stand_still(
    any_store: Store, shared: Settings, behave: Behave
) -> None:
    job, seconds, gone = ask(any_store), [0.0], [False]
    any_store.jobs.claim("alive", RETRAIN, now_utc())

    def clock() -> datetime:
        if gone[0]:
            raise DatabaseGone("as when it does not answer")
        return now_utc()

    foreman = Foreman(shared, any_store, monotonic=lambda: seconds[0], clock=clock)
    foreman.look()
    gone[0], seconds[0] = True, 25.0
    with pytest.raises(DatabaseGone):
        foreman.look()
    gone[0] = False
    foreman.look()
    assert any_store.jobs.get(job.id).holder == "alive"
