"""How long a correction takes, from request to receipt, the more there are before it.

Small pictures, each another one, are taught over HTTP to a task of each kind: one drawing task
and one photo task that only were taught, and an authenticity task with a trained version. What
came before is put into the store with made-up vectors. Decoding and embedding the very pictures
is measured beside, in this process, and subtracted: `beyond` is what learning and telling of it
take. Memory is that of the process that answers, with none and with 1,000 pictures remembered.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks import ledger
from benchmarks.marks import Mark, Measured
from benchmarks.remembered import Past, picture
from benchmarks.schooling import settings_of
from benchmarks.served import Client, Service, free_port
from domain import TaskKind
from embeddings import Embedder
from embeddings.images import decode
from embeddings.likeness import likeness
from embeddings.teaching import copies_of
from engine import open_engine
from terminal import progress_bar
from train import train

TASK = "remembering"
OTHER = "other"
"""A task taught before memory is looked at, so that what learning loads is there already."""
MOST_MS = {1_000: 100.0, 10_000: 300.0}
MOST_MB = 50.0
REMEMBERED = 1_000
HUGE = 100_000
TRAINED_ON = 1_000
TRAINING_SECONDS = 20.0
WARM_UP = 2
CONNECTIONS, OF_EACH = 8, 8


@dataclass(slots=True)
class Timed:
    """Milliseconds of each correction, and of decoding and embedding its picture beside it."""

    request: list[float] = field(default_factory=list)
    embed: list[float] = field(default_factory=list)
    copies: list[float] = field(default_factory=list)
    catch_up_seconds: float = 0.0
    cpu_seconds: float = 0.0

    def summary(self) -> dict[str, Any]:
        """JSON-ready."""
        request, embed = np.asarray(self.request), np.asarray(self.embed)
        copies = np.asarray(self.copies)
        return {
            "request_ms": _quantiles(request),
            "beyond_ms": _quantiles(request - embed - copies),
            "beyond_but_copies_ms": _quantiles(request - embed),
            "embed_ms": _quantiles(embed),
            "copies_ms": _quantiles(copies),
            "cpu_ms_of_each": round(1000 * self.cpu_seconds / len(request), 1),
            "corrections": len(request),
            "catch_up_seconds": round(self.catch_up_seconds, 2),
        }


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    kinds = [kind.value for kind in TaskKind]
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=kinds)
    parser.add_argument(
        "--sizes", nargs="+", type=int, default=[100, 1_000, 10_000], metavar="N",
        help="corrections before (100 1000 10000)",
    )  # fmt: skip
    parser.add_argument("--huge", action="store_true", help=f"{HUGE} as well: half an hour")
    parser.add_argument("--each", type=int, default=30, help="corrections timed (%(default)s)")


def measure(arguments: argparse.Namespace, folder: Path) -> Measured:
    """Time corrections of each kind."""
    sizes = sorted({*arguments.sizes, *([HUGE] if arguments.huge else [])})
    figures: dict[str, Any] = {"kinds": {}}
    for kind in map(TaskKind, arguments.kinds):
        figures["kinds"][kind.value] = _of_kind(kind, sizes, arguments.each, folder / kind.value)
    draw(figures["kinds"], ledger.FOLDER / "out" / "learning-latency.png")
    return Measured(figures, _line(figures["kinds"]), list(_marks(figures["kinds"])))


def _of_kind(kind: TaskKind, sizes: Sequence[int], each: int, folder: Path) -> dict[str, Any]:
    with _remembering(kind, folder / "times") as (service, client, past):
        times = {}
        with progress_bar(f"Correcting {kind.value}", len(sizes)) as advance:
            for size in sizes:
                past.reach(size)
                times[str(size)] = _timed(service, client, past, each).summary()
                past.count += each + WARM_UP
                advance(1)
    with _remembering(kind, folder / "memory") as (service, client, past):
        memory = _memory(service, client, past)
    return {"latency": times, "memory": memory, "dim": past.engine.embedders[kind].dim}


@contextmanager
def _remembering(kind: TaskKind, folder: Path) -> Iterator[tuple[Service, Client, Past]]:
    """A service with a task that is corrected; of authenticity with a version, as it is served."""
    engine = open_engine(settings_of(folder))
    try:
        engine.store.tasks.create(OTHER, kind, open=True)
        trained = kind is TaskKind.AUTHENTICITY
        labels = ("ai", "real") if trained else ()
        engine.store.tasks.create(TASK, kind, labels, open=True)
        past = Past(engine, TASK, kind)
        if trained:
            past.bring(TRAINED_ON)
            train(
                engine,
                TASK,
                classifier="logistic_regression",
                time_budget=TRAINING_SECONDS,
                why="benchmark",
            )
        with Service(folder, free_port()) as service, Client(service.port) as client:
            yield service, client, past
    finally:
        engine.close()


def _memory(service: Service, client: Client, past: Past) -> dict[str, Any]:
    """What the process that answers takes before and after it remembers pictures."""
    for at in range(4):
        client.teach(OTHER, picture(at), past.labels[at % 2])
    client.predict(TASK, picture(0))
    none = service.rss()
    past.reach(REMEMBERED)
    client.predict(TASK, picture(1))
    some = service.rss()
    held = client.ask("GET", f"/tasks/{TASK}/stats")["memory"]
    past.reach(2 * REMEMBERED)
    client.predict(TASK, picture(2))
    more = service.rss()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(_teach_some, [service.port] * CONNECTIONS, range(CONNECTIONS)))
    return {
        "rss_mb_at_0": round(none / 1e6, 1),
        f"rss_mb_of_{REMEMBERED}": round((some - none) / 1e6, 1),
        "rss_bytes_a_correction": round((more - some) / REMEMBERED),
        "rss_mb_after_many_at_once": round((service.rss() - none) / 1e6, 1),
        "memory": held,
    }


def _teach_some(port: int, which: int) -> None:
    """Correct from a connection of its own: what each thread of the service keeps adds up."""
    with Client(port) as client:
        for at in range(OF_EACH):
            client.teach(TASK, picture(10**6 + which * OF_EACH + at), "ai")


def _timed(service: Service, client: Client, past: Past, n: int) -> Timed:
    """Time n corrections; a few before them bring the process up to date."""
    timed, labels = Timed(), past.labels
    embedder = past.engine.embedders[past.kind]
    started = time.perf_counter()
    client.predict(TASK, picture(0))
    timed.catch_up_seconds = time.perf_counter() - started
    for at in range(n + WARM_UP):
        data = picture(1_000 + past.count + at)
        embed, copies = _beside(data, past.kind, embedder)
        cpu, started = service.cpu_seconds(), time.perf_counter()
        client.teach(TASK, data, labels[at % len(labels)])
        took = time.perf_counter() - started
        if at >= WARM_UP:
            timed.request.append(1000 * took)
            timed.embed.append(1000 * embed)
            timed.copies.append(1000 * copies)
            timed.cpu_seconds += service.cpu_seconds() - cpu
    return timed


def _beside(data: bytes, kind: TaskKind, embedder: Embedder) -> tuple[float, float]:
    """Seconds that a picture takes until it is embedded, and then those of its copies."""
    started = time.perf_counter()
    opened = decode(data)
    embedder.embed([opened])
    likeness(opened)
    embedded = time.perf_counter()
    copies_of(opened, kind, embedder)
    return embedded - started, time.perf_counter() - embedded


def _quantiles(values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float]:
    middle, high = np.percentile(values, [50, 95])
    return {"median": round(float(middle), 1), "p95": round(float(high), 1)}


def draw(kinds: Mapping[str, Any], out: Path) -> None:
    """Medians, with the 95th percentiles above them, beside the marks."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for kind, found in kinds.items():
        sizes = [int(size) for size in found["latency"]]
        beyond = [each["beyond_ms"] for each in found["latency"].values()]
        middle = [each["median"] for each in beyond]
        above = [each["p95"] - each["median"] for each in beyond]
        axes.errorbar(
            sizes, middle, yerr=[[0] * len(sizes), above], marker="o", capsize=3, label=kind
        )
    axes.plot(list(MOST_MS), list(MOST_MS.values()), "k_", markersize=18, label="mark")
    axes.set(xscale="log", yscale="log", xlabel="corrections before", ylabel="ms beyond embedding")
    axes.set_title("A correction, from request to receipt: median, and up to 95th percentile")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)


