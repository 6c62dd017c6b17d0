"""Whether the shortcut alarm rings where it should, and what equalising pictures is worth.

alarm      facts of the files as delivered, and of the files that equalising makes
quiet      pictures under random labels, by how many there are: how often it rings wrongly
unseen     leave-one-source-out on pictures as delivered, by heads trained on pictures as they
           were delivered, on equalised ones, and on both; and, families apart within the largest
           source, on pictures as delivered and in forms exchanged between the labels

Folders are of <source>/<label>, or of <label>; vectors are remembered between runs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from sklearn.metrics import roc_auc_score

from benchmarks.forms import (
    DELIVERED,
    EQUALISED,
    EXCHANGED,
    Delivered,
    examples,
    facts_of_equalised,
    read,
)
from benchmarks.ledger import record
from config import load_settings
from domain import ExposrError, NotEnoughData, TaskKind
from embeddings import load_embedders
from models.batch import fit, search
from models.examples import Examples
from models.folds import family_folds, source_folds
from models.metrics import calibration_error
from models.shortcuts import Alarm, check

ALARM, QUIET, UNSEEN = "alarm", "quiet", "unseen"
SIZES = (5, 10, 20, 50, 100)
CLASSIFIER = "logistic_regression"
BOTH = "both"


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.shortcuts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("protocol", choices=(ALARM, QUIET, UNSEEN))
    parser.add_argument("folders", nargs="+", type=Path, help="of <source>/<label> or <label>")
    parser.add_argument("--kind", type=TaskKind, choices=list(TaskKind), required=True)
    parser.add_argument("--most", type=int, default=0, help="pictures of a label and source")
    parser.add_argument("--draws", type=int, default=40, help="random labellings of each size")
    parser.add_argument("--budget", type=float, default=20.0, help="seconds a search")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and keep the figures."""
    arguments = parse_arguments(argv)
    measure = {ALARM: _alarms, QUIET: _quiet, UNSEEN: _unseen}[arguments.protocol]
    try:
        files = read(arguments.folders, arguments.kind, most=arguments.most)
        figures, line = measure(files, arguments)
    except ExposrError as error:
        Console(stderr=True).print(error.message, style="red", markup=False)
        return 1
    first = arguments.folders[0].resolve().name
    kept = record(
        f"shortcuts-{arguments.protocol}-{first}",
        {"folders": [str(one) for one in arguments.folders], "pictures": len(files), **figures},
        f"`python -m benchmarks.shortcuts {arguments.protocol} "
        f"{' '.join(one.resolve().name for one in arguments.folders)}` "
        f"({len(files)} pictures): {line}",
    )
    Console().print(line, f"\nKept in {kept}", markup=False, soft_wrap=True)
    return 0


# --- the alarm ---


def _checked(files: Sequence[Delivered], facts: Sequence[Any], labels: Sequence[str]) -> Alarm:
    families, sources = [one.family for one in files], [one.source for one in files]
    return check(facts, labels, families, sources, bar=load_settings().shortcut_bar)


def _alarms(
    files: Sequence[Delivered], arguments: argparse.Namespace
) -> tuple[dict[str, Any], str]:
    labels, started = [one.label for one in files], time.perf_counter()
    before = _checked(files, [one.facts for one in files], labels)
    seconds = time.perf_counter() - started
    after = _checked(files, facts_of_equalised(files, arguments.kind), labels)
    figures = {DELIVERED: before.as_json(), EQUALISED: after.as_json(), "seconds": seconds}
    return figures, f"{_told(before)}, {seconds:.1f} s; equalised: {_told(after)}"


def _told(alarm: Alarm) -> str:
    if alarm.score is None:
        return f"not measured: {alarm.note}"
    facts = ", ".join(f"{leak.fact} {leak.score:.2f}" for leak in alarm.facts[:4])
    together = f", together {alarm.together.score:.2f}" if alarm.together else ""
    return f"{'ALARM' if alarm.raised else 'quiet'} at {alarm.score:.2f} ({facts}{together})"


