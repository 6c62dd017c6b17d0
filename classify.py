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
from collections.abc import Iterable, Iterator, Mapping
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
    NotFound,
    Task,
    TaskKind,
    Verdict,
    VerdictSource,
)
from embeddings import Embedder
from embeddings.images import Limits, Picture
from embeddings.opening import Source, open_in_groups
from engine import Engine, open_engine
from scraper.fetch import fetch
from terminal import print_verdicts, progress_bar
from wire import describe, describe_error

DEMO_REASON = (
    "This is the demonstration model: it tells computed patterns from a few photographs and "
    "knows nothing of real AI pictures. Bring your own with `python -m scraper folder`, "
    "`python -m embeddings` and `python train.py` to replace it."
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one vector, and why."""

    prediction: str
    confidence: float
    probabilities: Mapping[str, float]
    source: VerdictSource
    reasons: tuple[str, ...]


def decide(
    task: Task,
    version: ModelVersion | None,
    scores: NDArray[np.float64] | None,
    classes: Sequence[str],
    *,
    problem: str | None = None,
) -> Decision:
    """Turn a head's probabilities into an answer. Pure.

    Parameters
    ----------
    task
        The task asked.
    version
        The model version the scores come from; None when nothing can answer.
    scores
        (k,) in [0, 1], sum 1, in the order of `classes`; None when nothing can answer.
    classes
        The labels the head knows.
    problem
        Why the current version does not answer although one was trained.
    """
    if version is None or scores is None:
        even = {label: 1 / len(task.labels) for label in task.labels}
        return Decision(
            UNSURE,
            max(even.values(), default=0.0),
            even,
            VerdictSource.NONE,
            (_untaught(task, problem),),
        )
    probabilities = {label: float(p) for label, p in zip(classes, scores, strict=True)}
    best = max(probabilities, key=lambda label: probabilities[label])
    confidence = probabilities[best]
    reasons = [f"The model gives {best} {confidence:.0%}."]
    prediction = best
    if task.kind is TaskKind.AUTHENTICITY:
        prediction, held_back = _accusation(best, confidence, version.card)
        reasons.extend(held_back)
    if problem:
        reasons.append(problem)
    reasons.extend(_cautions(task, version))
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


def _untaught(task: Task, problem: str | None) -> str:
    if problem:
        return problem
    return (
        f"Nobody has taught the task {task.name} yet. Bring labelled pictures with "
        f"`python -m scraper folder DIR --task {task.name} --labels-from-folders`, "
        f"then run `python -m embeddings` and `python train.py --task {task.name}`."
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
    engine: Engine, task_name: str, pictures: Sequence[Picture], *, decode_ms: Sequence[float] = ()
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

    Raises
    ------
    NotFound
        No such task.
    """
    task = engine.store.tasks.get(task_name)
    embedder = engine.embedders[task.kind]
    started = time.perf_counter()
    vectors = embed_cached(engine, embedder, pictures)
    embedded = time.perf_counter()
    decisions, version = decide_all(engine, task, embedder.id, vectors)
    state = engine.store.versions.state(task_name)
    each = 1000 / max(len(pictures), 1)
    stages = {
        "embed": (embedded - started) * each,
        "decide": (time.perf_counter() - embedded) * each,
    }
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
                nearest=(),
                model_version=version.id if version else None,
                embedder=embedder.id,
                trained_at=version.created_at if version else None,
                corrections=state.corrections,
                picture=picture.facts,
                timing_ms={stage: round(ms, 3) for stage, ms in timing.items()},
                created_at=datetime.now(UTC),
                demo=version is not None and version.demo,
            )
        )
    engine.store.verdicts.add_many(verdicts)
    return verdicts


def classify_each(
    engine: Engine, task: str, sources: Iterable[Source]
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
    """
    for group in open_in_groups(sources, Limits.of(engine.settings)):
        pictures = [one.picture for one in group if isinstance(one.picture, Picture)]
        times = [one.ms for one in group if isinstance(one.picture, Picture)]
        verdicts = iter(classify(engine, task, pictures, decode_ms=times))
        for one in group:
            yield one.picture if isinstance(one.picture, ExposrError) else next(verdicts)


def embed_cached(
    engine: Engine, embedder: Embedder, pictures: Sequence[Picture]
) -> NDArray[np.float32]:
    """Vectors of pictures, from the store where it has them, computed and stored where not.

    Returns
    -------
    NDArray[np.float32]
        (n, dim), unit rows, in the order of `pictures`.
    """
    wanted = {picture.facts.sha256: picture for picture in pictures}
    found, rows = engine.store.vectors.get(embedder.id, list(wanted))
    known = dict(zip(found, rows, strict=True))
    new = [sha256 for sha256 in wanted if sha256 not in known]
    if new:
        computed = embedder.embed([wanted[sha256] for sha256 in new])
        engine.store.vectors.put(embedder.id, new, computed)
        known.update(zip(new, computed, strict=True))
    if not pictures:
        return np.empty((0, embedder.dim), np.float32)
    return np.stack([known[picture.facts.sha256] for picture in pictures])


def decide_all(
    engine: Engine, task: Task, embedder_id: str, vectors: NDArray[np.float32]
) -> tuple[list[Decision], ModelVersion | None]:
    """Decide for (n, dim) vectors by the task's head; the version is None when none can answer."""
    known = engine.learned.head(task.name)
    problem = engine.learned.problem(task.name)
    if known is not None and known[0].embedder != embedder_id:
        problem = (
            f"The current version {known[0].id} was trained on vectors of {known[0].embedder}, "
            f"but {embedder_id} answers now: run `python -m embeddings` and "
            f"`python train.py --task {task.name}`, or set ENCODER back."
        )
        known = None
    if known is None or not len(vectors):
        return [decide(task, None, None, (), problem=problem) for _ in vectors], None
    version, head = known
    scores = head.predict_proba(vectors)
    return [decide(task, version, row, head.classes, problem=problem) for row in scores], version


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
