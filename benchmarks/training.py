"""How long a grid-searched retrain takes, and how much memory, beside what a user would write.

The user's way is `GridSearchCV(LogisticRegression())` over five values of C with five folds on
every core. Both get the same vectors, made by a seed to be like an embedder's: unit rows whose
spread falls off from direction to direction, labels made of several clusters each, a few wrong
labels, near-duplicates. Every run is a process of its own, so that its peak memory is its own,
and the ways take turns, so that a busy moment hits all of them; processor seconds (of the training
alone, its workers included) say more where others use the machine as well, and the line says how
busy it was. `ridge` is the ridge path alone: search, calibration, fit. Of `auto` it is also said
what its linear candidates took.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from joblib.externals.loky import get_reusable_executor
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from benchmarks.ledger import record
from models.batch import fit, search
from models.candidates import Logistic, Ridge
from models.examples import Examples
from models.grid import LOGISTIC_RAW

ROOT = Path(__file__).resolve().parent.parent
SIZES = (1_000, 10_000, 100_000)
MILLION = 1_000_000
DIM = 512
CLUSTERS = 8
TEST_ROWS = 5_000
PLAIN, AUTO, LOGISTIC, RIDGE = "plain GridSearchCV", "auto", "logistic_regression", "ridge"
WAYS = (PLAIN, RIDGE, LOGISTIC, AUTO)


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="rows")
    parser.add_argument("--million", action="store_true", help="a million rows as well")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--labels", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="turns; medians are reported")
    parser.add_argument("--budget", type=float, default=300.0, help="seconds a search may take")
    parser.add_argument("--one", nargs=2, metavar=("WAY", "ROWS"), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and keep the figures."""
    arguments = parse_arguments(argv)
    if arguments.one:
        way, rows = arguments.one
        print(json.dumps(run_one(way, int(rows), arguments.labels, arguments.budget)))
        return 0
    sizes = [*arguments.sizes, *([MILLION] if arguments.million else [])]
    results = [_measure(size, arguments) for size in sizes]
    figures = {"dim": DIM, "labels": arguments.labels, "rounds": arguments.rounds,
               "budget": arguments.budget, "sizes": results}  # fmt: skip
    kept = record("training", figures, _line(figures, argv if argv is not None else sys.argv[1:]))
    _print(results)
    Console().print(f"Kept in {kept}", markup=False)
    return 0


def _measure(size: int, arguments: argparse.Namespace) -> dict[str, Any]:
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in arguments.ways}
    for _ in range(arguments.rounds):
        for way in arguments.ways:
            runs[way].append(_in_a_process(way, size, arguments))
    return {
        "rows": size,
        "ways": {
            way: {
                "seconds": median(run["seconds"] for run in each),
                "seconds_each": [run["seconds"] for run in each],
                "cpu_seconds": median(run["cpu_seconds"] for run in each),
                "linear_seconds": median(run["linear_seconds"] for run in each),
                "load": median(run["load"] for run in each),
                "peak_mb": median(run["peak_mb"] for run in each),
                "accuracy": median(run["accuracy"] for run in each),
                "winner": each[0]["winner"],
                "skipped": each[0]["skipped"],
            }
            for way, each in runs.items()
        },
    }


def _in_a_process(way: str, size: int, arguments: argparse.Namespace) -> dict[str, Any]:
    command = [
        sys.executable, "-m", "benchmarks.training", "--one", way, str(size),
        "--labels", str(arguments.labels), "--budget", str(arguments.budget),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{way} at {size} rows failed:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout))


def _cpu() -> float:
    """Processor seconds of this process and of what it started and has ended."""
    each = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in each)


