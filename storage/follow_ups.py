"""What follows a promotion: verdicts that change, and how a version does as time goes by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select

from domain import Change, Measurement
from storage import schema
from storage.state import locked_state, task_id_of
from storage.store import Database


class Changes:
    """Verdicts that a version would give otherwise."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, task: str, version: str, changes: Sequence[Change]) -> None:
        """Keep what a version changes, in place of what was kept of it before.

        Raises
        ------
        NotFound
            No such task.
        """
        table = schema.changes
        with self._database.writing() as connection:
            # with the lock: two that write at once would both find nothing to take away
            task_id = locked_state(connection, task).task_id
            of_version = (table.c.task_id == task_id, table.c.version == version)
            connection.execute(delete(table).where(*of_version))
            owner = {"task_id": task_id, "version": version}
            rows = [{**_without_task(asdict(change)), **owner} for change in changes]
            if rows:
                connection.execute(insert(table), rows)

    def all(self, task: str, version: str | None = None, limit: int = 100) -> list[Change]:
        """What versions change, or one version, the latest first.

        What was kept in one go comes in the order it was given.
        """
        table = schema.changes.c
        with self._database.reading() as connection:
            found = select(schema.changes).where(*_of(connection, task, version))
            newest = found.order_by(table.at.desc(), table.id).limit(limit)
            return [
                Change(
                    task=task,
                    version=row.version,
                    sha256=row.sha256,
                    verdict_id=row.verdict_id,
                    before=row.before,
                    after=row.after,
                    confidence=row.confidence,
                    at=row.at,
                )
                for row in connection.execute(newest)
            ]

    def count(self, task: str, version: str) -> int:
        """How many verdicts a version changes."""
        with self._database.reading() as connection:
            counted = select(func.count()).select_from(schema.changes)
            return connection.execute(counted.where(*_of(connection, task, version))).scalar_one()


class Measurements:
    """How versions did on sets of pictures that came later, each as it was measured last."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, measurement: Measurement) -> None:
        """Keep a measurement, in place of the one before it.

        Raises
        ------
        NotFound
            No such task.
        """
        row = _without_task(asdict(measurement))
        places = ("task_id", "version", "what")
        with self._database.writing() as connection:
            row["task_id"] = task_id_of(connection, measurement.task)
            latest = {name: value for name, value in row.items() if name not in places}
            put = self._database.insert(schema.measurements).values(row)
            connection.execute(put.on_conflict_do_update(index_elements=places, set_=latest))

    def all(self, task: str, version: str) -> list[Measurement]:
        """How a version did: on corrections first, then each month's pictures, latest first."""
        table = schema.measurements.c
        with self._database.reading() as connection:
            task_id = task_id_of(connection, task)
            found = select(table.what, table.at, table.n, table.right).where(
                table.task_id == task_id, table.version == version
            )
            measured = [Measurement(task, version, *row) for row in connection.execute(found)]
        # sorted here: each database would sort by another alphabet
        return sorted(measured, key=lambda one: one.what, reverse=True)


def _of(connection: Connection, task: str, version: str | None) -> list[ColumnElement[bool]]:
    table = schema.changes.c
    where = [table.task_id == task_id_of(connection, task)]
    return where if version is None else [*where, table.version == version]


def _without_task(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name != "task"}
