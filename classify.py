"""Picture and task to verdict: the whole decision rule on one screen, and its command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from domain import DEFAULT_TASK

EXAMPLES = """examples:
  python classify.py --image photo.jpg
  python classify.py --batch pictures/ --json > verdicts.json
  python classify.py --url https://news.example/photo.jpg
  python classify.py --image face.png --task smile

exit codes: 0 every picture was answered; 1 some could not be had or read; 2 wrong usage or settings
"""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python classify.py",
        description="Say of pictures which label of a task they have.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--image", type=Path, metavar="F", help="one picture file")
    what.add_argument("--batch", type=Path, metavar="DIR", help="every picture under a folder")
    what.add_argument("--url", metavar="U", help="one picture on the web")
    parser.add_argument("--task", default=DEFAULT_TASK, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="JSON on stdout, for programs")
    return parser.parse_args(argv)


if __name__ == "__main__":
    # before the imports below, which take a second: --help and a wrong option answer at once
    ARGUMENTS = parse_arguments()

# ruff: noqa: E402
import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config import load_settings
from domain import (
    UNSURE,
    ExposrError,
    ModelVersion,
    Nearest,
    NotFound,
    Task,
    TaskKind,
    Verdict,
    VerdictSource,
)
from embeddings import Embedder
from embeddings.images import Limits, Picture
from embeddings.likeness import LIKENESS, likeness
from embeddings.opening import Opened, Source, open_in_groups
from engine import Engine, open_engine
from models.knowledge import Knowledge
from models.memory import Match
from models.standing import Opinion
from scraper.fetch import fetch
from terminal import print_verdicts, progress_bar
from wire import describe, describe_error

DEMO_REASON = (
    "This is the demonstration model: it tells computed patterns from a few photographs and "
    "knows nothing of real AI pictures. Bring your own with `python -m scraper folder`, "
    "`python -m embeddings` and `python train.py` to replace it."
)


MOST_NAMED = 5
"""People and pictures named in a reason."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one picture, and why. `alike`: remembered pictures like it."""

    prediction: str
    confidence: float
    probabilities: Mapping[str, float]
    source: VerdictSource
    reasons: tuple[str, ...]
    alike: tuple[Match, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """A picture as the decision sees it.

    Attributes
    ----------
    vector
        (dim,) float32, unit length; None where no such vector was made.
    likeness
        (length,) float32 of what recognises altered copies; None where it was not made.
    """

    sha256: str
    phash: int
    vector: NDArray[np.float32] | None
    likeness: NDArray[np.float32] | None


def decide(
    task: Task,
    known: Knowledge,
    sight: Sight,
    scores: NDArray[np.float64] | None,
    matches: Sequence[Match] | None = None,
) -> Decision:
    """The decision rule: what people said of this picture, of ones like it, then the head. Pure.

    Parameters
    ----------
    task
        The task asked.
    known
        What is known of it.
    sight
        The picture.
    scores
        (k,) what the head gives it, in the order of its classes; None without a head.
    matches
        The remembered pictures it is a copy of, where they are known already.
    """
    opinion = known.opinions.get(sight.sha256)
    if opinion is not None:
        return _by_memory(task, opinion)
    by_head = _by_head(task, known, scores)
    if matches is None:
        matches = known.near(sight.phash, sight.likeness)
    alike = [(match, known.opinions[match.sha256]) for match in matches]
    alike = [(match, said) for match, said in alike if said.label is not None]
    # somebody trusted leads among copies as on one picture: no copy of a stranger's outvotes them
    led = [(match, said) for match, said in alike if said.vote.trusted]
    return _by_similar(led or alike, by_head) if alike else by_head


def decide_each(
    task: Task,
    known: Knowledge,
    sights: Sequence[Sight],
    matches: Sequence[Sequence[Match]] | None = None,
) -> list[Decision]:
    """Decide for many pictures, their vectors scored as one batch."""
    scores: dict[int, NDArray[np.float64]] = {}
    having = [(i, sight.vector) for i, sight in enumerate(sights) if sight.vector is not None]
    if known.head is not None and having:
        rows = known.head.predict_proba(np.stack([vector for _, vector in having]))
        scores = {i: row for (i, _), row in zip(having, rows, strict=True)}
    return [
        decide(task, known, sight, scores.get(i), None if matches is None else matches[i])
        for i, sight in enumerate(sights)
    ]


def _by_memory(task: Task, opinion: Opinion) -> Decision:
    """By what people said of exactly this picture."""
    shares = {**dict.fromkeys(task.labels, 0.0), **opinion.shares}
    prediction = opinion.label or UNSURE
    confidence = shares[opinion.label] if opinion.label else max(shares.values())
    if opinion.disputed:
        told = ", ".join(f"{vote.person} says {vote.label}" for vote in opinion.votes[-MOST_NAMED:])
        reason = f"People differ about this very picture: {told}. It waits in the conflict queue."
    else:
        vote = opinion.votes[-1]
        reason = (
            f"{vote.person} labelled this very picture {vote.label} on {vote.created_at:%Y-%m-%d}."
        )
    return Decision(prediction, confidence, shares, VerdictSource.MEMORY, (reason,))


def _by_similar(alike: Sequence[tuple[Match, Opinion]], by_head: Decision) -> Decision:
    """Pictures like it were labelled: they weigh by their similarity, the head has the rest."""
    total = sum(match.similarity for match, _ in alike)
    best = max(match.similarity for match, _ in alike)
    chances = {label: (1 - best) * p for label, p in by_head.probabilities.items()}
    for match, said in alike:
        label = str(said.label)
        chances[label] = chances.get(label, 0.0) + best * match.similarity / total
    chances = {label: p / sum(chances.values()) for label, p in chances.items()}
    prediction = max(chances, key=lambda label: chances[label])
    reasons = [
        f"It is {match.similarity:.0%} like the picture {match.sha256[:12]}, "
        f"which {said.vote.person} labelled {said.vote.label}."
        for match, said in alike
    ]
    if any(said.disputed for _, said in alike):
        reasons.append("People differ about a picture like it.")
    matches = tuple(match for match, _ in alike)
    source = VerdictSource.SIMILAR
    return Decision(prediction, chances[prediction], chances, source, tuple(reasons), matches)


def _by_head(task: Task, known: Knowledge, scores: NDArray[np.float64] | None) -> Decision:
    """What the version gives, adjusted by corrections, or what was taught by itself."""
    if known.head is None or scores is None:
        even = {label: 1 / len(task.labels) for label in task.labels}
        reason = _unanswered(task, known)
        return Decision(
            UNSURE, max(even.values(), default=0.0), even, VerdictSource.NONE, (reason,)
        )
    probabilities: dict[str, float] = {}
    for label, p in zip(known.head.classes, scores, strict=True):
        canonical = task.variants.get(label, label)
        probabilities[canonical] = probabilities.get(canonical, 0.0) + float(p)
    best = max(probabilities, key=lambda label: probabilities[label])
    confidence = probabilities[best]
    learned = sum(known.taught.values())
    taught = f"What was learned from {learned} pictures" if known.version is None else "The model"
    reasons = [f"{taught} gives {best} {confidence:.0%}."]
    prediction = best
    if known.version is not None:
        if learned:
            reasons.append(f"Corrections of {learned} pictures are weighed in.")
        if task.kind is TaskKind.AUTHENTICITY:
            prediction, held_back = _accusation(best, confidence, known.version.card)
            reasons.extend(held_back)
        reasons.extend(_cautions(task, known.version))
    if known.problem:
        reasons.append(known.problem)
    return Decision(prediction, confidence, probabilities, VerdictSource.MODEL, tuple(reasons))


def _accusation(best: str, confidence: float, card: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Hold an `ai` back below the score at which too many real pictures were called ai."""
    limits: Mapping[str, Any] = card.get("thresholds") or {}
    threshold = limits.get("accuse")
    if best != "ai":
        return best, []
    if threshold is None:
        return UNSURE, ["No score keeps false accusations within the limit, so none is made."]
    if confidence >= threshold:
        return best, []
    return UNSURE, [
        f"Only from {threshold:.0%} on were at most {limits['budget']:.1%} of "
        f"{limits['n_real']} real pictures called ai in cross-validation, so it stays unsure."
    ]


def _unanswered(task: Task, known: Knowledge) -> str:
    if known.problem:
        return known.problem
    if known.head is not None:
        return "There is no vector of this picture to judge it by; send its file."
    if known.taught:
        label = next(iter(known.taught))
        return (
            f"Only {label} has been taught so far. Show an example of another label, "
            f"with `label` and the picture, to /tasks/{task.name}/train."
        )
    return (
        f"Nobody has taught the task {task.name} yet. Send pictures with their `label` to "
        f"/tasks/{task.name}/train, or bring many with `python -m scraper folder DIR "
        f"--task {task.name} --labels-from-folders`, then run `python -m embeddings` and "
        f"`python train.py --task {task.name}`."
    )


def _cautions(task: Task, version: ModelVersion) -> list[str]:
    if version.demo:
        return [DEMO_REASON]
    unseen = version.card.get("leave_one_source_out") or {}
    accuracy = unseen.get("balanced_accuracy")
    if accuracy is not None:
        return [
            f"On pictures from sources it had not seen, it was right {accuracy:.0%} of the time "
            "(labels weighed alike)."
        ]
    if task.kind is TaskKind.AUTHENTICITY:
        return [
            "Too few sources taught it to tell how it does on pictures from elsewhere: "
            "there it may be little better than a guess."
        ]
    return []


def classify(
    engine: Engine,
    task_name: str,
    pictures: Sequence[Picture],
    *,
    decode_ms: Sequence[float] = (),
    files: Sequence[bytes] = (),
) -> list[Verdict]:
    """Answer for pictures of one task, as one batch, and keep the verdicts.

    Parameters
    ----------
    engine
        The open engine.
    task_name
        Which task is asked.
    pictures
        Decoded pictures, any number.
    decode_ms
        Milliseconds each took to decode, for the verdicts' timing.
    files
        The pictures as they came, to keep, so that a correction can teach from them.

    Raises
    ------
    NotFound
        No such task.
    """
    task = engine.store.tasks.get(task_name)
    embedder = engine.embedders[task.kind]
    started = time.perf_counter()
    seen = look(engine, embedder, pictures)
    embedded = time.perf_counter()
    known = engine.learned.knowledge(task)
    decisions = decide_each(task, known, seen)
    each = 1000 / max(len(pictures), 1)
    stages = {
        "embed": (embedded - started) * each,
        "decide": (time.perf_counter() - embedded) * each,
    }
    for data in files:
        engine.store.blobs.put(data, durable=False)
    verdicts = []
    for i, (picture, decision) in enumerate(zip(pictures, decisions, strict=True)):
        timing = {"decode": decode_ms[i] if i < len(decode_ms) else 0.0, **stages}
        timing["total"] = sum(timing.values())
        verdicts.append(
            Verdict(
                id=uuid.uuid4().hex,
                task=task.name,
                prediction=decision.prediction,
                confidence=decision.confidence,
                probabilities=decision.probabilities,
                source=decision.source,
                reasons=decision.reasons,
                evidence=(),
                nearest=_nearest(engine, task, known, decision),
                model_version=known.version.id if known.version else None,
                embedder=embedder.id,
                trained_at=known.version.created_at if known.version else None,
                corrections=known.standing.seq,
                picture=picture.facts,
                timing_ms={stage: round(ms, 3) for stage, ms in timing.items()},
                created_at=datetime.now(UTC),
                demo=known.version is not None and known.version.demo,
            )
        )
    engine.store.verdicts.add_many(verdicts)
    return verdicts


def classify_each(
    engine: Engine, task: str, sources: Iterable[Source], *, keep: bool = False
) -> Iterator[Verdict | ExposrError]:
    """Answer for each source, in order: a verdict, or why there is none.

    Parameters
    ----------
    engine
        The open engine.
    task
        Which task is asked.
    sources
        Each gives a picture file's bytes when called, or raises an `ExposrError`.
    keep
        Whether to keep the files, so that a correction can teach from them.
    """
    for group in open_in_groups(sources, Limits.of(engine.settings)):
        opened = [one for one in group if isinstance(one, Opened)]
        verdicts = iter(
            classify(
                engine,
                task,
                [one.picture for one in opened],
                decode_ms=[one.ms for one in opened],
                files=[one.data for one in opened] if keep else (),
            )
        )
        for one in group:
            yield next(verdicts) if isinstance(one, Opened) else one


def called(task: Task, known: Knowledge, scores: NDArray[np.float64]) -> list[str]:
    """What the head by itself would answer to each of (n, k) scores."""
    return [_by_head(task, known, row).prediction for row in scores]


def look(
    engine: Engine, embedder: Embedder, pictures: Sequence[Picture], *, keep: bool = True
) -> list[Sight]:
    """Pictures as the decision sees them, in their order.

    Vectors and likenesses come from the store where it has them; what is new goes there, unless
    it is not to be kept.
    """
    vectors = _cached(engine, embedder.id, pictures, embedder.embed, keep=keep)
    likenesses = _cached(engine, LIKENESS, pictures, _likenesses, keep=keep)
    return [
        Sight(facts.sha256, facts.phash, vectors[facts.sha256], likenesses[facts.sha256])
        for facts in (picture.facts for picture in pictures)
    ]


def _cached(
    engine: Engine,
    name: str,
    pictures: Sequence[Picture],
    compute: Callable[[Sequence[Picture]], NDArray[np.float32]],
    *,
    keep: bool,
) -> dict[str, NDArray[np.float32]]:
    wanted = {picture.facts.sha256: picture for picture in pictures}
    found, rows = engine.store.vectors.get(name, list(wanted))
    known = dict(zip(found, rows, strict=True))
    new = [sha256 for sha256 in wanted if sha256 not in known]
    if new:
        computed = compute([wanted[sha256] for sha256 in new])
        if keep:
            engine.store.vectors.put(name, new, computed)
        known.update(zip(new, computed, strict=True))
    return known


def _likenesses(pictures: Sequence[Picture]) -> NDArray[np.float32]:
    return np.stack([likeness(picture) for picture in pictures])


def _nearest(
    engine: Engine, task: Task, known: Knowledge, decision: Decision
) -> tuple[Nearest, ...]:
    """The remembered pictures a decision rests on, under their samples' numbers."""
    nearest = []
    for match in decision.alike:
        sample = engine.store.samples.get(task.name, match.sha256)
        if sample is not None:
            label = known.opinions[match.sha256].label
            nearest.append(Nearest(sample.id, label or UNSURE, match.similarity))
    return tuple(nearest)


# --- the command ---


def main(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    try:
        engine = open_engine(load_settings())
        try:
            results = _answer_all(engine, arguments)
        finally:
            engine.close()
    except ExposrError as error:
        print(error.message, file=sys.stderr)
        return 2
    if arguments.json:
        single = arguments.batch is None
        document = results[0] if single else {"results": results, "total_images": len(results)}
        print(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        print_verdicts(results)
    return 1 if any("error" in result for result in results) else 0


def _answer_all(engine: Engine, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """One result a picture, in order: a verdict, or an error of the API's shape."""
    engine.store.tasks.get(arguments.task)  # a wrong task is said before any work
    named = _sources(engine, arguments)
    results: list[dict[str, Any]] = []
    with progress_bar("classify", len(named)) if arguments.batch else nullcontext(_ignore) as done:
        answers = classify_each(engine, arguments.task, [source for _, source in named])
        for (name, _), answer in zip(named, answers, strict=True):
            if isinstance(answer, Verdict):
                results.append({"file": name, **describe(answer)})
            else:
                results.append({"file": name, "error": describe_error(answer)})
            done(1)
    return results


def _ignore(n: int) -> None:
    """No bar for a single picture."""


def _sources(engine: Engine, arguments: argparse.Namespace) -> list[tuple[str, Source]]:
    if arguments.url:
        return [(arguments.url, lambda: fetch(arguments.url, engine.settings).data)]
    if arguments.image:
        return [(str(arguments.image), partial(_read, arguments.image))]
    if not arguments.batch.is_dir():
        raise NotFound(f"{arguments.batch}: no such folder")
    files = sorted(p for p in arguments.batch.rglob("*") if p.is_file() and p.name[0] != ".")
    return [(str(path), partial(_read, path)) for path in files]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path}: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main(ARGUMENTS))
