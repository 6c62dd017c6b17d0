"""Whether what is promised is kept: many draws of what is learned and what is met afterwards.

Each draw parts the families anew. Of what is learned a fifth is held out, as in the service; a head
is searched, fitted and calibrated, its scores are promised from, and fresh pictures are judged by
them. The promise is kept in a draw when the share of fresh pictures that are wronged is no more
than was stated. It has to be kept in 95 of 100 draws.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from scipy.stats import betabinom

from benchmarks.gather import Recipe, gather
from benchmarks.ledger import record
from benchmarks.marks import MISSED, Mark, Measured, show
from config import PromiseFor, load_settings
from domain import ExposrError, NotEnoughData, TaskKind
from embeddings import load_embedders
from models.batch import Search, fit, search
from models.card import held_out, not_seen, pictures_left_out
from models.examples import Examples
from models.metrics import calibration_error
from models.promise import ACCUSED, CLEARED, make_promise
from models.unseen import leave_sources_out
from terminal import progress_bar

KEPT, ERROR = 0.95, 0.03
HELD_OUT = 0.2
SECONDS = 600.0
OTHER = {ACCUSED: CLEARED, CLEARED: ACCUSED}


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """What one draw promised and what came of it. `chances` are of fresh pictures."""

    labels: NDArray[np.str_]
    chances: NDArray[np.float64]
    limits: Mapping[str, Mapping[str, Any]]


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.promise",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", type=Path, help="of <source>/<label> with ai, real")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--budget", type=float, default=0.01, help="share that may be wronged")
    parser.add_argument("--learn", type=int, default=500, help="families a label learned from")
    parser.add_argument("--kinds", nargs="+", default=["ridge"], help="classifiers searched")
    parser.add_argument("--promise-for", type=PromiseFor, default=PromiseFor.UNSEEN)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and keep the figures."""
    arguments = parse_arguments(argv)
    try:
        measured = measure(arguments)
    except ExposrError as error:
        Console(stderr=True).print(error.message, style="red", markup=False)
        return 2
    name = f"promise-{arguments.folders[0].resolve().name}-{arguments.budget:g}"
    command = " ".join(argv if argv is not None else sys.argv[1:])
    record(name, measured.document(), f"`python -m benchmarks.promise {command}` {measured.line}")
    show(measured)
    return MISSED if measured.missed() else 0


def measure(arguments: argparse.Namespace) -> Measured:
    """Everything but printing and keeping.

    Raises
    ------
    NotEnoughData
        Nothing would be left to meet afterwards.
    """
    embedder = load_embedders(load_settings())[TaskKind.AUTHENTICITY]
    examples = gather(
        arguments.folders, Recipe(embedder, TaskKind.AUTHENTICITY), [ACCUSED, CLEARED]
    ).examples
    started = time.perf_counter()
    draws = []
    with progress_bar("Drawing", arguments.draws) as advance:
        for seed in range(arguments.draws):
            draws.append(drawn(examples, seed, arguments))
            advance(1)
    return _measured(draws, examples, embedder.id, arguments, time.perf_counter() - started)


def drawn(examples: Examples, seed: int, arguments: argparse.Namespace) -> Draw:
    """Learn from some families, promise, and judge all others by it."""
    train, test, fresh = parted(examples, arguments.learn, seed)
    if min((fresh.labels == label).sum() for label in OTHER) == 0:
        raise NotEnoughData(f"{len(examples)} pictures leave none to meet after learning.")
    found = search(train, kinds=arguments.kinds, budget=SECONDS)
    head = fit(found)
    promise = make_promise(
        head.classes,
        not_seen(found, held_out(head, test)),
        dict.fromkeys(OTHER, arguments.budget),
        left_out=_elsewhere(found) if arguments.promise_for is PromiseFor.UNSEEN else None,
        promise_for=arguments.promise_for,
    )
    chances = head.predict_proba(fresh.vectors)
    return Draw(fresh.labels, chances, promise["labels"])


def _elsewhere(found: Search) -> Any:
    return pictures_left_out(found, leave_sources_out(found, seconds=SECONDS))


def parted(examples: Examples, learn: int, seed: int) -> tuple[Examples, Examples, Examples]:
    """Training rows, held-out rows, fresh ones; families whole, of fresh ones one picture."""
    rng = np.random.default_rng(seed)
    side = {}
    for label in OTHER:
        families = rng.permutation(np.unique(examples.families[examples.labels == label]))
        for place, family in enumerate(families[:learn]):
            side[family] = "test" if place < HELD_OUT * learn else "train"
    sides = np.asarray([side.get(family, "fresh") for family in examples.families])
    fresh = np.flatnonzero(sides == "fresh")
    once = fresh[np.unique(examples.families[fresh], return_index=True)[1]]
    return examples.take(sides == "train"), examples.take(sides == "test"), examples.take(once)


