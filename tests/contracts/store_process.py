"""A process that uses a store, told what to do on its command line; the suites start it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from config import load_settings
from storage import Store, open_store
from tests.contracts.stores import facts, new, sha, teach

TASK = "authenticity"


def correct(store: Store, person: str, n: int) -> None:
    """Write n corrections; say number and picture of each one that is acknowledged."""
    for i in range(n):
        row = teach(store, f"{person} {i}", person=person, idempotency_key=f"{person} {i}")
        print(row.seq, row.sha256, flush=True)


def add(store: Store, person: str, n: int) -> None:
    """Add n pictures with bytes, sample and vector; say the sha256 of each acknowledged one."""
    for i in range(n):
        data = f"{person} {i}".encode() * 1000
        name = store.blobs.put(data)
        store.samples.add(TASK, facts(f"{person} {i}"), new())
        store.vectors.put("e", [sha(f"{person} {i}")], np.full((1, 8), i, np.float32))
        print(name, sha(f"{person} {i}"), flush=True)


def hold(store: Store, person: str, n: int) -> None:
    """Stop in the middle of a correction, holding the lock, until killed."""
    del n
    with store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE task_state SET corrections = 99, counter = 99")
        print("holding", flush=True)
        sys.stdin.readline()
    del person


def nights(store: Store, person: str, n: int) -> None:
    """Take each of n nights unless it is taken, and work off whatever is queued; say both."""
    for slot in (f"{i:03d}" for i in range(n)):
        while not store.nights.taken(slot):
            now = datetime.now(UTC)
            if store.jobs.take_night(slot, now, {"slot": slot}, now) is not None:
                print(slot, "took", flush=True)
            work(store, person)
    while work(store, person):
        pass


def retrain(store: Store, person: str, n: int) -> None:
    """Begin a retrain, leave what one stage made, and never get any further."""
    job = store.jobs.claim(person, "retrain", datetime.now(UTC))
    assert job is not None
    store.jobs.beat(job.id, person, datetime.now(UTC))
    store.jobs.keep(job.id, person, {"stage": n}, datetime.now(UTC))
    print("kept", flush=True)
    sys.stdin.readline()


def work(store: Store, person: str) -> bool:
    """Do a queued retrain, if there is one."""
    job = store.jobs.claim(person, "retrain", datetime.now(UTC))
    if job is None:
        return False
    store.jobs.finish(job.id, person, datetime.now(UTC), result={"by": person})
    print(job.id, "worked", flush=True)
    return True


VERBS = {"correct": correct, "add": add, "hold": hold, "nights": nights, "retrain": retrain}


def main() -> None:
    folder, url, verb, person, n = sys.argv[1:]
    settings = load_settings(_env_file=None, data_dir=Path(folder), database_url=url)
    if verb != "open":
        store = open_store(settings)
    print("ready", flush=True)
    sys.stdin.readline()
    if verb == "open":
        store = open_store(settings)
        print(len(store.tasks.all()), flush=True)
    else:
        VERBS[verb](store, person, int(n))
    store.close()


if __name__ == "__main__":
    main()
