"""Whether two embedders are better together on sources not seen, by the rule that training has.

With ENCODER=clip+builtin they are CLIP and the built-in features. Where CLIP's weights are not at
hand, the built-in features for photographs stand in for it: they too look at what is shown.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import ledger
from benchmarks.gather import Recipe, gather
from config import Encoder, load_settings
from domain import TaskKind, VectorPart
from embeddings import Embedder, load_embedders
from embeddings.builtin import Builtin
from models.ensemble import search_parts
from models.examples import Examples

EXAMPLES = """examples:
  python -m benchmarks.ensemble ../shared/data/authenticity/{stockmix,ganmix,smallmix1,smallmix2}
  ENCODER=clip+builtin python -m benchmarks.ensemble --equalise 256 PICTURES/*
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and log."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, help="<source>/<label>")
    parser.add_argument("--equalise", type=int, default=0, help="side of a square; 0: as delivered")
    parser.add_argument("--classifier", default="auto")
    parser.add_argument("--budget", type=float, default=300.0, help="seconds")
    arguments = parser.parse_args(argv)
    members = _members()
    examples, parts = _together(arguments.folders, members, arguments.equalise)
    budget, family = arguments.budget, arguments.classifier
    _, card, _ = search_parts(examples, parts, classifier=family, budget=budget)
    for name, figures in card["compared"].items():
        print(f"{name:10}", *(f"{key} {value:.4f}" for key, value in figures.items()))
    print(card["why"])
    told = ", ".join(
        f"{name} AUC {one['roc_auc']:.3f}, log loss {one['log_loss']:.3f}"
        for name, one in card["compared"].items()
    )
    sources = len(np.unique(examples.sources))
    form = f"equalised to {arguments.equalise}" if arguments.equalise else "as delivered"
    line = (
        f"`python -m benchmarks.ensemble` on {len(examples)} pictures of {sources} sources, {form} "
        f"({', '.join(f'{name} is {one.id}' for name, one in members.items())}; "
        f"{card['measured_on']}, load {os.getloadavg()[0]:.1f}): {told}. {card['why']}"
    )
    ledger.record("ensemble", {"ensemble": card}, line)


def _members() -> dict[str, Embedder]:
    """By its name in the card, who looks at pictures."""
    settings = load_settings()
    first: Embedder = Builtin(TaskKind.PHOTO)
    if settings.encoder is Encoder.ENSEMBLE:
        first = load_embedders(settings)[TaskKind.PHOTO]
    return {"shown": first, "noise": Builtin(TaskKind.AUTHENTICITY)}


def _together(
    folders: Sequence[Path], members: dict[str, Embedder], side: int
) -> tuple[Examples, list[VectorPart]]:
    """Both vectors of each picture side by side, and whose numbers are where."""
    kind = TaskKind.AUTHENTICITY
    found = [gather(folders, Recipe(one, kind, side)).examples for one in members.values()]
    parts, start = [], 0
    for (name, one), seen in zip(members.items(), found, strict=True):
        stop = start + seen.vectors.shape[1]
        parts.append(VectorPart(name, one.id, start, stop))
        start = stop
    rows = np.concatenate([seen.vectors for seen in found], axis=1) / np.sqrt(len(found))
    first = found[0]
    return Examples(rows.astype(np.float32), first.labels, first.sources, first.families), parts


if __name__ == "__main__":
    main()
