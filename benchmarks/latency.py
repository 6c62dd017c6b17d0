"""How fast it answers, beside the endpoint a user would write.

Starts the naive Flask + open_clip endpoint (`naive.py`) and this service with each embedder, all
under gunicorn on this machine, and fires uploads of a 2-megapixel JPEG at them in turns, so that
whatever else the machine does falls on all alike. CLIP has the true ViT-B/32 with untrained
weights, which are as fast as trained ones. Every upload is another file: no vector is remembered.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from benchmarks.ledger import record
from benchmarks.load import Answers, copies, fire, photograph
from benchmarks.served import ROOT, free_port, wait_until_healthy

SAMPLE_SECONDS = 0.1
THREADS = 8
NAIVE = "naive"
SERVERS: Mapping[str, Mapping[str, str]] = {
    NAIVE: {},
    "clip": {
        "ENCODER": "clip",
        "CLIP_MODEL_NAME": "ViT-B-32",
        "CLIP_PRETRAINED": "random",
    },
    "builtin": {"ENCODER": "builtin"},
}


@dataclass
class Server:
    """A service that runs, and what it takes."""

    name: str
    port: int
    process: psutil.Process
    start_seconds: float
    idle_rss: int = 0
    peak_rss: int = 0
    windows: dict[int, list[tuple[Answers, float]]] = field(default_factory=dict)

    def tree(self) -> list[psutil.Process]:
        """Its processes."""
        return [self.process, *self.process.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """Processor time its processes have used."""
        times = [process.cpu_times() for process in self.tree()]
        return float(sum(t.user + t.system for t in times))

    def watch(self) -> None:
        """Take note of the memory in use now."""
        try:
            rss = sum(process.memory_info().rss for process in self.tree())
        except psutil.NoSuchProcess:  # ended between the two looks
            return
        self.idle_rss = self.idle_rss or rss  # nothing was asked of it yet but its health
        self.peak_rss = max(self.peak_rss, rss)

    def pss(self) -> int:
        """Bytes of memory, what processes share counted once."""
        return int(sum(process.memory_full_info().pss for process in self.tree()))


@contextmanager
def running(name: str, port: int, folder: Path) -> Iterator[Server]:
    """Start a service and wait until it answers; stop it at the end."""
    if name == NAIVE:
        command = ["gunicorn", "--worker-class", "gthread", "--threads", str(THREADS)]
        command += ["--bind", f"127.0.0.1:{port}", "--timeout", "120", "benchmarks.naive:app"]
        command = [sys.executable, "-m", *command]
    else:
        command = [sys.executable, "-m", "app"]
    own = {
        "API_PORT": str(port),
        "DATA_DIR": str(folder / name),
        "WEB_THREADS": str(THREADS),
        "LOG_LEVEL": "WARNING",
        **SERVERS[name],
    }
    started = time.perf_counter()
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **own}, stdout=log, stderr=log
        )
    try:
        wait_until_healthy(process, port, folder / f"{name}.log")
        server = Server(name, port, psutil.Process(process.pid), time.perf_counter() - started)
        server.watch()
        yield server
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def watching(servers: Sequence[Server]) -> Iterator[None]:
    """Look at the services' memory all the while."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(SAMPLE_SECONDS):
            for server in servers:
                server.watch()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def measure(servers: Sequence[Server], arguments: argparse.Namespace) -> None:
    """Fire at each service in turn, round after round."""
    pictures = copies(photograph(arguments.megapixels))
    for server in servers:
        fire(server.port, pictures, clients=THREADS, requests=2 * THREADS)
    for _ in range(arguments.rounds):
        for clients in arguments.clients:
            for server in servers:
                before = server.cpu_seconds()
                answers = fire(server.port, pictures, clients=clients, seconds=arguments.seconds)
                window = (answers, server.cpu_seconds() - before)
                server.windows.setdefault(clients, []).append(window)


