"""How often a copy of a remembered picture is recognised, and an unrelated one taken for a copy.

Every picture is asked while all others are remembered, its family of near-duplicates left out:
whatever is found then is wrong. Then copies of remembered pictures are asked: the picture itself
must be the best match. The rule is the one that the service would fit for these pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.ledger import record
from domain import BadImage, ExposrError, NotEnoughData, TaskKind
from embeddings.images import Picture, decode, encode_jpeg, encode_png, encode_webp, resize
from embeddings.likeness import likeness
from models.families import Families
from models.memory import Match, Memory, NearRule, fit_rule
from scraper.folders import survey
from terminal import progress_bar

FITTED_ON = 512
"""Pictures of a task that the service fits its rule on."""
CUT = 0.05
SCREEN = 0.8
BORDERS = (0, 32, 240, 255)
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A picture as memory knows it; `path` leads back to its file."""

    path: Path
    label: str
    family: str
    sha256: str
    phash: int
    likeness: NDArray[np.float32]


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recall",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="of <label>, or of anything with pictures")
    parser.add_argument("--kind", type=TaskKind, choices=list(TaskKind), required=True)
    parser.add_argument("--remember", type=int, default=500, help="pictures at most")
    parser.add_argument("--copied", type=int, default=100, help="remembered ones that are copied")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print JSON, and keep the figures."""
    arguments = parse_arguments(argv)
    try:
        figures = measure(arguments)
    except ExposrError as error:
        Console(stderr=True).print(error.message, style="red", markup=False)
        return 1
    name = f"recall-{arguments.folder.resolve().name}"
    kept = record(name, figures, _line(arguments, figures))
    print(json.dumps(figures, indent=2))
    Console(stderr=True).print(f"Kept in {kept}", markup=False, soft_wrap=True)
    return 0


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything but printing and keeping.

    Raises
    ------
    NotEnoughData
        Fewer than two pictures can be read.
    """
    rng = np.random.default_rng(arguments.seed)
    seen = _look(arguments.folder, arguments.kind, arguments.remember, rng)
    if len(seen) < 2:
        raise NotEnoughData(f"Only {len(seen)} pictures in {arguments.folder} can be read.")
    memory = Memory().added(
        [one.sha256 for one in seen], [one.phash for one in seen], [one.likeness for one in seen]
    )
    few = seen[:FITTED_ON]
    rule = fit_rule(arguments.kind, [one.likeness for one in few], [one.phash for one in few])
    return {
        "pictures": len(seen),
        "families": len({one.family for one in seen}),
        "threshold": round(rule.likeness, 4),
        "bytes": memory.nbytes,
        "near_ms": _milliseconds(memory, seen, rule),
        "unrelated": _strangers(memory, seen, rule),
        "copies": _copies(memory, seen[: arguments.copied], rule, rng),
    }


def _look(folder: Path, kind: TaskKind, most: int, rng: np.random.Generator) -> list[Seen]:
    """Different pictures in random order, unreadable ones left out."""
    found = survey(folder, label=None)
    files = [(picture.path, picture.label) for picture in found.pictures]
    families, seen = Families(kind), dict[str, Seen]()
    with progress_bar("Looking", min(most, len(files))) as advance:
        for at in rng.permutation(len(files)):
            if len(seen) == most:
                break
            path, label = files[at]
            try:
                picture = decode(path.read_bytes())
            except BadImage:
                continue
            sha256, phash = picture.facts.sha256, picture.facts.phash
            family = families.find(phash) or families.found(sha256, phash)
            seen[sha256] = Seen(path, label, family, sha256, phash, likeness(picture))
            advance(1)
    return list(seen.values())


def _milliseconds(memory: Memory, seen: Sequence[Seen], rule: NearRule) -> float:
    """Median time of one question."""
    times = []
    for one in seen[:50]:
        started = time.perf_counter()
        memory.near(one.phash, one.likeness, rule=rule)
        times.append(time.perf_counter() - started)
    return round(1000 * float(np.median(times)), 2)


