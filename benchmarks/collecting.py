"""How fast pictures are collected, and whether a limit is kept.

A gallery in a process of its own takes 50 ms for an answer. From an empty data directory its
pictures are collected as `python -m scraper page` does it: pages parsed, robots.txt asked,
pictures fetched, decoded, looked into, stored. First with the limits off; then with a limit, once
one host and once four at the same time, watched from the gallery's side.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.hangings import Gallery
from benchmarks.ledger import record
from benchmarks.marks import Mark, Measured, show
from config import Settings, load_settings
from engine import open_engine
from scraper.crawl import CrawlRequest, crawl
from scraper.manners import Visitor

FASTEST_LEAST = 300.0  # pictures a second
KEPT_WITHIN = 0.05
HOSTS = tuple(f"127.0.0.{number}" for number in range(1, 5))


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.collecting",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pictures", type=int, default=3_000, help="(%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="with the limits off; the median")
    parser.add_argument("--seconds", type=float, default=0.05, help="an answer (%(default)s)")
    parser.add_argument("--connections", type=int, default=32, help="at once (%(default)s)")
    parser.add_argument("--limit", type=float, default=10.0, help="a second and host (%(default)s)")
    parser.add_argument("--limited", type=int, default=150, help="pictures a host (%(default)s)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and keep the figures."""
    arguments = parse_arguments(argv)
    with Gallery(arguments.pictures, arguments.seconds) as gallery:
        measured = measure(arguments, gallery)
    show(measured)
    kept = record("collecting", measured.document(), measured.line)
    Console().print(f"Kept in {kept}", markup=False)
    return 1 if measured.missed() else 0


def measure(arguments: argparse.Namespace, gallery: Gallery) -> Measured:
    """Collect and fetch without limits, then fetch within one."""
    busy = os.getloadavg()[0]  # of others: two cores are easily taken
    rounds = [collected(arguments, gallery) for _ in range(arguments.rounds)]
    whole = sorted(rounds, key=lambda one: one["a_second"])[len(rounds) // 2]
    fetched = fetched_only(arguments, gallery)
    one = paces(arguments, gallery, HOSTS[:1])
    four = paces(arguments, gallery, HOSTS)
    figures = {
        "pictures": arguments.pictures,
        "seconds_an_answer": arguments.seconds,
        "connections": arguments.connections,
        "collected": whole,
        "rounds": rounds,
        "fetched_only": fetched,
        "load_before": busy,
        "limit": arguments.limit,
        "one_host": one,
        "four_hosts": four,
    }
    low, high = arguments.limit * (1 - KEPT_WITHIN), arguments.limit * (1 + KEPT_WITHIN)
    slowest, fastest = min(*one, *four), max(*one, *four)
    marks = [
        Mark("pictures a second, collected", whole["a_second"], least=FASTEST_LEAST),
        Mark("slowest host, requests a second", slowest, least=low),
        Mark("fastest host, requests a second", fastest, most=high),
    ]
    line = (
        f"`python -m benchmarks.collecting` ({arguments.pictures} pictures, "
        f"{arguments.seconds * 1000:g} ms an answer, {arguments.connections} at once, "
        f"load {busy:.1f} before): "
        f"{whole['a_second']:.0f} a second collected ({whole['cpu_ms']:.1f} ms of processor each), "
        f"{fetched['a_second']:.0f} only fetched ({fetched['cpu_ms']:.1f} ms); limit "
        f"{arguments.limit:g}: one host {one[0]:.2f}, four hosts "
        f"{min(four):.2f} to {max(four):.2f} a second"
    )
    return Measured(figures, line, marks)


def settings_for(gallery: Gallery, folder: Path, **values: Any) -> Settings:
    """Settings that let this machine through."""
    allowed = {"fetch_allowed_networks": ("127.0.0.0/8",), "fetch_ports": (gallery.port,)}
    return load_settings(data_dir=folder, encoder="builtin", **allowed, **values)


def collected(arguments: argparse.Namespace, gallery: Gallery) -> dict[str, float]:
    """Everything, into an empty data directory."""
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_for(
            gallery,
            Path(folder),
            crawl_per_second=0,
            crawl_connections=arguments.connections,
        )
        engine = open_engine(settings)
        request = CrawlRequest(
            "page", count=arguments.pictures, url=gallery.url, label="real", license="CC0-1.0"
        )
        began, spent = time.perf_counter(), time.process_time()
        row = crawl(engine, request)
        seconds, cpu = time.perf_counter() - began, time.process_time() - spent
        engine.close()
    kept = row.counts["kept"]
    if kept != arguments.pictures:
        raise RuntimeError(f"kept {kept} of {arguments.pictures}: {row.ended}, {row.counts}")
    return {"seconds": seconds, "a_second": kept / seconds, "cpu_ms": 1000 * cpu / kept}


def fetched_only(arguments: argparse.Namespace, gallery: Gallery) -> dict[str, float]:
    """The same pictures, thrown away."""
    at_once = arguments.connections
    settings = settings_for(gallery, Path(), crawl_per_second=0, crawl_connections=at_once)
    urls = [gallery.picture(number) for number in range(arguments.pictures)]
    with Visitor(settings) as visitor, ThreadPoolExecutor(at_once) as threads:
        began, spent = time.perf_counter(), time.process_time()
        for _ in threads.map(visitor.get, urls):
            pass
        seconds, cpu = time.perf_counter() - began, time.process_time() - spent
    return {
        "seconds": seconds,
        "a_second": len(urls) / seconds,
        "cpu_ms": 1000 * cpu / len(urls),
    }


def paces(arguments: argparse.Namespace, gallery: Gallery, hosts: Sequence[str]) -> list[float]:
    """Requests a second that each host has seen, when all are asked at the same time."""
    settings = settings_for(gallery, Path(), crawl_per_second=arguments.limit)
    urls = [gallery.picture(n, host) for n in range(arguments.limited) for host in hosts]
    gallery.came()
    with Visitor(settings) as visitor, ThreadPoolExecutor(8 * len(hosts)) as threads:
        for _ in threads.map(visitor.get, urls):
            pass
    came = gallery.came()
    return [(len(came[host]) - 1) / (came[host][-1] - came[host][0]) for host in hosts]


if __name__ == "__main__":
    sys.exit(main())
