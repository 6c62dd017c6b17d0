"""Corrections: an append-only log with a gapless sequence in each task."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from domain import Conflict, Correction, NotFound, Unacceptable
from storage import schema
from storage.store import Database
from storage.tasks import check_label, clean_label, labels_of, locked_state, task_id_of

MAX_KEY = 255


class Corrections:
    """What people said. Rows are added and read, never changed; an undo is a row as well."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(  # noqa: PLR0913 -- the columns of the log, by name
        self,
        task: str,
        sha256: str,
        label: str,
        person: str,
        *,
        verdict_id: str | None = None,
        variant_of: str | None = None,
        note: str = "",
        undoes: str | None = None,
        idempotency_key: str | None = None,
    ) -> Correction:
        """Write one correction; on return it is on the disk.

        Parameters
        ----------
        undoes
            The id of an earlier correction of this task that this one takes back.
        idempotency_key
            With the same key again nothing is written and the first row comes back.

        Raises
        ------
        NotFound
            No such task, or no such correction to undo.
        Unacceptable
            The label is not one of the task's, or the key is too long.
        Conflict
            That correction was undone already.
        """
        if idempotency_key is not None and not 1 <= len(idempotency_key) <= MAX_KEY:
            raise Unacceptable("Idempotency-Key", idempotency_key, f"1 to {MAX_KEY} characters")
        with self._database.writing() as connection:
            state = locked_state(connection, task)
            if idempotency_key is not None:
                first = self._by_key(connection, state.task_id, idempotency_key)
                if first is not None:
                    return _correction(task, first)
            label = clean_label(label)
            check_label(labels_of(connection, state.task_id), label)
            if undoes is not None:
                self._check_undoable(connection, state.task_id, undoes)
            row = {
                "id": uuid.uuid4().hex,
                "task_id": state.task_id,
                "seq": state.corrections + 1,
                "sha256": sha256,
                "label": label,
                "person": person,
                "verdict_id": verdict_id,
                "variant_of": variant_of,
                "note": note,
                "undoes": undoes,
                "idempotency_key": idempotency_key,
                "created_at": datetime.now(UTC),
            }
            added = insert(schema.corrections).returning(schema.corrections)
            correction = _correction(task, connection.execute(added, row).one())
            moved = update(schema.task_state).where(schema.task_state.c.task_id == state.task_id)
            connection.execute(moved.values(counter=state.counter + 1, corrections=correction.seq))
        return correction

    def _by_key(self, connection: Connection, task_id: int, key: str) -> Row[Any] | None:
        rows = schema.corrections.c
        found = select(schema.corrections).where(
            rows.task_id == task_id, rows.idempotency_key == key
        )
        return connection.execute(found).one_or_none()

    def _check_undoable(self, connection: Connection, task_id: int, correction_id: str) -> None:
        rows = schema.corrections.c
        known = select(rows.seq).where(rows.task_id == task_id, rows.id == correction_id)
        if connection.execute(known).one_or_none() is None:
            raise NotFound(f"there is no correction {correction_id}", id=correction_id)
        undone = select(rows.seq).where(rows.undoes == correction_id)
        if connection.execute(undone).one_or_none() is not None:
            raise Conflict(f"the correction {correction_id} is undone already", id=correction_id)

    def since(self, task: str, seq: int) -> list[Correction]:
        """Every correction of a task after number `seq`, in order."""
        rows = schema.corrections.c
        with self._database.reading() as connection:
            task_id = task_id_of(connection, task)
            found = select(schema.corrections).where(rows.task_id == task_id, rows.seq > seq)
            return [_correction(task, row) for row in connection.execute(found.order_by(rows.seq))]

    def count(self, task: str) -> int:
        """How many corrections a task has, undone ones and undos included."""
        state = schema.task_state.c
        with self._database.reading() as connection:
            task_id = task_id_of(connection, task)
            found = select(state.corrections).where(state.task_id == task_id)
            return int(connection.execute(found).scalar_one())


def _correction(task: str, row: Row[Any]) -> Correction:
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
    )
