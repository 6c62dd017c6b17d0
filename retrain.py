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
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import rescore
import webhook
from config import Collect, Settings, Shortcuts, load_settings
from domain import (
    EQUALISED,
    RESCORE,
    Crawl,
    ExposrError,
    Job,
    NotEnoughData,
    NotFound,
    Stage,
    Task,
    Unavailable,
)
from embeddings.job import (
    embed_equalised,
    embed_missing,
    embed_teaching,
    missing_teaching,
    note_facts,
)
from embeddings.work import Pace
from engine import Engine, live_settings, open_engine
from models import decay
from models.shortcuts import Alarm, check_task
from nightly.desk import Cancelled, Desk, Ended
from scraper.crawl import CrawlRequest, crawl
from storage import Store, open_store
from train import candidate, fingerprint, judge, settle, skip

TRIES = 3
"""How often a stage is begun: what kills its process three times would do so again."""
BEFORE_ASKED = timedelta(minutes=1)
"""A promotion comes before its job is asked for; two machines' clocks may differ."""
GONE_ON_WITH = 3
"""Exit code of a process whose job is to be gone on with."""

log = logging.getLogger("retrain")


@dataclass(slots=True)
class Outcome:
    """What a retrain came to for one task."""

    task: str
    gate: str
    reason: str
    version: str | None = None
    changes: int = 0
    notes: list[str] = field(default_factory=list)


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
    collected = _collect(engine, desk) if request.get("collect") else []
    done: dict[str, dict[str, Any]] = dict(desk.kept("tasks") or {})
    for task in _tasks(engine, desk.job):
        if task.name not in done:
            outcome = _Retrain(engine, desk, task).run()
            if outcome is not None:
                done[task.name] = _as_json(outcome)
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
    done: dict[str, dict[str, Any]] = {}
    while True:
        desk.check()
        todo = [
            (task.name, promotion)
            for task in engine.store.tasks.all()
            for promotion in engine.store.versions.promotions(task.name)[:1]
            if promotion.at >= desk.job.created_at - BEFORE_ASKED
            and done.get(task.name, {}).get("version") != promotion.version
        ]
        if not todo:
            return {"tasks": done}
        for name, promotion in todo:
            changes = _followed_up(engine, desk, name, promotion.version, promotion.why)
            done[name] = {"version": promotion.version, "changes": changes}
            decay.measure(engine, name, datetime.now(UTC))


def _followed_up(engine: Engine, desk: Desk, name: str, version_id: str, reason: str) -> int:
    """Say which verdicts a promotion changes, and to whom it was asked to be said."""

    def progress(done: int, total: int) -> None:
        desk.tell(Stage.PROMOTE, done, total, task=name)

    changes = rescore.rescore(engine, name, version_id, progress=progress)
    rescore.announce(engine, name, version_id, reason, changes)
    webhook.deliver_due(engine.store, engine.settings, datetime.now(UTC))
    return len(changes)


def _tasks(engine: Engine, job: Job) -> list[Task]:
    """The job's task, or for a night every task that has pictures of somebody's own."""
    if job.task is not None:
        return [engine.store.tasks.get(job.task)]
    tasks = engine.store.tasks.all()
    return [task for task in tasks if engine.store.samples.counts(task.name)]


def _begun(desk: Desk, stage: Stage, task: str | None = None) -> None:
    """Note that a stage begins, and give up on one that never ends."""
    desk.tell(stage, task=task)
    order = [each.value for each in Stage]
    # what comes before has ended once more: it is not what breaks off
    tries = {
        name: n
        for name, n in (desk.kept("tries") or {}).items()
        if order.index(name) >= order.index(stage.value)
    }
    tries[stage.value] = tries.get(stage.value, 0) + 1
    if tries[stage.value] > TRIES:
        raise Unavailable(f"The stage {stage} broke off {TRIES} times; the log says why.")
    desk.keep(tries=tries)


