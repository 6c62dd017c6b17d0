"""Rows of the log, as they are written and as they are read."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from domain import Answer, Correction, NewCorrection, NotFound, Person, VerdictSource
from storage import schema
from storage.labels import clean_label
from storage.state import State


def new_row(state: State, place: int, person: Person) -> dict[str, Any]:
    """What every row has: its place in the log and whose it is."""
    return {
        "id": uuid.uuid4().hex,
        "task_id": state.task_id,
        "seq": state.corrections + place,
        "person": person.name,
        "trusted": person.trusted,
        "created_at": datetime.now(UTC),
    }


def said_by(new: NewCorrection) -> dict[str, Any]:
    """What a row has of a correction about to be written, but its label."""
    before = new.before
    variant_of = new.variant_of
    return {
        "sha256": new.sha256,
        "verdict_id": new.verdict_id,
        "variant_of": None if variant_of is None else clean_label(variant_of),
        "note": new.note,
        "idempotency_key": key_of(new),
        "before_prediction": before.prediction if before else None,
        "before_confidence": before.confidence if before else None,
        "before_source": before.source.value if before else None,
    }


def key_of(new: NewCorrection) -> str | None:
    """The key as it is stored: two people may well use the same."""
    if new.idempotency_key is None:
        return None
    return json.dumps([new.person.name, new.idempotency_key], ensure_ascii=False)


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