def _strangers(memory: Memory, seen: Sequence[Seen], rule: NearRule) -> dict[str, float]:
    """Each picture without its family: how often something is found, and how near the nearest."""
    by_sha256 = {one.sha256: one for one in seen}
    families: dict[str, list[str]] = {}
    for one in seen:
        families.setdefault(one.family, []).append(one.sha256)
    anything = NearRule(0.0, 0)
    matched, misled, nearest = 0, 0, []
    for one in seen:
        others = memory.removed(families[one.family])
        best = others.near(one.phash, one.likeness, rule=rule, most=1)
        matched += bool(best)
        misled += bool(best) and by_sha256[best[0].sha256].label != one.label
        closest = others.near(0, one.likeness, rule=anything, most=1)
        nearest.append(closest[0].similarity if closest else 0.0)
    return {
        "matched": round(matched / len(seen), 4),
        "matched_of_another_label": round(misled / len(seen), 4),
        "nearest_median": round(float(np.median(nearest)), 3),
        "nearest_99": round(float(np.quantile(nearest, 0.99)), 3),
        "nearest": round(max(nearest), 3),
    }


def _copies(
    memory: Memory, seen: Sequence[Seen], rule: NearRule, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """By kind of copy, how many are recognised as the picture they were made of, and how alike."""
    found: dict[str, list[tuple[bool, float]]] = {}
    with progress_bar("Copying", len(seen)) as advance:
        for one in seen:
            for name, data in copies(decode(one.path.read_bytes()).pixels, rng):
                best = _near(memory, decode(data), rule)
                right = bool(best) and best[0].sha256 == one.sha256
                found.setdefault(name, []).append((right, best[0].similarity if right else 0.0))
            advance(1)
    return {
        name: {
            "recognised": round(float(np.mean([right for right, _ in answers])), 4),
            "similarity_5": round(float(np.quantile([s for _, s in answers], 0.05)), 3),
        }
        for name, answers in found.items()
    }


def _near(memory: Memory, picture: Picture, rule: NearRule) -> list[Match]:
    return memory.near(picture.facts.phash, likeness(picture), rule=rule, most=1)


def copies(pixels: Pixels, rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Files that show the same as a picture, as pictures get passed on, each with its name."""
    yield "jpeg 50", encode_jpeg(pixels, 50)
    yield "webp 80", encode_webp(pixels, 80)
    yield "half the size", encode_png(_scaled(pixels, 0.5))
    yield "screenshot", encode_png(_scaled(pixels, SCREEN))
    yield "screenshot with border", encode_png(_framed(_scaled(pixels, SCREEN), rng))
    yield "5 % cut from each side", encode_png(_cut(pixels, [CUT] * 4))
    one = np.zeros(4)
    one[rng.integers(4)] = CUT
    yield "5 % cut from one side", encode_png(_cut(pixels, one))
    corner = rng.permuted([[CUT, 0], [CUT, 0]], axis=1).ravel()
    yield "5 % cut at a corner", encode_png(_cut(pixels, corner))
    passed_on = _scaled(_cut(pixels, rng.uniform(0, 0.04, 4)), 0.7)
    yield "cut, scaled, jpeg 60", encode_jpeg(passed_on, 60)


def _scaled(pixels: Pixels, share: float) -> Pixels:
    height, width = pixels.shape[:2]
    return resize(pixels, max(1, round(width * share)), max(1, round(height * share)))


def _framed(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    wide = max(1, round(rng.uniform(0.005, 0.025) * max(pixels.shape)))
    shade = BORDERS[rng.integers(len(BORDERS))]
    return np.pad(pixels, ((wide, wide), (wide, wide), (0, 0)), constant_values=shade)


def _cut(pixels: Pixels, shares: Sequence[float] | NDArray[np.float64]) -> Pixels:
    """Without these shares of the top, the bottom, the left and the right."""
    height, width = pixels.shape[:2]
    top, bottom, left, right = (
        round(share * length)
        for share, length in zip(shares, (height, height, width, width), strict=True)
    )
    return np.ascontiguousarray(pixels[top : height - bottom, left : width - right])


def _line(arguments: argparse.Namespace, figures: Mapping[str, Any]) -> str:
    """The log's line."""
    unrelated = figures["unrelated"]
    copied = ", ".join(f"{k} {v['recognised']:.0%}" for k, v in figures["copies"].items())
    return (
        f"`python -m benchmarks.recall .../{arguments.folder.resolve().name} --kind "
        f"{arguments.kind.value}` ({figures['pictures']} pictures): {copied}; of unrelated ones "
        f"{unrelated['matched']:.1%} taken for a copy ({unrelated['matched_of_another_label']:.1%} "
        f"of another label), nearest {unrelated['nearest_median']:.2f} in the middle, "
        f"{unrelated['nearest_99']:.2f} at 99 %; threshold {figures['threshold']:.2f}, "
        f"{figures['near_ms']} ms a question"
    )


if __name__ == "__main__":
    sys.exit(main())
