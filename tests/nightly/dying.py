"""`retrain.py` in a process that kills itself once at each place it is told.

python -m tests.nightly.dying FOLDER PLACE,PLACE... --job JOB --holder HOLDER

A place is a stage's name (killed as the stage begins) or `after-STAGE` (killed when the stage
has told of its last progress, its work done but not yet noted). FOLDER remembers the deaths.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import retrain
from domain import Stage
from nightly.desk import Desk


class Dying(Desk):
    """A desk whose process dies."""

    folder: Path
    places: tuple[str, ...]
    began: tuple[str, ...] = ()

    def _die_once(self, place: str) -> None:
        grave = self.folder / place
        if place in self.places and not grave.exists():
            grave.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def tell(self, stage: Stage, done: int = 0, total: int = 0, *, task: str | None = None) -> None:
        if self.began and self.began[-1] != stage.value:
            self._die_once(f"after-{self.began[-1]}")
        self.began = (*self.began, stage.value)
        super().tell(stage, done, total, task=task)
        self._die_once(stage.value)

    def finish(self, **said: Any) -> None:
        self._die_once("after-promote")
        super().finish(**said)


if __name__ == "__main__":
    Dying.folder, Dying.places = Path(sys.argv[1]), tuple(sys.argv[2].split(","))
    retrain.__dict__["Desk"] = Dying
    sys.exit(retrain.main(retrain.parse_arguments(sys.argv[3:])))
