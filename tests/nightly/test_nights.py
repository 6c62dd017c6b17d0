from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from config import Settings
from domain import RETRAIN, Job
from nightly.schedule import Schedule, slot_of
from scheduler import take_night
from storage import Store
from tests.nightly.many_clocks import BEGIN

ROOT = Path(__file__).resolve().parent.parent.parent
DAILY = Schedule(1, 3, 0)
SET = datetime(2026, 3, 1, 12, tzinfo=UTC)
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca")


def take(store: Store, now: datetime, schedule: Schedule = DAILY) -> Job | None:
    since = store.nights.schedule(str(schedule), SET)
    return take_night(store, schedule, since, now)


def end(store: Store, job: Job) -> None:
    assert store.jobs.claim("test", RETRAIN, job.created_at)
    store.jobs.finish(job.id, "test", job.created_at, result={})


def test_a_night_is_given_once(any_store: Store) -> None:
    due = datetime(2026, 3, 2, 3, tzinfo=UTC)
    assert take(any_store, due - timedelta(seconds=1)) is None
    job = take(any_store, due + timedelta(seconds=1))
    assert job is not None
    assert job.request["collect"] is True
    end(any_store, job)
    assert take(any_store, due + timedelta(hours=5)) is None
    assert [night.slot for night in any_store.nights.all(10)] == ["2026-03-02T03:00Z"]


def test_nothing_is_due_from_before_the_schedule_was_set(any_store: Store) -> None:
    assert take(any_store, SET + timedelta(minutes=1)) is None
    later = Schedule(1, 11, 0)  # of this morning; set in the evening, it is for tomorrow
    since = any_store.nights.schedule(str(later), SET + timedelta(hours=8))
    assert take_night(any_store, later, since, SET + timedelta(hours=9)) is None
    assert take_night(any_store, later, since, SET + timedelta(hours=24)) is not None


def test_after_downtime_one_night_is_caught_up_with(any_store: Store) -> None:
    job = take(any_store, SET + timedelta(days=9))
    assert job is not None
    end(any_store, job)
    assert take(any_store, SET + timedelta(days=9, minutes=1)) is None
    assert len(any_store.nights.all(10)) == 1


def test_a_night_waits_for_a_retrain_that_runs(any_store: Store) -> None:
    asked = any_store.jobs.ask(RETRAIN, request={}, now=SET)
    due = datetime(2026, 3, 2, 3, tzinfo=UTC)
    assert take(any_store, due) is None
    end(any_store, asked)
    assert take(any_store, due + timedelta(minutes=40)) is not None


@pytest.mark.parametrize("zone", ZONES)
def test_a_clock_that_was_years_ahead_stops_no_night(any_store: Store, zone: str) -> None:
    ahead = datetime(2031, 1, 1, 12, tzinfo=ZoneInfo(zone))
    since = any_store.nights.schedule(str(DAILY), ahead)
    job = take_night(any_store, DAILY, since, ahead + timedelta(days=1))
    assert job is not None
    end(any_store, job)
    now = datetime(2026, 3, 29, 3, 30, tzinfo=ZoneInfo(zone))
    job = take_night(any_store, DAILY, since, now)
    assert job is not None
    end(any_store, job)
    assert take_night(any_store, DAILY, since, now) is None


def test_each_night_is_run_once_by_four_processes(any_settings: Settings, any_store: Store) -> None:
    count = 100 if any_settings.database_url else 400
    environment: Mapping[str, str] = {
        "DATA_DIR": str(any_settings.data_dir),
        "DATABASE_URL": any_settings.database_url,
        "PATH": "/usr/bin:/bin",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.nightly.many_clocks", zone, str(count), str(seed)],
            cwd=ROOT,
            env={**environment, "TZ": zone},
        )
        for seed, zone in enumerate(ZONES)
    ]
    assert [process.wait(300) for process in processes] == [0, 0, 0, 0]

    nights = any_store.nights.all(2 * count)
    expected = {slot_of(BEGIN + timedelta(days=n, hours=3)) for n in range(count)}
    slots = [night.slot for night in nights]
    assert len(slots) == len(set(slots))
    assert expected - set(slots) == set()
    assert len({night.job_id for night in nights}) == len(nights)
    assert len(any_store.jobs.all(3 * count)) == len(nights)
    assert not any_store.jobs.running(RETRAIN)
