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
import hashlib
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
    Unavailable,
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
from models.afterwards import with_decision
from models.answers import Answers, gather
from models.batch import Progress, fit, search
from models.card import cross_validated, held_out, make_card
from models.changes import changed_pictures
from models.gate import Gate
from models.history import comparison, curve_point, learning_curve
from models.lesson import read_digest, read_lesson
from models.registry import new_version_id
from models.report import render
from models.shortcuts import check_task
from models.summary import HEADLINES, measured
from models.unseen import leave_sources_out
from models.weighing import Here, weigh
from terminal import progress_bar
from wire import describe_error

TOO_FEW = 3
PAGE = "report.html"
MOST_POINTS = 100
"""Versions on a learning curve, the latest."""
DEMO_MINIMUM = 10
"""Pictures a label the demonstration needs, whatever the user's own pictures must come to."""
MOST_JUDGED = 5
"""How often a candidate is judged whose rival changes meanwhile."""
RECIPE = 1
"""Moves when the same pictures would be trained on in another way."""
REPORT_SECONDS = 2.0
"""Kept back from the time budget for plots and saving."""

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
    settings = settings or live_settings(engine)
    budget = settings.training_time_budget
    task = engine.store.tasks.get(task_name)
    embedder = engine.embedders[task.kind].id
    needed = DEMO_MINIMUM if demo else settings.min_images_per_class
    shortcuts = {} if demo else _shortcuts(engine, task, settings, alarm)
    lesson = read_lesson(
        engine.store,
        task,
        embedder,
        needed=needed,
        demo=demo,
        equalised=not demo and settings.shortcuts is Shortcuts.EQUALISE,
    )
    family = classifier or settings.classifier_type.value
    found = search(
        lesson.train, classifier=family, budget=budget - REPORT_SECONDS, progress=progress
    )
    head = fit(found)
    left = budget - REPORT_SECONDS - (time.monotonic() - started)
    tested, validated = held_out(head, lesson.test), cross_validated(found)
    unseen = leave_sources_out(found, seconds=left)
    card = make_card(
        task,
        embedder,
        found,
        tested=tested,
        validated=validated,
        unseen=unseen.figures,
        max_false_accusation=settings.max_false_accusation,
    )
    card["n_samples"]["without_vectors"] = lesson.without_vectors
    card["n_samples"]["left_out"] = dict(lesson.left_out)
    card["search"]["budget"] = budget
    card["fingerprint"] = _fingerprint(lesson.digest, embedder, family, needed, settings.shortcuts)
    card["shortcuts"] = {**shortcuts, "equalised": lesson.equalised}
    pictures = (lesson.train_pictures, lesson.test_pictures)
    answers = gather(validated, tested, pictures, (unseen.rows, unseen.said))
    version_id = new_version_id(started_at)
    card.update(_before(engine, task, version_id, card, answers, demo=demo))
    version = engine.registry.save(
        head,
        {**card, "support": lesson.support},  # for processes; reports are for people
        version_id=version_id,
        created_at=datetime.now(UTC),
        demo=demo,
        reports=render(card, tested, validated),
        answers=answers,
    )
    engine.store.versions.add(version, task_id=task.id)
    return version


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


def _before(
    engine: Engine,
    task: Task,
    version_id: str,
    card: Mapping[str, Any],
    answers: Answers,
    *,
    demo: bool,
) -> dict[str, Any]:
    """What a card says of what was before: the learning curve, and what changed in the data."""
    point = curve_point(
        version_id,
        datetime.now(UTC).isoformat(),
        card["n_samples"],
        {way: dict(part) for way, part in measured(card)},
        None,
    )
    curve = learning_curve(engine.store.runs.all(task.name))[1 - MOST_POINTS :]
    current = engine.store.versions.current(task.name)
    kept = engine.registry.answers(current) if current and current.demo == demo else None
    changes = changed_pictures(answers, kept, current.id) if current and kept else None
    return {"learning_curve": [*curve, point], "changes": changes}


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
        run = _run_of(version, gate, why, started_at, job_id, detail)
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
    _report_decision(engine, version, run)
    return TrainResult(version, run.gate == "promoted", run.reason, run)


def _run_of(
    version: ModelVersion,
    gate: Gate,
    why: str,
    started_at: datetime,
    job_id: str | None,
    detail: Mapping[str, Any] | None,
) -> Run:
    """What the history says of a candidate that was judged."""
    figures = {
        key: {name: part[name] for name in ("n", *(name for name, _ in HEADLINES))}
        for key, part in measured(version.card)
    }
    kept = {
        "fingerprint": version.card.get("fingerprint"),
        "gate": dict(gate.figures),
        "shortcuts": _in_short(version.card.get("shortcuts") or {}),
        "changes": version.card.get("changes"),
    }
    return Run(
        id=uuid.uuid4().hex,
        task=version.task,
        why=why,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        counts=version.card["n_samples"],
        metrics=figures,
        gate="promoted" if gate.promoted else "kept",
        reason=gate.reason,
        version=version.id,
        job_id=job_id,
        detail={**kept, **(detail or {})},
    )


def _in_short(alarm: Mapping[str, Any]) -> dict[str, Any]:
    """What the history keeps of a check for shortcuts; the card has all of it."""
    leaks = [leak["fact"] for leak in alarm.get("leaks", ())]
    known = ("score", "bar", "raised", "setting", "equalised", "message")
    return {**{key: alarm[key] for key in known if key in alarm}, "leaks": leaks}


def _report_decision(engine: Engine, version: ModelVersion, run: Run) -> None:
    """Say in the version's report what became of it; the history has it whether or not."""
    page = engine.registry.report(version, PAGE)
    if page is None:
        return
    told = with_decision(page.decode(), run.gate, run.reason, run.detail.get("gate") or {})
    try:
        engine.registry.write_report(version, PAGE, told.encode())
    except Unavailable as error:
        log.warning("The report of %s lacks the gate's decision: %s", version.id, error.message)


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
    settings = settings or live_settings(engine)
    task = engine.store.tasks.get(task_name)
    embedder = engine.embedders[task.kind].id
    digest = read_digest(engine.store, task, embedder, demo=demo)
    needed = DEMO_MINIMUM if demo else settings.min_images_per_class
    family = classifier or settings.classifier_type.value
    return _fingerprint(digest, embedder, family, needed, settings.shortcuts)


def _fingerprint(*parts: object) -> str:
    return hashlib.sha256(repr((RECIPE, *parts)).encode()).hexdigest()


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
