"""Saves versions without end in child processes and kills each with -9 in the midst of it.

`python -m tests.models.saving_loop ROOT KILLS`; the fork saves importing everything each time.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from models.batch import BatchHead, fit, search
from models.registry import PARTIAL, Registry, new_version_id
from tests.models.made import clusters

CARD = {"task": "t", "embedder": "e:1", "classifier": {"family": "logistic_regression"}}


def save(registry: Registry, head: BatchHead) -> None:
    now = datetime.now(UTC)
    reports = {"report.html": os.urandom(4_000_000)}
    registry.save(head, CARD, version_id=new_version_id(now), created_at=now, reports=reports)


def main(root: Path, kills: int) -> None:
    registry = Registry(root)
    head = fit(search(clusters(10), classifier="logistic_regression", jobs=1))
    save(registry, head)  # imports what saving needs
    for turn in range(kills):
        child = os.fork()
        if not child:
            while True:
                save(registry, head)
        # each at another moment, and always in the midst of writing a version
        time.sleep(0.02 + 0.013 * turn)
        limit = time.monotonic() + 20
        while not any((root / "t").glob(f"{PARTIAL}*")) and time.monotonic() < limit:
            pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
