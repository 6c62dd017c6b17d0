"""Samples to candidate to gate: promoted, or kept with the reason. And its command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

from config import ClassifierType, load_settings
from domain import DEFAULT_TASK

EXAMPLES = """examples:
  python train.py                                     train ai against real on your pictures
  python train.py --task smile                        another task
  python train.py --classifier logistic_regression    one family instead of all
  python train.py --time-budget 60 --json             at most a minute; JSON for programs
  python train.py --history                           every run: why, on what, how, and what then
  python train.py --compare previous current          two versions, picture by picture

before it: python -m scraper folder DIR --task T --labels-from-folders, then python -m embeddings

exit codes: 0 trained (promoted, or kept with the reason), or shown; 2 wrong usage or settings;
            3 too few pictures, or the check for shortcuts refused them
"""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python train.py",
        description="Train a new version of a task and promote it if it is no worse.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--task", default=DEFAULT_TASK, help="default: %(default)s")
    parser.add_argument(
        "--classifier",
        choices=[kind.value for kind in ClassifierType],
        help="family to search; auto tries all; default: CLASSIFIER_TYPE",
    )
    parser.add_argument(
        "--time-budget",
        type=_seconds,
        metavar="SECONDS",
        help="what does not fit is skipped and said; default: TRAINING_TIME_BUDGET",
    )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--history", action="store_true", help="show the runs so far, newest first")
    shown.add_argument(
        "--compare",
        nargs=2,
        metavar=("A", "B"),
        help="show two versions side by side: ids or their beginnings, `current`, `previous`",
    )
    parser.add_argument("--json", action="store_true", help="JSON on stdout, for programs")
    return parser.parse_args(argv)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"got {text}, allowed: 1 to 86400")
    return seconds


if __name__ == "__main__":
    # before the imports below, which take a second: --help and a wrong option answer at once
    ARGUMENTS = parse_arguments()

# ruff: noqa: E402
import json
import logging
import time
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from config import Encoder, Settings, Shortcuts
from domain import (
    Conflict,
    ExposrError,
    ModelVersion,
    NotEnoughData,
    Run,
    Task,
)
from engine import Engine, live_settings, open_engine
from history import (
    described,
    described_run,
    print_comparison,
    print_history,
    print_run,
    version_named,
)
from models.batch import Progress
from models.gate import Gate
from models.history import comparison
from models.making import make, save
from models.recipe import Recipe
from models.settled import report_decision, run_of
from models.shortcuts import check_task
from models.weighing import Here, weigh
from terminal import progress_bar
from wire import describe_error

TOO_FEW = 3
MOST_JUDGED = 5
"""How often a candidate is judged whose rival changes meanwhile."""
log = logging.getLogger("train")


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a training run came to."""

    version: ModelVersion
    promoted: bool
    reason: str
    run: Run


def train(
    engine: Engine,
    task_name: str,
    *,
    classifier: str | None = None,
    time_budget: float | None = None,
    demo: bool = False,
    why: str = "asked",
    progress: Progress | None = None,
) -> TrainResult:
    """Make a candidate, judge it, and settle what is to become of it.

    Parameters
    ----------
    engine
        The open engine.
    task_name
        Which task.
    classifier
        A family or `auto`; None: the setting CLASSIFIER_TYPE.
    time_budget
        Seconds; None: the setting TRAINING_TIME_BUDGET.
    demo
        Train on the demonstration's pictures, which never mix with the user's.
    why
        What caused the run, for the history.
    progress
        Told of candidates done, candidates in all, and the next one's name.

    Raises
    ------
    NotFound
        No such task.
    NotEnoughData
        Too few pictures of a label; names every count and what is needed.
    """
    started_at = datetime.now(UTC)
    settings = live_settings(engine)
    if time_budget is not None:
        settings = settings.model_copy(update={"training_time_budget": time_budget})
    version = candidate(
        engine, task_name, classifier=classifier, demo=demo, progress=progress, settings=settings
    )
    gate = judge(engine, version)
    return settle(engine, version, gate, why=why, started_at=started_at)


def candidate(
    engine: Engine,
    task_name: str,
    *,
    classifier: str | None = None,
    demo: bool = False,
    progress: Progress | None = None,
    alarm: Mapping[str, Any] | None = None,
    settings: Settings | None = None,
) -> ModelVersion:
    """Search, fit, measure and save a version of a task; it answers nobody yet.

    Parameters
    ----------
    engine, task_name, classifier, demo, progress
        As of `train`.
    alarm
        What a check for shortcuts found, for the card; None: it is made here.
    settings
        Those that the caller went by; None: the settings of now.

    Raises
    ------
    NotFound
        No such task, or it was reset or made anew before this came to its end.
    NotEnoughData
        Too few pictures of a label; names every count and what is needed. Or facts that are
        not content tell the labels apart, and SHORTCUTS says to refuse then.
    """
    started_at, started = datetime.now(UTC), time.monotonic()
    recipe = _recipe(engine, task_name, classifier, settings, demo=demo)
    shortcuts = {} if demo else _shortcuts(engine, recipe.task, recipe.settings, alarm)
    lesson = recipe.read(engine.store)
    made = make(recipe, lesson, started=started, shortcuts=shortcuts, progress=progress)
    return save(engine.store, engine.registry, made, started_at)


def _recipe(
    engine: Engine,
    task_name: str,
    classifier: str | None,
    settings: Settings | None,
    *,
    demo: bool,
) -> Recipe:
    settings = settings or live_settings(engine)
    task = engine.store.tasks.get(task_name)
    family = classifier or settings.classifier_type.value
    embedder = engine.embedders[task.kind]
    parts = getattr(embedder, "parts", ())
    return Recipe(task, embedder.id, family, demo, settings, parts)


