"""Which parts of the built-in authenticity vector carry over to sources it was not taught on.

Each source that holds both labels is left out in turn and asked by a head that saw the others.
The whole vector, each of its parts alone, and the vector without each part, as delivered and
with every picture brought to the same drawn forms, by a linear and a curved head:

ridge   standardised columns, every source and label weighed by the root of its size
kernel  the same with a Gaussian kernel as wide as the vectors are apart

`pooled` puts the answers of all left-out sources in one heap, `mean` is of each source's AUC; the
ranges are by drawing each source's pictures anew. Parts that a part is chosen among on the same
sources flatter it: see benchmarks/LOG.md for what a nested choice gained.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import rankdata

from benchmarks.forms import DELIVERED, EQUALISED, examples, read
from benchmarks.ledger import record
from domain import ExposrError, NotEnoughData, TaskKind
from embeddings.builtin import Builtin
from embeddings.builtin.authenticity import PARTS
from models.examples import Examples
from models.folds import source_folds

RIDGE, KERNEL = "ridge", "kernel"
WHOLE = "whole"
PENALTY = 1.0
FURTHEST = 4.0
"""Standard deviations at which a standardised column is cut off."""
DRAWS = 300
Answers = dict[str, tuple[NDArray[np.float64], NDArray[np.bool_]]]
Vectors = NDArray[np.float32]


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.campaign",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", type=Path, help="of <source>/<label>")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and keep the figures."""
    arguments = parse_arguments(argv)
    try:
        figures = measure_folders(arguments.folders)
    except ExposrError as error:
        Console(stderr=True).print(error.message, style="red", markup=False)
        return 1
    names = " ".join(folder.resolve().name for folder in arguments.folders)
    told = "; ".join(_told(one) for one in figures["trials"] if one["columns"] == WHOLE)
    line = f"`python -m benchmarks.campaign {names}` ({figures['embedder']}): {told}"
    kept = record("campaign", figures, line)
    _print(figures["trials"])
    Console().print(f"Kept in {kept}", markup=False, soft_wrap=True)
    return 0


def measure_folders(folders: Sequence[Path]) -> dict[str, Any]:
    """Every choice of columns by every head in every form.

    Raises
    ------
    NotEnoughData
        Fewer than two sources hold both labels, or there are not two labels.
    """
    files, embedder = read(folders, TaskKind.AUTHENTICITY), Builtin(TaskKind.AUTHENTICITY)
    trials = []
    for form in (DELIVERED, EQUALISED):
        known = examples(files, form, embedder, TaskKind.AUTHENTICITY)
        if len(known.classes) != 2 or len(source_folds(known)) < 2:
            raise NotEnoughData("Two labels are needed, and two sources that hold both.")
        for name, columns in _choices():
            for head in (RIDGE, KERNEL):
                answers = leave_sources_out(known, columns, head)
                about = {"form": form, "columns": name, "head": head, "n": len(columns)}
                trials.append({**about, **areas(answers)})
    return {"embedder": embedder.id, "pictures": len(files), "trials": trials}


def _choices() -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Names and columns: all, each part alone, all but each part."""
    of_part = np.repeat(np.arange(len(PARTS)), [*PARTS.values()])
    yield WHOLE, np.arange(len(of_part))
    for number, name in enumerate(PARTS):
        yield f"only {name}", np.flatnonzero(of_part == number)
    for number, name in enumerate(PARTS):
        yield f"without {name}", np.flatnonzero(of_part != number)


def leave_sources_out(known: Examples, columns: NDArray[np.intp], head: str) -> Answers:
    """Scores and truths of each source, by a head that was taught the others."""
    found: Answers = {}
    positive = known.codes == 1
    for source, (taught, asked) in source_folds(known).items():
        weights = _weights(known.codes[taught], known.sources[taught])
        rows = known.vectors[:, columns]
        scores = _scores(rows[taught], positive[taught], weights, rows[asked], head)
        found[source] = scores, positive[asked]
    return found


def _weights(codes: NDArray[np.intp], sources: NDArray[np.str_]) -> NDArray[np.float64]:
    """A source's label counts by the root of its pictures, both labels as much; 1 on average."""
    _, cell, size = np.unique(
        [f"{code} {source}" for code, source in zip(codes, sources, strict=True)],
        return_inverse=True,
        return_counts=True,
    )
    weights = size[cell] ** -0.5
    weights /= np.bincount(codes, weights)[codes]
    return np.asarray(weights * len(codes) / weights.sum(), np.float64)


