"""How often it is right, on pictures, sources and amounts of teaching it has not seen.

Pictures become vectors by the embedder of their kind (ENCODER and the CLIP settings choose it),
and heads come out of the service's own grid search. Protocols:

random                a share of the families held out, several times; says least about new sources
leave-one-source-out  each source in turn by a head that saw only the others
shots                 k pictures a label are taught, all others asked
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from benchmarks.gather import Gathered, Recipe, gather
from benchmarks.ledger import record
from benchmarks.trials import RANDOM, SHOTS, UNSEEN, Trial, few_shots, random_parts, unseen_sources
from config import load_settings
from domain import ExposrError, NotEnoughData, TaskKind
from embeddings import load_embedders
from models.answered import Answered as Unseen
from models.batch import BatchHead, fit, search
from models.examples import Examples
from models.metrics import measure
from models.promise import ACCUSED, CLEARED, make_promise
from terminal import progress_bar

FEWEST_C = 30.0
"""Logistic regression's C where there are too few pictures of a label to search."""
RESAMPLES = 1_000
SHOWN = {
    "accuracy": "right",
    "balanced_accuracy": "balanced",
    "roc_auc": "AUC",
    "expected_calibration_error": "ECE",
    "share_answered": "answered",
    "error_of_answered": "of these wrong",
    "false_accusations": "real accused",
}
"""Figures that are averaged, and their short names; the last three at the budget."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a head said of one examination."""

    trial: Trial
    chances: NDArray[np.float64]
    classes: tuple[str, ...]
    limits: dict[str, float | None]
    classifier: str
    seconds: float


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", type=Path, help="of <source>/<label> or <label>")
    parser.add_argument("--kind", type=TaskKind, choices=list(TaskKind), required=True)
    parser.add_argument("--protocol", choices=(RANDOM, UNSEEN, SHOTS), default=RANDOM)
    parser.add_argument("--labels", nargs="+", default=[], help="only these")
    parser.add_argument("--seeds", type=int, default=5, help="random splits or lessons")
    parser.add_argument("--test-share", type=float, default=0.25, help="held out by random")
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 3, 5, 10])
    parser.add_argument("--copies", action="store_true", help="teach changed copies as well")
    parser.add_argument(
        "--equalise",
        type=int,
        nargs="?",
        const=256,
        default=0,
        metavar="SIDE",
        help="re-encode every picture to one size and quality first",
    )
    parser.add_argument("--classifier", default="auto", help="a family of the search, or auto")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds a search")
    parser.add_argument("--false-accusations", type=float, help="budget; else the setting")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and keep the figures."""
    arguments = parse_arguments(argv)
    try:
        figures = measure_folders(arguments)
    except ExposrError as error:
        Console(stderr=True).print(error.message, style="red", markup=False)
        return 1
    name = "-".join(
        ["accuracy", arguments.folders[0].resolve().name, arguments.protocol]
        + (["equalised"] if arguments.equalise else [])
        + (["copies"] if arguments.copies else [])
    )
    kept = record(name, figures, _line(figures, argv if argv is not None else sys.argv[1:]))
    _print(figures)
    Console().print(f"Kept in {kept}", markup=False, soft_wrap=True)
    return 0


def measure_folders(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything but printing and keeping.

    Raises
    ------
    NotEnoughData
        No lesson can be made of these pictures.
    """
    settings = load_settings()
    embedder = load_embedders(settings)[arguments.kind]
    recipe = Recipe(embedder, arguments.kind, arguments.equalise, arguments.copies)
    gathered = gather(arguments.folders, recipe, arguments.labels)
    examples = gathered.examples
    trials = list(_trials(arguments, examples))
    if len(examples.classes) < 2 or not trials:
        raise NotEnoughData(
            f"No examination can be made of {len(examples)} pictures of "
            f"{len(examples.classes)} labels and {len(np.unique(examples.sources))} sources."
        )
    budget = arguments.false_accusations or settings.max_false_accusation
    with progress_bar("Examining", len(trials)) as advance:
        answers = []
        for trial in trials:
            answers.append(_examine(gathered, trial, arguments, budget))
            advance(1)
    return {
        "protocol": arguments.protocol,
        "folders": [str(folder) for folder in arguments.folders],
        "embedder": embedder.id,
        "equalise": arguments.equalise,
        "copies": int(gathered.copies.shape[1]),
        "false_accusation_budget": budget,
        "pictures": len(examples),
        "families": len(np.unique(examples.families)),
        "unreadable": gathered.unreadable,
        "per_label": {c: int((examples.labels == c).sum()) for c in examples.classes},
        "groups": _groups(answers, examples),
    }


def _trials(arguments: argparse.Namespace, examples: Examples) -> list[Trial]:
    if arguments.protocol == UNSEEN:
        return unseen_sources(examples)
    if arguments.protocol == RANDOM:
        return random_parts(examples, arguments.test_share, arguments.seeds)
    return few_shots(examples, arguments.shots, arguments.seeds)


def _examine(
    gathered: Gathered, trial: Trial, arguments: argparse.Namespace, budget: float
) -> Answered:
    lesson, asked = gathered.lesson(trial.train), gathered.examples.take(trial.test)
    started = time.perf_counter()
    try:
        found = search(lesson, classifier=arguments.classifier, budget=arguments.budget)
    except NotEnoughData:  # one family of a label cannot be cross-validated
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
            model = LogisticRegression(C=FEWEST_C, max_iter=500).fit(lesson.vectors, lesson.labels)
        head, name = BatchHead(model), f"logistic regression, C={FEWEST_C:g}"
        limits: dict[str, float | None] = {ACCUSED: None, CLEARED: None}
    else:
        head, name = fit(found), found.winner.candidate.name
        of = (lesson.labels, lesson.families, lesson.sources)
        rates = {label: budget for label in (ACCUSED, CLEARED) if label in head.classes}
        promise = make_promise(head.classes, Unseen(*of, found.out_of_fold_served()), rates)
        limits = {label: limit["from"] for label, limit in promise["labels"].items()}
    chances = head.predict_proba(asked.vectors)
    return Answered(trial, chances, head.classes, limits, name, time.perf_counter() - started)