def _measured(
    draws: Sequence[Draw],
    examples: Examples,
    embedder: str,
    arguments: argparse.Namespace,
    seconds: float,
) -> Measured:
    classes = (ACCUSED, CLEARED)
    figures: dict[str, Any] = {
        label: _of_label(draws, label, arguments.budget) for label in classes
    }
    labels = np.concatenate([draw.labels for draw in draws])
    chances = np.concatenate([draw.chances for draw in draws])
    each = [calibration_error(draw.labels, draw.chances, classes) or 0.0 for draw in draws]
    together = calibration_error(labels, chances, classes) or 0.0
    figures["expected_calibration_error"] = {
        "pooled": together, "mean_of_draws": float(np.mean(each))
    }  # fmt: skip
    figures["answered"] = float(np.mean([_answered(draw) for draw in draws]))
    about = {
        "draws": len(draws),
        "budget": arguments.budget,
        "embedder": embedder,
        "pictures": len(examples),
        "families": len(np.unique(examples.families)),
        "fresh": len(draws[0].labels),
        "seconds": round(seconds, 1),
    }
    marks = [
        *(Mark(f"draws that keep it: {label}", figures[label]["kept"], KEPT) for label in classes),
        Mark("expected calibration error, fresh pictures of all draws", together, most=ERROR),
    ]
    return Measured({**about, **figures}, _line(about, figures), marks)


def _of_label(draws: Sequence[Draw], label: str, budget: float) -> dict[str, Any]:
    """How often a label was promised, how often that was kept, and what it found."""
    wronged, found = [], []
    for draw in draws:
        said = _said(draw, label)
        wronged.append(float(said[draw.labels != label].mean()))
        found.append(float(said[draw.labels == label].mean()))
    limits = [draw.limits[label] for draw in draws]
    n_fresh = int((draws[0].labels != label).sum())
    return {
        "promised": float(np.mean([limit["promised"] for limit in limits])),
        "kept": float(np.mean([share <= budget for share in wronged])),
        "kept_by_chance": float(np.mean([_by_chance(one, budget, n_fresh) for one in limits])),
        "wronged_mean": float(np.mean(wronged)),
        "wronged_95": float(np.quantile(wronged, 0.95)),
        "wronged_most": float(np.max(wronged)),
        "recall": float(np.mean(found)),
        "recall_stated": float(np.mean([limit["recall"] for limit in limits])),
        "n_others": float(np.mean([limit["n_others"] for limit in limits])),
        "fresh_others": n_fresh,
    }


def _by_chance(limit: Mapping[str, Any], budget: float, fresh: int) -> float:
    """How often it is kept on so few fresh pictures if they are exactly like the known ones.

    The share beyond the k-th highest of n scores is a Beta variable, and how many of the fresh
    ones reach it is binomial: a perfect promise is broken by so few now and then.
    """
    if limit["from"] is None:
        return 1.0
    allowed = int(budget * fresh)
    k, n = limit["wrongly"], limit["n_others"]
    return float(betabinom.cdf(allowed, fresh, k + 1, n - k))


def _said(draw: Draw, label: str) -> NDArray[np.bool_]:
    at = draw.limits[label]["from"]
    column = draw.chances[:, (ACCUSED, CLEARED).index(label)]
    return np.asarray(column >= (np.inf if at is None else at))


def _answered(draw: Draw) -> float:
    return float((_said(draw, ACCUSED) | _said(draw, CLEARED)).mean())


def _line(about: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    parts = [
        f"{label} said wrongly of {one['wronged_mean']:.2%} on average, {one['wronged_95']:.2%} at "
        f"95 %, within {about['budget']:g} in {one['kept']:.1%} of draws (with exactly alike "
        f"pictures {one['kept_by_chance']:.1%}; promised in {one['promised']:.0%}, from "
        f"{one['n_others']:.0f}; {one['fresh_others']} fresh), finds {one['recall']:.1%} (stated "
        f"{one['recall_stated']:.1%})"
        for label, one in ((label, figures[label]) for label in (ACCUSED, CLEARED))
    ]
    error = figures["expected_calibration_error"]
    return (
        f"({about['embedder']}, {about['families']} families, {about['draws']} draws, "
        f"{about['seconds']:.0f} s): {'; '.join(parts)}; ECE {error['pooled']:.3f} pooled, "
        f"{error['mean_of_draws']:.3f} a draw; {figures['answered']:.1%} answered"
    )


if __name__ == "__main__":
    sys.exit(main())
