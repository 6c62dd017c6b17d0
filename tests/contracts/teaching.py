"""Processes that teach one store at once, or are killed while they do; also measured from outside.

Only what a process was told counts as acknowledged: a line it wrote after `teach` returned.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from config import Settings
from domain import Correction
from storage import open_store
from tests.contracts.stores import sha, teach

ROOT = Path(__file__).resolve().parents[2]
TASK = "authenticity"
FINISH_SECONDS = 300
Process = subprocess.Popen[str]


@dataclass(frozen=True, slots=True)
class Toll:
    """What became of the corrections that were acknowledged, after all processes are gone."""

    acknowledged: int
    written: int
    lost: int
    doubled: int
    gaps: int


@contextmanager
def processes(settings: Settings, verb: str, people: list[str], n: int) -> Iterator[list[Process]]:
    """Start one process a person; all are ready, none has begun."""
    started = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.contracts.store_process"),
                *(str(settings.data_dir), settings.resolved_database_url, verb, person, str(n)),
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for person in people
    ]
    try:
        for process in started:
            assert line_of(process) == "ready"
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def begin(process: Process) -> None:
    """Let a process that is ready begin."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def line_of(process: Process) -> str:
    """The next line a process writes."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def finish(process: Process) -> list[str]:
    """The lines a process has left to write, when it ends well."""
    output, _ = process.communicate(timeout=FINISH_SECONDS)
    assert process.returncode == 0
    return output.split("\n")[:-1]


def kill_after(process: Process, n: int, *, seconds: float = 0.0) -> list[str]:
    """Kill -9 once n lines came and a moment passed; everything it had acknowledged by then."""
    lines = [line_of(process) for _ in range(n)]
    time.sleep(seconds)  # not to wait for anything: the moment of a kill is no one's choice
    process.kill()
    output, _ = process.communicate()
    assert process.returncode == -9
    # the last line may be cut off in the middle
    return lines + output.split("\n")[:-1]


def teach_at_once(settings: Settings, people: int, n: int) -> Toll:
    """Let so many processes teach n corrections each, all at the same time."""
    with processes(settings, "correct", [f"person {i}" for i in range(people)], n) as writers:
        for writer in writers:
            begin(writer)
        lines = [line for writer in writers for line in finish(writer)]
    return toll(settings, lines)


def kill_while_teaching(settings: Settings, kills: int, *, seed: int = 0) -> Toll:
    """Kill -9 a teaching process at random moments, one after the other.

    After each, whoever it worked for sends again what had no answer, under the same key.
    """
    rng = np.random.default_rng(seed)
    lines: list[str] = []
    for kill in range(kills):
        person = f"person {kill}"
        with processes(settings, "correct", [person], 1_000_000) as (writer,):
            begin(writer)
            told = kill_after(writer, int(rng.integers(1, 41)), seconds=rng.uniform(0, 0.02))
        store = open_store(settings)
        text = f"{person} {len(told)}"
        again = teach(store, text, person=person, idempotency_key=text)
        store.close()
        lines += [*told, f"{again.seq} {again.sha256}"]
    return toll(settings, lines)


def toll(settings: Settings, lines: list[str]) -> Toll:
    """Hold the log against the acknowledgements: `<number> <sha256>` each."""
    store = open_store(settings)
    log: list[Correction] = store.corrections.since(TASK, 0)
    counted = store.corrections.count(TASK)
    store.close()
    told = [(int(seq), sha256) for seq, sha256 in (line.split() for line in lines)]
    written = {(row.seq, row.sha256) for row in log}
    pictures = Counter(row.sha256 for row in log)
    expected = range(1, max(counted, len(log)) + 1)
    return Toll(
        acknowledged=len(told),
        written=len(log),
        lost=sum(one not in written for one in told),
        doubled=sum(n - 1 for n in pictures.values()) + len(told) - len(set(told)),
        gaps=len(set(expected) - {row.seq for row in log}),
    )


def own_pictures(person: str, n: int) -> list[str]:
    """The pictures that the process of a person corrects, in its order."""
    return [sha(f"{person} {i}") for i in range(n)]
