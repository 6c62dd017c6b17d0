"""Embedding in batches: each is committed before the next, so a run may end at any moment."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from config import Settings
from domain import BadImage, ExposrError, NotFound
from embeddings.catalogue import Catalogue
from embeddings.cores import usable_cores
from embeddings.images import Limits, Picture, decode
from embeddings.readahead import ReadAhead

AHEAD_BYTES = 256_000_000
"""Pixels decoded ahead of the embedder; with the batch in flight, the job's largest need."""
BATCH_BYTES = 256_000_000
"""A batch of large pictures ends here, before it has its number."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Aside:
    """A picture the job could not embed, and why; `keep` when the fault may not be its own."""

    sha256: str
    reason: str
    message: str
    keep: bool = False


@dataclass(slots=True)
class JobSummary:
    """What one run of the job did for one task.

    `quarantined` pictures are put aside for good; `failed` ones stay for the next run, because
    the fault may not be theirs. `done_elsewhere` had got their vector when their turn came.
    """

    task: str
    embedder: str
    wanted: int = 0
    embedded: int = 0
    done_elsewhere: int = 0
    quarantined: list[Aside] = field(default_factory=list)
    failed: list[Aside] = field(default_factory=list)
    stopped: bool = False
    seconds: float = 0.0

    @property
    def left(self) -> int:
        """Pictures that still have no vector and may get one."""
        settled = self.embedded + self.done_elsewhere + len(self.quarantined)
        return self.wanted - settled


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast to go, and how far.

    `workers` are threads that decode, as many as there are cores when left out; `batch_size`
    pictures are embedded and committed together, CLIP_BATCH_SIZE when left out; `stop` is asked
    after each batch whether to end early.
    """

    workers: int | None = None
    batch_size: int | None = None
    stop: Callable[[], bool] = _never


