"""How words give way to examples: made-up texts beside pictures that are taught one by one.

CLIP's own texts need its weights; where they are not at hand, a label's text is made up: the mean
of all its pictures, and noise so many times as long. Scaled well, such texts are about as sure as
they are right; three times as sharp, they are surer than that, as CLIP's may be.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import ledger
from benchmarks.gather import Recipe, gather
from domain import TaskKind
from embeddings.builtin import Builtin
from models.calibration import log_losses
from models.examples import Examples
from models.taught import Shown, Statistics
from models.words import TextHead, mixed

EXAMPLES = """examples:
  python -m benchmarks.words ../shared/data/smile ../shared/data/hands/indoor
  python -m benchmarks.words ../shared/data/kannada --kind drawing --seeds 3
"""
SCALES = np.geomspace(0.5, 500, 40)
QUANTUM = 2.0**-11


class Words(NamedTuple):
    """Made-up texts: how long their noise is, and how many times too sharp they are."""

    noise: float
    sharp: float


def main(argv: Sequence[str] | None = None) -> None:
    """Measure each folder; print and log."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--kind", type=TaskKind, default=TaskKind.PHOTO)
    parser.add_argument("--shots", nargs="+", type=int, default=[1, 2, 3, 5, 10, 20])
    parser.add_argument("--noise", nargs="+", type=float, default=[2.0, 15.0, 40.0])
    parser.add_argument("--sharp", nargs="+", type=float, default=[1.0, 3.0])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--asked", type=int, default=400, help="pictures at most a trial")
    arguments = parser.parse_args(argv)
    for folder in arguments.folders:
        examples = gather([folder], Recipe(Builtin(arguments.kind), arguments.kind)).examples
        figures = {}
        for words in (Words(n, s) for n in arguments.noise for s in arguments.sharp):
            key = f"noise {words.noise:g}, sharp {words.sharp:g}"
            figures[key] = measure(examples, words, arguments)
            print(folder.name, key, *(f"\n  {k}: {v}" for k, v in figures[key].items()))
        worst = max(
            max(one["words"], one["taught"]) - one["both"]
            for each in figures.values()
            for one in each.values()
        )
        line = (
            f"`python -m benchmarks.words` on {folder.name} ({len(examples)} pictures, "
            f"{arguments.seeds} seeds, load {os.getloadavg()[0]:.1f}): both together are at most "
            f"{100 * worst:.1f} points behind the better of the two; "
            + "; ".join(f"{key}: {_short(each)}" for key, each in figures.items())
        )
        ledger.record(f"words-{folder.name}", {"figures": figures}, line)


def _short(each: dict[int, dict[str, float]]) -> str:
    parts = ("words", "taught", "both")
    rates = {k: " / ".join(f"{100 * one[part]:.0f}" for part in parts) for k, one in each.items()}
    return ", ".join(f"{k} shots {rate} %" for k, rate in rates.items())


def measure(
    examples: Examples, words: Words, arguments: argparse.Namespace
) -> dict[int, dict[str, float]]:
    """Accuracy and log loss of words, of what was taught, and of both; means over seeds."""
    found: dict[int, list[dict[str, float]]] = {k: [] for k in arguments.shots}
    for seed in range(arguments.seeds):
        random = np.random.default_rng(seed)
        head = made_up(examples, words, random)
        order = random.permutation(len(examples))
        for k in arguments.shots:
            ranks = {c: order[examples.codes[order] == c][:k] for c in np.unique(examples.codes)}
            shown = np.concatenate(list(ranks.values()))
            rest = order[~np.isin(examples.families[order], examples.families[shown])]
            found[k].append(_trial(examples, head, shown, rest[: arguments.asked]))
    return {
        k: {name: round(float(np.mean([one[name] for one in each])), 4) for name in each[0]}
        for k, each in found.items()
    }


def made_up(examples: Examples, words: Words, random: np.random.Generator) -> TextHead:
    """Texts for the labels of these examples, scaled as their own pictures suit best."""
    rows, codes = examples.vectors.astype(np.float64), examples.codes
    means = np.stack([rows[codes == c].mean(0) for c in np.unique(codes)]) - rows.mean(0)
    noise = random.standard_normal(means.shape)
    noise *= np.linalg.norm(means, axis=1).mean() / np.linalg.norm(noise, axis=1, keepdims=True)
    texts = means + words.noise * noise
    texts -= texts.mean(0)  # what all texts have in common says nothing
    weights = np.ascontiguousarray(texts.T, np.float32)

    def loss(scale: float) -> float:
        said = TextHead(examples.classes, weights, scale).predict_proba(examples.vectors)
        return float(log_losses(said, codes).mean())

    size = float(np.linalg.norm(texts, axis=1).mean())
    best = min(SCALES / size, key=loss)
    return TextHead(examples.classes, weights, best * words.sharp)


def _trial(
    examples: Examples, words: TextHead, shown: NDArray[np.intp], asked: NDArray[np.intp]
) -> dict[str, float]:
    statistics = Statistics()
    for row in shown:
        vector = np.rint(examples.vectors[row] / QUANTUM)[None] * QUANTUM
        label = str(examples.labels[row])
        statistics.add(Shown(str(row), label, 1, vector.astype(np.float32)))
    taught = statistics.solve()
    both = mixed(words, taught)
    codes, figures = examples.codes[asked], {"share of words": both.share}
    for name, head in (("words", words), ("taught", taught), ("both", both)):
        said: NDArray[Any] = head.predict_proba(examples.vectors[asked])
        figures[name] = float((said.argmax(axis=1) == codes).mean())
        figures[f"{name}, log loss"] = float(log_losses(said, codes).mean())
    return figures


if __name__ == "__main__":
    main()
