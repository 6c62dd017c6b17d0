"""Whether several who correct at once lose, double or miss anything, and whether a kill does.

Four processes correct as fast as they get answers: first against one service with several
workers on SQLite, then against two services on one PostgreSQL (started here, where its binaries
are found). Then the log has to hold each acknowledged correction once, without a gap, and every
process that answers has to know all of them. At last a service on SQLite is ended by kill -9 at
random moments while it is taught, and started again; what was not acknowledged is sent again
with the same Idempotency-Key.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.marks import Mark, Measured
from benchmarks.remembered import picture
from benchmarks.served import Client, Service, free_port
from terminal import progress_bar
from tests.postgres import find_binaries, running_server

TASK = "together"
KIND = "drawing"
PROCESSES = 4
LABELS = 10
PAGE = 500
KNOWN_WITHIN = 1.0
GIVE_UP_SECONDS = 60.0
LOOKS = 8
"""Connections opened at once after the last correction, to meet every process that answers."""
LEAST_LIFE, LONGEST_LIFE = 0.1, 1.5
"""Seconds a service is taught before it is killed."""
AGAIN_SECONDS = 0.05


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--databases", nargs="+", choices=ARRANGEMENTS, default=list(ARRANGEMENTS))
    parser.add_argument("--each", type=int, default=500, help="by each process (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="on SQLite (%(default)s)")
    parser.add_argument("--kills", type=int, default=50, help="0 leaves them out (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)


def measure(arguments: argparse.Namespace, folder: Path) -> Measured:
    """Correct together, then be killed."""
    figures: dict[str, Any] = {"processes": PROCESSES, "each": arguments.each}
    for name in arguments.databases:
        with ARRANGEMENTS[name](folder / name, arguments.workers) as services:
            figures[name] = _together(services, arguments.each) if services else None
    if arguments.kills:
        figures["killed"] = _killed(folder / "killed", arguments.kills, arguments.seed)
    return Measured(figures, _line(figures), list(_marks(figures)))


@contextlib.contextmanager
def _on_sqlite(folder: Path, workers: int) -> Iterator[list[Service]]:
    with Service(folder, free_port(), WEB_WORKERS=str(workers)) as service:
        yield [service]


@contextlib.contextmanager
def _on_postgresql(folder: Path, workers: int) -> Iterator[list[Service]]:
    del workers  # each of the two services has one
    binaries = find_binaries()
    if binaries is None:
        yield []
        return
    with running_server(binaries) as server, server.database() as url, contextlib.ExitStack() as s:
        yield [s.enter_context(Service(folder, free_port(), DATABASE_URL=url)) for _ in range(2)]


ARRANGEMENTS = {"sqlite": _on_sqlite, "postgresql": _on_postgresql}


def _together(services: Sequence[Service], each: int) -> dict[str, Any]:
    with Client(services[0].port) as client:
        client.make(TASK, KIND)
    ports = [services[i % len(services)].port for i in range(PROCESSES)]
    started = time.perf_counter()
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        teaching = pool.map(teach_many, ports, range(PROCESSES), [each] * PROCESSES)
        acknowledged = [one for many in teaching for one in many]
        took = time.perf_counter() - started
        known = _known_by_all(services, len(acknowledged))
    log = _log(services[0].port)
    return {**_compared(acknowledged, log), **known, "seconds": round(took, 1)}


def teach_many(port: int, which: int, n: int) -> list[tuple[str, str]]:
    """Teach n pictures of one's own; the id and the sha256 of each receipt."""
    with Client(port) as client:
        receipts = [
            client.teach(TASK, picture(which * n + i), f"label {i % LABELS}") for i in range(n)
        ]
    return [(receipt["id"], receipt["sha256"]) for receipt in receipts]


def _known_by_all(services: Sequence[Service], wanted: int) -> dict[str, Any]:
    """How fast each process that answers does so with all, and how many answers lacked some."""
    started = time.perf_counter()
    heard: dict[int, float] = {}
    behind = 0
    expected = {worker.pid for service in services for worker in service.workers()}
    while not expected <= heard.keys() and time.perf_counter() - started < GIVE_UP_SECONDS:
        for service in services:
            for worker, knows, took in _met(service, wanted):
                behind += not knows
                if knows and worker is not None:
                    heard.setdefault(worker, took)
    return {
        "answering": len(expected),
        "knew_all": len(expected & heard.keys()),
        "answers_behind": behind,
        "answered_with_all_in_seconds": round(max(heard.values(), default=np.inf), 3),
    }


def _met(service: Service, wanted: int) -> list[tuple[int | None, bool, float]]:
    """Which process answered, whether it knew all, in what time; several are asked at once."""
    with contextlib.ExitStack() as stack:
        # all open at the same time, or one process would take every one of them
        clients = [stack.enter_context(Client(service.port)) for _ in range(LOOKS)]
        for client in clients:
            client.connect()

        def ask(client: Client) -> tuple[bool, float]:
            started = time.perf_counter()
            verdict = client.predict(TASK, picture(0))
            return verdict["model"]["corrections"] >= wanted, time.perf_counter() - started

        with ThreadPoolExecutor(LOOKS) as pool:
            answers = list(pool.map(ask, clients))
        return [
            (service.worker_of(client), *answer)
            for client, answer in zip(clients, answers, strict=True)
        ]