def _quiet(files: Sequence[Delivered], arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    rng, figures = np.random.default_rng(0), dict[str, Any]()
    for size in SIZES:
        if 2 * size > len(files):
            break
        found = []
        for _ in range(arguments.draws):
            some = [files[row] for row in rng.permutation(len(files))[: 2 * size]]
            found.append(_checked(some, [one.facts for one in some], ["a", "b"] * size))
        figures[str(size)] = {
            "raised": sum(one.raised for one in found),
            "draws": len(found),
            "highest": max(one.score or 0 for one in found),
        }
    line = ", ".join(
        f"{size} a label {one['raised']} of {one['draws']} (highest {one['highest']:.2f})"
        for size, one in figures.items()
    )
    return figures, f"random labels raise it: {line}"


# --- what equalising is worth ---


def _unseen(
    files: Sequence[Delivered], arguments: argparse.Namespace
) -> tuple[dict[str, Any], str]:
    embedder = load_embedders(load_settings())[arguments.kind]
    forms = {
        form: examples(files, form, embedder, arguments.kind)
        for form in (DELIVERED, EQUALISED, EXCHANGED)
    }
    asked = forms[DELIVERED]
    folds = source_folds(asked)
    if len(asked.classes) != 2 or len(folds) < 2:
        raise NotEnoughData("Two labels are needed, and two sources that hold both.")
    lessons = {
        DELIVERED: [asked],
        EQUALISED: [forms[EQUALISED]],
        BOTH: [asked, forms[EQUALISED]],
    }
    figures = {
        name: {
            **_left_out(lesson, asked, folds, arguments.budget),
            **_within(lesson, forms, arguments.budget),
        }
        for name, lesson in lessons.items()
    }
    line = "; ".join(
        f"trained {name}: AUC {one['pooled']:.3f} pooled, {one['mean']:.3f} a source, "
        f"ECE {one['calibration_error']:.3f}, within {one['within']} {one[DELIVERED]:.3f}, "
        f"its forms exchanged {one[EXCHANGED]:.3f}"
        for name, one in figures.items()
    )
    return {"embedder": embedder.id, **figures}, f"{embedder.id}, asked as delivered, {line}"


def _left_out(
    lesson: Sequence[Examples], asked: Examples, folds: dict[str, Any], budget: float
) -> dict[str, Any]:
    scores = {
        source: _scores([one.take(train) for one in lesson], asked.take(test), budget)
        for source, (train, test) in folds.items()
    }
    truth = {source: asked.codes[test] for source, (_, test) in folds.items()}
    each = {source: float(roc_auc_score(truth[source], scores[source])) for source in folds}
    pooled = roc_auc_score(np.concatenate([*truth.values()]), np.concatenate([*scores.values()]))
    chances = np.concatenate([*scores.values()])
    error = calibration_error(
        np.concatenate([asked.labels[test] for _, test in folds.values()]),
        np.stack([1 - chances, chances], axis=1),
        asked.classes,
    )
    mean = float(np.mean([*each.values()]))
    return {"pooled": float(pooled), "mean": mean, "calibration_error": error, "sources": each}


def _within(
    lesson: Sequence[Examples], forms: dict[str, Examples], budget: float
) -> dict[str, Any]:
    """Families apart within the largest source: as delivered, and with the forms exchanged."""
    names, sizes = np.unique(forms[DELIVERED].sources, return_counts=True)
    largest = str(names[sizes.argmax()])
    inside = np.flatnonzero(forms[DELIVERED].sources == largest)
    asked = {form: forms[form].take(inside) for form in (DELIVERED, EXCHANGED)}
    scores = {form: np.empty(len(inside)) for form in asked}
    for train, test in family_folds(asked[DELIVERED]):
        taught = [one.take(inside).take(train) for one in lesson]
        for form, known in asked.items():
            scores[form][test] = _scores(taught, known.take(test), budget)
    truth = asked[DELIVERED].codes
    areas = {form: float(roc_auc_score(truth, part)) for form, part in scores.items()}
    return {"within": largest, **areas}


def _scores(lesson: Sequence[Examples], asked: Examples, budget: float) -> NDArray[np.float64]:
    found = search(_joined(lesson), classifier=CLASSIFIER, budget=budget)
    return np.asarray(fit(found).predict_proba(asked.vectors)[:, 1])


def _joined(parts: Sequence[Examples]) -> Examples:
    return Examples(
        np.concatenate([one.vectors for one in parts]),
        np.concatenate([one.labels for one in parts]),
        np.concatenate([one.sources for one in parts]),
        np.concatenate([one.families for one in parts]),
    )


if __name__ == "__main__":
    sys.exit(main())
