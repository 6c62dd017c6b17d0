"""How a version is made: of which pictures, seen how, searched how far."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from config import PromiseFor, Settings, Shortcuts
from domain import Task, VectorPart
from models.lesson import Lesson, read_digest, read_lesson
from models.promise import rates_of
from storage import Store

DEMO_MINIMUM = 10
"""Pictures a label the demonstration needs, whatever the user's own pictures must come to."""
RECIPE = 1
"""Moves when the same pictures would be trained on in another way."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a version of a task is made.

    `family` of classifiers, or `auto` for all. `demo`: of the demonstration's pictures, which
    never mix with the user's. `parts`: those of an embedder of several.
    """

    task: Task
    embedder: str
    family: str
    demo: bool
    settings: Settings
    parts: tuple[VectorPart, ...] = ()

    @property
    def needed(self) -> int:
        """Pictures that a label must have."""
        return DEMO_MINIMUM if self.demo else self.settings.min_images_per_class

    def read(self, store: Store) -> Lesson:
        """The pictures it is made of.

        Raises
        ------
        NotEnoughData
            Too few, or not in the form that is asked for.
        """
        return read_lesson(
            store,
            self.task,
            self.embedder,
            needed=self.needed,
            demo=self.demo,
            equalised=not self.demo and self.settings.shortcuts is Shortcuts.EQUALISE,
        )

    def fingerprint(self, digest: str) -> str:
        """How and of what, as one short text."""
        settings = self.settings
        ways = (settings.shortcuts, settings.augment)
        how = (self.embedder, self.family, self.needed, *ways, *self._promised)
        return hashlib.sha256(repr((RECIPE, digest, *how)).encode()).hexdigest()

    @property
    def _promised(self) -> tuple[object, ...]:
        rates = self.rates(self.task.labels)
        # without a share nothing is promised, for whomever
        promised_for = self.settings.promise_for if rates else PromiseFor.UNSEEN
        return tuple(sorted(rates.items())), promised_for.value

    def rates(self, classes: Sequence[str]) -> dict[str, float]:
        """By label, the share of pictures of other labels that may be given it."""
        return rates_of(self.task, self.settings, classes, demo=self.demo)

    def fingerprint_now(self, store: Store) -> str:
        """That of a version made now, whether or not there are enough pictures."""
        return self.fingerprint(read_digest(store, self.task, self.embedder, demo=self.demo))
