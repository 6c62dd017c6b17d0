"""What a retrain goes through: the sources once, then each task stage by stage."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import rescore
import webhook
from config import Augment, Collect, Shortcuts
from domain import (
    EQUALISED,
    Crawl,
    DatabaseGone,
    ExposrError,
    NotEnoughData,
    NotFound,
    Stage,
    Task,
    Unavailable,
)
from embeddings.job import (
    embed_equalised,
    embed_missing,
    embed_redeliveries,
    embed_teaching,
    missing_redelivered,
    missing_teaching,
)
from embeddings.noting import note_facts, note_looks
from embeddings.work import Pace
from engine import Engine, live_settings
from models import decay
from models.shortcuts import Alarm, check_task
from nightly.desk import Desk
from scraper.crawl import CrawlRequest, crawl
from train import candidate, fingerprint, judge, settle, skip

TRIES = 3
"""How often a stage is begun: what kills its process three times would do so again."""

Outcome = dict[str, Any]
"""What came of one task, JSON-ready: gate, reason, version, changes."""

FAILED = "failed"
"""The gate's place in the outcome of a task that could not be gone through with."""

log = logging.getLogger(__name__)


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


def collect(engine: Engine, desk: Desk) -> list[dict[str, Any]]:
    """Let each source bring its pictures; one that fails does not stop the others.

    A job of one task collects for that task. What is collected is settled when it begins: a
    change of COLLECT is for the next job.
    """
    task = desk.job.task
    if desk.kept("collect") is None:
        wanted = [one for one in live_settings(engine).collect if task in (None, one.task)]
        desk.keep(collect=[one.model_dump() for one in wanted])
    todo = [Collect(**one) for one in desk.kept("collect")]
    done: list[dict[str, Any]] = list(desk.kept("collected") or [])
    if len(done) < len(todo):
        _begun(desk, Stage.COLLECT)
    for each in todo[len(done) :]:
        try:
            brought = _crawl(engine, desk, each)
        except DatabaseGone:
            raise
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


def follow_up(engine: Engine, desk: Desk, name: str, version_id: str, reason: str) -> int:
    """Say which verdicts a promotion changes, and to whom it was asked to be said."""

    def progress(done: int, total: int) -> None:
        desk.tell(Stage.PROMOTE, done, total, task=name)

    changes = rescore.rescore(engine, name, version_id, progress=progress)
    rescore.announce(engine, name, version_id, reason, changes)
    webhook.deliver_due(engine.store, engine.settings, datetime.now(UTC))
    return len(changes)


