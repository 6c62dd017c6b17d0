"""A scheduler process whose clock is told: python -m tests.nightly.many_clocks ZONE NIGHTS SEED.

Goes through so many nights from 2026-01-01 on in a zone's local time, looking a few times an hour
around the due time, with a clock that is late, jumps ahead and jumps back. Each night that it is
given is finished at once, by whichever process comes first.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from config import load_settings
from domain import RETRAIN
from nightly.schedule import Schedule, slot_of
from scheduler import take_night
from storage import Store, open_store

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def moments(zone: str, nights: int, seed: int) -> Iterator[datetime]:
    """Local times, unevenly: some nights from before until after, some missed until noon."""
    chance, local = random.Random(seed), ZoneInfo(zone)  # noqa: S311 -- a simulation
    for night in range(nights):
        day = BEGIN + timedelta(days=night)
        hours = [9, 12, 20] if chance.random() < 0.2 else [0, 2.9, 3, 3.01, 3.5, 8]
        times = [day + timedelta(hours=hour, seconds=chance.random() * 30) for hour in hours]
        if chance.random() < 0.3:  # the clock was set back by up to two hours
            times.append(times[-1] - timedelta(minutes=chance.random() * 120))
        yield from (time.astimezone(local) for time in times)


def _waits(store: Store, schedule: Schedule, now: datetime) -> bool:
    due = schedule.latest(now)
    return due >= BEGIN and not store.nights.taken(slot_of(due))


def main(zone: str, nights: int, seed: int) -> None:
    settings = load_settings(_env_file=None)
    store, schedule = open_store(settings), Schedule.of(settings)
    since = store.nights.schedule(str(schedule), BEGIN)
    for number, now in enumerate(moments(zone, nights, seed)):
        # while another retrain is in the way a scheduler looks again; here it helps to end it
        while take_night(store, schedule, since, now) is not None or _waits(store, schedule, now):
            holder = f"{zone}-{seed}-{number}"
            job = store.jobs.claim(holder, RETRAIN, now)
            if job is not None:
                store.jobs.finish(job.id, holder, now, result={})
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
