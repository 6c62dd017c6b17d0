"""Model versions, and which of them is current."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from domain import Conflict, ModelVersion, NotFound
from storage import schema
from storage.state import State, locked_state, moved, state_of, task_id_of
from storage.store import Database


@dataclass(frozen=True, slots=True)
class Promotion:
    """When a version became current, and why."""

    version: str
    at: datetime
    why: str


class Versions:
    """Saved heads. A version never changes; going back is a promotion of an older one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, version: ModelVersion) -> None:
        """Keep a version; it is not current by that.

        Raises
        ------
        NotFound
            No such task.
        Conflict
            The task has a version of that id.
        """
        row = {
            "id": version.id,
            "embedder": version.embedder,
            "classifier": version.classifier,
            "sha256": version.sha256,
            "demo": version.demo,
            "created_at": version.created_at,
            "card": dict(version.card),
        }
        try:
            with self._database.writing() as connection:
                row["task_id"] = task_id_of(connection, version.task)
                connection.execute(insert(schema.model_versions), row)
        except IntegrityError:
            raise Conflict(
                f"the task {version.task} has a version {version.id} already", version=version.id
            ) from None

    def get(self, task: str, version_id: str) -> ModelVersion:
        """One version of a task.

        Raises
        ------
        NotFound
            No such task, or it has no such version.
        """
        with self._database.reading() as connection:
            found = _select(task_id_of(connection, task))
            row = connection.execute(
                found.where(schema.model_versions.c.id == version_id)
            ).one_or_none()
        if row is None:
            raise _unknown(task, version_id)
        return _version(task, row)

    def all(self, task: str) -> list[ModelVersion]:
        """Every version of a task, newest first."""
        versions = schema.model_versions.c
        with self._database.reading() as connection:
            found = _select(task_id_of(connection, task))
            newest_first = found.order_by(versions.created_at.desc(), versions.id.desc())
            return [_version(task, row) for row in connection.execute(newest_first)]

    def current(self, task: str) -> ModelVersion | None:
        """The version that answers, if there is one."""
        state = schema.task_state.c
        with self._database.reading() as connection:
            task_id = task_id_of(connection, task)
            found = _select(task_id).join(
                schema.task_state,
                (state.task_id == task_id) & (state.current == schema.model_versions.c.id),
            )
            row = connection.execute(found).one_or_none()
        return _version(task, row) if row else None

    def promote(self, task: str, version_id: str, why: str) -> None:
        """Make a version the current one; every process notices at its next request.

        Raises
        ------
        NotFound
            No such task, or it has no such version.
        """
        versions = schema.model_versions.c
        with self._database.writing() as connection:
            state = locked_state(connection, task)
            known = select(versions.id).where(
                versions.task_id == state.task_id, versions.id == version_id
            )
            if connection.execute(known).one_or_none() is None:
                raise _unknown(task, version_id)
            moved(connection, state)
            pointer = update(schema.task_state).where(schema.task_state.c.task_id == state.task_id)
            connection.execute(pointer.values(current=version_id))
            row = {
                "task_id": state.task_id,
                "version": version_id,
                "at": datetime.now(UTC),
                "why": why,
            }
            connection.execute(insert(schema.promotions), row)

    def promotions(self, task: str) -> list[Promotion]:
        """Which version became current when, newest first."""
        rows = schema.promotions.c
        with self._database.reading() as connection:
            task_id = task_id_of(connection, task)
            found = select(rows.version, rows.at, rows.why).where(rows.task_id == task_id)
            return [
                Promotion(row.version, row.at, row.why)
                for row in connection.execute(found.order_by(rows.id.desc()))
            ]

    def state(self, task: str) -> State:
        """One row, read before each answer: where the task stands.

        Raises
        ------
        NotFound
            No such task.
        """
        with self._database.reading() as connection:
            return state_of(connection, task)


def _unknown(task: str, version_id: str) -> NotFound:
    return NotFound(f"the task {task} has no version {version_id}", version=version_id)


def _select(task_id: int) -> Select[Any]:
    return select(schema.model_versions).where(schema.model_versions.c.task_id == task_id)


def _version(task: str, row: Row[Any]) -> ModelVersion:
    return ModelVersion(
        id=row.id,
        task=task,
        embedder=row.embedder,
        classifier=row.classifier,
        sha256=row.sha256,
        demo=row.demo,
        created_at=row.created_at,
        card=row.card,
    )