def _shortcuts(
    engine: Engine, task: Task, settings: Settings, alarm: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What a check for shortcuts finds, for the card, if training may go on with that.

    Raises
    ------
    NotEnoughData
        Facts that are not content tell the labels apart, and SHORTCUTS says to refuse then.
    """
    if alarm is None:
        alarm = check_task(engine.store, task, bar=settings.shortcut_bar).as_json()
    if alarm["raised"] and settings.shortcuts is Shortcuts.REFUSE:
        raise NotEnoughData(
            f"{alarm['message']} SHORTCUTS=refuse: pictures are needed that are alike in this; "
            "SHORTCUTS=equalise makes them so, SHORTCUTS=warn trains all the same.",
            leaks=[leak["fact"] for leak in alarm["leaks"]],
        )
    return {**alarm, "setting": settings.shortcuts.value}


def judge(engine: Engine, version: ModelVersion) -> Gate:
    """Whether a candidate takes the place of the current version.

    Raises
    ------
    NotFound
        The task was deleted, or reset: it has no such version any more.
    Unavailable
        The candidate cannot be loaded, or its embedder is not the one in use here.
    """
    task = engine.store.tasks.get(version.task)
    chosen = engine.settings.encoder is not Encoder.AUTO
    here = Here(engine.embedders[task.kind].id, chosen)
    return weigh(engine.store, engine.registry, engine.learned, version, here)


def settle(
    engine: Engine,
    version: ModelVersion,
    gate: Gate,
    *,
    why: str,
    started_at: datetime,
    job_id: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> TrainResult:
    """Promote a candidate or keep it, and write the run into the history: both or neither.

    Doing so again, as after a crash, changes nothing. Where somebody promoted another version or
    rolled back since the candidate was judged, it is judged anew, by the version current now.

    Parameters
    ----------
    engine
        The open engine.
    version
        The candidate.
    gate
        What was decided about it.
    why
        What caused the run.
    started_at
        When it began.
    job_id
        The job it was done for.
    detail
        More for the history, beside what the gate measured.

    Raises
    ------
    NotFound
        The task was deleted, reset or made anew since the candidate was made.
    Conflict
        The current version moved each time that the candidate was judged.
    """
    versions = engine.store.versions
    for judged in range(1, MOST_JUDGED + 1):
        run = run_of(version, gate, why, started_at, job_id, detail)
        try:
            fresh = versions.settle(
                version.task,
                version.id,
                run,
                promote=gate.promoted,
                why=gate.reason,
                against=gate.against,
            )
            break
        except Conflict as moved:
            if judged == MOST_JUDGED:
                raise
            log.info("%s; it is judged anew", moved.message)
            gate = judge(engine, version)
    if not fresh:
        run = engine.store.runs.of_version(version.task, version.id) or run
    report_decision(engine.registry, version, run)
    return TrainResult(version, run.gate == "promoted", run.reason, run)


def skip(
    engine: Engine,
    task_name: str,
    reason: str,
    *,
    why: str,
    started_at: datetime,
    job_id: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> Run:
    """Write into the history that a run was not worth making, and why."""
    run = Run(
        id=uuid.uuid4().hex,
        task=task_name,
        why=why,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        counts={},
        metrics={},
        gate="skipped",
        reason=reason,
        version=None,
        job_id=job_id,
        detail=dict(detail or {}),
    )
    engine.store.runs.add(run)
    return run


def fingerprint(
    engine: Engine,
    task_name: str,
    *,
    classifier: str | None = None,
    demo: bool = False,
    settings: Settings | None = None,
) -> str:
    """What `candidate` would be made from and how, as one short text.

    The text of a run that trained is in its `detail`: where it is the same, nothing is new.

    Raises
    ------
    NotFound
        No such task.
    """
    recipe = _recipe(engine, task_name, classifier, settings, demo=demo)
    return recipe.fingerprint_now(engine.store)


def main(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    try:
        engine = open_engine(load_settings())
        try:
            document, show = _asked(engine, arguments)
        finally:
            engine.close()
    except ExposrError as error:
        if arguments.json:
            print(json.dumps({"error": describe_error(error)}, ensure_ascii=False, indent=2))
        print(error.message, file=sys.stderr)
        return TOO_FEW if isinstance(error, NotEnoughData) else 2
    if arguments.json:
        print(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        show()
    return 0


def _asked(engine: Engine, arguments: argparse.Namespace) -> tuple[Any, Callable[[], None]]:
    """What the command was asked for: as JSON, and what shows it to people."""
    if arguments.history:
        runs = engine.store.runs.all(arguments.task)
        document = {"task": arguments.task, "runs": [described_run(run) for run in runs]}
        return document, partial(print_history, arguments.task, runs)
    if arguments.compare:
        one, other = (
            version_named(engine.store, arguments.task, name) for name in arguments.compare
        )
        answers = engine.registry.answers(one), engine.registry.answers(other)
        found = comparison(one, other, answers)
        return {"task": arguments.task, **found}, partial(print_comparison, found)
    with _candidate_bar() as progress:
        result = train(
            engine,
            arguments.task,
            classifier=arguments.classifier,
            time_budget=arguments.time_budget,
            progress=progress,
        )
    return described(result.version, result.run), partial(print_run, result.version, result.run)


@contextmanager
def _candidate_bar() -> Iterator[Progress]:
    """A bar over candidates that opens once their number is known."""
    with ExitStack() as stack:
        bars: list[Any] = []

        def progress(done: int, total: int, name: str) -> None:
            if not bars:
                bars.append(stack.enter_context(progress_bar("search", total)))
            elif done:
                bars[0](1)

        yield progress


if __name__ == "__main__":
    sys.exit(main(ARGUMENTS))