def run_one(way: str, rows: int, labels: int, budget: float) -> dict[str, Any]:
    """Train one way on made vectors, in this process."""
    vectors, names, families = made(rows + TEST_ROWS, labels)
    known, test = slice(0, rows), slice(rows, None)
    started, cpu, linear = time.perf_counter(), _cpu(), 0.0
    if way == PLAIN:
        predict, winner, skipped = _plain(vectors[known], names[known])
    else:
        examples = Examples(vectors[known], names[known], np.full(rows, "made"), families[known])
        if way == RIDGE:
            found = search(examples, classifier="svm", kinds=(Ridge.kind,), budget=budget)
        else:
            found = search(examples, classifier=way, budget=budget)
        head = fit(found)
        winner, skipped = found.winner.candidate.name, found.skipped
        kinds = [one.kind for one in (Ridge, Logistic)]
        linear = sum(one.seconds for one in found.tried if one.name.partition(",")[0] in kinds)

        def predict(asked: NDArray[np.float32]) -> NDArray[np.str_]:
            said: NDArray[np.str_] = np.asarray(head.classes)[head.predict_proba(asked).argmax(1)]
            return said

    seconds = time.perf_counter() - started
    if way == PLAIN:
        get_reusable_executor().shutdown()  # or its workers' processor time is not known yet
    usage = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": seconds,
        "cpu_seconds": _cpu() - cpu,
        "linear_seconds": linear,
        "load": os.getloadavg()[0],
        "peak_mb": max(each.ru_maxrss for each in usage) / 1024,
        "accuracy": float((predict(vectors[test]) == names[test]).mean()),
        "winner": winner,
        "skipped": skipped,
    }


Predict = Callable[[NDArray[np.float32]], NDArray[np.str_]]


def _plain(
    vectors: NDArray[np.float32], names: NDArray[np.str_]
) -> tuple[Predict, str, dict[str, str]]:
    """What a user would write."""
    grid = {"C": list(LOGISTIC_RAW)}
    model = GridSearchCV(LogisticRegression(max_iter=1000), grid, cv=5, n_jobs=-1)
    model.fit(vectors, names)
    return model.predict, f"C={model.best_params_['C']:g}", {}


def made(
    rows: int, labels: int, *, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.str_], NDArray[np.str_]]:
    """Vectors (rows, DIM) like an embedder's, their labels, and their families."""
    random = np.random.default_rng(seed)
    spread = (np.arange(1, DIM + 1) ** -0.6).astype(np.float32)
    centres = random.standard_normal((CLUSTERS * labels, DIM), dtype=np.float32) * spread * 0.5
    family = np.arange(rows)
    again = random.random(rows) < 0.05  # near-duplicates of a picture a little before
    family[again] = np.maximum(family[again] - random.integers(1, 20, again.sum()), 0)
    cluster = random.integers(CLUSTERS * labels, size=rows)[family]
    vectors = random.standard_normal((rows, DIM), dtype=np.float32) * spread
    vectors[again] = vectors[family[again]] + 0.05 * vectors[again]
    vectors += centres[cluster]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    wrong = random.random(rows) < 0.03
    codes = np.where(wrong, random.integers(labels, size=rows), cluster % labels)
    return vectors, np.char.add("label ", codes.astype(str)), family.astype(str)


def _line(figures: dict[str, Any], argv: Sequence[str]) -> str:
    parts = []
    for size in figures["sizes"]:
        ways = ", ".join(
            f"{way} {one['seconds']:.2f} s{_of_it(way, one)}, {one['cpu_seconds']:.1f} CPU s, "
            f"{one['peak_mb']:.0f} MB, accuracy {one['accuracy']:.3f}, load {one['load']:.1f}"
            for way, one in size["ways"].items()
        )
        parts.append(f"{size['rows']:,} x {DIM}: {ways}")
    command = " ".join(["python -m benchmarks.training", *argv])
    return f"`{command}` ({figures['labels']} labels): " + "; ".join(parts)


def _of_it(way: str, figures: dict[str, Any]) -> str:
    return f" (linear {figures['linear_seconds']:.2f})" if way == AUTO else ""


def _print(results: Sequence[dict[str, Any]]) -> None:
    table = Table("rows", "way", "seconds", "CPU seconds", "peak MB", "accuracy", "winner")
    for size in results:
        for way, one in size["ways"].items():
            table.add_row(
                f"{size['rows']:,}",
                way,
                f"{one['seconds']:.2f}{_of_it(way, one)}",
                f"{one['cpu_seconds']:.1f}",
                f"{one['peak_mb']:.0f}",
                f"{one['accuracy']:.3f}",
                one["winner"],
            )
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