def _marks(kinds: Mapping[str, Any]) -> Iterator[Mark]:
    for kind, found in kinds.items():
        for size, most in MOST_MS.items():
            if str(size) in found["latency"]:
                middle = found["latency"][str(size)]["beyond_ms"]["median"]
                yield Mark(f"{kind}: ms beyond embedding at {size:,}", middle, most=most)
        mb = found["memory"][f"rss_mb_of_{REMEMBERED}"]
        yield Mark(f"{kind}: MB of {REMEMBERED:,} remembered pictures", mb, most=MOST_MB)


def _line(kinds: Mapping[str, Any]) -> str:
    told = []
    for kind, found in kinds.items():
        latency, memory = found["latency"], found["memory"]
        beyond = " / ".join(f"{each['beyond_ms']['median']:.0f}" for each in latency.values())
        high = " / ".join(f"{each['beyond_ms']['p95']:.0f}" for each in latency.values())
        cpu = " / ".join(f"{each['cpu_ms_of_each']:.0f}" for each in latency.values())
        told.append(
            f"{kind} at {' / '.join(f'{int(size):,}' for size in latency)} before: {beyond} ms "
            f"beyond embedding (p95 {high}; CPU of the whole request {cpu}), "
            f"{memory[f'rss_mb_of_{REMEMBERED}']} MB for 1,000 remembered, then "
            f"{memory['rss_bytes_a_correction']:,} bytes each, "
            f"{memory['rss_mb_after_many_at_once']} MB after {CONNECTIONS * OF_EACH} more on "
            f"{CONNECTIONS} connections"
        )
    return "from request to receipt over HTTP, " + "; ".join(told)
