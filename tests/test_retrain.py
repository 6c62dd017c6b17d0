"""A retrain from pictures to a promoted version, in its own process and in this one."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from config import ClassifierType, Collect, Settings
from domain import RETRAIN, Job, JobStatus, Stage, TaskKind
from engine import Engine, open_engine
from nightly.desk import Cancelled, Desk, Ended
from nightly.foreman import Foreman, now_utc
from retrain import retrain
from scraper.intake import Offer
from tests.pictures import encode, photo
from tests.scraper.taking import take_one

ROOT = Path(__file__).resolve().parent.parent
TASK = "stripes"
LIMIT = 240.0


def bring(
    engine: Engine,
    seeds: range,
    *,
    task: str = TASK,
    labels: tuple[str, str] = ("plain", "striped"),
) -> None:
    """Pictures, half of them with stripes."""
    stripes = (np.arange(64) // 4 % 2 * 60).astype(np.uint8)[:, None, None]
    for seed in seeds:
        label = labels[seed % 2]
        pixels = photo(seed, 64, 64) // 2 + stripes * np.uint8(seed % 2)
        take_one(engine, encode(pixels, "PNG"), task, Offer(label, f"camera {seed % 3}"))


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    quick = settings.model_copy(
        update={"classifier_type": ClassifierType.LOGISTIC_REGRESSION, "training_time_budget": 20.0}
    )
    opened = open_engine(quick)
    opened.store.tasks.create(TASK, TaskKind.PHOTO, ("plain", "striped"), open=False)
    yield opened
    opened.close()


def claimed(engine: Engine, *, task: str | None = TASK, **request: object) -> Job:
    engine.store.jobs.ask(RETRAIN, request=request, now=now_utc(), task=task)
    job = engine.store.jobs.claim("test", RETRAIN, now_utc())
    assert job is not None
    return job


def run(engine: Engine, job: Job) -> dict[str, dict[str, object]]:
    with Desk(engine.store, job) as desk:
        result = retrain(engine, desk)
        desk.finish(result=result)
    tasks: dict[str, dict[str, object]] = result["tasks"]
    return tasks


def test_what_a_night_embeds_is_compared_with_at_once(engine: Engine) -> None:
    bring(engine, range(8))
    task = engine.store.tasks.get(TASK)

    def compared() -> int:
        return len(engine.neighbours.of(task, engine.learned.knowledge(task)))

    assert compared() == 0
    assert run(engine, claimed(engine))[TASK]["gate"] == "skipped"
    assert compared() == 8


def test_pictures_become_a_promoted_version(engine: Engine) -> None:
    bring(engine, range(60))
    job = claimed(engine)
    outcome = run(engine, job)[TASK]
    assert outcome["gate"] == "promoted"
    current = engine.store.versions.current(TASK)
    assert current is not None
    assert current.id == outcome["version"]
    (history,) = engine.store.runs.all(TASK)
    assert (history.gate, history.version, history.job_id) == ("promoted", current.id, job.id)
    assert engine.store.jobs.get(job.id).status is JobStatus.DONE


def test_a_night_with_nothing_new_is_skipped_and_says_so(engine: Engine) -> None:
    bring(engine, range(60))
    run(engine, claimed(engine, task=None))
    outcome = run(engine, claimed(engine, task=None))[TASK]
    assert outcome["gate"] == "skipped"
    assert "Nothing is new" in str(outcome["reason"])
    latest = engine.store.runs.latest(TASK)
    assert latest is not None
    assert (latest.gate, latest.version) == ("skipped", None)
    assert len(engine.store.versions.all(TASK)) == 1

    bring(engine, range(60, 70))
    assert run(engine, claimed(engine, task=None))[TASK]["gate"] in ("promoted", "kept")


def test_forced_it_trains_though_nothing_is_new(engine: Engine) -> None:
    bring(engine, range(60))
    run(engine, claimed(engine))
    assert run(engine, claimed(engine, force=True))[TASK]["gate"] in ("promoted", "kept")
    assert len(engine.store.versions.all(TASK)) == 2


def test_a_class_that_is_too_small_is_skipped_with_its_counts(engine: Engine) -> None:
    bring(engine, range(0, 40, 2))
    bring(engine, range(1, 6, 2))
    outcome = run(engine, claimed(engine))[TASK]
    assert outcome["gate"] == "skipped"
    assert "striped 3" in str(outcome["reason"])


def test_a_night_passes_over_tasks_without_pictures(engine: Engine) -> None:
    bring(engine, range(60))
    assert list(run(engine, claimed(engine, task=None))) == [TASK]


def test_one_task_in_trouble_leaves_the_others_their_night(engine: Engine) -> None:
    engine.store.tasks.create("a-first", TaskKind.PHOTO, ("plain", "striped"), open=False)
    bring(engine, range(60), task="a-first")
    bring(engine, range(60))
    (engine.settings.data_dir / "models").mkdir()
    (engine.settings.data_dir / "models" / "a-first").write_text("no folder")
    job = claimed(engine, task=None)
    with Desk(engine.store, job) as desk:
        tasks = retrain(engine, desk)["tasks"]
    assert tasks["a-first"]["gate"] == "failed"
    assert "cannot be written" in tasks["a-first"]["reason"]
    assert tasks[TASK]["gate"] == "promoted"


def test_what_was_left_of_a_task_is_not_taken_for_anothers(engine: Engine) -> None:
    bring(engine, range(60))
    job = claimed(engine, task=None)
    left = {"at": {"task": -1, "version": "of-another", "began": now_utc().isoformat()}}
    with Desk(engine.store, replace(job, kept=left)) as desk:
        assert retrain(engine, desk)["tasks"][TASK]["gate"] == "promoted"


def test_a_task_that_is_deleted_at_night_is_passed_over(engine: Engine) -> None:
    bring(engine, range(6))
    bring(engine, range(60), task="authenticity", labels=("ai", "real"))
    job = claimed(engine, task=None)

    class Deleting(Desk):
        def tell(self, stage: Stage, *at: int, task: str | None = None) -> None:
            super().tell(stage, *at, task=task)
            if (stage, task) == (Stage.CHECK, TASK) and TASK in names(engine):
                engine.store.tasks.delete(TASK)

    with Deleting(engine.store, job) as desk:
        assert list(retrain(engine, desk)["tasks"]) == ["authenticity"]


def names(engine: Engine) -> list[str]:
    return [task.name for task in engine.store.tasks.all()]


def test_a_night_said_twice_to_be_skipped_is_one_row_of_history(engine: Engine) -> None:
    bring(engine, range(6))
    job = claimed(engine)
    for _ in range(2):  # as after a crash between saying so and noting that
        with Desk(engine.store, job) as desk:
            assert retrain(engine, desk)["tasks"][TASK]["gate"] == "skipped"
    assert len(engine.store.runs.all(TASK)) == 1


def test_a_version_whose_files_are_lost_is_trained_again(engine: Engine) -> None:
    bring(engine, range(60))
    run(engine, claimed(engine))
    current = engine.store.versions.current(TASK)
    assert current is not None
    shutil.rmtree(engine.registry.folder(current))
    assert run(engine, claimed(engine))[TASK]["gate"] == "promoted"


def test_a_job_of_one_task_collects_for_that_task(engine: Engine) -> None:
    others = Collect(source="openverse", count=1)
    wired = replace(engine, settings=engine.settings.model_copy(update={"collect": (others,)}))
    bring(wired, range(60))
    job = claimed(wired, collect=True)
    with Desk(wired.store, job) as desk:
        assert retrain(wired, desk)["collected"] == []


def test_one_told_to_end_keeps_what_is_done_and_is_gone_on_with(engine: Engine) -> None:
    bring(engine, range(60))
    job = claimed(engine)
    with Desk(engine.store, job) as desk:
        engine.store.jobs.progress(job.id, "test", 0, 0, "", now_utc())
        desk.stop.set()
        with pytest.raises(Ended):
            retrain(engine, desk)
        desk.give_back()
    assert engine.store.jobs.get(job.id).status is JobStatus.QUEUED
    again = engine.store.jobs.claim("another", RETRAIN, now_utc())
    assert again is not None
    assert run(engine, again)[TASK]["gate"] == "promoted"


def test_a_cancelled_one_stops_where_it_is(engine: Engine) -> None:
    bring(engine, range(60))
    job = claimed(engine)
    engine.store.jobs.cancel(job.id, now_utc())
    with Desk(engine.store, job, beat_seconds=0.01) as desk:
        ends = time.monotonic() + LIMIT
        while not desk.stop.is_set():
            assert time.monotonic() < ends
        with pytest.raises(Cancelled):
            retrain(engine, desk)
    assert engine.store.versions.current(TASK) is None


def test_a_stage_that_breaks_off_every_time_is_given_up(engine: Engine) -> None:
    bring(engine, range(60))
    job = claimed(engine)
    with Desk(engine.store, replace(job, kept={"tries": {Stage.EMBED.value: 3}})) as desk:
        with pytest.raises(Exception, match="broke off 3 times"):
            retrain(engine, desk)


STAGES = tuple(stage.value for stage in Stage if stage is not Stage.COLLECT)
PLACES = (*STAGES, *(f"after-{stage}" for stage in STAGES))


def test_killed_at_every_stage_it_goes_on_and_ends(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bring(engine, range(60))
    run(engine, claimed(engine))
    before = engine.store.versions.current(TASK)
    bring(engine, range(60, 90))
    for name, value in {
        "DATA_DIR": str(engine.settings.data_dir),
        "ENCODER": "builtin",
        "CLASSIFIER_TYPE": "logistic_regression",
        "TRAINING_TIME_BUDGET": "20",
        "PYTHONPATH": str(ROOT),
    }.items():
        monkeypatch.setenv(name, value)

    def command(job: Job, holder: str) -> Sequence[str]:
        whose = ["--job", job.id, "--holder", holder]
        dying = [sys.executable, "-m", "tests.nightly.dying", str(tmp_path), ",".join(PLACES)]
        return [*dying, *whose]

    foreman = Foreman(engine.settings, engine.store, command=command)
    job = engine.store.jobs.ask(RETRAIN, request={}, now=now_utc(), task=TASK)
    look_until(foreman, lambda: _ended(engine, job) and not foreman.busy)

    ended = engine.store.jobs.get(job.id)
    assert ended.status is JobStatus.DONE, ended.error
    assert {grave.name for grave in tmp_path.iterdir() if grave.name in PLACES} == set(PLACES)
    assert ended.attempts == len(PLACES) + 1
    assert not engine.store.jobs.running(RETRAIN)
    assert ended.result is not None
    settled = ended.result["tasks"][TASK]
    current = engine.store.versions.current(TASK)
    assert before is not None
    assert current is not None
    assert current.id == (settled["version"] if settled["gate"] == "promoted" else before.id)
    engine.registry.load(current)
    runs = [one for one in engine.store.runs.all(TASK) if one.version == settled["version"]]
    assert len(runs) == 1


def _ended(engine: Engine, job: Job) -> bool:
    return engine.store.jobs.get(job.id).status in (JobStatus.DONE, JobStatus.FAILED)


def look_until(foreman: Foreman, done: Callable[[], bool]) -> None:
    ends = time.monotonic() + LIMIT
    while not done():
        assert time.monotonic() < ends, "it did not come to that"
        foreman.look()
        time.sleep(0.02)
