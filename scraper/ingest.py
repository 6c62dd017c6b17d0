"""Taking a folder of pictures into a task."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import TypeVar

from domain import (
    DEFAULT_TASK,
    BadImage,
    NotFound,
    PictureFacts,
    Task,
    TaskKind,
    Unacceptable,
    Unavailable,
)
from embeddings.cores import usable_cores
from embeddings.images import Limits
from scraper.folders import Found, Survey, normal, survey
from scraper.intake import Collection, Intake, Offer, Outcome
from storage import Store

BATCH = 64
"""Pictures committed together; a run that is killed loses at most so many, and takes them again."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Refused:
    """A picture that was not taken, and why."""

    name: str
    label: str
    reason: str
    message: str


@dataclass(slots=True)
class Summary:
    """What came of a folder.

    `kept` counts every picture stored, also those that are near-duplicates of another.
    """

    task: str
    source: str
    per_label: dict[str, Counter[Outcome]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    others: int = 0
    unlabelled: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    families: int = 0
    stopped: bool = False
    seconds: float = 0.0

    def count(self, label: str, outcome: Outcome) -> None:
        """Note what became of one more picture."""
        self.per_label.setdefault(label, Counter())[outcome] += 1

    def total(self, outcome: Outcome, label: str | None = None) -> int:
        """How many there are of an outcome; near-duplicates count as kept, too."""
        tallies = self.per_label.values() if label is None else [self.per_label[label]]
        wanted = (outcome, Outcome.NEAR_DUPLICATE) if outcome is Outcome.KEPT else (outcome,)
        return sum(tally[each] for tally in tallies for each in wanted)

    @property
    def kept(self) -> int:
        """Pictures stored."""
        return self.total(Outcome.KEPT)

    @property
    def near_duplicates(self) -> int:
        """Of the pictures stored, how many joined the family of another."""
        return self.total(Outcome.NEAR_DUPLICATE)

    @property
    def duplicates(self) -> int:
        """Pictures that were there already, byte for byte."""
        return self.total(Outcome.DUPLICATE)

    @property
    def unreadable(self) -> int:
        """Pictures put aside because they cannot be decoded."""
        return self.total(Outcome.UNREADABLE)

    @property
    def contradicted(self) -> int:
        """Pictures that are there under another label, or whose own file rules the label out."""
        return self.total(Outcome.CONTRADICTED)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: everything in a folder, as samples of one task."""

    folder: Path
    task: str = DEFAULT_TASK
    label: str | None = None  # None: the subfolders name the labels
    source: str = ""  # empty: the folder's name
    license: str = ""
    kind: TaskKind | None = None  # None: as the task is, photo for a new one
    demo: bool = False
    workers: int | None = None  # threads that decode; None: one a core


def prepare(collection: Collection, request: Request) -> tuple[Task, Survey]:
    """Look through the folder and make the task and its labels where there are none.

    Raises
    ------
    Unacceptable
        No folder, no picture in it, a label the task cannot have, or a kind it does not have.
        Nothing has been taken in then.
    """
    tasks = collection.store.tasks
    try:
        task: Task | None = tasks.get(request.task)
    except NotFound:
        task = None
    label = normal(request.label) if request.label is not None else None
    found = survey(
        request.folder,
        label=label,
        known=task.labels if task else (),
        variants=task.variants if task else {},
    )
    if not found.pictures:
        raise Unacceptable("folder", str(request.folder), _advice(found))
    return task_with(collection.store, request.task, found.labels, request.kind), found


def task_with(store: Store, name: str, labels: Sequence[str], kind: TaskKind | None = None) -> Task:
    """The task of a name with these labels: made, or given them, where that is allowed.

    Raises
    ------
    Unacceptable
        A name or label that no task can have, a label this one cannot have, or another kind.
    """
    try:
        task = store.tasks.get(name)
    except NotFound:
        return store.tasks.create(name, kind or TaskKind.PHOTO, labels, open=True)
    if kind not in (None, task.kind):
        raise Unacceptable("kind", str(kind), f"{task.kind}, as the task {task.name} is")
    unknown = [each for each in labels if each not in task.labels and each not in task.variants]
    if unknown and not task.open:
        raise Unacceptable("label", ", ".join(unknown), " or ".join(task.labels))
    for each in unknown:
        task = store.tasks.add_label(task.name, each)
    return task


def _advice(found: Survey) -> str:
    if found.unlabelled:
        return "a folder whose subfolders are named like the labels; its pictures lie in none"
    return "a folder with pictures in it"


def ingest_folder(
    collection: Collection,
    request: Request,
    *,
    summary: Summary | None = None,
    stop: threading.Event | None = None,
    progress: Callable[[int], Callable[[int], None]] = lambda total: lambda n: None,
) -> Summary:
    """Take in every picture of a folder; again and again does no harm.

    Parameters
    ----------
    collection
        An engine, or anything with its settings and its store.
    request
        Which folder, as what.
    summary
        Filled while it goes, so that it tells of an interrupted run, too.
    stop
        Once set, what is read is kept, and no further picture is taken in.
    progress
        Told the number of pictures, then how many more are done.

    Raises
    ------
    Unacceptable
        As `prepare`.
    """
    started = time.monotonic()
    task, found = prepare(collection, request)
    source = request.source or request.folder.resolve().name
    summary = summary or Summary(task.name, source)
    summary.task, summary.source = task.name, source
    summary.others, summary.unlabelled, summary.closed = (
        found.others,
        found.unlabelled,
        found.closed,
    )
    intake = Intake(collection, task, demo=request.demo)
    run = _Run(collection, request, intake, summary, progress(len(found.pictures)))
    stop = stop or threading.Event()
    summary.stopped = True
    try:
        run.take_all(takewhile(lambda found: not stop.is_set(), found.pictures))
        summary.stopped = stop.is_set()
    finally:
        summary.families = len(intake.families)
        summary.seconds = time.monotonic() - started
    return summary


class _Run:
    """One folder being taken in."""

    def __init__(
        self,
        collection: Collection,
        request: Request,
        intake: Intake,
        summary: Summary,
        advance: Callable[[int], None],
    ) -> None:
        self._samples = collection.store.samples
        self._limits = Limits.of(collection.settings)
        self._request = request
        self._intake = intake
        self._summary = summary
        self._advance = advance

    def take_all(self, pictures: Iterable[Found]) -> None:
        """Take in pictures in their order, so that the same folder gives the same families."""
        batch: list[tuple[Found, PictureFacts | str]] = []
        workers = self._request.workers or usable_cores()
        try:
            with closing(in_order(pictures, self._read, workers)) as results:
                for found, result in results:
                    if isinstance(result, Refused):
                        self._put_aside(result, Outcome.UNREADABLE, None)
                        continue
                    batch.append((found, result))
                    if len(batch) == BATCH:
                        full, batch = batch, []
                        self._take(full)
        finally:
            self._take(batch)  # also when interrupted: these are read, why lose them

    def _read(self, found: Found) -> PictureFacts | str | Refused:
        try:
            with found.path.open("rb") as file:
                data = file.read(self._limits.max_bytes + 1)
            return self._intake.read(data, found.label)
        except BadImage as error:
            return Refused(found.name, found.label, error.reason.value, error.message)
        except Unavailable as error:
            return Refused(found.name, found.label, "unread", error.message)
        except OSError as error:
            message = f"The file cannot be read: {error.strerror}."
            return Refused(found.name, found.label, "unreadable", message)

    def _take(self, batch: Sequence[tuple[Found, PictureFacts | str]]) -> None:
        offers = [
            (read, Offer(found.label, self._summary.source, self._request.license))
            for found, read in batch
        ]
        outcomes = self._intake.take(offers)
        for (found, read), (outcome, _) in zip(batch, outcomes, strict=True):
            if outcome is Outcome.CONTRADICTED:
                sha256 = read if isinstance(read, str) else read.sha256
                reason, message = self._intake.objection(read, found.label)
                refused = Refused(found.name, found.label, reason, message)
                self._put_aside(refused, outcome, sha256)
            else:
                self._summary.count(found.label, outcome)
                self._advance(1)

    def _put_aside(self, refused: Refused, outcome: Outcome, sha256: str | None) -> None:
        self._samples.quarantine(
            self._summary.task,
            refused.name,
            refused.reason,
            refused.message,
            self._summary.source,
            sha256,
        )
        self._summary.refused.append(refused)
        self._summary.count(refused.label, outcome)
        self._advance(1)


def in_order(items: Iterable[T], work: Callable[[T], R], workers: int) -> Generator[tuple[T, R]]:
    """Work done by threads a little ahead, its results in the order of the items."""
    waiting: deque[tuple[T, Future[R]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        for item in items:
            waiting.append((item, pool.submit(work, item)))
            if len(waiting) > 4 * workers:
                done, future = waiting.popleft()
                yield done, future.result()
        for done, future in waiting:
            yield done, future.result()
    finally:
        pool.shutdown(cancel_futures=True)
