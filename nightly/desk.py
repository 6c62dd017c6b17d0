"""A child process's hold on its job: signs of life, progress, what was asked meanwhile."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from domain import CANCELLED, Conflict, ExposrError, Job, Stage
from storage import Store

BEAT_SECONDS = 2.0
TELL_SECONDS = 0.5
"""How often progress is written at most."""
GRACE_SECONDS = 60.0
"""How long a job that is told to stop may take to reach a place where it can."""
LOST = 4
"""Exit code of a process whose job belongs to another by now."""

log = logging.getLogger(__name__)


class Cancelled(Exception):
    """Somebody asked for the job to stop."""


class Ended(Exception):
    """The process is told to end; the job goes on in another one."""


class Desk:
    """The job as its process sees it. Progress is told by one thread; another shows life.

    Parameters
    ----------
    store
        Where the job is.
    job
        The job, running.
    clock
        The present moment, aware.
    beat_seconds
        How often a sign of life is given.
    """

    def __init__(
        self,
        store: Store,
        job: Job,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:
        self.job = job
        self.stop = threading.Event()
        """Set once the job is to stop, whoever wants it."""
        self._store = store
        self._holder = str(job.holder)
        self._clock = clock
        self._beat_seconds = beat_seconds
        self._kept: dict[str, Any] = dict(job.kept)
        self._cancelled = False
        self._left = threading.Event()
        self._told = (0.0, "", 0)
        self._beating = threading.Thread(target=self._beat, name="beat", daemon=True)

    def __enter__(self) -> Self:
        self._beating.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left.set()
        self._beating.join()

    def kept(self, key: str) -> Any:
        """What an earlier stage, perhaps of an earlier process, left; None if nothing."""
        return self._kept.get(key)

    def keep(self, **parts: Any) -> None:
        """Leave something JSON-ready for later stages, over a crash too."""
        self._kept.update(parts)
        self._store.jobs.keep(self.job.id, self._holder, self._kept, self._clock())

    def tell(self, stage: Stage, done: int = 0, total: int = 0, *, task: str | None = None) -> None:
        """Show how far a stage is.

        Raises
        ------
        Cancelled, Ended
            It is to stop.
        """
        self.check()
        name = f"{stage.value} {task}" if task else stage.value
        at, shown, had = self._told
        if name == shown and done < max(total, 1) and time.monotonic() - at < TELL_SECONDS:
            return
        if (name, done) == (shown, had):
            return
        self._told = (time.monotonic(), name, done)
        self._store.jobs.progress(self.job.id, self._holder, done, total, name, self._clock())

    def check(self) -> None:
        """Raise Cancelled or Ended when the job is to stop."""
        if self._cancelled:
            raise Cancelled
        if self.stop.is_set():
            raise Ended

    def finish(self, *, result: Mapping[str, Any] | None = None, error: str | None = None) -> None:
        """Say what came of the job."""
        self._left.set()  # a beat after this would be refused
        self._store.jobs.finish(
            self.job.id, self._holder, self._clock(), result=result, error=error
        )

    def give_back(self) -> None:
        """Let another process go on with the job, which broke off for no fault of its own."""
        self._left.set()
        tries = {stage: n - 1 for stage, n in (self.kept("tries") or {}).items() if n > 1}
        self.keep(tries=tries)
        self._store.jobs.give_back(self.job.id, self._holder, self._clock(), politely=True)

    def _beat(self) -> None:
        asked_at: float | None = None
        while not self._left.wait(self._beat_seconds):
            try:
                if self._store.jobs.beat(self.job.id, self._holder, self._clock()):
                    asked_at = asked_at or time.monotonic()
                    self._cancelled = True
                    self.stop.set()
                    if time.monotonic() - asked_at > GRACE_SECONDS:
                        self.finish(error=CANCELLED)
                        os._exit(LOST)
            except Conflict:
                if not self._left.is_set():
                    log.error("The job %s belongs to another process now.", self.job.id)
                    os._exit(LOST)  # at once: two must not work on one job
            except ExposrError as error:
                log.warning("No sign of life could be given: %s", error.message)
