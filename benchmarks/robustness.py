"""How often answers flip when pictures are delivered anew, untrained and trained against it.

Families are held out; a head is searched on the rest, once as ever and once trained against
re-deliveries. Asked are the held-out pictures as sent, in the forms that training knows
(`stability=1` asks in the same) and in those of a protocol that it does not: JPEG 90/70/50/30,
half and double size, 90 % crop, WebP and a screen's rendering. Vectors are kept between runs.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.ledger import FOLDER, record
from benchmarks.marks import MISSED, Mark, Measured, show
from benchmarks.trials import random_parts
from config import Augment, load_settings
from domain import NotEnoughData, TaskKind
from embeddings import Embedder, load_embedders
from embeddings.images import decode
from embeddings.redelivery import DELIVERIES, Delivery, redeliveries
from models.batch import BatchHead, fit, search
from models.examples import Examples
from models.families import Families
from models.steadied import steadied
from models.steadying import Copies
from terminal import progress_bar

PROTOCOL = (
    Delivery("jpeg90", quality=90),
    Delivery("jpeg70", quality=70),
    Delivery("jpeg50", quality=50),
    Delivery("jpeg30", quality=30),
    Delivery("half", scale=0.5, coding=""),
    Delivery("double", scale=2.0, coding=""),
    Delivery("crop90", crop=0.9, coding=""),
    Delivery("webp75", coding="WEBP", quality=75),
    Delivery("screen", scale=0.8, coding=""),
)
SENT = "sent"
HALF, EQUAL = 0.5, -0.01
"""Flips with by flips without, at most; accuracy with less without, in all forms, at least."""

Vectors = Mapping[str, NDArray[np.float32]]


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.robustness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", type=Path, help="sources: folders of <label>")
    parser.add_argument("--kind", type=TaskKind, choices=list(TaskKind), required=True)
    parser.add_argument("--seeds", type=int, default=3, help="times a quarter is held out")
    parser.add_argument("--classifier", default="svm", help="a family of the search, or auto")
    parser.add_argument("--kinds", nargs="+", help="of its candidates only these, such as ridge")
    parser.add_argument("--budget", type=float, default=120.0, help="seconds a search")
    parser.add_argument("--vectors", type=Path, default=FOLDER / "out" / "robustness")
    parser.add_argument("--embedded", action="store_true", help="only pictures embedded before")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and keep the figures."""
    arguments = parse_arguments(argv)
    measured = measure(arguments)
    record("robustness", measured.document(), measured.line)
    show(measured)
    return MISSED if measured.missed() else 0


def measure(arguments: argparse.Namespace) -> Measured:
    """Everything but printing and keeping."""
    embedder = load_embedders(load_settings())[arguments.kind]
    examples, forms = _gathered(arguments, embedder)
    rows = [_asked(arguments, examples, forms, seed) for seed in range(arguments.seeds)]
    plain, steady = (_mean([row[key] for row in rows]) for key in ("plain", "steady"))
    figures = {
        "embedder": embedder.id,
        "pictures": len(examples),
        "per_label": {c: int((examples.labels == c).sum()) for c in examples.classes},
        "seeds": rows,
        "plain": plain,
        "steady": steady,
    }
    marks = [
        Mark(f"flips with by without: {which}", steady[which] / max(plain[which], 1e-9), most=HALF)
        for which in ("flips_known", "flips_protocol")
    ]
    gained = steady["right_all"] - plain["right_all"]
    marks.append(Mark("right in all forms, with less without", gained, least=EQUAL))
    told = ", ".join(
        f"{key.replace('_', ' ')} {plain[key]:.1%} to {steady[key]:.1%}" for key in plain
    )
    line = (
        f"{embedder.id}, {len(examples)} pictures, {arguments.seeds} times a quarter held out, "
        f"untrained to trained against re-deliveries: {told}"
    )
    return Measured(figures, line, marks)