def _groups(answers: Sequence[Answered], examples: Examples) -> list[dict[str, Any]]:
    groups = []
    for name in dict.fromkeys(answer.trial.group for answer in answers):
        each = [answer for answer in answers if answer.trial.group == name]
        figures = [_figures(answer, examples) for answer in each]
        group: dict[str, Any] = {"name": name, "trials": figures}
        for key in SHOWN:
            values = [one[key] for one in figures if one.get(key) is not None]
            if values:
                group[key] = {"mean": float(np.mean(values)), "spread": float(np.std(values))}
        if name == UNSEEN:
            group["pooled"] = _pooled(each, examples)
        groups.append(group)
    return groups


def _figures(answer: Answered, examples: Examples) -> dict[str, Any]:
    asked = examples.take(answer.trial.test)
    figures = measure(asked.labels, answer.chances, answer.classes)
    figures.pop("confusion")
    return {
        "name": answer.trial.name,
        "taught": len(answer.trial.train),
        "classifier": answer.classifier,
        "seconds": round(answer.seconds, 2),
        **figures,
        **_at_budget(answer, asked.labels),
    }


def _at_budget(answer: Answered, labels: NDArray[np.str_]) -> dict[str, Any]:
    """Between the scores from which ai and real are said it stays unsure."""
    if not {ACCUSED, CLEARED} <= set(answer.classes):
        return {}
    accused, cleared = (_said(answer, label) for label in (ACCUSED, CLEARED))
    is_ai, answered = labels == ACCUSED, accused | cleared
    wrong = (accused & ~is_ai) | (cleared & is_ai)
    return {
        "accuse": answer.limits[ACCUSED],
        "share_answered": float(answered.mean()),
        "error_of_answered": float(wrong[answered].mean()) if answered.any() else None,
        "false_accusations": float(accused[~is_ai].mean()) if (~is_ai).any() else None,
        "ai_accused": float(accused[is_ai].mean()) if is_ai.any() else None,
    }


def _said(answer: Answered, label: str) -> NDArray[np.bool_]:
    """(n,) whether a score reaches that from which the label is said."""
    at = answer.limits[label]
    column = answer.chances[:, answer.classes.index(label)]
    return np.asarray(column >= (np.inf if at is None else at))


def _pooled(answers: Sequence[Answered], examples: Examples) -> dict[str, Any]:
    """All sources in one heap, each by its own head; the spread is by drawing pictures anew."""
    heap = examples.take(np.concatenate([answer.trial.test for answer in answers]))
    chances = np.concatenate([answer.chances for answer in answers])
    figures = measure(heap.labels, chances, answers[0].classes)
    figures.pop("confusion")
    if len(answers[0].classes) == 2:
        rng, positive = np.random.default_rng(0), heap.labels == answers[0].classes[1]
        draws = (rng.integers(0, len(heap), len(heap)) for _ in range(RESAMPLES))
        both = (d for d in draws if positive[d].any() and not positive[d].all())
        areas = [roc_auc_score(positive[d], chances[d, 1]) for d in both]
        figures["roc_auc_95"] = [float(x) for x in np.percentile(areas, [2.5, 97.5])]
    return figures


def _line(figures: dict[str, Any], argv: Sequence[str]) -> str:
    """What the log keeps: the command, and per group the means with their spread."""
    parts = []
    for group in figures["groups"]:
        shown = [f"{key} {_text(group[key])}" for key in SHOWN if key in group]
        if "pooled" in group:
            low, high = group["pooled"].get("roc_auc_95", (float("nan"),) * 2)
            area = group["pooled"]["roc_auc"]
            shown.append(f"pooled roc_auc {area:.3f} ({low:.3f} to {high:.3f})")
        parts.append(f"{group['name']}: {', '.join(shown)}")
    about = f"{figures['embedder']}, {figures['pictures']} pictures, {figures['families']} families"
    return f"`python -m benchmarks.accuracy {' '.join(argv)}` ({about}): {'; '.join(parts)}"


def _text(value: dict[str, float]) -> str:
    return f"{value['mean']:.3f}±{value['spread']:.3f}"


def _print(figures: dict[str, Any]) -> None:
    table = Table(title=f"{figures['protocol']}, {figures['embedder']}")
    keys = [key for key in SHOWN if any(key in group for group in figures["groups"])]
    table.add_column("")
    for key in keys:
        table.add_column(SHOWN[key], justify="right")
    for group in figures["groups"]:
        table.add_row(group["name"], *(_text(group[key]) if key in group else "" for key in keys))
        if "pooled" in group:
            pooled = group["pooled"]
            cells = (f"{pooled[k]:.3f}" if pooled.get(k) is not None else "" for k in keys)
            table.add_row("pooled", *cells)
        for trial in group["trials"] if group["name"] == UNSEEN else ():
            cells = (f"{trial[k]:.3f}" if trial.get(k) is not None else "" for k in keys)
            table.add_row(f"  {trial['name']}", *cells)
    Console(width=max(Console().width, 16 * len(keys) + 28)).print(table)


if __name__ == "__main__":
    sys.exit(main())