def summarise(server: Server) -> dict[str, Any]:
    """A service's figures, JSON-ready."""
    load = {}
    for clients, windows in server.windows.items():
        latencies = np.concatenate([answers.latencies for answers, _ in windows]) * 1000
        rates = [len(answers.latencies) / answers.seconds for answers, _ in windows]
        p50, p95, p99 = np.percentile(latencies, [50, 95, 99]) if len(latencies) else [np.nan] * 3
        failures = [failure for answers, _ in windows for failure in answers.failures]
        load[str(clients)] = {
            "requests_per_second": round(float(np.median(rates)), 2),
            "of_each_round": [round(rate, 2) for rate in rates],
            "p50_ms": round(float(p50), 1),
            "p95_ms": round(float(p95), 1),
            "p99_ms": round(float(p99), 1),
            "cpu_ms_per_request": round(
                sum(cpu for _, cpu in windows) * 1000 / max(len(latencies), 1), 1
            ),
            "requests": len(latencies),
            "failures": len(failures),
            "first_failure": failures[0] if failures else None,
        }
    return {
        "start_seconds": round(server.start_seconds, 2),
        "idle_rss_mb": round(server.idle_rss / 1e6),
        "peak_rss_mb": round(server.peak_rss / 1e6),
        "pss_mb": round(server.pss() / 1e6),
        "load": load,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns its exit code."""
    arguments = parse_arguments(argv)
    with tempfile.TemporaryDirectory(prefix="exposr-latency-") as folder, ExitStack() as stack:
        figures: dict[str, Any] = {}
        servers = []
        for name in arguments.servers:
            first, port = None, free_port()
            if name != NAIVE:  # the first start also makes and trains the starter lesson
                with running(name, port, Path(folder)) as server:
                    first = round(server.start_seconds, 2)
            servers.append(stack.enter_context(running(name, port, Path(folder))))
            figures[name] = {"first_start_seconds": first}
        with watching(servers):
            measure(servers, arguments)
        for server in servers:
            figures[server.name].update(summarise(server))
    _print_table(figures)
    settings = {key: vars(arguments)[key] for key in ("seconds", "rounds", "megapixels")}
    cores = len(os.sched_getaffinity(0))
    record("latency", {"settings": settings, "cores": cores, "servers": figures}, line(figures))
    failed = [load for each in figures.values() for load in each["load"].values()]
    return 1 if any(load["failures"] for load in failed) else 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.latency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Writes benchmarks/out/latency.json and a line in benchmarks/LOG.md.",
    )
    parser.add_argument("--seconds", type=float, default=6, help="of each window (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--clients", type=_numbers, default=[1, 8, 32], help="(1,8,32)")
    parser.add_argument("--megapixels", type=float, default=2.0, help="(%(default)s)")
    parser.add_argument(
        "--servers", nargs="+", choices=SERVERS, default=list(SERVERS), help="(all of them)"
    )
    return parser.parse_args(argv)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _ratio(figures: Mapping[str, Any], name: str, clients: str) -> str:
    if NAIVE not in figures:
        return ""
    naive = figures[NAIVE]["load"][clients]["requests_per_second"]
    return f"{figures[name]['load'][clients]['requests_per_second'] / naive:.2f}x"


def _print_table(figures: Mapping[str, Any]) -> None:
    console = Console()
    table = Table("server", "clients", "req/s", "of naive", "p50 ms", "p95", "p99", "CPU ms")
    for name, figure in figures.items():
        for clients, load in figure["load"].items():
            keys = ("requests_per_second", "p50_ms", "p95_ms", "p99_ms", "cpu_ms_per_request")
            rate, *rest = (str(load[key]) for key in keys)
            table.add_row(name, clients, rate, _ratio(figures, name, clients), *rest)
    console.print(table)
    for name, figure in figures.items():
        first = figure["first_start_seconds"]
        with_lesson = f" (first start, with its lesson: {first} s)" if first else ""
        console.print(
            f"{name}: healthy after {figure['start_seconds']} s{with_lesson}; memory "
            f"{figure['idle_rss_mb']} MB, under load at most {figure['peak_rss_mb']} MB"
        )


def line(figures: Mapping[str, Any]) -> str:
    """The figures in one sentence, for the log."""
    parts = []
    for name, figure in figures.items():
        loads = figure["load"].items()
        rates = " / ".join(f"{load['requests_per_second']:.1f}" for _, load in loads)
        p99 = " / ".join(f"{load['p99_ms']:.0f}" for _, load in loads)
        ratios = " / ".join(_ratio(figures, name, clients) for clients, _ in loads)
        of_naive = f" ({ratios} of naive)" if name != NAIVE and NAIVE in figures else ""
        parts.append(
            f"{name} {rates} requests/s{of_naive}, p99 {p99} ms, start {figure['start_seconds']} s,"
            f" {figure['idle_rss_mb']} MB idle, {figure['peak_rss_mb']} MB at most"
        )
    clients = " / ".join(next(iter(figures.values()))["load"])
    return f"2 MP JPEG uploads at {clients} clients, untrained ViT-B/32: {'; '.join(parts)}."


if __name__ == "__main__":
    sys.exit(main())
