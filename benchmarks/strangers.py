"""How often pictures of a label that nobody taught are told, and known ones taken for strangers.

Some labels are left out; of each other one a few examples are taught. Then pictures of both sorts
are asked about, families of near-duplicates kept together. Both shares are given for the rule's
share of wrong alarms and for others.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.gather import Recipe, gather
from benchmarks.ledger import record
from domain import ExposrError, NotEnoughData, TaskKind
from embeddings.builtin import Builtin
from models.examples import Examples, Rows
from models.labelled import FEWEST, STRANGE, Labelled

LEVELS = (0.01, STRANGE, 0.1)


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.strangers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="of <label>")
    parser.add_argument("--kind", type=TaskKind, choices=list(TaskKind), required=True)
    parser.add_argument("--leave-out", type=int, default=10, help="labels that nobody teaches")
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 3, 5, 10, 15])
    parser.add_argument("--seeds", type=int, default=20)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print JSON, and keep the figures."""
    arguments = parse_arguments(argv)
    try:
        figures = measure(arguments)
    except ExposrError as error:
        Console(stderr=True).print(error.message, style="red", markup=False)
        return 1
    name = f"strangers-{arguments.folder.resolve().name}"
    kept = record(name, figures, _line(arguments, figures))
    print(json.dumps(figures, indent=2))
    Console(stderr=True).print(f"Kept in {kept}", markup=False, soft_wrap=True)
    return 0


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything but printing and keeping.

    Raises
    ------
    NotEnoughData
        There are not more labels than are left out.
    """
    recipe = Recipe(Builtin(arguments.kind), arguments.kind)
    examples = gather([arguments.folder], recipe).examples
    if len(examples.classes) < arguments.leave_out + 2:
        raise NotEnoughData(f"There are only {len(examples.classes)} labels.")
    by_shots = {}
    for shots in arguments.shots:
        rounds = [
            _round(examples, shots, arguments.leave_out, seed) for seed in range(arguments.seeds)
        ]
        by_shots[str(shots)] = {
            f"{level:g}": {
                "wrong": float(np.mean([r[0][level] for r in rounds])),
                "wrong_spread": float(np.std([r[0][level] for r in rounds])),
                "worst_label": float(np.mean([r[2] for r in rounds])),
                "told": float(np.mean([r[1][level] for r in rounds])),
                "told_spread": float(np.std([r[1][level] for r in rounds])),
            }
            for level in LEVELS
        }
    return {
        "pictures": len(examples),
        "labels": len(examples.classes),
        "left_out": arguments.leave_out,
        "seeds": arguments.seeds,
        "shots": by_shots,
    }


def _round(
    examples: Examples, shots: int, leave_out: int, seed: int
) -> tuple[dict[float, float], dict[float, float], float]:
    """Shares called strange of known and of unknown pictures; of the worst known label's."""
    random = np.random.default_rng(seed)
    unknown = set(random.permutation(examples.classes)[:leave_out].tolist())
    taught, fresh, strange = [], [], []
    for label in examples.classes:
        rows = random.permutation(np.flatnonzero(examples.labels == label))
        if label in unknown:
            strange.extend(rows.tolist())
            continue
        few = rows[:shots]
        apart = ~np.isin(examples.families[rows], examples.families[few])
        taught.extend(few.tolist())
        fresh.extend(rows[apart].tolist())
    known = _labelled(examples.take(np.asarray(taught)))
    fresh_chances = _chances(known, examples, np.asarray(fresh))
    strange_chances = _chances(known, examples, np.asarray(strange))
    labels = examples.labels[fresh]
    by_label = [np.mean(fresh_chances[labels == one] <= STRANGE) for one in np.unique(labels)]
    return (
        {level: float(np.mean(fresh_chances <= level)) for level in LEVELS},
        {level: float(np.mean(strange_chances <= level)) for level in LEVELS},
        float(max(by_label)),
    )


def _chances(known: Labelled, examples: Examples, rows: Rows) -> NDArray[np.float64]:
    """By the rule: 1 where too little is known to call anything strange."""
    found = [known.familiarity(vector, "") for vector in examples.vectors[rows]]
    return np.asarray([one.chance if one and one.examined >= FEWEST else 1.0 for one in found])


def _labelled(examples: Examples) -> Labelled:
    names = [f"{place * 7919 % 104729:06d}" for place in range(len(examples))]
    return Labelled(
        ids=np.arange(len(examples), dtype=np.int64),
        sha256s=names,
        families=np.unique(examples.families, return_inverse=True)[1].astype(np.intp),
        labels=examples.codes,
        classes=examples.classes,
        blocks=(examples.vectors,),
        row_of={},
    )


def _line(arguments: argparse.Namespace, figures: dict[str, Any]) -> str:
    told = "; ".join(
        f"{shots} a label: "
        + ", ".join(
            f"at {float(level):.0%} {one['told']:.0%}±{one['told_spread']:.0%} of unknown ones "
            f"told, {one['wrong']:.1%}±{one['wrong_spread']:.1%} of known ones wrongly"
            for level, one in by_level.items()
        )
        for shots, by_level in figures["shots"].items()
    )
    return (
        f"`{' '.join(['python -m benchmarks.strangers', *sys.argv[1:]])}` ({figures['labels']} "
        f"labels, {arguments.leave_out} left out, {arguments.seeds} seeds): {told}"
    )


if __name__ == "__main__":
    sys.exit(main())