class TaskRetrain:
    """The stages that one task goes through."""

    def __init__(self, engine: Engine, desk: Desk, task: Task) -> None:
        self._engine = engine
        self._desk = desk
        self._task = task
        self._settings = live_settings(engine)
        self._why = str(desk.job.request.get("why", "asked"))
        # what an earlier process left of this task
        at: dict[str, Any] = dict(desk.kept("at") or {})
        self._at = at if at.get("task") == task.id else {}
        self._began = datetime.now(UTC)
        if "began" in self._at:
            self._began = datetime.fromisoformat(self._at["began"])

    def run(self) -> Outcome | None:
        """Every stage in its order; None for a task that was deleted meanwhile.

        At night one task's trouble is its own: the outcome tells it, and the others go on.
        """
        try:
            return self._run()
        except DatabaseGone:
            raise
        except ExposrError as error:
            if self._desk.job.task is not None:
                raise
            log.warning("%s: %s", self._task.name, error.message)
            if isinstance(error, NotFound):
                return None
            return outcome_of(FAILED, error.message)

    def _run(self) -> Outcome:
        try:
            outcome = self._settle(self._at.get("version") or self._candidate())
        except NotEnoughData as error:
            outcome = self._skip(error.message)
        decay.measure(self._engine, self._task.name, datetime.now(UTC))
        return outcome

    def _candidate(self) -> str:
        """Embed, check and train: the id of a saved candidate.

        Raises
        ------
        NotEnoughData
            There is nothing new, too little, or only what is refused.
        """
        self._embed()
        name = self._task.name
        _begun(self._desk, Stage.CHECK, name)
        if self._nothing_new():
            raise NotEnoughData("Nothing is new since the last training.")
        alarm = self._check_shortcuts()
        _begun(self._desk, Stage.TRAIN, name)
        version = candidate(
            self._engine,
            name,
            progress=self._tell_training,
            alarm=alarm.as_json(),
            settings=self._settings,
        )
        began = self._began.isoformat()
        self._desk.keep(at={"task": self._task.id, "version": version.id, "began": began})
        return version.id

    def _nothing_new(self) -> bool:
        """Whether the very same pictures were trained on last, and that can answer."""
        name, store = self._task.name, self._engine.store
        latest, current = store.runs.latest_trained(name), store.versions.current(name)
        if self._desk.job.request.get("force") or latest is None or current is None:
            return False
        try:
            self._engine.registry.load(current)
        except Unavailable as error:
            log.warning("%s", error.message)
            return False
        seen = fingerprint(self._engine, name, settings=self._settings)
        return latest.detail.get("fingerprint") == seen

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
        note_looks(store, task.name, settings=settings, pace=pace)
        self._desk.check()
        alarm = check_task(store, task, bar=settings.shortcut_bar)
        if alarm.raised:
            log.warning("%s: %s", task.name, alarm.message)
        return alarm

    def _embed(self) -> None:
        """Vectors for what has none yet: pictures, what teaching needs, equalised ones if asked."""
        _begun(self._desk, Stage.EMBED, self._task.name)
        store, task, settings = self._engine.store, self._task, self._settings
        embedder = self._engine.embedders[task.kind]
        wanted = [len(store.samples.missing_vectors(task.name, embedder.id))]
        wanted.append(len(missing_teaching(store, embedder, task.name, task.kind)))
        equalising = settings.shortcuts is Shortcuts.EQUALISE
        if equalising:
            wanted.append(len(store.samples.missing_vectors(task.name, embedder.id + EQUALISED)))
        augmenting = settings.augment is not Augment.OFF
        if augmenting:
            wanted.append(len(missing_redelivered(store, embedder, task.name)))
        done = 0

        def progress(more: int) -> None:
            nonlocal done
            done += more
            self._desk.tell(Stage.EMBED, min(done, sum(wanted)), sum(wanted), task=task.name)

        how: Any = {
            "settings": settings,
            "progress": progress,
            "pace": Pace(stop=self._desk.stop.is_set),
        }
        embed_missing(store, embedder, task.name, **how)
        embed_teaching(store, embedder, task.name, task.kind, **how)
        if equalising:
            embed_equalised(store, embedder, task.name, **how)
        if augmenting:
            embed_redeliveries(store, embedder, task.name, **how)
        if done:
            store.tasks.renew(task.name)  # what answers compares with the nearest at once
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
        changes = 0
        if settled.gate == "promoted":
            changes = follow_up(self._engine, self._desk, name, version_id, settled.reason)
        return outcome_of(settled.gate, settled.reason, version_id, changes)

    def _skip(self, reason: str) -> Outcome:
        log.info("%s: skipped. %s", self._task.name, reason)
        job_id = self._desk.job.id
        run = self._engine.store.runs.latest(self._task.name)
        if run is None or run.job_id != job_id:  # else an earlier process has said so
            run = skip(
                self._engine,
                self._task.name,
                reason,
                why=self._why,
                started_at=self._began,
                job_id=job_id,
            )
        return outcome_of(run.gate, run.reason)


def outcome_of(gate: str, reason: str, version: str | None = None, changes: int = 0) -> Outcome:
    """What came of one task."""
    return {"gate": gate, "reason": reason, "version": version, "changes": changes}