def _log(port: int) -> list[dict[str, Any]]:
    """The whole log, oldest first."""
    rows: list[dict[str, Any]] = []
    before = ""
    with Client(port) as client:
        while True:
            page = client.ask("GET", f"/tasks/{TASK}/feedback?n={PAGE}{before}")
            rows.extend(page["corrections"])
            if page["next"] is None:
                return rows[::-1]
            before = f"&before={page['next']}"


def _compared(
    acknowledged: Sequence[tuple[str, str]], log: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What was acknowledged beside what the log has."""
    ids = Counter(row["id"] for row in log)
    pictures = Counter(row["sha256"] for row in log)
    gapless = [row["seq"] for row in log] == list(range(1, len(log) + 1))
    return {
        "acknowledged": len(acknowledged),
        "in_the_log": len(log),
        "lost": sum(ids[one] == 0 or pictures[sha256] == 0 for one, sha256 in acknowledged),
        "doubled": sum(n - 1 for n in pictures.values()) + sum(n - 1 for n in ids.values()),
        "gapless": gapless,
    }


def _killed(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Teach without end while the service is killed and started again."""
    rng = np.random.default_rng(seed)
    service = Service(folder, free_port())
    over = threading.Event()
    acknowledged: list[tuple[str, str, str]] = []
    teacher = threading.Thread(target=_teach_on, args=(service.port, over, acknowledged))
    starts = []
    try:
        service.start()
        with Client(service.port) as client:
            client.make(TASK, KIND)
        teacher.start()
        with progress_bar("Killing", kills) as advance:
            for _ in range(kills):
                time.sleep(rng.uniform(LEAST_LIFE, LONGEST_LIFE))
                service.kill()
                starts.append(service.start())
                advance(1)
        over.set()
        teacher.join()
        log = _log(service.port)
        wrong = _answered_otherwise(service.port, acknowledged)
    finally:
        over.set()
        service.stop()
        if teacher.ident is not None:
            teacher.join()
    found = _compared([(one, sha256) for one, sha256, _ in acknowledged], log)
    middle = round(float(np.median(starts)), 1)
    return {"kills": kills, **found, "answered_otherwise": wrong, "restart_seconds": middle}


def _teach_on(port: int, over: threading.Event, acknowledged: list[tuple[str, str, str]]) -> None:
    """Teach one picture after the other, each until it is acknowledged."""
    with Client(port) as client:
        while not over.is_set():
            at = len(acknowledged)
            label = f"label {at % LABELS}"
            try:
                receipt = client.teach(TASK, picture(at), label, once=f"picture {at}")
            except (OSError, http.client.HTTPException):
                over.wait(AGAIN_SECONDS)  # it is being started again
                continue
            acknowledged.append((receipt["id"], receipt["sha256"], label))


def _answered_otherwise(port: int, acknowledged: Sequence[tuple[str, str, str]]) -> int:
    """How many of what was taught are not answered as taught."""
    with Client(port) as client:
        return sum(
            client.predict(TASK, picture(at))["prediction"] != label
            for at, (_, _, label) in enumerate(acknowledged)
        )


def _marks(figures: Mapping[str, Any]) -> Iterator[Mark]:
    for name in (*ARRANGEMENTS, "killed"):
        found = figures.get(name)
        if found is None:
            continue
        yield Mark(f"{name}: acknowledged corrections lost", found["lost"], most=0)
        yield Mark(f"{name}: corrections doubled", found["doubled"], most=0)
        yield Mark(f"{name}: numbered without a gap", float(found["gapless"]), least=1)
        if name == "killed":
            yield Mark("killed: answered otherwise", found["answered_otherwise"], most=0)
        else:
            yield Mark(f"{name}: answers that lacked some", found["answers_behind"], most=0)
            after = found["answered_with_all_in_seconds"]
            yield Mark(
                f"{name}: seconds of the slowest process to answer with all",
                after,
                most=KNOWN_WITHIN,
            )


def _line(figures: Mapping[str, Any]) -> str:
    told = []
    for name in ARRANGEMENTS:
        found = figures.get(name)
        if found is not None:
            told.append(
                f"{name}: {figures['processes']} processes x {figures['each']} corrections in "
                f"{found['seconds']} s, {found['lost']} lost, {found['doubled']} doubled, "
                f"{found['knew_all']} of {found['answering']} processes answered with "
                f"all {found['in_the_log']} in {found['answered_with_all_in_seconds']} s, "
                f"{found['answers_behind']} answers lacked some"
            )
        elif name in figures:
            told.append(f"{name}: no binaries here, not measured")
    if "killed" in figures:
        killed = figures["killed"]
        told.append(
            f"kill -9 {killed['kills']} times: of {killed['acknowledged']} acknowledged "
            f"{killed['lost']} lost, {killed['doubled']} doubled, {killed['answered_otherwise']} "
            f"answered otherwise, up again in {killed['restart_seconds']} s"
        )
    return "; ".join(told)
