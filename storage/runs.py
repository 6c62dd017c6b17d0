"""Training runs: the history that people read."""

from __future__ import annotations

from sqlalchemy import insert, select

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
        row = {
            "id": run.id,
            "why": run.why,
            "started_at": run.started_at,
            "finished_at": run.finished_at,
            "counts": dict(run.counts),
            "metrics": dict(run.metrics),
            "gate": run.gate,
            "reason": run.reason,
            "version": run.version,
        }
        with self._database.writing() as connection:
            row["task_id"] = task_id_of(connection, run.task)
            connection.execute(insert(schema.runs), row)

    def all(self, task: str) -> list[Run]:
        """Every run of a task, newest first."""
        runs = schema.runs.c
        with self._database.reading() as connection:
            task_id = task_id_of(connection, task)
            found = select(schema.runs).where(runs.task_id == task_id)
            return [
                Run(
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
                )
                for row in connection.execute(
                    found.order_by(runs.started_at.desc(), runs.id.desc())
                )
            ]
