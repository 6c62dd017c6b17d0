"""Pictures of folders as vectors, in several forms: as delivered, equalised, exchanged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.gather import CACHE, CODE
from domain import BadImage, TaskKind
from embeddings import Embedder
from embeddings.equalise import cut, equalised, equalised_file
from embeddings.images import Picture, decode, encode_jpeg, file_facts, resize
from models.examples import Examples
from models.families import Families
from scraper.folders import survey
from terminal import progress_bar

DELIVERED, EQUALISED, EXCHANGED = "as delivered", "equalised", "exchanged"
USUAL_QUALITY = 85
BATCH = 32


@dataclass(frozen=True, slots=True)
class Delivered:
    """A readable picture file, and what it is."""

    path: Path
    sha256: str
    label: str
    source: str
    family: str
    facts: Mapping[str, Any]


def read(folders: Sequence[Path], kind: TaskKind, *, most: int = 0) -> list[Delivered]:
    """Every picture once, with its family; of each label and source at most so many."""
    families, found, taken = Families(kind), dict[str, Delivered](), dict[tuple[str, str], int]()
    for folder in folders:
        for one in survey(folder, label=None).pictures:
            above = PurePath(one.name).parts[:-1]
            source = above[-2] if len(above) > 1 else folder.resolve().name
            if most and taken.get((one.label, source), 0) >= most:
                continue
            data = one.path.read_bytes()
            try:
                known, facts = decode(data).facts, file_facts(data)
            except BadImage:
                continue
            if known.sha256 in found:
                continue
            family = families.find(known.phash) or families.found(known.sha256, known.phash)
            of_it = (known.sha256, one.label, source, family, facts)
            found[known.sha256] = Delivered(one.path, *of_it)
            taken[one.label, source] = taken.get((one.label, source), 0) + 1
    return list(found.values())


def facts_of_equalised(files: Sequence[Delivered], kind: TaskKind) -> list[dict[str, Any]]:
    """Facts of the files that equalising makes."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda one: file_facts(equalised_file(_opened(one), kind)), files))


def examples(files: Sequence[Delivered], form: str, embedder: Embedder, kind: TaskKind) -> Examples:
    """The pictures as vectors in one form; remembered until pictures or code change."""
    code = [path.read_bytes() for path in [*sorted(CODE.rglob("*.py")), Path(__file__)]]
    about = repr((embedder.id, kind.value, form, [one.sha256 for one in files])).encode()
    key = hashlib.sha256(b"\0".join([about, *code])).hexdigest()[:32]
    remembered = CACHE / f"{key}.npy"
    if not remembered.exists():
        remembered.parent.mkdir(parents=True, exist_ok=True)
        np.save(remembered, _embed(files, _shaper(files, form, kind), embedder, form))
    return Examples(
        np.load(remembered),
        np.asarray([one.label for one in files]),
        np.asarray([one.source for one in files]),
        np.asarray([one.family for one in files]),
    )


Shaper = Callable[[Delivered, Picture], Picture]


def _shaper(files: Sequence[Delivered], form: str, kind: TaskKind) -> Shaper:
    if form == DELIVERED:
        return lambda one, picture: picture
    if form == EQUALISED:
        return lambda one, picture: equalised(picture, kind)
    models = {
        label: [one.facts for one in files if one.label != label]
        for label in {one.label for one in files}
    }
    return lambda one, picture: exchanged(picture, models[one.label])


def exchanged(picture: Picture, models: Sequence[Mapping[str, Any]]) -> Picture:
    """A picture in the shape, size and quality of some picture of another label."""
    model = models[int(picture.facts.sha256[:8], 16) % len(models)]
    piece = resize(cut(picture.pixels, model["aspect"]), model["width"], model["height"])
    quality = model["jpeg_quality"] or USUAL_QUALITY
    return Picture(decode(encode_jpeg(piece, quality)).pixels, picture.facts)


def _embed(
    files: Sequence[Delivered], shape: Shaper, embedder: Embedder, form: str
) -> NDArray[np.float32]:
    vectors = np.empty((len(files), embedder.dim), np.float32)
    with progress_bar(f"Embedding, {form}", len(files)) as advance, ThreadPoolExecutor() as pool:
        for start in range(0, len(files), BATCH):
            batch = files[start : start + BATCH]
            made = list(pool.map(lambda one: shape(one, _opened(one)), batch))
            vectors[start : start + len(batch)] = embedder.embed(made)
            advance(len(batch))
    return vectors


def _opened(one: Delivered) -> Picture:
    return decode(one.path.read_bytes())
