"""Rows of the log as they are read: the noun, with what is known of its picture."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from domain import Answer, Correction, NotFound, VerdictSource
from storage import schema


def select_log(task_id: int) -> Select[Any]:
    """Rows of a task's log, with what is known of their pictures."""
    log, pictures = schema.corrections, schema.pictures.c
    return (
        select(log, func.coalesce(pictures.phash, 0).label("phash"))
        .outerjoin(schema.pictures, pictures.sha256 == log.c.sha256)
        .where(log.c.task_id == task_id)
    )


def in_order(task: str, connection: Connection, found: Select[Any]) -> list[Correction]:
    """The rows of a selection, oldest first."""
    rows = connection.execute(found.order_by(schema.corrections.c.seq))
    return [correction_of(task, row) for row in rows]


def one_row(connection: Connection, task_id: int, correction_id: str) -> Row[Any]:
    """The row of an id, or NotFound."""
    found = select_log(task_id).where(schema.corrections.c.id == correction_id)
    row = connection.execute(found).one_or_none()
    if row is None:
        raise unknown_correction(correction_id)
    return row


def unknown_correction(correction_id: str) -> NotFound:
    """What to raise when a task has no correction of that id."""
    return NotFound(f"there is no correction {correction_id}", id=correction_id)


def correction_of(task: str, row: Row[Any]) -> Correction:
    """The noun that a row of `select_log` holds."""
    before = None
    if row.before_prediction is not None:
        source = VerdictSource(row.before_source)
        before = Answer(row.before_prediction, row.before_confidence, source)
    return Correction(
        id=row.id,
        task=task,
        seq=row.seq,
        sha256=row.sha256,
        label=row.label,
        person=row.person,
        created_at=row.created_at,
        verdict_id=row.verdict_id,
        variant_of=row.variant_of,
        note=row.note,
        undoes=row.undoes,
        trusted=row.trusted,
        before=before,
        erased=row.erased,
        phash=row.phash,
    )
