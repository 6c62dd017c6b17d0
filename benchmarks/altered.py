"""Whether what was corrected is answered rightly from then on: the picture, and copies of it.

Three tasks: one of each kind, with a version trained on real pictures (drawings: only taught).
Random pictures that it was not trained on are asked, and corrected by the id of the answer: to
some label that was not answered, mostly a wrong one, or to what they are. Then each is asked
again as it was, and as a JPEG of quality 50, a WebP, at half its size, and with 5 % cut from each
side. Before and after some of the corrections unrelated pictures are asked as well: their answers
should stay.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.marks import Mark, Measured
from benchmarks.recall import copies
from benchmarks.schooling import Labelled, apart, ask_all, lesson, read, trained
from benchmarks.served import Client, Service, free_port
from domain import NotEnoughData, TaskKind
from embeddings.images import decode
from terminal import progress_bar

JPEG, WEBP, HALF, CUT = "jpeg 50", "webp 80", "half the size", "5 % cut from each side"
ASKED_AS = (JPEG, WEBP, HALF, CUT)
RIGHT, UNRELATED = 0.95, 0.01
LESSON, CORRECTED = 0.4, 0.4
"""Shares of a set's families; the rest is unrelated."""
MOST_TRAINED = 600
SHOTS = 5
OTHER, TRUTH = "other", "truth"
SAID = {OTHER: "what was not answered", TRUTH: "what they are"}


@dataclass(frozen=True, slots=True)
class School:
    """A set of pictures, and whether its task is trained or only taught."""

    folder: str
    kind: TaskKind
    trained: bool = True


SCHOOLS = {
    "webmix": School("authenticity/webmix", TaskKind.AUTHENTICITY),
    "smile": School("smile", TaskKind.PHOTO),
    "kannada": School("kannada", TaskKind.DRAWING, trained=False),
}


