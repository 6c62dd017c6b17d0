"""Lessons for tests: taught in an installation of their own, and taken apart member by member."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from classify import classify
from config import Encoder, Settings, load_settings
from domain import NewSample, Person, TaskKind
from embeddings.images import decode
from engine import Engine, open_engine
from feedback import correct, undo
from given import Given
from lessons import export_lesson
from models.families import split_of
from tests.pictures import encode, letter

TASK = "letters"
ME = Person("local", trusted=True)
ANN, BOB = Person("ann", trusted=False), Person("bob", trusted=True)


def settings_in(folder: Path, **values: Any) -> Settings:
    """Those of a fresh installation."""
    return load_settings(
        _env_file=None,
        data_dir=folder / "data",
        encoder=Encoder.BUILTIN,
        starter_lesson=False,
        **values,
    )


@contextmanager
def installation(folder: Path, **values: Any) -> Iterator[Engine]:
    """An installation of its own."""
    engine = open_engine(settings_in(folder, **values))
    try:
        yield engine
    finally:
        engine.close()


def drawn(which: int, hand: int = 0) -> bytes:
    """A letter's file."""
    return encode(letter(which, hand, side=64), "PNG")


def sha(data: bytes) -> str:
    """A picture's sha256."""
    return decode(data).facts.sha256


def teach(engine: Engine, data: bytes, label: str, person: Person = ME, **more: Any) -> str:
    """Correct a picture; the row's id."""
    return correct(engine, Given(TASK, person, label, picture=data, **more)).correction.id


def add_sample(engine: Engine, data: bytes, label: str, *, family: str = "") -> None:
    """Bring a labelled picture that nobody corrected, with its vector."""
    picture = decode(data)
    engine.store.blobs.put(data)
    family = family or picture.facts.sha256
    sample = NewSample(
        label, "scans", family, split_of(family), "CC0-1.0", "A. N.", "https://a.example/b"
    )
    engine.store.samples.add(TASK, picture.facts, sample)
    embedder = engine.embedders[TaskKind.DRAWING]
    engine.store.vectors.put(embedder.id, [picture.facts.sha256], embedder.embed([picture]))


def teach_everything(engine: Engine) -> None:
    """A task with all that a lesson can have."""
    tasks = engine.store.tasks
    tasks.create(TASK, TaskKind.DRAWING, ("a", "ಕ್ಷ"), open=True, prompts={"a": "a letter a"})
    for which, label in enumerate(("a", "ಕ್ಷ", "á")):
        tasks.add_label(TASK, label)
        add_sample(engine, drawn(which, 9), label)
    tasks.settle(TASK, {"unsure_below": 0.2})
    tasks.link(TASK, "a", "á")  # a label with pictures of its own becomes a variant
    teach(engine, drawn(0), "a", note="quite sure\nreally")
    teach(engine, drawn(1), "ಕ್ಷ", ANN)
    teach(engine, drawn(1), "a", BOB)  # a dispute
    teach(engine, drawn(2), "b", ANN)
    teach(engine, drawn(2), "🅱️", ANN)  # she changed her mind
    undo(engine, TASK, teach(engine, drawn(3), "gone"), ME)
    teach(engine, drawn(4), "ɑ", ANN, variant_of="a")
    teach(engine, drawn(0, 9), "b", BOB)  # of a sample
    (verdict,) = classify(engine, TASK, [decode(drawn(5))])  # its file is not kept
    correct(engine, Given(TASK, ME, "b", verdict_id=verdict.id))


def exported(engine: Engine, task: str = TASK) -> bytes:
    """A task's lesson."""
    file = io.BytesIO()
    export_lesson(engine, task, file)
    return file.getvalue()


def members(lesson: bytes) -> dict[str, bytes]:
    """What is in a lesson."""
    with zipfile.ZipFile(io.BytesIO(lesson)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def zipped(parts: Mapping[str, bytes] | Iterable[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    """A zip of these members, whatever they are."""
    items = parts.items() if isinstance(parts, Mapping) else parts
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in items:
            archive.writestr(name, data)
    return file.getvalue()


def rows_of(parts: Mapping[str, bytes], name: str) -> list[dict[str, Any]]:
    """The rows of a member."""
    return [json.loads(line) for line in parts[name].splitlines()]


def as_lines(rows: Iterable[object]) -> bytes:
    """Rows as a member has them."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def snapshot(engine: Engine, task: str = TASK) -> dict[str, Any]:
    """All that a task knows, without the numbers and times that every installation gives anew."""
    store, known = engine.store, engine.store.tasks.get(task)
    samples = store.samples.all(task)
    log = store.corrections.since(task, 0)
    undone = {row.undoes for row in log}
    live = [row for row in log if row.undoes is None and row.id not in undone]
    names = sorted({one.sha256 for one in samples} | {row.sha256 for row in live})
    embedder = engine.embedders[known.kind]
    vectors = store.vectors.get(embedder.id, names)
    return {
        "kind": known.kind,
        "open": known.open,
        "labels": set(known.labels),
        "variants": dict(known.variants),
        "prompts": dict(known.prompts),
        "settings": dict(known.settings),
        "samples": {
            (
                s.sha256,
                s.label,
                s.source,
                s.family,
                s.split,
                s.license,
                s.author,
                s.page_url,
                s.taught,
            )
            for s in samples
        },
        "live": [
            (r.sha256, r.label, r.person, r.trusted, r.note, r.variant_of, r.before, r.phash)
            for r in live
        ],
        "files": {s: store.blobs.get(s) for s in names if store.blobs.exists(s)},
        "vectors": dict(zip(vectors[0], map(bytes, vectors[1]), strict=True)),
    }
