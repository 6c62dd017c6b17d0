"""What this process has read of each task's samples: their families, and the latest of them."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from domain import Task
from models.families import Families
from storage import Store

LATEST = 200
"""Samples, and verdicts, that are looked at to tell what a correction changes."""


@dataclass(slots=True, eq=False)
class _Read:
    epoch: int
    families: Families
    founders: set[str] = field(default_factory=set)
    last: int = 0
    latest: deque[tuple[str, int]] = field(default_factory=lambda: deque(maxlen=LATEST))


class SampleBook:
    """Samples are read once each, as they come. Safe in threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[int, _Read] = {}
        self._lock = threading.Lock()

    def family(self, task: Task, sha256: str, phash: int) -> str:
        """The family of near-duplicates that a picture belongs to; a new one bears its name."""
        with self._lock:
            return self._up_to_date(task).families.find(phash) or sha256

    def latest(self, task: Task) -> list[tuple[str, int]]:
        """The sha256 and perceptual hash of the latest samples, oldest first."""
        with self._lock:
            return list(self._up_to_date(task).latest)

    def _up_to_date(self, task: Task) -> _Read:
        epoch = self._store.versions.state(task.name).epoch
        read = self._read.get(task.id)
        if read is None or read.epoch != epoch:  # some may be gone, or be back under old numbers
            read = self._read[task.id] = _Read(epoch, Families(task.kind))
        for sample in self._store.samples.after(task.name, read.last):
            read.last = sample.id
            read.latest.append((sample.sha256, sample.phash))
            if sample.family not in read.founders:
                read.founders.add(sample.family)
                read.families.found(sample.family, sample.phash)
        return read
