"""Picture and task to verdict: the whole decision rule on one screen, and its command line."""

from __future__ import annotations

import argparse
import json
import sys
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from config import load_settings
from domain import (
    DEFAULT_TASK,
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
from embeddings.images import Limits, Picture, decode
from engine import Engine, open_engine
from scraper.fetch import fetch
from terminal import progress_bar
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

EXAMPLES = """examples:
  python classify.py --image photo.jpg
  python classify.py --batch pictures/ --json > verdicts.json
  python classify.py --url https://news.example/photo.jpg
  python classify.py --image face.png --task smile

exit codes: 0 every picture was answered; 1 some could not be read; 2 wrong usage or settings
"""
CHUNK = 32
"""Pictures embedded together; small enough for a bar that moves."""


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    arguments = parse_arguments(argv)
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
        _print_table(results)
    return 1 if any("error" in result for result in results) else 0


def _answer_all(engine: Engine, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    engine.store.tasks.get(arguments.task)  # a wrong task is said before any work
    if arguments.url:
        fetched = fetch(arguments.url, engine.settings, max_bytes=engine.settings.max_image_bytes)
        return _answer(engine, arguments.task, [(arguments.url, fetched.data)])
    if arguments.image:
        if not arguments.image.is_file():
            raise NotFound(f"{arguments.image}: no such file")
        return _answer(engine, arguments.task, [(str(arguments.image), arguments.image)])
    if not arguments.batch.is_dir():
        raise NotFound(f"{arguments.batch}: no such folder")
    files = sorted(p for p in arguments.batch.rglob("*") if p.is_file() and p.name[0] != ".")
    results: list[dict[str, Any]] = []
    with progress_bar("classify", len(files)) as advance:
        for start in range(0, len(files), CHUNK):
            chunk = files[start : start + CHUNK]
            results.extend(_answer(engine, arguments.task, [(str(p), p) for p in chunk]))
            advance(len(chunk))
    return results


def _answer(
    engine: Engine, task: str, named: Sequence[tuple[str, Path | bytes]]
) -> list[dict[str, Any]]:
    """One result a file, in order: a verdict, or an error of the API's shape."""
    limits = Limits.of(engine.settings)

    def read(item: tuple[str, Path | bytes]) -> tuple[Picture | ExposrError, float]:
        started = time.perf_counter()
        content = item[1]
        try:
            data = content if isinstance(content, bytes) else content.read_bytes()
            picture: Picture | ExposrError = decode(data, limits)
        except ExposrError as error:
            picture = error
        except OSError as error:
            picture = NotFound(f"{item[0]}: {error.strerror}")
        return picture, (time.perf_counter() - started) * 1000

    with ThreadPoolExecutor(max_workers=2) as pool:
        decoded = list(pool.map(read, named))
    good = [(picture, ms) for picture, ms in decoded if isinstance(picture, Picture)]
    verdicts = iter(classify(engine, task, [p for p, _ in good], decode_ms=[ms for _, ms in good]))
    results: list[dict[str, Any]] = []
    for (name, _), (picture, _) in zip(named, decoded, strict=True):
        if isinstance(picture, Picture):
            results.append({"file": name, **describe(next(verdicts))})
        else:
            results.append({"file": name, "error": describe_error(picture)})
    return results


def _print_table(results: Sequence[Mapping[str, Any]]) -> None:
    console = Console()
    table = Table("picture", "prediction", "confidence", "decided by")
    for result in results:
        name = escape(result["file"])
        if "error" in result:
            table.add_row(name, "[red]no answer[/]", "", escape(result["error"]["message"]))
        else:
            confidence = f"{result['confidence']:.0%}"
            table.add_row(name, escape(result["prediction"]), confidence, result["source"])
    console.print(table)
    answered = [result for result in results if "error" not in result]
    counts = Counter(result["prediction"] for result in answered)
    console.print(", ".join(f"{escape(label)}: {n}" for label, n in counts.most_common()))
    for reason in answered[0]["reasons"] if len(answered) == 1 else _shared_reasons(answered):
        console.print(f"- {escape(reason)}")


def _shared_reasons(answered: Sequence[Mapping[str, Any]]) -> list[str]:
    """What holds for every verdict alike, said once below the table."""
    if not answered:
        return []
    return [r for r in answered[0]["reasons"] if all(r in a["reasons"] for a in answered)]


if __name__ == "__main__":
    sys.exit(main())