@dataclass(slots=True)
class Found:
    """Of one task: how often it was right, and how often unrelated answers changed."""

    exact: list[bool] = field(default_factory=list)
    copies: dict[str, list[bool]] = field(default_factory=dict)
    moved: list[bool] = field(default_factory=list)
    moved_by_all: float = 0.0

    def summary(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "corrected": len(self.exact),
            "exact": _share(self.exact),
            "copies": {name: _share(right) for name, right in self.copies.items()},
            "unrelated_changed_by_one": _share(self.moved),
            "unrelated_asked": len(self.moved),
            "unrelated_changed_by_all": round(self.moved_by_all, 4),
        }


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--sets", nargs="+", choices=SCHOOLS, default=list(SCHOOLS))
    parser.add_argument(
        "--pictures", type=int, default=500, help="corrected, of all sets (%(default)s)"
    )
    parser.add_argument(
        "--watched", type=int, default=60, help="unrelated pictures of each set (%(default)s)"
    )
    parser.add_argument(
        "--looks", type=int, default=8,
        help="corrections of each set around which the unrelated are asked (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--say", choices=(OTHER, TRUTH), default=OTHER,
        help="a label that was not answered, or what the picture is (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)


def measure(arguments: argparse.Namespace, folder: Path) -> Measured:
    """Correct and ask again, set by set.

    Raises
    ------
    NotEnoughData
        A set has too few pictures.
    """
    sets: dict[str, Found] = {}
    rng = np.random.default_rng(arguments.seed)
    each = -(-arguments.pictures // len(arguments.sets))
    for name in arguments.sets:
        school = SCHOOLS[name]
        pictures = read(arguments.data / school.folder, school.kind)
        lesson_part, corrected, unrelated = _parts(school, pictures, rng)
        if len(corrected) < each:
            raise NotEnoughData(f"{name}: {len(corrected)} pictures, and {each} are to be asked.")
        own = folder / name
        if school.trained:
            trained(own, name, school.kind, lesson_part[:MOST_TRAINED])
        with Service(own, free_port()) as service, Client(service.port) as client:
            if not school.trained:
                client.make(name, school.kind.value)
                for picture in lesson_part:
                    client.teach(name, picture.data, picture.label)
            watched = [picture.data for picture in unrelated[: arguments.watched]]
            sets[name] = _ask_again(service.port, name, corrected[:each], watched, arguments)
    figures = {
        "said": arguments.say,
        "sets": {name: found.summary() for name, found in sets.items()},
        **_pooled(sets),
    }
    return Measured(figures, _line(figures), list(_marks(figures)))


def _parts(
    school: School, pictures: Sequence[Labelled], rng: np.random.Generator
) -> tuple[list[Labelled], list[Labelled], list[Labelled]]:
    """What the task learns first, what is corrected, and what is unrelated to that."""
    if school.trained:
        first, second, third = apart(pictures, (LESSON, CORRECTED, 1 - LESSON - CORRECTED), rng)
        return first, second, third
    taught, rest = lesson(pictures, SHOTS, len(pictures), int(rng.integers(2**31)))
    second, third = apart(rest, (CORRECTED / (1 - LESSON), 1 - CORRECTED / (1 - LESSON)), rng)
    return [one for each in zip(*taught.values(), strict=True) for one in each], second, third


def _ask_again(
    port: int,
    task: str,
    pictures: Sequence[Labelled],
    watched: Sequence[bytes],
    arguments: argparse.Namespace,
) -> Found:
    rng = np.random.default_rng(arguments.seed)
    found, labels = Found(), sorted({picture.label for picture in pictures})
    looked = set(rng.permutation(len(pictures))[: arguments.looks].tolist())
    first = _predictions(port, task, watched)
    given = []
    with progress_bar(f"Correcting {task}", len(pictures)) as advance, Client(port) as client:
        for at, picture in enumerate(pictures):
            before = _predictions(port, task, watched) if at in looked else []
            verdict = client.predict(task, picture.data)
            others = [one for one in labels if one != verdict["prediction"]]
            label = picture.label if arguments.say == TRUTH else str(rng.choice(others))
            asked = {"verdict_id": verdict["id"], "label": label}
            client.send(f"/tasks/{task}/feedback", asked)
            given.append(label)
            if at in looked:
                after = _predictions(port, task, watched)
                found.moved.extend(a != b for a, b in zip(before, after, strict=True))
            advance(1)
    last = _predictions(port, task, watched)
    found.moved_by_all = float(np.mean([a != b for a, b in zip(first, last, strict=True)]))
    again = _predictions(port, task, [picture.data for picture in pictures])
    found.exact = [a == b for a, b in zip(again, given, strict=True)]
    with progress_bar(f"Asking copies of {task}", len(pictures)) as advance:
        for picture, label in zip(pictures, given, strict=True):
            made = dict(copies(decode(picture.data).pixels, rng))
            answers = _predictions(port, task, [made[name] for name in ASKED_AS])
            for name, answer in zip(ASKED_AS, answers, strict=True):
                found.copies.setdefault(name, []).append(answer == label)
            advance(1)
    return found


def _predictions(port: int, task: str, files: Sequence[bytes]) -> list[str]:
    return [verdict["prediction"] for verdict in ask_all(port, task, files)]


def _pooled(sets: Mapping[str, Found]) -> dict[str, Any]:
    """All sets together, and the one in which unrelated answers change most."""
    every = list(sets.values())
    return {
        "exact": _share([right for found in every for right in found.exact]),
        "corrected": sum(len(found.exact) for found in every),
        "copies": {
            name: _share([right for found in every for right in found.copies[name]])
            for name in ASKED_AS
        },
        "unrelated_changed_by_one": _share([moved for found in every for moved in found.moved]),
    }


def _share(outcomes: Sequence[bool]) -> float:
    return round(float(np.mean(outcomes)), 4) if outcomes else 0.0


def _marks(figures: Mapping[str, Any]) -> Iterator[Mark]:
    yield Mark("the very picture answered as corrected", figures["exact"], least=1.0)
    for name, right in figures["copies"].items():
        yield Mark(f"copies answered as corrected: {name}", right, least=RIGHT)
    changed = figures["unrelated_changed_by_one"]
    yield Mark("unrelated answers changed by a correction", changed, most=UNRELATED)


def _line(figures: Mapping[str, Any]) -> str:
    def told(copied: Mapping[str, float]) -> str:
        return ", ".join(f"{name} {right:.1%}" for name, right in copied.items())

    sets = "; ".join(
        f"{name} ({found['corrected']}): {told(found['copies'])}, unrelated changed by one "
        f"{found['unrelated_changed_by_one']:.2%}, by all {found['unrelated_changed_by_all']:.1%}"
        for name, found in figures["sets"].items()
    )
    return (
        f"corrected over HTTP to {SAID[figures['said']]} and asked again, {figures['corrected']} "
        f"pictures: exact {figures['exact']:.1%}, {told(figures['copies'])}, unrelated changed by "
        f"one {figures['unrelated_changed_by_one']:.2%}; {sets}"
    )
