"""The door of the clock: nightly retrains at their time, and retrains that were asked for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

DESCRIPTION = """Run the nightly retrain at TRAINING_TIME (UTC), and retrains that are asked for.

Any number of schedulers may run on one database: each night is taken by exactly one of them, and
what one leaves unfinished when it dies another goes on with. `python app.py` runs one beside the
service unless SCHEDULER=0. A change by POST /config takes effect without a restart."""

EXAMPLES = """examples:
  python scheduler.py                          wait for the nights, until stopped
  python scheduler.py --run-once               collect and retrain every task now, then exit
  python scheduler.py --run-once --task smile --no-collect
  TRAINING_FREQUENCY=weekly TRAINING_TIME=02:30 python scheduler.py

exit codes: 0 stopped when asked to, or the run is done; 1 the run failed; 2 wrong usage or
settings, or a retrain is running already; 130 stopped by Ctrl-C (the run goes on later)
"""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python scheduler.py",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--run-once", action="store_true", help="one retrain now, then exit")
    parser.add_argument("--task", help="with --run-once: this task alone; default: all")
    parser.add_argument(
        "--no-collect", action="store_true", help="with --run-once: train on what is there"
    )
    parser.add_argument(
        "--force", action="store_true", help="with --run-once: train though nothing is new"
    )
    parser.add_argument("--json", action="store_true", help="with --run-once: JSON on stdout")
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if not arguments.run_once and (arguments.task or arguments.no_collect or arguments.force):
        parser.error("--task, --no-collect and --force go with --run-once")
    return arguments


if __name__ == "__main__":
    # before the imports below, which take a while: --help and a wrong option answer at once
    ARGUMENTS = parse_arguments()

# ruff: noqa: E402
import json
import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from rich.console import Console
from rich.markup import escape

import webhook
from config import Settings, load_settings, with_kept_overrides
from domain import RETRAIN, Clock, ExposrError, Job, JobStatus
from nightly import BINDS_NOTHING
from nightly.foreman import Foreman, now_utc
from nightly.schedule import Schedule, slot_of
from storage import Store, open_store
from terminal import progress_bar

LOOK_SECONDS = 1.0
CATCH_UP_LOOKS = 30
"""After so many looks a night that was missed is looked for: downtime, or a clock that jumped."""
PRUNE_LOOKS = 3600
"""After so many looks it is looked for what KEEP_DAYS is over for."""
SHOW_LOOKS = 10
"""After so many looks a scheduler shows that it is there."""
ONE: Mapping[str, Any] = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
FORGET = timedelta(days=1)
FAILED, CANNOT, INTERRUPTED = 1, 2, 130

log = logging.getLogger("scheduler")


def take_night(store: Store, schedule: Schedule, since: datetime, now: datetime) -> Job | None:
    """Ask for the retrain of the night that is due, unless somebody did.

    Only the latest due time counts: of nights that were missed one is caught up with. While
    another retrain is queued or running the slot stays free, to be taken after it.

    Parameters
    ----------
    store
        The open store.
    schedule
        The one that holds now.
    since
        When it was set: what was due before is nobody's.
    now
        The present moment, aware, in any zone.
    """
    due = schedule.latest(now)
    # a `since` that lies ahead was kept by a clock that was wrong: it says nothing
    if due < since <= now or store.nights.taken(slot_of(due)):
        return None
    return store.jobs.take_night(slot_of(due), due, {"collect": True, "why": "night"}, now)


def forget_old(store: Store, settings: Settings, now: datetime) -> Mapping[str, int]:
    """Forget what KEEP_DAYS is over for; returns how many rows of each table."""
    if not settings.keep_days:
        return {}
    gone = store.prune(now - timedelta(days=settings.keep_days))
    if gone:
        told = ", ".join(f"{name} {n}" for name, n in gone.items())
        log.info("Forgotten after %d days: %s.", settings.keep_days, told)
    return gone


class Scheduler:
    """APScheduler's timers over the database's truth.

    Parameters
    ----------
    settings
        As they were at the start; changes made while running are read from the store.
    store
        The open store.
    clock
        The present moment, aware.
    parent
        Process without which this one ends; None: it stands alone.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        clock: Callable[[], datetime] = now_utc,
        parent: int | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._parent = parent
        self._foreman = Foreman(settings, store, clock=clock)
        self._ending = threading.Event()
        self._timers = BackgroundScheduler(timezone="UTC")
        now, schedule = clock(), Schedule.of(self._live())
        # since when it holds belongs to the schedule: both change at once
        self._held = (schedule, store.nights.schedule(str(schedule), now))
        self._shown = Clock(
            id=secrets.token_hex(8),
            host=socket.gethostname(),
            pid=os.getpid(),
            started_at=now,
            seen_at=now,
            next_run=None,
        )

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        APScheduler wakes us at the due time, by the wall clock. Everything else goes by a clock
        that nobody sets, so that a wall clock that was set back stops nothing.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._ending.set())
        self._timers.add_job(self._night, _cron(self._held[0]), id="night", **ONE)
        self._timers.start()
        log.info("Retrains %s; next: %s.", self._held[0], self._held[0].next(self._clock()))
        looks = 0
        while not self._ending.wait(LOOK_SECONDS if looks else 0):
            if looks % CATCH_UP_LOOKS == 0:
                self._night()
                self._timers.add_job(self._deliver, id="deliver", replace_existing=True, **ONE)
            if looks % PRUNE_LOOKS == 0:
                self._timers.add_job(self._prune, id="prune", replace_existing=True, **ONE)
            if looks % SHOW_LOOKS == 0:
                self._show()
            self._look()
            looks += 1
        self._timers.shutdown(wait=False)
        self._foreman.stop()
        with _outlived():
            self._store.clocks.gone(self._shown.id)

    def _night(self) -> None:
        schedule, since = self._held
        with _outlived():
            job = take_night(self._store, schedule, since, self._clock())
            if job is not None:
                log.info("The night's retrain is asked for: job %s.", job.id)

    def _deliver(self) -> None:
        with _outlived():
            webhook.deliver_due(self._store, self._live(), self._clock())

    def _prune(self) -> None:
        with _outlived():
            forget_old(self._store, self._settings, self._clock())

    def _look(self) -> None:
        if self._parent is not None and os.getppid() != self._parent:
            log.info("The service is gone, so the scheduler ends.")
            self._ending.set()
            return
        with _outlived():
            live = self._live()
            logging.getLogger().setLevel(live.log_level)
            self._follow(Schedule.of(live))
        with _outlived():
            self._foreman.look()

    def _follow(self, schedule: Schedule) -> None:
        """Keep to a schedule that was changed while running."""
        if schedule == self._held[0]:
            return
        self._held = (schedule, self._store.nights.schedule(str(schedule), self._clock()))
        self._timers.reschedule_job("night", trigger=_cron(schedule))
        log.info("The schedule is now %s.", schedule)
        self._show()

    def _show(self) -> None:
        with _outlived():
            now = self._clock()
            self._store.clocks.seen(
                replace(self._shown, seen_at=now, next_run=self._held[0].next(now))
            )
            self._store.clocks.forget(now - FORGET)

    def _live(self) -> Settings:
        return with_kept_overrides(self._settings, self._store.overrides.read())