def _gathered(
    arguments: argparse.Namespace, embedder: Embedder
) -> tuple[Examples, dict[str, NDArray[np.float32]]]:
    """Pictures as examples, and their vectors in each form; as sent where there is no such form."""
    files = [
        (folder.name, label.name, path)
        for folder in arguments.folders
        for label in sorted(folder.iterdir())
        for path in sorted(one for one in label.rglob("*") if one.is_file())
    ]
    families, found = Families(arguments.kind), []
    arguments.vectors.mkdir(parents=True, exist_ok=True)
    with progress_bar("Embedding", len(files)) as advance:
        for source, label, path in files:
            vectors = _vectors(path, embedder, arguments)
            advance(1)
            if vectors is None:
                continue
            phash = int(vectors["phash"])
            family = families.find(phash) or families.found(path.as_posix(), phash)
            found.append((vectors, label, source, family))
    if not found:
        raise NotEnoughData(f"No picture of {', '.join(map(str, arguments.folders))} is embedded.")
    names = (SENT, *(delivery.name for delivery in (*DELIVERIES, *PROTOCOL)))
    forms = {
        name: np.stack([one[0].get(name, one[0][SENT]) for one in found]).astype(np.float32)
        for name in names
    }
    labels, sources, of = (np.asarray([one[i] for one in found]) for i in (1, 2, 3))
    return Examples(forms[SENT], labels, sources, of), forms


def _vectors(path: Path, embedder: Embedder, arguments: argparse.Namespace) -> Vectors | None:
    data = path.read_bytes()
    about = f"{embedder.id} {hashlib.sha256(data).hexdigest()}"
    kept = arguments.vectors / f"{hashlib.sha256(about.encode()).hexdigest()}.npz"
    if kept.exists():
        with np.load(kept) as archive:
            return {name: archive[name] for name in archive.files}
    if arguments.embedded:
        return None
    picture = decode(data)
    rows = {SENT: embedder.embed([picture])[0]}
    for name, copy in redeliveries(picture, (*DELIVERIES, *PROTOCOL)):
        rows[name] = embedder.embed([copy])[0]
    np.savez(kept, phash=np.uint64(picture.facts.phash), **rows)
    return {**rows, "phash": np.asarray(picture.facts.phash, np.uint64)}


def _asked(
    arguments: argparse.Namespace, examples: Examples, forms: Vectors, seed: int
) -> dict[str, Any]:
    """What two heads answer to a quarter of the families."""
    trial = random_parts(examples, 0.25, seed + 1)[seed]
    lesson, test = examples.take(trial.train), trial.test
    anew = np.stack([forms[delivery.name][trial.train] for delivery in DELIVERIES], axis=1)
    copies = Copies(np.arange(len(lesson), dtype=np.intp), lesson.vectors, anew)
    found = search(
        lesson, classifier=arguments.classifier, kinds=arguments.kinds, budget=arguments.budget
    )
    seen = steadied(found, copies, Augment.AUTO, budget=arguments.budget)
    steady = fit(seen.found, seen.steadying and seen.steadying.step())
    truth = np.asarray(examples.labels[test])
    asked = {name: rows[test] for name, rows in forms.items()}
    return {
        "plain": _figures(fit(found), asked, truth),
        "steady": _figures(steady, asked, truth),
        "classifier": [found.winner.candidate.name, seen.found.winner.candidate.name],
        "card": {key: value for key, value in seen.card.items() if key != "tried"},
    }


def _figures(head: BatchHead, asked: Vectors, truth: NDArray[np.str_]) -> dict[str, float]:
    """Shares of answers that flip, and of labels' answers that are right, labels weighed alike."""
    classes = np.asarray(head.classes)
    said = {name: classes[head.predict_proba(rows).argmax(1)] for name, rows in asked.items()}
    made = {name: (rows != asked[SENT]).any(axis=1) for name, rows in asked.items()}

    def flips(name: str) -> float:
        return float((said[name] != said[SENT])[made[name]].mean()) if made[name].any() else 0.0

    def right(name: str) -> float:
        hits = said[name] == truth
        return float(np.mean([hits[truth == label].mean() for label in np.unique(truth)]))

    def mean(of: Iterator[float]) -> float:
        return float(np.mean(list(of)))

    return {
        "right_as_sent": right(SENT),
        "right_all": mean(right(name) for name in asked),
        "flips_known": mean(flips(one.name) for one in DELIVERIES),
        "flips_protocol": mean(flips(one.name) for one in PROTOCOL),
        **{f"flips_{one.name}": flips(one.name) for one in PROTOCOL},
    }


def _mean(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: round(float(np.mean([row[key] for row in rows])), 4) for key in rows[0]}


if __name__ == "__main__":
    sys.exit(main())
