"""Gives asked-for retrains to child processes, and takes over what a dead process left behind.

Any number of foremen may look at the same database: a job is claimed in one transaction, and
whoever works on it shows signs of life. They are counted, not timed, so that neither a clock
that jumps nor two clocks that differ make a living process look dead.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from config import Settings
from domain import CANCELLED, RESCORE, RETRAIN, Conflict, Job, JobStatus, Unavailable
from storage import Store

ATTEMPTS = 20
"""How often a job is begun in all; a single stage gives up sooner."""
KINDS = (RETRAIN, RESCORE)
STARTING_SECONDS = 60.0
"""For so long we show life for a child: starting takes a while on a busy machine."""
PATIENCE_SECONDS = 20.0
"""How long a child that was told to stop may finish what is in flight."""

ENDING_SECONDS = 10.0
"""How long a child may take to end once its job has."""

log = logging.getLogger(__name__)

Command = Callable[[Job, str], Sequence[str]]


def now_utc() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


def retrain_command(job: Job, holder: str) -> Sequence[str]:
    """The child process that works on a job."""
    program = Path(__file__).resolve().parent.parent / "retrain.py"
    return [sys.executable, str(program), "--job", job.id, "--holder", holder]


@dataclass(frozen=True, slots=True)
class _Child:
    """A process that works on a job, and since when by the monotonic clock."""

    job_id: str
    holder: str
    process: subprocess.Popen[bytes]
    since: float


class Foreman:
    """One job at a time in a child process. `look` is called again and again, by one thread.

    Parameters
    ----------
    settings
        For the time after which a job counts as abandoned.
    store
        Where jobs are.
    clock, monotonic
        Wall clock, and seconds that never go back.
    command
        What works on a job.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        clock: Callable[[], datetime] = now_utc,
        monotonic: Callable[[], float] = time.monotonic,
        command: Command = retrain_command,
    ) -> None:
        self._stale_seconds = settings.job_stale_seconds
        self._jobs = store.jobs
        self._clock = clock
        self._monotonic = monotonic
        self._command = command
        self._child: _Child | None = None
        self._beats: dict[str, tuple[int, float]] = {}

    @property
    def busy(self) -> bool:
        """Whether a child is at work."""
        return self._child is not None

    def look(self) -> None:
        """Tend the child; without one, take the next job.

        Raises
        ------
        Unavailable
            The database does not answer; the child goes on, and the next look may do better.
        """
        try:
            if self._child is not None:
                self._tend(self._child)
            if self._child is None:
                job = self._claimed() or self._abandoned()
                if job is not None:
                    self._begin(job)
        except Unavailable:
            self._beats.clear()  # what was not seen did not stand still
            raise

    def stop(self) -> None:
        """Tell the child to finish what is in flight and to give its job back; wait for it."""
        if self._child is None:
            return
        self._child.process.terminate()
        _let_end(self._child.process, PATIENCE_SECONDS)
        self._tend(self._child)

    def _claimed(self) -> Job | None:
        for kind in KINDS:
            job = self._jobs.claim(_new_holder(), kind, self._clock())
            if job is not None:
                return job
        return None

    def _abandoned(self) -> Job | None:
        """A running job whose process has shown no sign of life for long enough."""
        running = {job.id: job for kind in KINDS for job in self._jobs.running(kind)}
        self._beats = {key: seen for key, seen in self._beats.items() if key in running}
        for job in running.values():
            if not self._stands_still(job):
                continue
            taken = self._jobs.take_over(job.id, job.beats, _new_holder(), self._clock())
            if taken is not None:
                log.warning("The job %s was abandoned at %s: taken over.", job.id, job.stage)
                return taken
        return None

    def _stands_still(self, job: Job) -> bool:
        """Whether a job has shown no sign of life for as long as we looked, and long enough."""
        beats, since = self._beats.get(job.id, (-1, 0.0))
        if beats != job.beats:
            self._beats[job.id] = (job.beats, self._monotonic())
            return False
        return self._monotonic() - since >= self._stale_seconds

    def _begin(self, job: Job) -> None:
        holder = str(job.holder)
        if job.cancelled:
            self._jobs.finish(job.id, holder, self._clock(), error=CANCELLED)
            return
        if job.attempts > ATTEMPTS:
            message = f"It was begun {ATTEMPTS} times and never ended; last at {job.stage}."
            self._jobs.finish(job.id, holder, self._clock(), error=message)
            return
        # a session of its own: Ctrl-C and a service manager's signals reach it through us
        child = subprocess.Popen(  # noqa: S603 -- our own program
            self._command(job, holder), stdin=subprocess.DEVNULL, start_new_session=True
        )
        log.info("The job %s began in process %d.", job.id, child.pid)
        self._child = _Child(job.id, holder, child, self._monotonic())

    def _tend(self, child: _Child) -> None:
        code = child.process.poll()
        try:
            if code is None:
                self._watch(child)
                return
            if code != 0:
                self._jobs.give_back(child.job_id, child.holder, self._clock())
                log.warning("The job %s broke off (%d); it goes on from there.", child.job_id, code)
        except Conflict:  # it has ended, or another process has it: either way the child ends
            _let_end(child.process, ENDING_SECONDS)
        self._child = None

    def _watch(self, child: _Child) -> None:
        """See that a child lives; one that hangs is killed, and its job is gone on with."""
        if self._monotonic() - child.since < STARTING_SECONDS:
            self._jobs.beat(child.job_id, child.holder, self._clock())
            return
        job = self._jobs.get(child.job_id)
        if job.holder != child.holder or job.status is not JobStatus.RUNNING:
            raise Conflict(f"the job {job.id} is not worked on by {child.holder}")
        if self._stands_still(job):
            log.warning("The process %d shows no life: killed.", child.process.pid)
            child.process.kill()
            child.process.wait()  # the next look gives its job back


def _let_end(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        log.warning("The process %d did not end by itself.", process.pid)
        process.kill()
        process.wait()


def _new_holder() -> str:
    """A name that no other attempt at any job has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"
