"""Labelled pictures of a folder, kept apart by family; taught, trained on, and asked about."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.served import Client
from config import Encoder, Settings, load_settings
from domain import BadImage, NewSample, NotEnoughData, TaskKind
from embeddings.images import decode
from embeddings.job import embed_missing
from engine import open_engine
from models.families import Families, split_of
from scraper.folders import survey
from terminal import progress_bar
from train import train

CLIENTS = 2
"""That ask at once."""
TRAINING_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture file. `family`: it and its near-duplicates, which are taught or asked together."""

    path: Path
    label: str
    family: str

    @property
    def data(self) -> bytes:
        """The file."""
        return self.path.read_bytes()


def read(folder: Path, kind: TaskKind, labels: Collection[str] = ()) -> list[Labelled]:
    """The readable pictures under a folder; the folder that each lies in is its label.

    Parameters
    ----------
    folder
        Where they lie.
    kind
        Decides what counts as near-duplicates.
    labels
        Only these; none: all.
    """
    families, found = Families(kind), []
    files = survey(folder, label=None).pictures
    files = [file for file in files if not labels or file.label in labels]
    with progress_bar(f"Reading {folder.name}", len(files)) as advance:
        for file in files:
            advance(1)
            try:
                facts = decode(file.path.read_bytes()).facts
            except BadImage:
                continue
            family = families.find(facts.phash) or families.found(facts.sha256, facts.phash)
            found.append(Labelled(file.path, file.label, family))
    return found


def apart(
    pictures: Sequence[Labelled], shares: Sequence[float], rng: np.random.Generator
) -> list[list[Labelled]]:
    """Part pictures by chance so that no family is in two parts; in each, in random order.

    Parameters
    ----------
    pictures
        All there are.
    shares
        Of the families, for each part.
    rng
        The chance.
    """
    families = rng.permutation(sorted({picture.family for picture in pictures}))
    ends = np.rint(np.cumsum([0.0, *shares]) * len(families)).astype(int)
    part_of = {
        str(family): part
        for part in range(len(shares))
        for family in families[ends[part] : ends[part + 1]]
    }
    parts: list[list[Labelled]] = [[] for _ in shares]
    for at in rng.permutation(len(pictures)):
        part = part_of.get(pictures[at].family)
        if part is not None:
            parts[part].append(pictures[at])
    return parts


def lesson(
    pictures: Sequence[Labelled], most: int, asked: int, seed: int
) -> tuple[dict[str, list[Labelled]], list[Labelled]]:
    """What is taught, by label and in its order, and what is asked: no family is in both.

    Parameters
    ----------
    pictures
        All there are.
    most
        Pictures that are taught of each label, of as many families.
    asked
        Pictures that are asked at most.
    seed
        Another one picks others.

    Raises
    ------
    NotEnoughData
        A label has too few families.
    """
    rng = np.random.default_rng(seed)
    taught: dict[str, list[Labelled]] = {}
    known: set[str] = set()
    for label in sorted({picture.label for picture in pictures}):
        mine = [picture for picture in pictures if picture.label == label]
        picked: dict[str, Labelled] = {}
        for at in rng.permutation(len(mine)):
            if len(picked) < most and mine[at].family not in known:
                picked.setdefault(mine[at].family, mine[at])
        if len(picked) < most:
            raise NotEnoughData(f"{label}: {len(picked)} families, and {most} are to be taught.")
        known.update(picked)
        taught[label] = list(picked.values())
    rest = [picture for picture in pictures if picture.family not in known]
    return taught, [rest[at] for at in rng.permutation(len(rest))[:asked]]


def settings_of(folder: Path) -> Settings:
    """The settings of a service with this data folder, for what is done beside it."""
    return load_settings(
        _env_file=None, data_dir=folder, encoder=Encoder.BUILTIN, starter_lesson=False
    )


def trained(folder: Path, task: str, kind: TaskKind, pictures: Sequence[Labelled]) -> None:
    """Make a task in a data folder, bring it pictures, and train a version of it.

    Raises
    ------
    NotEnoughData
        Too few of a label.
    """
    engine = open_engine(settings_of(folder))
    try:
        labels = sorted({picture.label for picture in pictures})
        engine.store.tasks.create(task, kind, labels, open=True)
        found = []
        for picture in pictures:
            data = picture.data
            engine.store.blobs.put(data, durable=False)
            sample = NewSample(
                label=picture.label,
                source="benchmark",
                family=picture.family,
                split=split_of(picture.family),
            )
            found.append((decode(data).facts, sample))
        engine.store.samples.add_many(task, found)
        embed_missing(engine.store, engine.embedders[kind], task, settings=engine.settings)
        train(
            engine,
            task,
            classifier="logistic_regression",
            time_budget=TRAINING_SECONDS,
            why="benchmark",
        )
    finally:
        engine.close()


def ask_all(port: int, task: str, files: Sequence[bytes], key: str = "") -> list[Any]:
    """The verdicts on many pictures, asked by a few clients at once; in their order."""

    def some(which: int) -> list[Any]:
        with Client(port, key) as client:
            return [client.predict(task, data) for data in files[which::CLIENTS]]

    answers: list[Any] = [None] * len(files)
    with ThreadPoolExecutor(CLIENTS) as pool:
        for which, found in enumerate(pool.map(some, range(CLIENTS))):
            answers[which::CLIENTS] = found
    return answers
