"""Whether the gate tells harmless retrains from poisoned ones: many of both, on real heads.

    python -m benchmarks.gates                                    vectors made by a seed
    python -m benchmarks.gates --pictures ../shared/data/smile    those of real pictures

Each retrain is one of its own: a version is trained and promoted, its pictures change, the next
candidate is trained and judged, all as the service does it. Both heads are then asked about many
clean pictures that nobody else sees, which is how a loss is known.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.ledger import record
from benchmarks.schooling import read
from config import ClassifierType, Encoder, Settings, load_settings
from domain import ModelVersion, NewSample, NotEnoughData, PictureFacts, TaskKind
from embeddings.builtin import Builtin
from embeddings.images import decode
from engine import Engine, wired
from models.families import split_of
from storage import open_store
from train import candidate, judge, settle

TASK = "gated"
NEW_LABEL, A_NEW_LABEL = "never seen", "a new label"
ALLOWED = 0.01
"""A loss of true balanced accuracy that no poisoned retrain may bring with it."""
CLEAN = 20_000
BUDGET = 20.0
RETRAINS = 6
Rng = np.random.Generator


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Labelled vectors as a store would have them: names, labels, sources, (n, dim) vectors."""

    names: NDArray[np.str_]
    labels: NDArray[np.str_]
    sources: NDArray[np.str_]
    vectors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: NDArray[Any]) -> Pictures:
        """Only these rows."""
        return Pictures(self.names[rows], self.labels[rows], self.sources[rows], self.vectors[rows])

    def plus(self, other: Pictures) -> Pictures:
        """These and others."""
        return Pictures(
            np.concatenate([self.names, other.names]),
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.sources, other.sources]),
            np.concatenate([self.vectors, other.vectors]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """What there is to be had: pictures at first, new ones, ones of a new source, clean ones.

    `extra`, where there are such: pictures of a label that is not among the first, and clean ones.
    """

    first: Pictures
    new: Pictures
    foreign: Pictures
    clean: Pictures
    extra: tuple[Pictures, Pictures] | None = None


Change = Callable[[World, Rng, float], Pictures]
"""What the pictures are like at the second training; the number is how bad it gets, 0 to 0.5."""


def flipped(pictures: Pictures, share: float, rng: Rng, *, only: str = "") -> Pictures:
    """With so many labels turned into another one; `only` those of one label."""
    labels, turned = np.unique(pictures.labels), pictures.labels.copy()
    wrong = (rng.random(len(pictures)) < share) & ((pictures.labels == only) | (not only))
    for row in np.flatnonzero(wrong):
        turned[row] = rng.choice(labels[labels != pictures.labels[row]])
    return replace(pictures, labels=turned)


def copied(pictures: Pictures) -> Pictures:
    """The same under other names."""
    names = [hashlib.sha256(name.encode()).hexdigest() for name in pictures.names]
    return replace(pictures, names=np.asarray(names))


def some(pictures: Pictures, share: float, rng: Rng) -> Pictures:
    """A share of them, by chance."""
    return pictures.take(rng.random(len(pictures)) < share)


def renamed(pictures: Pictures) -> Pictures:
    """All under a label that there was none of."""
    return replace(pictures, labels=np.full(len(pictures), NEW_LABEL))


def with_extra(world: World) -> Pictures:
    """Those at first, and the ones of another label."""
    return world.first.plus(world.extra[0]) if world.extra else world.first


def blank(pictures: Pictures) -> Pictures:
    """With one vector for all."""
    return replace(pictures, vectors=np.repeat(pictures.vectors[:1], len(pictures), axis=0))


HARMLESS: Mapping[str, Change] = {
    "more": lambda w, rng, _: w.first.plus(w.new),
    "a few more": lambda w, rng, _: w.first.plus(some(w.new, 0.05, rng)),
    "some more": lambda w, rng, _: w.first.plus(some(w.new, 0.4, rng)),
    "a new source": lambda w, rng, _: w.first.plus(w.foreign),
    "the same again": lambda w, rng, _: w.first,
    "a tenth taken out, more put in": lambda w, rng, _: some(w.first, 0.9, rng).plus(w.new),
    "a twentieth taken out": lambda w, rng, _: some(w.first, 0.95, rng),
    A_NEW_LABEL: lambda w, rng, _: with_extra(w),
}
POISONED: Mapping[str, Change] = {
    "new labels flipped": lambda w, rng, bad: w.first.plus(flipped(w.new, bad, rng)),
    "all labels flipped": lambda w, rng, bad: flipped(w.first.plus(w.new), bad, rng),
    "old labels flipped": lambda w, rng, bad: flipped(w.first, bad, rng),
    "one label flipped": lambda w, rng, bad: w.first.plus(
        flipped(w.new, min(1.0, 2 * bad), rng, only=str(w.first.labels[0]))
    ),
    "a new source flipped": lambda w, rng, bad: w.first.plus(flipped(w.foreign, bad, rng)),
    "copies turned round": lambda w, rng, bad: w.first.plus(
        flipped(copied(some(w.first, bad, rng)), 1.0, rng)
    ),
    "a label missing": lambda w, rng, _: w.first.take(w.first.labels != w.first.labels[0]),
    "one vector for all": lambda w, rng, _: blank(w.first.plus(w.new)),
    "one vector for new ones": lambda w, rng, _: w.first.plus(blank(w.new)),
    "a new label that is poison": lambda w, rng, bad: w.first.plus(
        renamed(some(w.new, min(1.0, 2 * bad), rng))
    ),
    "little left": lambda w, rng, bad: _least(w.first, 12 + int(60 * bad), rng),
}


def _least(pictures: Pictures, per_label: int, rng: Rng) -> Pictures:
    rows = [
        rng.permutation(np.flatnonzero(pictures.labels == label))[:per_label]
        for label in np.unique(pictures.labels)
    ]
    return pictures.take(np.concatenate(rows))


def made_up(seed: int) -> World:
    """A world of clouds in a space: two to four labels, several clouds each, shifted by source."""
    rng = np.random.default_rng(seed)
    dim, kinds = int(rng.choice([24, 48, 96])), int(rng.choice([2, 2, 3, 4]))
    # in standard deviations of a cloud, how far labels lie apart: 2.5 errs on one in ten
    noise, apart = 1 / np.sqrt(dim), rng.uniform(2.2, 4.5)
    step = noise * apart / np.sqrt(2 * dim)
    clouds = step * rng.standard_normal((kinds, 1, dim))
    clouds = clouds + 0.6 * step * rng.standard_normal((kinds, 3, dim))
    shifts = 0.4 * step * rng.standard_normal((3, dim))
    taken = 0

    def draw(n: int, sources: Sequence[int]) -> Pictures:
        nonlocal taken
        codes, source = np.arange(n) % kinds, rng.choice(sources, n)
        rows = clouds[codes, rng.integers(3, size=n)] + shifts[source]
        rows = rows + noise * rng.standard_normal((n, dim))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        names = [hashlib.sha256(f"{seed} {taken + i}".encode()).hexdigest() for i in range(n)]
        taken += n
        return Pictures(
            np.asarray(names),
            np.asarray([f"label {code}" for code in codes]),
            np.asarray([f"source {one}" for one in source]),
            rows.astype(np.float32),
        )

    size = int(np.exp(rng.uniform(np.log(200), np.log(2_000))))
    more = int(size * rng.uniform(0.2, 1.0))
    world = World(draw(size, [0, 1]), draw(more, [0, 1]), draw(more, [2]), draw(CLEAN, [0, 1, 2]))
    # by a seed of its own, so that the rest is what it would be without
    rng = np.random.default_rng([seed, 1])
    kinds, clouds = 1, step * rng.standard_normal((1, 1, dim))
    clouds = clouds + 0.6 * step * rng.standard_normal((1, 3, dim))
    own = max(20, int(size / len(np.unique(world.first.labels)) * rng.uniform(0.2, 1.0)))
    return replace(world, extra=(renamed(draw(own, [0, 1])), renamed(draw(CLEAN // 4, [0, 1, 2]))))


def of_pictures(folder: Path) -> Callable[[int], World]:
    """Worlds of real pictures, dealt out anew for each seed; half of them are the clean ones."""
    embedder = Builtin(TaskKind.PHOTO)
    found = read(folder, TaskKind.PHOTO)
    vectors = [embedder.embed([decode(one.data)])[0] for one in found]
    labels = np.asarray([one.label for one in found])
    names = np.asarray([hashlib.sha256(one.data).hexdigest() for one in found])
    families = np.asarray([one.family for one in found])
    # of near-duplicates one, so that none is both learned from and clean
    _, once = np.unique(families, return_index=True)

    def world(seed: int) -> World:
        rng = np.random.default_rng(seed)
        rows = rng.permutation(once)
        sources = np.asarray([f"folder {i}" for i in rng.integers(2, size=len(rows))])
        every = Pictures(names[rows], labels[rows], sources, np.stack(vectors)[rows])
        half = len(rows) // 2
        size, more = int(half * rng.uniform(0.3, 0.6)), int(half * rng.uniform(0.1, 0.2))
        parts = np.split(np.arange(len(rows)), [size, size + more, size + 2 * more, half])
        first, new, foreign, _, clean = (every.take(part) for part in parts)
        return World(first, new, replace(foreign, sources=np.full(more, "elsewhere")), clean)

    return world


@dataclass(frozen=True, slots=True)
class Outcome:
    """One retrain. `loss` is of true balanced accuracy; None where nothing was trained."""

    kind: str
    harmless: bool
    bad: float
    promoted: bool
    reason: str
    accuracy: float
    loss: float | None
    pictures: int
    after: int
    judged_ms: float


class Trial:
    """One store, in which a version is current, and another one with what came after."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._folder = folder
        self._retrained = 0
        self._labels = tuple(str(label) for label in np.unique(world.first.labels))
        engine = self._engine("before", world.first)
        self._current = candidate(engine, TASK)
        self._head = engine.registry.load(self._current)
        engine.close()

    def retrain(self, kind: str, pictures: Pictures, *, harmless: bool, bad: float) -> Outcome:
        """Train and judge on what the pictures are now."""
        self._retrained += 1
        engine = self._engine(f"after {self._retrained}", pictures)
        try:
            engine.store.versions.add(self._current)
            engine.store.versions.promote(TASK, self._current.id, "first")
            clean = self._world.clean
            if kind == A_NEW_LABEL and self._world.extra:
                clean = clean.plus(self._world.extra[1])
            before = _score(self._head, clean)
            about = (kind, harmless, bad)
            sizes = (len(self._world.first), len(pictures))
            try:
                version = candidate(engine, TASK)
            except NotEnoughData as error:
                return Outcome(*about, False, error.message, before, None, *sizes, 0.0)
            promoted, reason, judged_ms = self._judged(engine, version)
            loss = before - _score(engine.registry.load(version), clean)
            return Outcome(*about, promoted, reason, before, loss, *sizes, judged_ms)
        finally:
            engine.close()

    def _judged(self, engine: Engine, version: ModelVersion) -> tuple[bool, str, float]:
        started = time.perf_counter()
        gate = judge(engine, version)
        taken = 1000 * (time.perf_counter() - started)
        settle(engine, version, gate, why="gates", started_at=datetime.now(UTC))
        current = engine.store.versions.current(TASK)
        if gate.promoted != (current is not None and current.id == version.id):
            raise AssertionError("what the gate said did not become of the version")
        return gate.promoted, gate.reason, taken

    def _engine(self, name: str, pictures: Pictures) -> Engine:
        """An engine on a store of its own with these pictures; versions' files are shared."""
        settings = load_settings(
            data_dir=self._folder,
            database_url=f"sqlite:///{self._folder / name}.db",
            encoder=Encoder.BUILTIN,
            classifier_type=ClassifierType.LOGISTIC_REGRESSION,
            training_time_budget=BUDGET,
        )
        embedders = MappingProxyType({kind: Builtin(kind) for kind in TaskKind})
        engine = wired(settings, open_store(settings), embedders)
        labels = sorted({*self._labels, *(str(label) for label in pictures.labels)})
        engine.store.tasks.create(TASK, TaskKind.PHOTO, labels, open=False)
        _put(engine, settings, pictures)
        return engine


def _put(engine: Engine, settings: Settings, pictures: Pictures) -> None:
    rows = zip(pictures.names, pictures.labels, pictures.sources, strict=True)
    samples = [
        (
            PictureFacts(str(name), 64, 64, "PNG", 100, 0),
            NewSample(str(label), str(source), str(name), split_of(str(name))),
        )
        for name, label, source in rows
    ]
    engine.store.samples.add_many(TASK, samples)
    embedder = engine.embedders[TaskKind.PHOTO].id
    engine.store.vectors.put(embedder, [str(name) for name in pictures.names], pictures.vectors)


def _score(head: Any, clean: Pictures) -> float:
    said = np.asarray(head.classes)[head.predict_proba(clean.vectors).argmax(axis=1)]
    right = said == clean.labels
    return float(
        np.mean([right[clean.labels == label].mean() for label in np.unique(clean.labels)])
    )


def measure(
    worlds: Callable[[int], World], harmless: int, poisoned: int, seed: int
) -> list[Outcome]:
    """So many retrains of both sorts, the kinds in turn, poison from 1 % to 50 %.

    Each version is followed by RETRAINS of them, each as if it were the only one.
    """
    outcomes: list[Outcome] = []
    plan = [(True, HARMLESS, i) for i in range(harmless)]
    plan += [(False, POISONED, i) for i in range(poisoned)]
    order = np.random.default_rng(seed).permutation(len(plan))
    for start in range(0, len(plan), RETRAINS):
        world = worlds(seed * 100_000 + start)
        with tempfile.TemporaryDirectory() as folder:
            trial = Trial(world, Path(folder))
            for number in order[start : start + RETRAINS]:
                good, changes, turn = plan[number]
                rng = np.random.default_rng([seed, number])
                kind = list(changes)[turn % len(changes)]
                bad = 0.0 if good else float(rng.uniform(0.01, 0.5))
                pictures = changes[kind](world, rng, bad)
                outcomes.append(trial.retrain(kind, pictures, harmless=good, bad=bad))
                _tell(len(outcomes), len(plan), outcomes[-1])
    return outcomes


def _tell(done: int, total: int, one: Outcome) -> None:
    loss = "no head" if one.loss is None else f"{-100 * one.loss:+.2f} points"
    bad = f" {one.bad:.0%}" if one.bad else ""
    word = "promoted" if one.promoted else "kept"
    print(f"{done}/{total} {one.kind}{bad}, {one.pictures} then {one.after}: {word}, {loss}",
          file=sys.stderr)  # fmt: skip


def summed_up(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures that count."""
    figures: dict[str, Any] = {}
    for name, harmless in (("harmless", True), ("poisoned", False)):
        ones = [one for one in outcomes if one.harmless is harmless]
        promoted = [one for one in ones if one.promoted]
        losses = [one.loss for one in promoted if one.loss is not None]
        figures[name] = {
            "retrains": len(ones),
            "promoted": len(promoted),
            "not_trained": sum(one.loss is None for one in ones),
            "losing_over_1_point": sum((one.loss or 0) > ALLOWED for one in ones),
            "promoted_losing_over_1_point": sum(loss > ALLOWED for loss in losses),
            "worst_loss_promoted": max(losses, default=None),
            "kept_by_kind": dict(Counter(one.kind for one in ones if not one.promoted)),
        }
    figures["judged_ms"] = float(np.median([one.judged_ms for one in outcomes if one.judged_ms]))
    return figures


def main() -> int:
    """Run it and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, help="folder of real pictures, by label")
    parser.add_argument("--harmless", type=int, default=50)
    parser.add_argument("--poisoned", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    worlds = of_pictures(arguments.pictures) if arguments.pictures else made_up
    outcomes = measure(worlds, arguments.harmless, arguments.poisoned, arguments.seed)
    figures = summed_up(outcomes)
    print(json.dumps(figures, indent=2))
    name = f"gates-{arguments.pictures.name if arguments.pictures else 'made-up'}"
    told = ", ".join(
        f"{part['promoted']} of {part['retrains']} {sort} promoted (worst true loss of those "
        f"{100 * (part['worst_loss_promoted'] or 0):.2f} points; "
        f"{part['promoted_losing_over_1_point']} of the {part['losing_over_1_point']} that lose "
        "over 1 point)"
        for sort, part in figures.items()
        if sort != "judged_ms"
    )
    command = " ".join(["python -m benchmarks.gates", *sys.argv[1:]])
    details = {**figures, "outcomes": [asdict(one) for one in outcomes]}
    record(name, details, f"`{command}`: {told}; judged in {figures['judged_ms']:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