def _collect(engine: Engine, desk: Desk) -> list[dict[str, Any]]:
    """Let each source bring its pictures; one that fails does not stop the others."""
    done: list[dict[str, Any]] = list(desk.kept("collected") or [])
    wanted = live_settings(engine).collect
    if len(done) < len(wanted):
        _begun(desk, Stage.COLLECT)
    for each in wanted[len(done) :]:
        try:
            brought = _crawl(engine, desk, each)
        except ExposrError as error:
            log.warning("%s brought nothing: %s", each.source, error.message)
            done.append({"source": each.source, "counts": {}, "ended": error.message})
        else:
            desk.check()
            done.append(
                {"source": each.source, "counts": dict(brought.counts), "ended": brought.ended}
            )
        desk.keep(collected=done)
    return done


def _crawl(engine: Engine, desk: Desk, what: Collect) -> Crawl:
    def progress(kept: int, count: int) -> None:
        if not desk.stop.is_set():  # what is in flight is finished all the same
            desk.tell(Stage.COLLECT, kept, count, task=what.source)

    request = CrawlRequest(**what.model_dump())
    return crawl(engine, request, stop=desk.stop, progress=progress)


class _Retrain:
    """The stages that one task goes through."""

    def __init__(self, engine: Engine, desk: Desk, task: Task) -> None:
        self._engine = engine
        self._desk = desk
        self._task = task
        self._settings = live_settings(engine)
        self._why = str(desk.job.request.get("why", "asked"))
        # what an earlier process left of this task
        self._at: dict[str, Any] = dict(desk.kept("at") or {})
        self._began = datetime.now(UTC)
        if "began" in self._at:
            self._began = datetime.fromisoformat(self._at["began"])

    def run(self) -> Outcome | None:
        """Every stage in its order; None for a task that was deleted meanwhile."""
        try:
            version = self._at.get("version") or self._candidate()
            outcome = version if isinstance(version, Outcome) else self._settle(version)
            decay.measure(self._engine, self._task.name, datetime.now(UTC))
            return outcome
        except NotFound as error:
            if self._desk.job.task is not None:
                raise
            log.warning("%s", error.message)
            return None

    def _candidate(self) -> str | Outcome:
        """Embed, check and train: the id of a saved candidate, or why there is none."""
        self._embed()
        _begun(self._desk, Stage.CHECK, self._task.name)
        name = self._task.name
        try:
            if self._nothing_new():
                return self._skip("Nothing is new since the last training.")
            alarm = self._check_shortcuts()
            _begun(self._desk, Stage.TRAIN, name)
            version = candidate(
                self._engine, name, progress=self._tell_training, alarm=alarm.as_json()
            )
        except NotEnoughData as error:
            return self._skip(error.message)
        self._desk.keep(at={"version": version.id, "began": self._began.isoformat()})
        return version.id

    def _nothing_new(self) -> bool:
        if self._desk.job.request.get("force"):
            return False
        latest = self._engine.store.runs.latest_trained(self._task.name)
        seen = fingerprint(self._engine, self._task.name)
        return latest is not None and latest.detail.get("fingerprint") == seen

    def _check_shortcuts(self) -> Alarm:
        """Whether labels can be told apart without looking at the pictures, which is no content."""
        store, task, settings = self._engine.store, self._task, self._settings
        pace = Pace(stop=self._desk.stop.is_set)
        noted = 0

        def progress(more: int) -> None:
            nonlocal noted
            noted += more
            self._desk.tell(Stage.CHECK, noted, task=task.name)

        note_facts(store, task.name, settings=settings, progress=progress, pace=pace)
        self._desk.check()
        alarm = check_task(store, task, bar=settings.shortcut_bar)
        if alarm.raised:
            log.warning("%s: %s", task.name, alarm.message)
        return alarm

    def _embed(self) -> None:
        """Vectors for what has none yet, and what the check wants to know of the files."""
        _begun(self._desk, Stage.EMBED, self._task.name)
        store, task = self._engine.store, self._task
        embedder = self._engine.embedders[task.kind]
        missing = len(store.samples.missing_vectors(task.name, embedder.id))
        teaching = len(missing_teaching(store, embedder, task.name, task.kind))
        done = 0

        def progress(more: int) -> None:
            nonlocal done
            done += more
            self._desk.tell(Stage.EMBED, min(done, total), total, task=task.name)

        total = missing + teaching
        pace = Pace(stop=self._desk.stop.is_set)
        embed_missing(
            store, embedder, task.name, settings=self._settings, progress=progress, pace=pace
        )
        embed_teaching(
            store,
            embedder,
            task.name,
            task.kind,
            settings=self._settings,
            progress=progress,
            pace=pace,
        )
        if self._settings.shortcuts is Shortcuts.EQUALISE:
            total = done + len(store.samples.missing_vectors(task.name, embedder.id + EQUALISED))
            embed_equalised(
                store, embedder, task.name, settings=self._settings, progress=progress, pace=pace
            )
        self._desk.check()

    def _tell_training(self, done: int, total: int, name: str) -> None:
        self._desk.tell(Stage.TRAIN, done, total, task=self._task.name)

    def _settle(self, version_id: str) -> Outcome:
        """Gate and promote, and what follows a promotion."""
        name, store = self._task.name, self._engine.store
        _begun(self._desk, Stage.GATE, name)
        version = store.versions.get(name, version_id)
        settled = store.runs.of_version(name, version_id)
        if settled is None:
            gate = judge(self._engine, version)
            _begun(self._desk, Stage.PROMOTE, name)
            settled = settle(
                self._engine,
                version,
                gate,
                why=self._why,
                started_at=self._began,
                job_id=self._desk.job.id,
            ).run
        outcome = Outcome(name, settled.gate, settled.reason, version_id)
        if settled.gate == "promoted":
            outcome.changes = _followed_up(
                self._engine, self._desk, name, version_id, settled.reason
            )
        return outcome

    def _skip(self, reason: str) -> Outcome:
        log.info("%s: skipped. %s", self._task.name, reason)
        skip(
            self._engine,
            self._task.name,
            reason,
            why=self._why,
            started_at=self._began,
            job_id=self._desk.job.id,
        )
        return Outcome(self._task.name, "skipped", reason)


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "gate": outcome.gate,
        "reason": outcome.reason,
        "version": outcome.version,
        "changes": outcome.changes,
    }


