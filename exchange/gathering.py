"""Writing all that a task knows into a lesson, a picture at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from config import VERSION
from domain import Correction, NotFound, PictureFacts, Sample, Task, Unacceptable
from engine import Engine
from exchange.carried import parts_in_use
from exchange.layout import MOST_ROWS, CorrectionRow, Manifest, SampleRow, TaskPart
from exchange.rows import LONG, NOTE
from exchange.writing import LessonWriter
from models.standing import Standing

AT_ONCE = 256
"""Pictures whose vectors are in one file; with teaching copies a picture takes up to 70 kB."""


@dataclass(frozen=True, slots=True)
class LessonCounts:
    """What a lesson has in it.

    Attributes
    ----------
    vectors
        Pictures that have a vector of the embedder in use.
    left_out
        Samples whose picture is not kept here whole. A correction does without.
    """

    task: str
    samples: int
    corrections: int
    pictures: int
    vectors: int
    left_out: int


def write_lesson(
    engine: Engine,
    task_name: str,
    file: BinaryIO,
    progress: Callable[[int], Callable[[int], None]],
) -> LessonCounts:
    """Write a task's lesson; one picture is in memory at a time.

    Parameters
    ----------
    engine
        The open engine.
    task_name
        Whose lesson.
    file
        Where it goes; need not be seekable.
    progress
        Told the number of pictures, then how many more are written.

    Raises
    ------
    NotFound
        No such task.
    Unacceptable
        It has more rows than a lesson may have.
    """
    store = engine.store
    log = Standing().after(store.corrections.since(task_name, 0)).live.values()
    samples = store.samples.all(task_name)
    task = store.tasks.get(task_name)  # after its rows: so it has all their labels
    _check_size(len(log), len(samples))
    families = {sample.sha256: sample.family for sample in samples}
    own = [sample for sample in samples if not sample.taught]
    names = list(dict.fromkeys([*(row.sha256 for row in log), *(one.sha256 for one in own)]))
    writer = LessonWriter(file)
    written = _put_pictures(engine, writer, names, progress(len(names)))
    facts = store.samples.facts({row.sha256 for row in log} - written)
    sample_rows = [_sample_row(one) for one in own if one.sha256 in written]
    correction_rows = [
        _correction_row(row, families.get(row.sha256, ""), facts.get(row.sha256))
        for row in log
        if row.sha256 in written or row.sha256 in facts  # else it was erased just now
    ]
    writer.add_rows(sample_rows, correction_rows)
    said_of = [sha256 for sha256 in names if sha256 in written or sha256 in facts]
    _put_vectors(engine, task, writer, said_of)
    _put_card(engine, task, writer)
    used = [*(row.label for row in sample_rows), *(row.label for row in correction_rows)]
    manifest = writer.finish(
        Manifest(
            task=_task_part(task, used),
            samples=len(sample_rows),
            corrections=len(correction_rows),
            pictures=0,
            vectors={},
            chunks=0,
            created_at=datetime.now(UTC).isoformat(),
            service=VERSION,
        )
    )
    return LessonCounts(
        task=task_name,
        samples=len(sample_rows),
        corrections=len(correction_rows),
        pictures=manifest.pictures,
        vectors=manifest.vectors.get(engine.embedders[task.kind].id, 0),
        left_out=len(own) - len(sample_rows),
    )


def _check_size(*counts: int) -> None:
    if max(counts) > MOST_ROWS:
        raise Unacceptable("task", f"{max(counts):,} rows", f"at most {MOST_ROWS:,} in a lesson")


def _put_pictures(
    engine: Engine, writer: LessonWriter, names: Sequence[str], advance: Callable[[int], None]
) -> set[str]:
    """Write the pictures that are kept whole."""
    written = set()
    for sha256 in names:
        try:
            data = engine.store.blobs.get(sha256)
        except NotFound:
            data = b""
        if hashlib.sha256(data).hexdigest() == sha256:
            writer.add_picture(sha256, data)
            written.add(sha256)
        advance(1)
    return written


def _sample_row(sample: Sample) -> SampleRow:
    return SampleRow(
        sha256=sample.sha256,
        label=sample.label,
        source=sample.source[:LONG],
        family=sample.family,
        license=sample.license[:LONG],
        author=sample.author[:LONG],
        page_url=sample.page_url[: 4 * LONG],
    )


def _correction_row(row: Correction, family: str, facts: PictureFacts | None) -> CorrectionRow:
    return CorrectionRow(
        id=row.id,
        sha256=row.sha256,
        label=row.label,
        person=row.person,
        trusted=row.trusted,
        note=row.note[:NOTE],
        variant_of=row.variant_of,
        created_at=row.created_at.isoformat(),
        before=row.before,
        family=family,
        facts=facts,
    )


def _put_vectors(engine: Engine, task: Task, writer: LessonWriter, names: Sequence[str]) -> None:
    for embedder in parts_in_use(engine.embedders[task.kind], task.kind):
        for start in range(0, len(names), AT_ONCE):
            found, rows = engine.store.vectors.get(embedder, names[start : start + AT_ONCE])
            if found:
                writer.add_vectors(embedder, found, rows)


def _put_card(engine: Engine, task: Task, writer: LessonWriter) -> None:
    version = engine.store.versions.current(task.name)
    if version is None:
        return
    writer.add_card(
        {
            "version": version.id,
            "classifier": version.classifier,
            "embedder": version.embedder,
            "created_at": version.created_at.isoformat(),
            "demo": version.demo,
            "card": {k: v for k, v in version.card.items() if k != "support"},
        }
    )


def _task_part(task: Task, used: Sequence[str]) -> TaskPart:
    """The task, with labels that were taken back while its rows were being read."""
    labels = dict.fromkeys([*task.labels, *(one for one in used if one not in task.variants)])
    return TaskPart(
        task.name,
        task.kind,
        task.open,
        tuple(labels),
        dict(task.prompts),
        dict(task.variants),
        dict(task.settings),
    )
