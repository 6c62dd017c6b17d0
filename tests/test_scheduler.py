"""The door of the clock: a real process beside a real database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from config import Settings
from domain import DEFAULT_TASK, RETRAIN, JobStatus, Seen
from nightly.foreman import now_utc
from scheduler import parse_arguments
from storage import Store

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 90.0


def environment(settings: Settings, **changes: str) -> dict[str, str]:
    return {
        **os.environ,
        "DATA_DIR": str(settings.data_dir),
        "ENCODER": "builtin",
        "STARTER_LESSON": "0",
        **changes,
    }


@contextmanager
def running(settings: Settings, *options: str, **changes: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "scheduler.py", *options],
        cwd=ROOT,
        env=environment(settings, **changes),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(done: Callable[[], object]) -> None:
    ends = time.monotonic() + LIMIT
    while not done():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.05)


def next_time(store: Store) -> str:
    clocks = store.clocks.all()
    return f"{clocks[0].next_run:%a %H:%M}" if clocks and clocks[0].next_run else ""


def test_it_shows_itself_follows_the_schedule_and_ends_when_told(
    settings: Settings, store: Store
) -> None:
    with running(settings, TRAINING_TIME="02:30") as process:
        wait_for(lambda: next_time(store).endswith("02:30"))
        store.overrides.write({"training_time": "04:45", "training_frequency": "weekly"})
        wait_for(lambda: next_time(store) == "Sun 04:45")
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, log
    assert "weekly on Sunday at 04:45 UTC" in log
    assert store.clocks.all() == []


def test_it_works_on_what_is_asked_for_while_it_runs(settings: Settings, store: Store) -> None:
    with running(settings):
        wait_for(lambda: next_time(store))
        job = store.jobs.ask(RETRAIN, request={}, now=now_utc(), task="authenticity")
        wait_for(lambda: store.jobs.get(job.id).status is JobStatus.DONE)
    outcome = (store.jobs.get(job.id).result or {})["tasks"]["authenticity"]
    assert outcome["gate"] == "skipped"
    assert "Too few pictures" in outcome["reason"]


def test_it_ends_with_the_service_that_it_runs_beside(settings: Settings, store: Store) -> None:
    program = (
        "import os, subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, 'scheduler.py', '--parent', str(os.getpid())]);"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    service = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment(settings),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: next_time(store))
    finally:
        service.kill()
        service.communicate()
    wait_for(lambda: store.clocks.all() == [])


def test_run_once_refuses_while_a_retrain_waits(settings: Settings, store: Store) -> None:
    store.jobs.ask(RETRAIN, request={}, now=now_utc())
    done = subprocess.run(
        [sys.executable, "scheduler.py", "--run-once"],
        cwd=ROOT,
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 2
    assert "queued or running already" in done.stderr


@pytest.mark.parametrize("options", [["--task", "smile"], ["--force"], ["--nonsense"]])
def test_wrong_usage_is_refused(options: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(options)
    assert caught.value.code == 2


def test_what_is_older_than_keep_days_is_forgotten_by_the_scheduler(
    settings: Settings, store: Store
) -> None:
    long_ago = now_utc() - timedelta(days=3)
    find = Seen("1", "https://x.example/1", "failed", long_ago)
    store.crawls.note(DEFAULT_TASK, "lexica", [find])
    with running(settings, KEEP_DAYS="2"):
        wait_for(lambda: not store.crawls.seen(DEFAULT_TASK, "lexica", ["1"]))
