"""Labelled pictures of a folder as vectors, with their families; remembered between runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from domain import BadImage, TaskKind
from embeddings import Embedder
from embeddings.builtin import augment
from embeddings.images import Limits, Picture, decode, encode_jpeg, resize
from models.examples import Examples
from models.families import Families
from scraper.folders import survey
from terminal import progress_bar

CACHE = Path(__file__).parent / "out" / "vectors"
CODE = Path(__file__).parent.parent / "embeddings"
BATCH = 32
QUALITY = 90


@dataclass(frozen=True, slots=True)
class Recipe:
    """How pictures become vectors.

    `equalise` is the side every picture is cropped and scaled to before it is encoded anew, so
    that neither shape nor size nor compression tells the label; 0 leaves them as delivered.
    """

    embedder: Embedder
    kind: TaskKind
    equalise: int = 0
    copies: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """What was found: examples, and (n, c, dim) vectors of their teaching copies."""

    examples: Examples
    copies: NDArray[np.float32]
    unreadable: int

    def lesson(self, rows: NDArray[np.intp]) -> Examples:
        """Only these rows, and after them their copies, which belong to the same families."""
        few = self.examples.take(rows)
        made = self.copies.shape[1]
        if not made:
            return few
        again = np.repeat(rows, made)
        return Examples(
            np.concatenate([few.vectors, self.copies[rows].reshape(len(again), -1)]),
            np.concatenate([few.labels, self.examples.labels[again]]),
            np.concatenate([few.sources, self.examples.sources[again]]),
            np.concatenate([few.families, self.examples.families[again]]),
        )


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    label: str
    source: str


def gather(folders: Sequence[Path], recipe: Recipe, labels: Sequence[str] = ()) -> Gathered:
    """Read <source>/<label> or <label> folders; in the latter the folder itself is the source.

    Parameters
    ----------
    folders
        Each is searched whole; the label is the name of the innermost folder.
    recipe
        How pictures become vectors.
    labels
        Only these; none: all.

    Returns
    -------
    Gathered
        Exact duplicates once; families by the rule that taking pictures in follows.
    """
    files = list(_unlike(file for file in _files(folders) if not labels or file.label in labels))
    remembered = CACHE / f"{_key([digest for _, digest in files], recipe)}.npz"
    if not remembered.exists():
        vectors, copies, hashes = _embed([file for file, _ in files], recipe)
        remembered.parent.mkdir(parents=True, exist_ok=True)
        with remembered.open("wb") as out:
            np.savez(out, vectors=vectors, copies=copies, hashes=hashes)
    with np.load(remembered) as kept:
        vectors, copies, hashes = kept["vectors"], kept["copies"], kept["hashes"]
    readable = np.flatnonzero(np.isfinite(vectors).all(1))
    families = _families([files[row][1] for row in readable], hashes[readable], recipe.kind)
    examples = Examples(
        vectors[readable],
        np.asarray([files[row][0].label for row in readable]),
        np.asarray([files[row][0].source for row in readable]),
        np.asarray(families),
    )
    return Gathered(examples, copies[readable], len(files) - len(readable))


def _files(folders: Sequence[Path]) -> Iterator[_File]:
    for folder in folders:
        for found in survey(folder, label=None).pictures:
            above = PurePath(found.name).parts[:-1]
            source = above[-2] if len(above) > 1 else folder.resolve().name
            yield _File(found.path, found.label, source)


def _unlike(files: Iterator[_File]) -> Iterator[tuple[_File, str]]:
    """Each file with the sha256 of its bytes, exact duplicates left out."""
    seen = set()
    for file in files:
        digest = hashlib.sha256(file.path.read_bytes()).hexdigest()
        if digest not in seen:
            seen.add(digest)
            yield file, digest


def _key(digests: Sequence[str], recipe: Recipe) -> str:
    """Changes with the pictures, with the recipe and with the code that makes vectors."""
    code = [path.read_bytes() for path in sorted(CODE.rglob("*.py"))]
    about = (recipe.embedder.id, recipe.kind.value, recipe.equalise, recipe.copies, *digests)
    return hashlib.sha256(b"\0".join([repr(about).encode(), *code])).hexdigest()[:32]


def _embed(
    files: Sequence[_File], recipe: Recipe
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint64]]:
    """Vectors, vectors of copies, and perceptual hashes; NaN where a file is not readable."""
    dim = recipe.embedder.dim
    vectors = np.full((len(files), dim), np.nan, np.float32)
    copies: list[NDArray[np.float32]] = []
    hashes = np.zeros(len(files), np.uint64)
    with progress_bar("Embedding", len(files)) as advance, ThreadPoolExecutor() as pool:
        for start in range(0, len(files), BATCH):
            batch = list(pool.map(lambda f: _read(f, recipe), files[start : start + BATCH]))
            rows = [start + i for i, picture in enumerate(batch) if picture is not None]
            pictures = [picture for picture in batch if picture is not None]
            vectors[rows] = recipe.embedder.embed(pictures)
            hashes[rows] = [picture.facts.phash for picture in pictures]
            copies.extend(_copies(picture, recipe) for picture in batch)
            advance(len(batch))
    made = max((len(each) for each in copies), default=0)
    stacked = np.zeros((len(files), made, dim), np.float32)
    for row, each in enumerate(copies):
        stacked[row, : len(each)] = each
    return vectors, stacked, hashes


def _read(file: _File, recipe: Recipe) -> Picture | None:
    try:
        picture = decode(file.path.read_bytes(), Limits())
    except BadImage:
        return None
    return _equalised(picture, recipe.equalise) if recipe.equalise else picture


def _equalised(picture: Picture, side: int) -> Picture:
    """The middle square at one size and quality; families still go by the picture delivered."""
    height, width = picture.pixels.shape[:2]
    least = min(height, width)
    top, left = (height - least) // 2, (width - least) // 2
    square = np.ascontiguousarray(picture.pixels[top : top + least, left : left + least])
    again = decode(encode_jpeg(resize(square, side, side), quality=QUALITY))
    return Picture(again.pixels, picture.facts)


def _copies(picture: Picture | None, recipe: Recipe) -> NDArray[np.float32]:
    if picture is None or not recipe.copies:
        return np.zeros((0, recipe.embedder.dim), np.float32)
    made = augment(picture.pixels, recipe.kind, seed=int(picture.facts.sha256[:8], 16))
    return recipe.embedder.embed([Picture(pixels, picture.facts) for pixels in made])


def _families(digests: Sequence[str], hashes: NDArray[np.uint64], kind: TaskKind) -> list[str]:
    families = Families(kind)
    found = []
    for digest, phash in zip(digests, hashes, strict=True):
        family = families.find(int(phash))
        found.append(family if family is not None else families.found(digest, int(phash)))
    return found
