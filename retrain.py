"""A whole retrain: collect, embed, check, train, gate, promote. The process that works on a job."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

DESCRIPTION = """Work on a retrain that was asked for: collect, embed, check, train, gate, promote.

The scheduler starts this process for a job and watches over it; nobody needs to call it by hand.
To retrain now, ask with `python scheduler.py --run-once` or `curl -X POST .../retrain`."""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python retrain.py",
        description=DESCRIPTION,
        epilog="exit codes: 0 the job has ended, whichever way; others: it is to be gone on with",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--job", required=True, help="the job's id")
    parser.add_argument("--holder", required=True, help="in whose name the job was claimed")
    return parser.parse_args(argv)


if __name__ == "__main__":
    # before the imports below, which take a while: --help and a wrong option answer at once
    ARGUMENTS = parse_arguments()

# ruff: noqa: E402
import logging
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from config import Settings, load_settings, with_kept_overrides
from domain import CANCELLED, RESCORE, Conflict, DatabaseGone, ExposrError, Job, NotFound, Task
from engine import Engine, open_engine
from models import decay
from nightly import BINDS_NOTHING
from nightly.desk import Cancelled, Desk, Ended
from nightly.stages import FAILED, Outcome, TaskRetrain, collect, follow_up, outcome_of
from storage import Store, open_store

BEFORE_ASKED = timedelta(minutes=1)
"""A promotion comes before its job is asked for; two machines' clocks may differ."""
GONE_ON_WITH = 3
"""Exit code of a process whose job is to be gone on with."""

log = logging.getLogger("retrain")


def retrain(engine: Engine, desk: Desk) -> dict[str, Any]:
    """Go through every stage that the job has not been through yet.

    Parameters
    ----------
    engine
        The open engine.
    desk
        The job. Its request: `collect`, `why`, `force` (train though nothing is new).

    Returns
    -------
    dict[str, Any]
        What each source brought and what came of each task, JSON-ready.

    Raises
    ------
    Cancelled, Ended
        It was told to stop; what finished stages left is kept.
    Unavailable
        A stage began so often that trying once more is no use, or the database is gone.
    """
    request = desk.job.request
    collected = collect(engine, desk) if request.get("collect") else []
    done: dict[str, Outcome] = dict(desk.kept("tasks") or {})
    for task in _tasks(engine, desk.job):
        if task.name not in done:
            outcome = TaskRetrain(engine, desk, task).run()
            if outcome is not None:
                done[task.name] = outcome
            desk.keep(tasks=done, at={}, tries={})
    return {"collected": collected, "tasks": done}


def look_over(engine: Engine, desk: Desk) -> dict[str, Any]:
    """Note which verdicts the versions that were promoted by hand would give otherwise.

    Goes on until no promotion is left that came while it worked.

    Returns
    -------
    dict[str, Any]
        For each task the version, and how many verdicts it changes, JSON-ready.
    """
    done: dict[str, Outcome] = {}
    while todo := _unseen(engine.store, desk.job, done):
        for name, version_id, why in todo:
            desk.check()
            changes = follow_up(engine, desk, name, version_id, why)
            decay.measure(engine, name, datetime.now(UTC))
            done[name] = outcome_of("promoted", why, version_id, changes)
    return {"tasks": done}


def _unseen(store: Store, job: Job, done: Mapping[str, Outcome]) -> list[tuple[str, str, str]]:
    """Task, version and reason of promotions that came since a job was asked for."""
    found = []
    for task in store.tasks.all():
        with suppress(NotFound):  # deleted a moment ago
            for last in store.versions.promotions(task.name)[:1]:
                seen = task.name in done and done[task.name]["version"] == last.version
                if last.at >= job.created_at - BEFORE_ASKED and not seen:
                    found.append((task.name, last.version, last.why))
    return found


def _tasks(engine: Engine, job: Job) -> list[Task]:
    """The job's task, or for a night every task that has pictures of somebody's own."""
    if job.task is not None:
        return [engine.store.tasks.get(job.task)]
    found = []
    for task in engine.store.tasks.all():
        with suppress(NotFound):  # deleted a moment ago
            if engine.store.samples.counts(task.name):
                found.append(task)
    return found


def work_on(store: Store, settings: Settings, job: Job) -> int:
    """Do a claimed job to its end; returns the process's exit code."""
    with Desk(store, job) as desk:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: desk.stop.set())
        try:
            result = _worked(settings, desk)
        except (Ended, DatabaseGone) as why:
            log.warning("The job %s is given back. %s", job.id, why)
            with suppress(DatabaseGone):  # whoever finds it lying goes on with it
                desk.give_back()
            return GONE_ON_WITH
        except Cancelled:
            desk.finish(error=CANCELLED)
        except ExposrError as error:
            log.error("The job %s failed: %s", job.id, error.message)
            desk.finish(error=error.message)
        except Exception:  # the edge of a job: it must not stay `running`
            log.exception("The job %s failed", job.id)
            desk.finish(error="It failed in a way nobody foresaw; the log says how.")
        else:
            failed = [name for name, one in result["tasks"].items() if one["gate"] == FAILED]
            trouble = f"Some tasks failed: {', '.join(failed)}." if failed else None
            desk.finish(result=result, error=trouble)
            if job.kind == RESCORE and _unseen(store, job, result["tasks"]):
                with suppress(Conflict):
                    store.jobs.ask(RESCORE, request={}, now=datetime.now(UTC))
    return 0


def _worked(settings: Settings, desk: Desk) -> dict[str, Any]:
    engine = open_engine(settings)
    try:
        return (look_over if desk.job.kind == RESCORE else retrain)(engine, desk)
    finally:
        engine.close()


def take_share(settings: Settings) -> None:
    """Leave most of the machine to those who wait for an answer."""
    os.nice(10)
    if hasattr(os, "sched_setaffinity"):
        ours = sorted(os.sched_getaffinity(0))
        share = settings.retrain_cpus or max(1, len(ours) // 2)
        os.sched_setaffinity(0, ours[-share:])


def main(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    try:
        settings = load_settings(**BINDS_NOTHING)
        store = open_store(settings)
    except ExposrError as error:
        print(error.message, file=sys.stderr)
        return GONE_ON_WITH
    try:
        live = with_kept_overrides(settings, store.overrides.read())
        start_logging(live)
        take_share(live)
        job = store.jobs.get(arguments.job)
        if job.holder != arguments.holder:
            log.error("The job %s is not claimed in that name.", arguments.job)
            return GONE_ON_WITH
        return work_on(store, settings, job)
    finally:
        store.close()


def start_logging(settings: Settings) -> None:
    """Log to stderr."""
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for wordy in ("alembic", "matplotlib"):
        logging.getLogger(wordy).setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main(ARGUMENTS))
