"""How often a heat map is better than chance, and how long it takes to find out.

A head is taught some pictures of each label; maps are looked for of its answers to others. As a
control the same answers are tried with maps whose cells were dealt by chance: these must not hold
more often than one time in twenty.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.ledger import record
from domain import BadImage, ExposrError, NotEnoughData, Task, TaskKind
from embeddings import Embedder
from embeddings.builtin import Builtin
from embeddings.covering import Coverable
from embeddings.images import Picture, decode
from heatmap import Asked, Found, look_for, tested_score
from models.heat import try_heat
from models.taught import Shown, Statistics, TaughtHead
from scraper.folders import survey
from terminal import progress_bar

LONGEST = 8
"""Labels at most: more make no other map."""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.heatmaps",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="of <label>")
    parser.add_argument("--kind", type=TaskKind, choices=list(TaskKind), required=True)
    parser.add_argument("--teach", type=int, default=60, help="pictures a label")
    parser.add_argument("--ask", type=int, default=30, help="other pictures, of all labels")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print JSON, and keep the figures."""
    arguments = parse_arguments(argv)
    try:
        figures = measure(arguments)
    except ExposrError as error:
        Console(stderr=True).print(error.message, style="red", markup=False)
        return 1
    kept = record(f"heatmaps-{arguments.folder.resolve().name}", figures, _line(figures))
    print(json.dumps(figures, indent=2))
    Console(stderr=True).print(f"Kept in {kept}", markup=False, soft_wrap=True)
    return 0


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything but printing and keeping.

    Raises
    ------
    NotEnoughData
        There are not two labels with enough pictures.
    """
    embedder = Builtin(arguments.kind)
    taught, asked = _dealt(arguments)
    labels = tuple(sorted({label for _, label in taught}))
    if len(labels) < 2 or not asked:
        raise NotEnoughData(f"There are too few pictures in {arguments.folder}.")
    head = _head(embedder, taught)
    task = Task(0, "measured", arguments.kind, labels, False, datetime.now(UTC))
    held, by_chance, right, seconds, drops = [], [], [], [], []
    with progress_bar("Looking for maps", len(asked)) as advance:
        for place, (picture, label) in enumerate(asked):
            chances = head.predict_proba(embedder.embed([picture]))[0]
            best = head.classes[int(chances.argmax())]
            question = Asked(task, head, best, embedder, picture)
            started = time.perf_counter()
            found = look_for(question)
            seconds.append(time.perf_counter() - started)
            held.append(found.trial.holds)
            drops.append(found.trial.drop)
            right.append(best == label)
            by_chance.append(_dealt_map_holds(question, found, place))
            advance(1)
    return {
        "pictures": len(asked),
        "labels": len(labels),
        "accuracy": float(np.mean(right)),
        "held": float(np.mean(held)),
        "held_by_chance": float(np.mean(by_chance)),
        "median_drop": float(np.median(drops)),
        "median_seconds": float(np.median(seconds)),
        "longest_seconds": float(np.max(seconds)),
    }


def _dealt_map_holds(asked: Asked, found: Found, seed: int) -> bool:
    """Whether the map with its cells shuffled passes: it must not."""
    random = np.random.default_rng(seed)
    shuffled = random.permutation(found.heat.ravel()).reshape(found.heat.shape)
    coverable = Coverable.of(asked.picture, asked.task.kind)
    return try_heat(shuffled, tested_score(asked, coverable, found.grid), seed=seed).holds


def _dealt(
    arguments: argparse.Namespace,
) -> tuple[list[tuple[Picture, str]], list[tuple[Picture, str]]]:
    """Pictures to teach and others to ask about, in an order by chance."""
    random = np.random.default_rng(arguments.seed)
    by_label: dict[str, list[Path]] = {}
    for one in survey(arguments.folder, label=None).pictures:
        by_label.setdefault(one.label, []).append(one.path)
    labels = sorted(by_label)[:LONGEST]
    each = -(-arguments.ask // max(len(labels), 1))
    taught: list[tuple[Picture, str]] = []
    asked: list[tuple[Picture, str]] = []
    for label in labels:
        opened: list[tuple[Picture, str]] = []
        for place in random.permutation(len(by_label[label])):
            if len(opened) == arguments.teach + each:
                break
            try:
                opened.append((decode(by_label[label][place].read_bytes()), label))
            except BadImage:
                continue
        asked.extend(opened[:each])
        taught.extend(opened[each:])
    return taught, asked[: arguments.ask]


def _head(embedder: Embedder, taught: Sequence[tuple[Picture, str]]) -> TaughtHead:
    statistics = Statistics()
    for place, (picture, label) in enumerate(taught):
        name = hashlib.sha256(f"{place}".encode()).hexdigest()
        statistics.add(Shown(name, label, 1, embedder.embed([picture])))
    return statistics.solve()


def _line(figures: dict[str, Any]) -> str:
    return (
        f"`{' '.join(['python -m benchmarks.heatmaps', *sys.argv[1:]])}` ({figures['labels']} "
        f"labels, accuracy {figures['accuracy']:.2f}): of {figures['pictures']} answers "
        f"{figures['held']:.0%} have a map better than chance; maps dealt by chance pass "
        f"{figures['held_by_chance']:.0%}; {figures['median_seconds']:.1f} s each, "
        f"{figures['longest_seconds']:.1f} s at most"
    )


if __name__ == "__main__":
    sys.exit(main())
