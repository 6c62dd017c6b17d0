"""Picture and task to verdict: looked at, decided, kept; and its command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from domain import DEFAULT_TASK

EXAMPLES = """examples:
  python classify.py --image photo.jpg
  python classify.py --batch pictures/ --json > verdicts.json
  python classify.py --url https://news.example/photo.jpg
  python classify.py --image face.png --task smile
  python classify.py --image photo.jpg --explain --heatmap where.png
  python classify.py --image photo.jpg --record verdict.json
  python classify.py --verify verdict.json --key keys.json --picture photo.jpg

exit codes: 0 every picture was answered; 1 some could not be had or read; 2 wrong usage or settings
with --heatmap: 3 it was answered, but no heat map of it is better than chance
with --verify: 0 valid; 1 altered, or about another picture; 2 signed by another key; 3 it cannot
be checked, or wrong usage
"""


class Parser(argparse.ArgumentParser):
    """Ends on wrong usage with a code that `--verify` has no other meaning for."""

    wrong_usage = 2

    def error(self, message: str) -> NoReturn:
        """Say how the command is used, and what was wrong."""
        self.print_usage(sys.stderr)
        self.exit(self.wrong_usage, f"{self.prog}: error: {message}\n")


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    argv = sys.argv[1:] if argv is None else argv
    parser = Parser(
        prog="python classify.py",
        description="Say of pictures which label of a task they have.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if any(one.split("=")[0] == "--verify" for one in argv):
        parser.wrong_usage = 3
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--image", type=Path, metavar="F", help="one picture file")
    what.add_argument("--batch", type=Path, metavar="DIR", help="every picture under a folder")
    what.add_argument("--url", metavar="U", help="one picture on the web")
    what.add_argument(
        "--verify", type=Path, metavar="R", help="check a signed verdict, of GET /verdicts/<id>"
    )
    parser.add_argument("--task", metavar="T", help=f"default: {DEFAULT_TASK}")
    parser.add_argument(
        "--stability", action="store_true", help="say whether the answer holds when it is re-saved"
    )
    parser.add_argument("--explain", action="store_true", help="name the examples nearest to it")
    parser.add_argument(
        "--heatmap", type=Path, metavar="PNG", help="with --image: draw what the answer rests on"
    )
    parser.add_argument("--json", action="store_true", help="JSON on stdout, for programs")
    parser.add_argument(
        "--record", type=Path, metavar="R", help="with --image or --url: write the signed verdict"
    )
    parser.add_argument(
        "--key",
        type=Path,
        metavar="K",
        help="with --verify: public keys to trust, PEM or of GET /keys; default: those in DATA_DIR",
    )
    parser.add_argument(
        "--picture", type=Path, metavar="F", help="with --verify: whether it is about this file"
    )
    arguments = parser.parse_args(argv)
    _check_together(parser, arguments)
    if arguments.task is None:
        arguments.task = DEFAULT_TASK
    return arguments


def _check_together(parser: Parser, arguments: argparse.Namespace) -> None:
    """Refuse options that mean nothing beside another."""
    asked = ("task", "stability", "explain")
    if arguments.verify and any(getattr(arguments, name) not in (None, False) for name in asked):
        parser.error("--verify checks a verdict that was given: no --task, --stability, --explain")
    if arguments.verify is None and (arguments.key or arguments.picture):
        parser.error("--key and --picture go with --verify")
    if arguments.record and not (arguments.image or arguments.url):
        parser.error("--record goes with --image or --url")
    if arguments.heatmap and not arguments.image:
        parser.error("--heatmap goes with --image")


if __name__ == "__main__":
    # before the imports below, which take a second: --help and a wrong option answer at once
    ARGUMENTS = parse_arguments()

# ruff: noqa: E402
import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config import load_settings
from decision import Decision, Policy, Sight, decide_each
from domain import (
    LOOKS,
    UNSURE,
    Conflict,
    Evidence,
    ExposrError,
    Nearest,
    NotFound,
    Stability,
    Task,
    TaskKind,
    Unavailable,
    Verdict,
)
from embeddings import Embedder
from embeddings.images import Limits, Picture
from embeddings.likeness import LIKENESS, likeness
from embeddings.manner import looks
from embeddings.opening import Opened, Source, open_in_groups
from engine import Engine, open_engine
from explanation import explain, heatmap_url
from heatmap import heat_map
from models.knowledge import Knowledge
from models.slices import tells_slices
from notary import signed_document, signed_each
from provenance import collect
from records.command import verify
from scraper.fetch import fetch
from stability import stability_of, weighed
from terminal import print_verdicts, progress_bar
from wire import describe, describe_error


@dataclass(frozen=True, slots=True)
class Extras:
    """What is found out beside the answer, when it is asked for."""

    stability: bool = False
    explain: bool = False


def classify(
    engine: Engine,
    task_name: str,
    pictures: Sequence[Picture],
    *,
    decode_ms: Sequence[float] = (),
    files: Sequence[bytes] = (),
    keep: bool = True,
    extras: Extras = Extras(),
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
        The pictures as they came: what they say of their origin is read. None, or one each.
    keep
        Whether to keep the files, so that a correction can teach from them.
    extras
        What to find out beside the answers.

    Raises
    ------
    NotFound
        No such task.
    """
    task = engine.store.tasks.get(task_name)
    embedder = engine.embedders[task.kind]
    started = time.perf_counter()
    said = evidence_of(engine, task, files) if files else [()] * len(pictures)
    read = time.perf_counter()
    seen = [
        replace(sight, evidence=evidence)
        for sight, evidence in zip(look(engine, embedder, pictures), said, strict=True)
    ]
    embedded = time.perf_counter()
    known = engine.learned.knowledge(task)
    near = engine.neighbours.familiarities(task, known, [(s.sha256, s.vector) for s in seen])
    facts = _facts(engine, known, pictures)
    seen = [
        replace(sight, familiarity=one, facts=fact)
        for sight, one, fact in zip(seen, near, facts, strict=True)
    ]
    decisions = decide_each(task, known, seen, policy=Policy.of(engine.settings))
    decided = time.perf_counter()
    each = 1000 / max(len(pictures), 1)
    stages = {
        "evidence": (read - started) * each,
        "embed": (embedded - read) * each,
        "decide": (decided - embedded) * each,
    }
    held: list[Stability | None] = [None] * len(pictures)
    if extras.stability:
        asked = zip(pictures, decisions, strict=True)
        held = [stability_of(task, known, embedder, *one) for one in asked]
        decisions = [weighed(task, *one) for one in zip(seen, decisions, held, strict=True)]
        stages["stability"] = (time.perf_counter() - decided) * each
    for data in files if keep else ():
        engine.store.blobs.put(data, durable=False)
    verdicts = []
    for i, (picture, decision) in enumerate(zip(pictures, decisions, strict=True)):
        verdict_id = uuid.uuid4().hex
        nearest, explained = _nearest(engine, task, known, decision), None
        if extras.explain:
            kept = engine.store.blobs.exists(picture.facts.sha256)
            labelled = engine.neighbours.of(task, known)
            url = heatmap_url(verdict_id)
            explained = explain(decision, seen[i], labelled, nearest, url if kept else None)
        timing = {"decode": decode_ms[i] if i < len(decode_ms) else 0.0, **stages}
        timing["total"] = sum(timing.values())
        verdicts.append(
            Verdict(
                id=verdict_id,
                task=task.name,
                prediction=decision.prediction,
                confidence=decision.confidence,
                probabilities=decision.probabilities,
                source=decision.source,
                reasons=decision.reasons,
                evidence=seen[i].evidence,
                nearest=explained.nearest if explained else nearest,
                model_version=known.version.id if known.version else None,
                embedder=embedder.id,
                trained_at=known.version.created_at if known.version else None,
                corrections=known.standing.seq,
                picture=picture.facts,
                timing_ms={stage: round(ms, 3) for stage, ms in timing.items()},
                created_at=datetime.now(UTC),
                demo=known.version is not None and known.version.demo,
                statistics=decision.statistics,
                people=decision.people,
                explained=explained.document if explained else None,
                none_of_these=decision.none_of_these,
                stability=held[i],
            )
        )
    verdicts = signed_each(engine, known, embedder, verdicts)
    engine.store.verdicts.add_many(verdicts)
    return verdicts


