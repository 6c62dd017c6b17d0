"""Training runs: the history that people read."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select

from domain import Run
from storage import schema
from storage.state import task_id_of
from storage.store import Database


class Runs:
    """What was trained when, why, and what the gate said."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, run: Run) -> None:
        """Keep a run.

        Raises
        ------
        NotFound
            No such task.
        """
        with self._database.writing() as connection:
            keep_run(connection, task_id_of(connection, run.task), run)

    def all(self, task: str) -> list[Run]:
        """Every run of a task, newest first."""
        with self._database.reading() as connection:
            return _newest(connection, task)

    def latest(self, task: str) -> Run | None:
        """The run that began last, whatever came of it."""
        with self._database.reading() as connection:
            return _first(_newest(connection, task, limit=1))

    def latest_trained(self, task: str) -> Run | None:
        """The last run that had a version, promoted or not."""
        with self._database.reading() as connection:
            trained = schema.runs.c.gate.in_(("promoted", "kept"))
            return _first(_newest(connection, task, trained, limit=1))

    def of_version(self, task: str, version: str) -> Run | None:
        """The run that a version came of."""
        with self._database.reading() as connection:
            return _first(_newest(connection, task, schema.runs.c.version == version, limit=1))


def keep_run(connection: Connection, task_id: int, run: Run) -> None:
    """Write the row of a run."""
    row = {
        "id": run.id,
        "task_id": task_id,
        "why": run.why,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "counts": dict(run.counts),
        "metrics": dict(run.metrics),
        "gate": run.gate,
        "reason": run.reason,
        "version": run.version,
        "job_id": run.job_id,
        "detail": dict(run.detail),
    }
    connection.execute(insert(schema.runs), row)


def _newest(
    connection: Connection, task: str, *where: ColumnElement[bool], limit: int | None = None
) -> list[Run]:
    runs = schema.runs.c
    found = select(schema.runs).where(runs.task_id == task_id_of(connection, task), *where)
    newest = found.order_by(runs.started_at.desc(), runs.id.desc()).limit(limit)
    return [_run(task, row) for row in connection.execute(newest)]


def _first(runs: list[Run]) -> Run | None:
    return runs[0] if runs else None


def _run(task: str, row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        task=task,
        why=row.why,
        started_at=row.started_at,
        finished_at=row.finished_at,
        counts=row.counts,
        metrics=row.metrics,
        gate=row.gate,
        reason=row.reason,
        version=row.version,
        job_id=row.job_id,
        detail=row.detail,
    )