def work_on(store: Store, settings: Settings, job: Job) -> int:
    """Do a claimed job to its end; returns the process's exit code."""
    with Desk(store, job) as desk:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: desk.stop.set())
        try:
            engine = open_engine(settings)
            try:
                result = (look_over if job.kind == RESCORE else retrain)(engine, desk)
            finally:
                engine.close()
        except Ended:
            desk.give_back()
            return GONE_ON_WITH
        except Cancelled:
            desk.finish(error="cancelled")
        except ExposrError as error:
            log.error("The job %s failed: %s", job.id, error.message)
            desk.finish(error=error.message)
        except Exception:  # the edge of a job: it must not stay `running`
            log.exception("The job %s failed", job.id)
            desk.finish(error="It failed in a way nobody foresaw; the log says how.")
        else:
            desk.finish(result=result)
    return 0


def take_share(settings: Settings) -> None:
    """Leave most of the machine to those who wait for an answer."""
    os.nice(10)
    if hasattr(os, "sched_setaffinity"):
        ours = sorted(os.sched_getaffinity(0))
        share = settings.retrain_cpus or max(1, len(ours) // 2)
        os.sched_setaffinity(0, ours[-share:])


def main(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    settings = load_settings()
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for wordy in ("alembic", "matplotlib"):
        logging.getLogger(wordy).setLevel(logging.WARNING)
    take_share(settings)
    store = open_store(settings)
    try:
        job = store.jobs.get(arguments.job)
        if job.holder != arguments.holder:
            log.error("The job %s is not claimed in that name.", arguments.job)
            return GONE_ON_WITH
        return work_on(store, settings, job)
    finally:
        store.close()


if __name__ == "__main__":
    sys.exit(main(ARGUMENTS))