def evidence_of(engine: Engine, task: Task, files: Sequence[bytes]) -> list[tuple[Evidence, ...]]:
    """What files say of their origin, in their order; nothing where that is not the question."""
    if task.kind is not TaskKind.AUTHENTICITY:
        return [()] * len(files)
    return [collect(data, anchors=engine.settings.trust_list) for data in files]


def classify_each(
    engine: Engine,
    task: str,
    sources: Iterable[Source],
    *,
    keep: bool = False,
    extras: Extras = Extras(),
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
    extras
        What to find out beside the answers.
    """
    for group in open_in_groups(sources, Limits.of(engine.settings)):
        opened = [one for one in group if isinstance(one, Opened)]
        verdicts = iter(
            classify(
                engine,
                task,
                [one.picture for one in opened],
                decode_ms=[one.ms for one in opened],
                files=[one.data for one in opened],
                keep=keep,
                extras=extras,
            )
        )
        for one in group:
            yield next(verdicts) if isinstance(one, Opened) else one


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
        Sight(
            picture.facts.sha256,
            picture.facts.phash,
            vectors[picture.facts.sha256],
            likenesses[picture.facts.sha256],
        )
        for picture in pictures
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


def _facts(
    engine: Engine, known: Knowledge, pictures: Sequence[Picture]
) -> list[Mapping[str, Any] | None]:
    """What pictures look like, where the version that answers tells of pictures like them."""
    version = known.version
    if version is None or version.demo or not tells_slices(version.card):
        return [None] * len(pictures)
    noted = engine.store.file_facts.get(LOOKS, {picture.facts.sha256 for picture in pictures})
    return [noted.get(picture.facts.sha256) or looks(picture) for picture in pictures]


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
    if arguments.verify:
        return verify(arguments.verify, arguments.key, arguments.picture, as_json=arguments.json)
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
    if any("error" in result for result in results):
        return 1
    return 3 if arguments.heatmap and results[0]["heatmap_file"] is None else 0


def _answer_all(engine: Engine, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """One result a picture, in order: a verdict, or an error of the API's shape."""
    engine.store.tasks.get(arguments.task)  # a wrong task is said before any work
    named = _sources(engine, arguments)
    results: list[dict[str, Any]] = []
    with progress_bar("classify", len(named)) if arguments.batch else nullcontext(_ignore) as done:
        sources = [source for _, source in named]
        extras = Extras(arguments.stability, arguments.explain)
        answers = classify_each(engine, arguments.task, sources, extras=extras)
        for (name, _), answer in zip(named, answers, strict=True):
            if isinstance(answer, Verdict):
                results.append({"file": name, **describe(answer)})
                if arguments.record:
                    _write_record(arguments.record, signed_document(engine, answer))
                if arguments.heatmap:
                    results[-1]["heatmap_file"] = _draw(engine, answer, arguments)
            else:
                results.append({"file": name, "error": describe_error(answer)})
            done(1)
    return results


def _write_record(path: Path, record: Mapping[str, Any]) -> None:
    try:
        path.write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from error


def _draw(engine: Engine, verdict: Verdict, arguments: argparse.Namespace) -> str | None:
    """Write a heat map; without one it says why."""
    try:
        png = heat_map(engine, verdict, _read(arguments.image)).png
    except Conflict as error:
        print(error.message, file=sys.stderr)
        return None
    try:
        arguments.heatmap.write_bytes(png)
    except OSError as error:
        raise Unavailable(f"{arguments.heatmap}: {error.strerror}") from error
    return str(arguments.heatmap)


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
