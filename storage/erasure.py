"""Erasing one picture: everything kept of it, in every task and in what was archived."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy import Connection, Table, Text, delete, func, or_, select, type_coerce, update

from domain import Erased
from storage import schema
from storage.blobs import Blobs
from storage.labels import settle
from storage.state import State, all_locked, moved
from storage.store import Database

MENTIONS = (
    (schema.runs, (schema.runs.c.counts, schema.runs.c.metrics, schema.runs.c.detail)),
    (schema.jobs, (schema.jobs.c.request, schema.jobs.c.kept, schema.jobs.c.result)),
    (schema.deliveries, (schema.deliveries.c.body,)),
)
"""Documents that may name pictures: few rows, so all are looked through."""
SHA_DIGITS_TOLD = 12
"""By so many digits of its sha256 a picture is named in the reasons of verdicts on others."""


def erase(database: Database, blobs: Blobs, sha256: str) -> Erased:
    """Erase a picture; doing so again after a crash finishes what was begun.

    Of its corrections the place in the sequence is left, because that has no gaps; where it gave
    a family its name that is left, because the split of the other pictures hangs on it. Of a
    picture that a source listed the source's own name for it is left: it is not fetched again.

    Raises
    ------
    NotFound
        That is no sha256.
    """
    blobs.path(sha256)
    gone: Counter[str] = Counter()
    trained: list[str] = []
    with database.writing() as connection:
        for state in all_locked(connection):
            trained += _trained_since(connection, state.task_id, sha256)
            gone += _erase_from(connection, state, sha256)
        gone["vectors"] = _erase_vectors(connection, sha256)
        for table in (schema.changes, schema.file_facts, schema.pictures):
            connection.execute(delete(table).where(table.c.sha256 == sha256))
        _forget_where_from(connection, sha256)
        _erase_mentions(connection, sha256)
    return Erased(
        sha256=sha256,
        file=blobs.remove(sha256),
        vectors=gone["vectors"],
        samples=gone["samples"],
        corrections=gone["corrections"],
        verdicts=gone["verdicts"],
        trained_versions=tuple(trained),
    )


def _trained_since(connection: Connection, task_id: int, sha256: str) -> list[str]:
    """The versions of a task made since the picture first came to it, oldest first."""
    samples, log, versions = schema.samples.c, schema.corrections.c, schema.model_versions.c
    came: list[datetime] = []
    for at, where in (
        (samples.added_at, (samples.task_id == task_id, samples.sha256 == sha256)),
        (log.created_at, (log.task_id == task_id, log.sha256 == sha256)),
    ):
        came += connection.execute(select(at).where(*where).order_by(at).limit(1)).scalars()
    if not came:
        return []
    found = select(versions.id).where(versions.task_id == task_id, versions.created_at >= min(came))
    return list(connection.execute(found.order_by(versions.created_at, versions.id)).scalars())


def _erase_from(connection: Connection, state: State, sha256: str) -> Counter[str]:
    """Erase a picture from one task, whose state is locked."""
    log, samples = schema.corrections, schema.samples
    this = (log.c.task_id == state.task_id, log.c.sha256 == sha256)
    labels = set(connection.execute(select(log.c.label).where(*this)).scalars())
    sampled = (samples.c.task_id == state.task_id, samples.c.sha256 == sha256)
    labels.update(connection.execute(select(samples.c.label).where(*sampled)).scalars())
    verdicts = _erase_verdicts(connection, state, sha256)  # while its sample still has a number
    receipts = schema.receipts.c.correction_id.in_(select(log.c.id).where(*this))
    connection.execute(delete(schema.receipts).where(receipts))
    blank = update(log).where(*this).values(sha256="", note="", verdict_id=None, erased=True)
    gone = Counter(
        corrections=connection.execute(blank).rowcount,
        samples=_erase_rows(connection, samples, state, sha256),
        verdicts=verdicts,
    )
    _erase_rows(connection, schema.quarantine, state, sha256)
    if gone["corrections"] or gone["samples"]:
        settle(connection, state.task_id, sorted(labels))
        moved(connection, state, epoch=1)
    return gone


def _erase_verdicts(connection: Connection, state: State, sha256: str) -> int:
    """Erase the verdicts on a picture, and those on others that name it as like or near them.

    Without what they say of it these would not be what was signed. All of the task are read.
    """
    verdicts, samples = schema.verdicts, schema.samples
    sampled = (samples.c.task_id == state.task_id, samples.c.sha256 == sha256)
    ids = connection.execute(select(samples.c.id).where(*sampled)).scalars()
    told = type_coerce(verdicts.c.detail, Text)
    names = [sha256[:SHA_DIGITS_TOLD], *(f'"sample_id": {number},' for number in ids)]
    names_it = or_(verdicts.c.sha256 == sha256, *(told.contains(n, autoescape=True) for n in names))
    these = delete(verdicts).where(verdicts.c.task_id == state.task_id, names_it)
    return connection.execute(these).rowcount


def _erase_rows(connection: Connection, table: Table, state: State, sha256: str) -> int:
    these = delete(table).where(table.c.task_id == state.task_id, table.c.sha256 == sha256)
    return connection.execute(these).rowcount


def _forget_where_from(connection: Connection, sha256: str) -> None:
    """Leave a source's own name of the picture only, so that it is not fetched again."""
    seen = schema.seen
    named = update(seen).where(seen.c.sha256 == sha256)
    connection.execute(named.values(sha256=None, url="", etag=None, last_modified=None))


def _erase_mentions(connection: Connection, sha256: str) -> None:
    """Take the name of the picture out of what was told of runs, by jobs and in messages."""
    for table, columns in MENTIONS:
        for column in columns:
            told = type_coerce(column, Text)
            these = update(table).where(told.contains(sha256))
            connection.execute(these.values({column.name: func.replace(told, sha256, "")}))


def _erase_vectors(connection: Connection, sha256: str) -> int:
    """Erase the vectors of every embedder, each found by its key: one by sha256 reads them all."""
    table, gone = schema.vectors, 0
    embedder = connection.execute(select(func.min(table.c.embedder))).scalar()
    while embedder is not None:
        this = delete(table).where(table.c.embedder == embedder, table.c.sha256 == sha256)
        gone += connection.execute(this).rowcount
        following = select(func.min(table.c.embedder)).where(table.c.embedder > embedder)
        embedder = connection.execute(following).scalar()
    return gone
