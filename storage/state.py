"""Where a task stands: one row that readers compare and writers lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select, update

from domain import NotFound
from storage import schema

LIVE = schema.tasks.c.archived_at.is_(None)


@dataclass(frozen=True, slots=True)
class State:
    """Where a task stands.

    `counter` moves with whatever changes an answer: corrections, promotions, variants, erasures.
    `epoch` moves when the log must be read again from its start. `task_id` is another after a
    reset.
    """

    task_id: int
    counter: int
    epoch: int
    corrections: int
    current: str | None


def state_of(connection: Connection, name: str) -> State:
    """The state of a task, or NotFound."""
    row = connection.execute(_select(name)).one_or_none()
    if row is None:
        raise unknown_task(name)
    return State(*row)


def locked_state(connection: Connection, name: str) -> State:
    """Lock a task's state until the end of the transaction: writers to one task take turns."""
    # the task's row as well: who waited while it was reset must not write to the archive
    locked = _select(name).with_for_update(of=[schema.task_state, schema.tasks], key_share=True)
    while (row := connection.execute(locked).one_or_none()) is None:
        task_id_of(connection, name)  # another one may have the name by now
    return State(*row)


def all_locked(connection: Connection) -> list[State]:
    """Lock the state of every task, archived ones included, until the end of the transaction."""
    state = schema.task_state.c
    found = select(state.task_id, state.counter, state.epoch, state.corrections, state.current)
    # in one order for all, so that two never wait for each other
    in_order = found.order_by(state.task_id).with_for_update(key_share=True)
    return [State(*row) for row in connection.execute(in_order)]


def moved(connection: Connection, state: State, *, corrections: int = 0, epoch: int = 0) -> None:
    """Count a change to a task whose state is locked: so many rows of the log, so many epochs."""
    rows = schema.task_state
    connection.execute(
        update(rows)
        .where(rows.c.task_id == state.task_id)
        .values(
            counter=state.counter + 1,
            corrections=state.corrections + corrections,
            epoch=state.epoch + epoch,
        )
    )


def task_id_of(connection: Connection, name: str) -> int:
    """The id of a task, or NotFound."""
    found = select(schema.tasks.c.id).where(LIVE, schema.tasks.c.name == name)
    task_id: int | None = connection.execute(found).scalar()
    if task_id is None:
        raise unknown_task(name)
    return task_id


def unknown_task(name: str) -> NotFound:
    """What to raise when no task has that name."""
    return NotFound(f"there is no task {name}", task=name)


def _select(name: str) -> Select[Any]:
    state = schema.task_state.c
    return (
        select(state.task_id, state.counter, state.epoch, state.corrections, state.current)
        .join(schema.tasks)
        .where(LIVE, schema.tasks.c.name == name)
    )
