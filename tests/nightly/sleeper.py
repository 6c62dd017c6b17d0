"""A process that holds a job like a retrain: tells that it began, then does as it is told.

python -m tests.nightly.sleeper JOB HOLDER BEHAVIOUR: `done` finishes it, `die` kills itself,
`hang` shows life until told to stop and gives the job back, `silent` shows none.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from config import load_settings
from domain import Stage
from nightly.desk import Cancelled, Desk, Ended
from storage import open_store


def main(job_id: str, holder: str, behaviour: str) -> None:
    store = open_store(load_settings(_env_file=None))
    job = store.jobs.get(job_id)
    assert job.holder == holder
    if behaviour == "silent":
        signal.pause()
    with Desk(store, job, beat_seconds=0.05) as desk:
        signal.signal(signal.SIGTERM, lambda *_: desk.stop.set())
        desk.tell(Stage.TRAIN, 1, 2)
        if behaviour == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            while behaviour == "hang":
                time.sleep(0.01)
                desk.check()
        except Cancelled:
            desk.finish(error="cancelled")
        except Ended:
            desk.give_back()
            sys.exit(3)
        else:
            desk.finish(result={"behaved": behaviour})


if __name__ == "__main__":
    main(*sys.argv[1:])