USUAL = Pace()
"""As fast as the machine allows, to the end."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be made, and how.

    `make` gives vectors by the id they are kept under, (n, length) rows in the order of the
    pictures. A picture is done when it has a vector under each of `ids`.
    """

    task: str
    embedder: str
    missing: Sequence[str]
    ids: Sequence[str]
    make: Callable[[Sequence[Picture]], Mapping[str, NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class _Run:
    """What stays the same during one run."""

    catalogue: Catalogue
    work: Work
    limits: Limits
    batch_size: int
    summary: JobSummary
    advance: Callable[[int], None]


def work_through(
    catalogue: Catalogue,
    work: Work,
    *,
    settings: Settings,
    pace: Pace,
    progress: Callable[[int], None],
) -> JobSummary:
    """Do all of the work that nobody else has done meanwhile.

    Parameters
    ----------
    catalogue
        The store's samples, vectors and picture files.
    work
        What is to be made.
    settings
        For the limits of decoding and the usual batch size.
    pace
        Threads, batch size, and when to end early.
    progress
        Told how many more pictures are settled, whichever way.

    Raises
    ------
    Unavailable
        The embedder or the database does not work; what was committed stays.
    """
    started = time.monotonic()
    summary = JobSummary(work.task, work.embedder, wanted=len(work.missing))
    size = pace.batch_size or settings.clip_batch_size
    run = _Run(catalogue, work, Limits.of(settings), size, summary, progress)
    decoded = ReadAhead(
        _not_done_elsewhere(run, _rotated(work.missing, size)),
        partial(_read, run),
        _weigh,
        threads=min(pace.workers or usable_cores(), max(len(work.missing), 1)),
        budget=AHEAD_BYTES,
    )
    with decoded:
        for batch in _batches(run, decoded):
            _embed_batch(run, batch)
            if pace.stop():
                summary.stopped = summary.left > 0
                break
    summary.seconds = time.monotonic() - started
    return summary


def _rotated(missing: Sequence[str], batch_size: int) -> list[str]:
    """The same pictures from another beginning, so that several runs meet late."""
    start = random.randrange(0, len(missing), batch_size) if missing else 0  # noqa: S311 -- no secret
    return [*missing[start:], *missing[:start]]


def _not_done_elsewhere(run: _Run, order: Sequence[str]) -> Iterator[str]:
    """Pass over what another run has embedded since this one began."""
    for start in range(0, len(order), run.batch_size):
        part = order[start : start + run.batch_size]
        done = set.intersection(
            *(set(run.catalogue.vectors.get(name, part)[0]) for name in run.work.ids)
        )
        if done:
            run.summary.done_elsewhere += len(done)
            run.advance(len(done))
        yield from (sha256 for sha256 in part if sha256 not in done)


# --- from files to batches ---


def _read(run: _Run, sha256: str) -> Picture | Aside:
    """The decoded picture, or why there is none."""
    try:
        picture = decode(run.catalogue.blobs.get(sha256), run.limits)
    except BadImage as error:
        return Aside(sha256, error.reason.value, error.message)
    except NotFound:
        # the folder of pictures may be on a volume that is not mounted just now
        return Aside(sha256, "missing", "The picture's file is gone.", keep=True)
    except OSError as error:  # the disk's fault, perhaps for a moment only
        return Aside(sha256, "unreadable", f"Its file cannot be read: {error.strerror}.", keep=True)
    if picture.facts.sha256 != sha256:
        return Aside(sha256, "changed", "The picture's file has changed since it was taken in.")
    return picture


def _weigh(read: Picture | Aside) -> int:
    """Bytes it holds."""
    if isinstance(read, Aside):
        return 0
    return read.pixels.nbytes + (0 if read.alpha is None else read.alpha.nbytes)


def _batches(run: _Run, decoded: Iterable[Picture | Aside]) -> Iterator[list[Picture]]:
    """Pictures in batches; what could not be read is put aside on the way."""
    batch: list[Picture] = []
    weight = 0
    for read in decoded:
        if isinstance(read, Aside):
            _put_aside(run, read)
            continue
        batch.append(read)
        weight += _weigh(read)
        if len(batch) == run.batch_size or weight >= BATCH_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _put_aside(run: _Run, aside: Aside) -> None:
    log.info("%s: picture %s: %s", run.work.task, aside.sha256[:12], aside.message)
    if aside.keep:
        run.summary.failed.append(aside)
    else:
        run.summary.quarantined.append(aside)
        with suppress(NotFound):  # taken away since the job began: nothing to put aside
            run.catalogue.samples.quarantine_sample(
                run.work.task, aside.sha256, aside.reason, aside.message
            )
    run.advance(1)


# --- from batches to vectors ---


def _embed_batch(run: _Run, batch: Sequence[Picture]) -> None:
    """Embed and commit; if that fails, one by one, so that one picture holds up no other."""
    try:
        made = run.work.make(batch)
    except ExposrError:
        raise  # no picture's fault: the embedder does not load
    except Exception:  # whatever a picture does to an embedder, the job goes on
        log.exception("%s: a batch failed; its pictures are tried one by one", run.work.task)
        _embed_singly(run, batch)
    else:
        _commit(run, batch, made)


def _embed_singly(run: _Run, batch: Sequence[Picture]) -> None:
    """Embed each picture alone. When every one of several fails, it is not the pictures."""
    failures: list[tuple[Picture, Exception]] = []
    for picture in batch:
        try:
            made = run.work.make([picture])
        except Exception as error:  # noqa: BLE001 -- as above
            failures.append((picture, error))
        else:
            _commit(run, [picture], made)
    if len(failures) == len(batch) > 1:
        raise failures[-1][1]
    for picture, failure in failures:
        message = f"The embedder failed on it: {type(failure).__name__}: {failure}"
        _put_aside(run, Aside(picture.facts.sha256, "embedder", message, keep=True))


def _commit(run: _Run, batch: Sequence[Picture], made: Mapping[str, NDArray[np.float32]]) -> None:
    names = [picture.facts.sha256 for picture in batch]
    for name, rows in made.items():
        run.catalogue.vectors.put(name, names, rows)
    run.summary.embedded += len(batch)
    run.advance(len(batch))