def _cron(schedule: Schedule) -> CronTrigger:
    day = "sun" if schedule.days > 1 else "*"
    return CronTrigger(day_of_week=day, hour=schedule.hour, minute=schedule.minute, timezone="UTC")


@contextmanager
def _outlived() -> Iterator[None]:
    """What the database or a setting does not allow now may be possible at the next look."""
    try:
        yield
    except ExposrError as error:
        log.warning("%s", error.message)


def run_once(settings: Settings, store: Store, arguments: argparse.Namespace) -> int:
    """Ask for a retrain, see it through, and say what came of it; returns the exit code."""
    if arguments.task:
        store.tasks.get(arguments.task)
    request = {"collect": not arguments.no_collect, "why": "asked", "force": arguments.force}
    asked = store.jobs.ask(RETRAIN, request=request, now=now_utc(), task=arguments.task)
    foreman = Foreman(settings, store)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a plain kill is as Ctrl-C
    try:
        job = _seen_through(store, foreman, asked.id)
    except KeyboardInterrupt:
        foreman.stop()
        print(f"Stopped. A scheduler that runs goes on with the job {asked.id}.", file=sys.stderr)
        return INTERRUPTED
    _print(job, as_json=arguments.json)
    return 0 if job.status is JobStatus.DONE else FAILED


def _seen_through(store: Store, foreman: Foreman, job_id: str) -> Job:
    """Look after a job, ours or another scheduler's, with a bar for each stage."""
    stage = ""
    with ExitStack() as bars:
        advance: Callable[[int], None] | None = None
        shown = 0
        while True:
            job = None
            with _outlived():
                foreman.look()
                job = store.jobs.get(job_id)
            if job is not None:
                if job.status in (JobStatus.DONE, JobStatus.FAILED) and not foreman.busy:
                    return job
                if job.total and job.stage != stage:
                    bars.close()
                    advance = bars.enter_context(progress_bar(job.stage, job.total))
                    stage, shown = job.stage, 0
                if advance is not None and job.stage == stage and job.done > shown:
                    advance(job.done - shown)
                    shown = job.done
            time.sleep(LOOK_SECONDS / 4)


def _print(job: Job, *, as_json: bool) -> None:
    result: dict[str, Any] = dict(job.result or {})
    if as_json:
        shown = {"id": job.id, "status": job.status.value, "result": result, "error": job.error}
        print(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    console = Console()
    for crawl in result.get("collected", []):
        counts = ", ".join(f"{name} {n}" for name, n in crawl["counts"].items() if n)
        console.print(escape(f"{crawl['source']}: {counts or 'nothing'}. {crawl['ended']}"))
    for task, outcome in result.get("tasks", {}).items():
        version = f" Version {outcome['version']}." if outcome["version"] else ""
        console.print(escape(f"{task}: {outcome['gate']}. {outcome['reason']}{version}"))
    if job.error:
        Console(stderr=True).print(escape(job.error), style="red", highlight=False)


def main(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    try:
        settings = load_settings(**BINDS_NOTHING)
        start_logging(settings)
        store = open_store(settings)
    except ExposrError as error:
        print(error.message, file=sys.stderr)
        return CANNOT
    try:
        if arguments.run_once:
            return run_once(settings, store, arguments)
        Scheduler(settings, store, parent=arguments.parent).run()
    except ExposrError as error:
        print(error.message, file=sys.stderr)
        return CANNOT
    finally:
        store.close()
    return 0


def start_logging(settings: Settings) -> None:
    """Log to stderr."""
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for wordy in ("alembic", "apscheduler"):
        logging.getLogger(wordy).setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main(ARGUMENTS))
