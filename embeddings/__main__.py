"""`python -m embeddings`: embed every sample that has no vector yet."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

DESCRIPTION = """Embed the samples of one task, or of all, that have no vector yet.

Vectors are what training and answering work on. They belong to the embedder that made them:
after ENCODER, CLIP_MODEL_NAME or CLIP_PRETRAINED has changed, run this again. Of corrected
samples it also makes what corrections are learned from: vectors of teaching copies, and of what
recognises altered copies. It notes what file headers say, for training's check for shortcuts, and
with SHORTCUTS=equalise makes vectors of pictures brought to the same forms. Unless AUGMENT=off it
also embeds up to 1,000 training pictures as they arrive when they are saved anew, made smaller or
cut, so that training can teach answers that hold. With CLIP it reads
the texts of the labels of tasks that have no version. It may be stopped or
killed at any moment and goes on where it was; it may run several times at once, on one machine or
on many with the same database and DATA_DIR. A picture that cannot be read is put
aside with its reason and stops nothing."""

EXAMPLES = """examples:
  python -m embeddings                      everything that is missing
  python -m embeddings --task smile         one task
  python -m embeddings --batch 256          larger batches, for a GPU
  python -m embeddings --json               the summary as JSON, for programs
  ENCODER=clip CLIP_PRETRAINED=random CLIP_MODEL_NAME=ViT-S-32-alt python -m embeddings
                                            an untrained CLIP, to try the way without a download

