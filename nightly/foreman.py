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
from datetime import UTC, datetime
from pathlib import Path

from config import Settings
from domain import RESCORE, RETRAIN, Conflict, Job
from storage import Store

ATTEMPTS = 20
"""How often a job is begun in all; a single stage gives up sooner."""
KINDS = (RETRAIN, RESCORE)
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
        self._child: tuple[Job, str, subprocess.Popen[bytes]] | None = None
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
        if self._child is not None:
            self._tend(*self._child)
        if self._child is None:
            job = self._claimed() or self._abandoned()
            if job is not None:
                self._begin(job)

    def stop(self) -> None:
        """Tell the child to finish what is in flight and to give its job back; wait for it."""
        if self._child is None:
            return
        child = self._child[2]
        child.terminate()
        try:
            child.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self._tend(*self._child)

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
            beats, since = self._beats.get(job.id, (-1, 0.0))
            if beats != job.beats:
                self._beats[job.id] = (job.beats, self._monotonic())
            elif self._monotonic() - since >= self._stale_seconds:
                taken = self._jobs.take_over(job.id, beats, _new_holder(), self._clock())
                if taken is not None:
                    log.warning("The job %s was abandoned at %s: taken over.", job.id, job.stage)
                    return taken
        return None

    def _begin(self, job: Job) -> None:
        holder = str(job.holder)
        if job.cancelled:
            self._jobs.finish(job.id, holder, self._clock(), error="cancelled")
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
        self._child = (job, holder, child)

    def _tend(self, job: Job, holder: str, child: subprocess.Popen[bytes]) -> None:
        code = child.poll()
        try:
            if code is None:
                # it beats itself once it is up: starting takes a while on a busy machine
                self._jobs.beat(job.id, holder, self._clock())
                return
            if code != 0:
                self._jobs.give_back(job.id, holder, self._clock())
                log.warning("The job %s broke off (%d); it goes on from there.", job.id, code)
        except Conflict:  # it has ended, or another process has it: either way the child ends
            _let_end(child)
        self._child = None


def _let_end(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        log.warning("The process %d did not end by itself.", child.pid)
        child.kill()
        child.wait()


def _new_holder() -> str:
    """A name that no other attempt at any job has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"
