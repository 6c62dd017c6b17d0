"""Model versions, and which of them is current."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from domain import Conflict, ModelVersion, NotFound, Run
from storage import schema
from storage.runs import keep_run
from storage.state import State, locked_state, moved, state_of, task_id_of
from storage.store import Database


@dataclass(frozen=True, slots=True)
class Promotion:
    """When a version became current, why, and until when it was; None for the one that is.

    `back`: by a rollback.
    """

    version: str
    at: datetime
    why: str
    until: datetime | None = None
    back: bool = False


class Versions:
    """Saved heads. A version never changes; going back is a promotion of an older one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, version: ModelVersion, *, task_id: int | None = None) -> None:
        """Keep a version; it is not current by that.

        Parameters
        ----------
        version
            The version.
        task_id
            The id that the task had when its pictures were read: another task may have the name
            by now, after a reset, and none of its pictures are in this version.

        Raises
        ------
        NotFound
            No such task, or it is another one than that.
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
                row["task_id"] = locked_state(connection, version.task).task_id
                if task_id is not None and row["task_id"] != task_id:
                    raise NotFound(
                        f"the task {version.task} was reset or made anew while this version was "
                        "trained on the pictures it had before; it is not kept",
                        task=version.task,
                    )
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

    def promote(
        self,
        task: str,
        version_id: str,
        why: str,
        *,
        now: datetime | None = None,
        back: bool = False,
    ) -> None:
        """Make a version the current one; every process notices at its next request.

        Parameters
        ----------
        task
            The task it is of.
        version_id
            The version.
        why
            What history says about it.
        now
            The present moment, aware; the system's when left out.
        back
            Whether this is a rollback, to what `previous` says.

        Raises
        ------
        NotFound
            No such task, or it has no such version.
        """
        with self._database.writing() as connection:
            state = locked_state(connection, task)
            _check_known(connection, task, state, version_id)
            at = now or datetime.now(UTC)
            _promote(connection, state, version_id, why, at, back=back)

    def settle(
        self,
        task: str,
        version_id: str,
        run: Run,
        *,
        promote: bool,
        why: str,
        against: str | None,
    ) -> bool:
        """Write how a new version's run ended, and make it current if it is promoted, in one go.

        Whoever goes on after a crash may settle again: a version whose run is written stays as
        it was settled, even if something else was promoted since.

        Parameters
        ----------
        task
            The task it is of.
        version_id
            The version; the run is written as its run.
        run
            How it went. A promotion has the time at which it finished.
        promote
            Whether the version becomes the current one.
        why
            What the history of promotions says about it.
        against
            The version that was current when this was decided; None where there was none.

        Returns
        -------
        bool
            False when it was settled before; nothing is written then.

        Raises
        ------
        NotFound
            No such task, or it has no such version.
        Conflict
            Another version is current than the one that this one was compared with.
        """
        runs = schema.runs.c
        with self._database.writing() as connection:
            state = locked_state(connection, task)
            _check_known(connection, task, state, version_id)
            own = select(runs.id).where(runs.task_id == state.task_id, runs.version == version_id)
            if connection.execute(own).first() is not None:
                return False
            if state.current != against:
                raise Conflict(
                    f"the version {version_id} was compared with {against or 'none'}, but "
                    f"{state.current or 'none'} is the current one of {task} by now",
                    version=version_id,
                    current=state.current,
                )
            if promote:
                _promote(connection, state, version_id, why, run.finished_at)
            keep_run(connection, state.task_id, replace(run, version=version_id))
            return True

    def promotions(self, task: str) -> list[Promotion]:
        """Which version was current from when until when, newest first."""
        rows = schema.promotions.c
        with self._database.reading() as connection:
            task_id = task_id_of(connection, task)
            found = select(rows.version, rows.at, rows.why, rows.back)
            found = found.where(rows.task_id == task_id)
            log = connection.execute(found.order_by(rows.id.desc())).all()
        ends = [None, *(row.at for row in log)]
        return [
            Promotion(row.version, row.at, row.why, until, row.back)
            for row, until in zip(log, ends, strict=False)
        ]

    def previous(self, task: str) -> Promotion | None:
        """What a rollback goes back to: the version that was live before the current one.

        Going back is a promotion as well, but not a step forward: after it, what comes before is
        what came before that version, so that going back twice does not go to and fro.

        Returns
        -------
        Promotion or None
            When that version was live the last time; None when nothing was live before.
        """
        live: list[Promotion] = []
        for promotion in reversed(self.promotions(task)):
            if promotion.back and len(live) > 1:
                live.pop()
            if live and live[-1].version == promotion.version:
                live.pop()  # it is live again, or still
            live.append(promotion)
        return live[-2] if len(live) > 1 else None

    def state(self, task: str) -> State:
        """One row, read before each answer: where the task stands.

        Raises
        ------
        NotFound
            No such task.
        """
        with self._database.reading() as connection:
            return state_of(connection, task)


def _check_known(connection: Connection, task: str, state: State, version_id: str) -> None:
    versions = schema.model_versions.c
    known = select(versions.id).where(versions.task_id == state.task_id, versions.id == version_id)
    if connection.execute(known).one_or_none() is None:
        raise _unknown(task, version_id)


def _promote(
    connection: Connection,
    state: State,
    version_id: str,
    why: str,
    now: datetime,
    *,
    back: bool = False,
) -> None:
    """Move the pointer of a task whose state is locked, and write that down."""
    moved(connection, state)
    pointer = update(schema.task_state).where(schema.task_state.c.task_id == state.task_id)
    connection.execute(pointer.values(current=version_id))
    row = {"task_id": state.task_id, "version": version_id, "at": now, "why": why, "back": back}
    connection.execute(insert(schema.promotions), row)


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