exit codes: 0 every sample has its vectors; 1 some pictures were put aside or left for later;
2 wrong usage or settings, or the embedder or database does not work; 130 stopped by Ctrl-C
"""


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}: allowed: 1 or more")
    return number


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m embeddings",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--task", metavar="T", help="one task; all of them when left out")
    parser.add_argument(
        "--workers", type=_positive, metavar="N", help="threads that decode; default: one a core"
    )
    parser.add_argument(
        "--batch",
        type=_positive,
        metavar="N",
        help="pictures embedded and committed together; default: CLIP_BATCH_SIZE",
    )
    parser.add_argument("--json", action="store_true", help="JSON on stdout, for programs")
    return parser.parse_args(argv)


if __name__ == "__main__":
    # before the imports below, which take a second: --help and a wrong option answer at once
    ARGUMENTS = parse_arguments()

# ruff: noqa: E402
import json
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.table import Table

from config import Augment, Shortcuts, load_settings
from domain import EQUALISED, ExposrError, Task, Unavailable
from embeddings.job import (
    embed_equalised,
    embed_missing,
    embed_redeliveries,
    embed_teaching,
    missing_redelivered,
    missing_teaching,
)
from embeddings.noting import note_facts, note_looks
from embeddings.work import Aside, JobSummary, Pace
from engine import Engine, live_settings, open_engine
from terminal import progress_bar

DONE, SOME_LEFT, CANNOT, INTERRUPTED = 0, 1, 2, 130
SHOWN = 10
"""Pictures put aside that the table names; --json has them all."""


class TaskRun(NamedTuple):
    """What was done for one task.

    Its samples' own vectors, what teaching needs of some, where SHORTCUTS asks for them vectors
    of the samples made alike in form, and of some as they arrive when they are handed on.
    """

    samples: JobSummary
    teaching: JobSummary
    alike: JobSummary
    redelivered: JobSummary

    @property
    def stopped(self) -> bool:
        """Whether it ended early."""
        return any(summary.stopped for summary in self)

    @property
    def asides(self) -> list[Aside]:
        """Pictures put aside or left for later."""
        return [a for s in self for a in (*s.quarantined, *s.failed)]


def main(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    errors = Console(stderr=True)
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=errors, show_path=False, show_time=False)],
    )
    runs: list[TaskRun] = []
    try:
        with stopping_on_signals(errors) as stop:
            finished = _embed_tasks(arguments, stop, runs)
    except KeyboardInterrupt:
        finished = False
    except ExposrError as error:
        errors.print(escape(error.message), style="red", highlight=False)
        return CANNOT
    finally:
        if arguments.json:
            print(json.dumps({"tasks": [describe(run) for run in runs]}, ensure_ascii=False))
        elif runs:
            _print_table(runs)
    if not finished:
        errors.print("Stopped. Nothing is lost: the same command goes on from here.")
        return INTERRUPTED
    return SOME_LEFT if any(run.asides for run in runs) else DONE


def _embed_tasks(arguments: argparse.Namespace, stop: threading.Event, runs: list[TaskRun]) -> bool:
    """Embed task by task, adding to `runs`; False when stopped before the end."""
    engine = open_engine(load_settings())
    try:
        tasks = _tasks(engine, arguments.task)
        for task in tasks:
            if stop.is_set():
                break
            runs.append(_embed(engine, task, arguments, stop))
    finally:
        engine.close()
    return len(runs) == len(tasks) and not any(run.stopped for run in runs)


def _tasks(engine: Engine, name: str | None) -> list[Task]:
    return [engine.store.tasks.get(name)] if name else engine.store.tasks.all()


def _embed(
    engine: Engine, task: Task, arguments: argparse.Namespace, stop: threading.Event
) -> TaskRun:
    store, embedder = engine.store, engine.embedders[task.kind]
    settings = live_settings(engine)
    pace = Pace(workers=arguments.workers, batch_size=arguments.batch, stop=stop.is_set)

    def some(title: str, missing: int, embed: Callable[..., JobSummary], *of: Any) -> JobSummary:
        if stop.is_set():
            return JobSummary(task.name, embedder.id, wanted=missing, stopped=missing > 0)
        with _bar(f"{title} {task.name}", missing) as advance:
            return embed(
                store, embedder, task.name, *of, settings=settings, progress=advance, pace=pace
            )

    missing = store.samples.missing_vectors
    samples = some("embed", len(missing(task.name, embedder.id)), embed_missing)
    if not stop.is_set():
        unbatched = replace(pace, batch_size=None)
        note_facts(store, task.name, settings=settings, pace=unbatched)
        note_looks(store, task.name, settings=settings, pace=unbatched)
    wanted = len(missing_teaching(store, embedder, task.name, task.kind))
    teaching = some("embed copies to teach", wanted, embed_teaching, task.kind)
    alike = JobSummary(task.name, embedder.id)
    if settings.shortcuts is Shortcuts.EQUALISE:
        wanted = len(missing(task.name, embedder.id + EQUALISED, demo=False))
        of_users = partial(embed_equalised, demo=False)
        alike = some("embed, made alike in form,", wanted, of_users)
    if not stop.is_set():
        _read_words(engine, task)
    anew = JobSummary(task.name, embedder.id)
    if settings.augment is not Augment.OFF:
        wanted = len(missing_redelivered(store, embedder, task.name))
        anew = some("embed, delivered anew,", wanted, embed_redeliveries)
    if samples.embedded or teaching.embedded:
        store.tasks.renew(task.name)  # a running service learns from them without a restart
    return TaskRun(samples, teaching, alike, anew)


def _read_words(engine: Engine, task: Task) -> None:
    """Read the texts of a task that nobody taught; pictures do not wait for a missing encoder."""
    reader = engine.learned.reader(task.kind)
    if reader is None or engine.store.versions.current(task.name) is not None:
        return
    try:
        reader.read(task)
    except Unavailable as error:
        logging.getLogger(__name__).warning("%s", error.message)


def _bar(title: str, n: int) -> AbstractContextManager[Callable[[int], None]]:
    return progress_bar(title, n) if n else nullcontext(_no_bar)


def _no_bar(n: int) -> None:
    """Show nothing where nothing is missing."""


@contextmanager
def stopping_on_signals(console: Console) -> Iterator[threading.Event]:
    """Turn the first Ctrl-C (or SIGTERM) into an event; the second one ends at once."""
    stop = threading.Event()

    def ask(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        console.print("Finishing the batch in flight; once more to end at once ...")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def describe(run: TaskRun) -> dict[str, Any]:
    """What was done for one task, JSON-ready."""
    return {
        "task": run.samples.task,
        "embedder": run.samples.embedder,
        **_counted(run.samples),
        "teaching": _counted(run.teaching),
        "equalised": _counted(run.alike),
        "redelivered": _counted(run.redelivered),
    }


def _counted(summary: JobSummary) -> dict[str, Any]:
    return {
        "wanted": summary.wanted,
        "embedded": summary.embedded,
        "done_elsewhere": summary.done_elsewhere,
        "quarantined": [_named(aside) for aside in summary.quarantined],
        "failed": [_named(aside) for aside in summary.failed],
        "left": summary.left,
        "seconds": round(summary.seconds, 3),
    }


def _named(aside: Aside) -> dict[str, str]:
    return {"sha256": aside.sha256, "reason": aside.reason, "message": aside.message}


def _print_table(runs: Sequence[TaskRun]) -> None:
    console = Console()
    if not any(summary.wanted for run in runs for summary in run):
        names = ", ".join(escape(run.samples.task) for run in runs)
        console.print(f"Nothing to embed: every sample has its vectors ({names}).")
        return
    table = Table("task")
    table.add_column("embedder", overflow="fold")
    for heading in ("embedded", "put aside", "left", "pictures/s"):
        table.add_column(heading, justify="right")
    for run in runs:
        table.add_row(escape(run.samples.task), *_cells(run.samples))
        if run.teaching.wanted:
            table.add_row("  copies to teach it", *_cells(run.teaching))
        if run.alike.wanted:
            table.add_row("  made alike in form", *_cells(run.alike))
        if run.redelivered.wanted:
            table.add_row("  delivered anew", *_cells(run.redelivered))
    console.print(table)
    asides = [(run.samples.task, aside) for run in runs for aside in run.asides]
    for task, aside in asides[:SHOWN]:
        fate = "left for later" if aside.keep else "put aside"
        console.print(
            f"{escape(task)}: {aside.sha256[:12]} {fate} ({aside.reason}): {escape(aside.message)}"
        )
    if len(asides) > SHOWN:
        console.print(f"... and {len(asides) - SHOWN} more; --json has them all")


def _cells(s: JobSummary) -> list[str]:
    rate = f"{s.embedded / s.seconds:.1f}" if s.embedded else ""
    counts = (s.embedded + s.done_elsewhere, len(s.quarantined), s.left)
    return [escape(s.embedder), *map(str, counts), rate]


if __name__ == "__main__":
    sys.exit(main(ARGUMENTS))