def _scores(
    taught: Vectors,
    positive: NDArray[np.bool_],
    weights: NDArray[np.float64],
    asked: Vectors,
    head: str,
) -> NDArray[np.float64]:
    """Weighted ridge regression on labels of plus and minus one, by its dual."""
    middle, spread = taught.mean(0), taught.std(0)
    spread[spread < 1e-9] = np.inf
    train, test = (
        np.clip((rows - middle) / spread, -FURTHEST, FURTHEST).astype(np.float64)
        / taught.shape[1] ** 0.5
        for rows in (taught, asked)
    )
    kernel, across = train @ train.T, test @ train.T
    if head == KERNEL:
        inside, outside = (train**2).sum(1), (test**2).sum(1)
        kernel = np.exp(kernel - (inside[:, None] + inside) / 2)
        across = np.exp(across - (outside[:, None] + inside) / 2)
    # the added one is a column of ones: the offset
    system = kernel + 1 + PENALTY * np.diag(1 / weights)
    return np.asarray((across + 1) @ np.linalg.solve(system, np.where(positive, 1.0, -1.0)))


def areas(answers: Answers) -> dict[str, Any]:
    """AUC pooled, on average over sources and of each, with ranges over pictures drawn anew."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(DRAWS):
        again = {}
        for source, (scores, truth) in answers.items():
            # each label by itself, so that no draw of a small source lacks one
            rows = np.concatenate(
                [rng.choice(rows, len(rows)) for rows in map(np.flatnonzero, (truth, ~truth))]
            )
            again[source] = scores[rows], truth[rows]
        drawn.append(_pooled_and_mean(again)[:2])
    pooled, mean, each = _pooled_and_mean(answers)
    ranges = np.percentile(drawn, [2.5, 97.5], axis=0).T.tolist()
    return {
        "pooled": pooled,
        "pooled_95": ranges[0],
        "mean": mean,
        "mean_95": ranges[1],
        "sources": each,
    }


def _pooled_and_mean(answers: Answers) -> tuple[float, float, dict[str, float]]:
    each = {source: _area(truth, scores) for source, (scores, truth) in answers.items()}
    scores = np.concatenate([one for one, _ in answers.values()])
    truth = np.concatenate([one for _, one in answers.values()])
    return _area(truth, scores), float(np.mean([*each.values()])), each


def _area(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Area under the ROC curve by ranks: it is asked for a hundred thousand times."""
    n = int(truth.sum())
    ranks = rankdata(scores)[truth].sum()
    return float((ranks - n * (n + 1) / 2) / (n * (len(truth) - n)))


def _told(trial: Mapping[str, Any]) -> str:
    low, high = trial["pooled_95"]
    pooled = f"{trial['pooled']:.3f} pooled ({low:.3f} to {high:.3f})"
    return f"{trial['form']}, {trial['head']}: {pooled}, {trial['mean']:.3f} a source"


def _print(trials: Sequence[Mapping[str, Any]]) -> None:
    table = Table(title="AUC on sources left out")
    for heading in ("form", "head", "columns", "numbers", "pooled", "95 %", "a source"):
        table.add_column(heading)
    for one in trials:
        low, high = one["pooled_95"]
        cells = (f"{one['pooled']:.3f}", f"{low:.3f} to {high:.3f}", f"{one['mean']:.3f}")
        table.add_row(one["form"], one["head"], one["columns"], str(one["n"]), *cells)
    Console(width=max(Console().width, 110)).print(table)


if __name__ == "__main__":
    sys.exit(main())
