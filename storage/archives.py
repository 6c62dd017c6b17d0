"""Tasks begun, put away and brought back: an archived one keeps its rows, not its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from domain import Archive, NotFound
from storage import schema
from storage.live import IS_VISIBLE
from storage.state import LIVE, locked_state


def start(connection: Connection, task: Mapping[str, Any], labels: Sequence[str]) -> None:
    """Make the rows of a task that nothing has happened to."""
    made = insert(schema.tasks).returning(schema.tasks.c.id)
    task_id = connection.execute(made, dict(task)).scalar_one()
    rows = [
        {"task_id": task_id, "label": label, "position": position}
        for position, label in enumerate(labels)
    ]
    if rows:
        connection.execute(insert(schema.labels), rows)
    connection.execute(
        insert(schema.task_state), {"task_id": task_id, "counter": 0, "corrections": 0}
    )


def put_away(connection: Connection, task_id: int) -> None:
    """Archive a task, whose state is locked."""
    archived = update(schema.tasks).where(schema.tasks.c.id == task_id)
    connection.execute(archived.values(archived_at=datetime.now(UTC)))


def reset(connection: Connection, name: str) -> Archive:
    """Archive a task and begin it anew."""
    task_id = locked_state(connection, name).task_id
    tasks, labels = schema.tasks.c, schema.labels.c
    wanted = select(tasks.name, tasks.kind, tasks.open, tasks.prompts, tasks.settings)
    definition = connection.execute(wanted.where(tasks.id == task_id)).one()
    given = select(labels.label).where(labels.task_id == task_id, labels.taught_by.is_(None))
    kept = connection.execute(given.order_by(labels.position, labels.label)).scalars().all()
    put_away(connection, task_id)
    start(connection, {**definition._mapping, "created_at": datetime.now(UTC)}, kept)
    (archive,) = (one for one in of_name(connection, name) if one.id == task_id)
    return archive


def of_name(connection: Connection, name: str) -> list[Archive]:
    """The archived tasks of a name, newest first."""
    tasks, state, samples = schema.tasks.c, schema.task_state.c, schema.samples.c
    counted = (
        select(func.count())
        .where(
            samples.task_id == tasks.id,
            samples.demo.is_(False),
            samples.unreadable.is_(False),
            IS_VISIBLE,
        )
        .scalar_subquery()
    )
    found = (
        select(tasks.id, tasks.archived_at, counted.label("n"), state.corrections, state.current)
        .join(schema.task_state)
        .where(tasks.name == name, tasks.archived_at.is_not(None))
        .order_by(tasks.archived_at.desc(), tasks.id.desc())
    )
    return [
        Archive(
            id=row.id,
            task=name,
            at=row.archived_at,
            samples=row.n,
            corrections=row.corrections,
            version=row.current,
        )
        for row in connection.execute(found)
    ]


def restore(connection: Connection, name: str, archive_id: int) -> None:
    """Give an archived task its name back; who has it now is archived."""
    tasks = schema.tasks
    archived = tasks.c.archived_at.is_not(None)
    wanted = select(tasks.c.id).where(tasks.c.id == archive_id, tasks.c.name == name, archived)
    if archive_id > schema.MAX_ID or connection.execute(wanted).scalar() is None:
        raise NotFound(f"the task {name} has no archive {archive_id}", id=archive_id)
    present = select(tasks.c.id).where(LIVE, tasks.c.name == name)
    if connection.execute(present).scalar() is not None:
        put_away(connection, locked_state(connection, name).task_id)
    connection.execute(update(tasks).where(tasks.c.id == archive_id).values(archived_at=None))
