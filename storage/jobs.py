"""Jobs: asked for, worked on by one holder at a time, finished once."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select, update

from domain import CANCELLED, RETRAIN, Conflict, Job, JobStatus, NotFound
from storage import schema
from storage.state import task_id_of
from storage.store import Database


class _SlotTaken(Exception):
    """Takes a transaction back: another process was faster."""


class Jobs:
    """Background work. Of each kind at most one job is queued or running.

    Only the holder of a running job may write to it: whoever lost it is told so by Conflict.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(
        self, kind: str, *, request: Mapping[str, Any], now: datetime, task: str | None = None
    ) -> Job:
        """Ask for a job.

        Raises
        ------
        NotFound
            No such task.
        Conflict
            One of that kind is queued or running; `detail["job"]` is its id.
        """
        with self._database.writing() as connection:
            task_id = None if task is None else task_id_of(connection, task)
            while (job_id := self._queue(connection, kind, request, now, task_id)) is None:
                in_the_way = select(schema.jobs.c.id).where(schema.jobs.c.slot == kind)
                other = connection.execute(in_the_way).scalar()
                if other is not None:  # else it was finished at this very moment
                    raise Conflict(f"a {kind} is queued or running already: {other}", job=other)
            return _one(connection, job_id)

    def take_night(
        self, slot: str, due: datetime, request: Mapping[str, Any], now: datetime
    ) -> Job | None:
        """Give a slot of the schedule to a new retrain, which exactly one process can.

        Returns
        -------
        Job or None
            None when the slot was taken before. None as well while a retrain is queued or
            running; the slot is free then, to be taken once that is over.
        """
        nights = schema.nights
        try:
            with self._database.writing() as connection:
                taken = select(nights.c.slot).where(nights.c.slot == slot)
                if connection.execute(taken).scalar() is not None:
                    return None
                job_id = self._queue(connection, RETRAIN, request, now, None)
                if job_id is None:
                    return None
                row = {"slot": slot, "due": due, "taken_at": now, "job_id": job_id}
                free = self._database.insert(nights).values(row).on_conflict_do_nothing()
                if connection.execute(free.returning(nights.c.slot)).scalar() is None:
                    raise _SlotTaken
                return _one(connection, job_id)
        except _SlotTaken:
            return None

    def _queue(
        self,
        connection: Connection,
        kind: str,
        request: Mapping[str, Any],
        now: datetime,
        task_id: int | None,
    ) -> str | None:
        """Write a job and return its id; None while another one has its slot."""
        row = {
            "id": uuid.uuid4().hex,
            "kind": kind,
            "task_id": task_id,
            "status": JobStatus.QUEUED.value,
            "slot": kind,
            "request": dict(request),
            **{"done": 0, "total": 0, "stage": ""},
            **{"created_at": now, "updated_at": now},
        }
        free = self._database.insert(schema.jobs).values(row)
        free = free.on_conflict_do_nothing(index_elements=["slot"])
        return connection.execute(free.returning(schema.jobs.c.id)).scalar()

    def claim(self, holder: str, kind: str, now: datetime) -> Job | None:
        """Begin the oldest queued job of a kind; None when there is none."""
        jobs = schema.jobs.c
        oldest = (
            select(jobs.id)
            .where(jobs.kind == kind, jobs.status == JobStatus.QUEUED.value)
            .order_by(jobs.created_at, jobs.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        with self._database.writing() as connection:
            job_id = connection.execute(oldest).scalar()
            if job_id is None:
                return None
            _hold(connection, job_id, holder, now)
            return _one(connection, job_id)

    def take_over(self, job_id: str, beats: int, holder: str, now: datetime) -> Job | None:
        """Go on with a running job whose holder gave no sign of life since that many beats.

        Of several who saw it stand still one gets it; the others get None, and so does whoever
        comes when it beat after all or runs no longer.
        """
        jobs = schema.jobs.c
        still = select(jobs.id).where(
            jobs.id == job_id, jobs.status == JobStatus.RUNNING.value, jobs.beats == beats
        )
        with self._database.writing() as connection:
            if connection.execute(still.with_for_update()).scalar() is None:
                return None
            _hold(connection, job_id, holder, now)
            return _one(connection, job_id)

    def beat(self, job_id: str, holder: str, now: datetime) -> bool:
        """Give a sign of life; True when the job is to be cancelled.

        Raises
        ------
        NotFound
            No such job.
        Conflict
            It is no longer this holder's.
        """
        with self._database.writing(durable=False) as connection:
            return _write(connection, job_id, holder, now, {"beats": schema.jobs.c.beats + 1})

    def progress(
        self, job_id: str, holder: str, done: int, total: int, stage: str, now: datetime
    ) -> None:
        """Say how far it is; raises as `beat`."""
        with self._database.writing(durable=False) as connection:
            _write(connection, job_id, holder, now, {"done": done, "total": total, "stage": stage})

    def keep(self, job_id: str, holder: str, kept: Mapping[str, Any], now: datetime) -> None:
        """Leave something for whoever goes on, in place of what was left before; raises as `beat`.

        On return it is on the disk.
        """
        with self._database.writing() as connection:
            _write(connection, job_id, holder, now, {"kept": dict(kept)})

    def finish(
        self,
        job_id: str,
        holder: str,
        now: datetime,
        *,
        result: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        """End a job: done, or failed when there is an error; raises as `beat`."""
        status = JobStatus.DONE if error is None else JobStatus.FAILED
        answer = None if result is None else dict(result)
        ended = {"status": status.value, "slot": None, "result": answer, "error": error}
        with self._database.writing() as connection:
            _write(connection, job_id, holder, now, ended)

    def give_back(self, job_id: str, holder: str, now: datetime, *, politely: bool = False) -> None:
        """Queue a running job again with what is kept of it; raises as `beat`.

        One that was to be cancelled ends instead: nobody would begin it again. `politely`: its
        process was told to end, so this attempt does not count.
        """
        with self._database.writing() as connection:
            queued: dict[str, object] = {"status": JobStatus.QUEUED.value, "holder": None}
            if politely:
                queued["attempts"] = schema.jobs.c.attempts - 1
            if _write(connection, job_id, holder, now, queued):
                _end_cancelled(connection, job_id, now)

    def cancel(self, job_id: str, now: datetime) -> Job:
        """End a queued job, or have the holder of a running one told so at its next beat.

        Raises
        ------
        NotFound
            No such job.
        Conflict
            It is finished.
        """
        jobs = schema.jobs
        with self._database.writing() as connection:
            locked = select(jobs.c.status).where(jobs.c.id == job_id).with_for_update()
            status = connection.execute(locked).scalar()
            if status is None:
                raise _unknown(job_id)
            if status == JobStatus.QUEUED.value:
                _end_cancelled(connection, job_id, now)
            elif status == JobStatus.RUNNING.value:
                marked = update(jobs).where(jobs.c.id == job_id)
                connection.execute(marked.values(cancelled=True, updated_at=now))
            else:
                raise Conflict(f"the job {job_id} is {status}", id=job_id, status=status)
            return _one(connection, job_id)

    def get(self, job_id: str) -> Job:
        """One job.

        Raises
        ------
        NotFound
            No such job.
        """
        with self._database.reading() as connection:
            return _one(connection, job_id)

    def all(self, limit: int = 50, task: str | None = None) -> list[Job]:
        """The latest jobs, newest first: all, or those of one task."""
        jobs = schema.jobs.c
        with self._database.reading() as connection:
            found = _select()
            if task is not None:
                found = found.where(jobs.task_id == task_id_of(connection, task))
            newest = found.order_by(jobs.created_at.desc(), jobs.id.desc()).limit(limit)
            return [_job(row) for row in connection.execute(newest)]

    def running(self, kind: str) -> list[Job]:
        """The jobs of a kind that somebody works on, or has left lying."""
        jobs = schema.jobs.c
        found = _select().where(jobs.kind == kind, jobs.status == JobStatus.RUNNING.value)
        with self._database.reading() as connection:
            return [_job(row) for row in connection.execute(found.order_by(jobs.created_at))]

    def some(self, ids: Collection[str]) -> dict[str, Job]:
        """The jobs of these ids, by id; those there are."""
        found = _select().where(self._database.among(schema.jobs.c.id, ids))
        with self._database.reading() as connection:
            return {row.id: _job(row) for row in connection.execute(found)}


def _hold(connection: Connection, job_id: str, holder: str, now: datetime) -> None:
    """Make a job that is locked somebody's. It counts as a beat: who watched sees it move."""
    jobs = schema.jobs
    held = update(jobs).where(jobs.c.id == job_id)
    connection.execute(
        held.values(
            status=JobStatus.RUNNING.value,
            holder=holder,
            attempts=jobs.c.attempts + 1,
            beats=jobs.c.beats + 1,
            updated_at=now,
        )
    )


def _write(
    connection: Connection, job_id: str, holder: str, now: datetime, values: Mapping[str, Any]
) -> bool:
    """Change a running job that is the holder's; True when it is to be cancelled."""
    jobs = schema.jobs
    own = update(jobs).where(
        jobs.c.id == job_id, jobs.c.status == JobStatus.RUNNING.value, jobs.c.holder == holder
    )
    changed = own.values(updated_at=now, **values).returning(jobs.c.cancelled)
    cancelled: bool | None = connection.execute(changed).scalar()
    if cancelled is None:
        job = _one(connection, job_id)
        raise Conflict(
            f"the job {job_id} is {job.status} and not held by {holder}",
            id=job_id,
            status=job.status.value,
        )
    return cancelled


def _end_cancelled(connection: Connection, job_id: str, now: datetime) -> None:
    ended = update(schema.jobs).where(schema.jobs.c.id == job_id)
    failed = {"status": JobStatus.FAILED.value, "slot": None, "error": CANCELLED}
    connection.execute(ended.values(**failed, cancelled=True, updated_at=now))


def _select() -> Select[Any]:
    # the task outer: not every job has one
    return select(schema.jobs, schema.tasks.c.name.label("task")).outerjoin(schema.tasks)


def _one(connection: Connection, job_id: str) -> Job:
    row = connection.execute(_select().where(schema.jobs.c.id == job_id)).one_or_none()
    if row is None:
        raise _unknown(job_id)
    return _job(row)


def _unknown(job_id: str) -> NotFound:
    return NotFound(f"there is no job {job_id}", id=job_id)


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        task=row.task,
        status=JobStatus(row.status),
        request=row.request,
        done=row.done,
        total=row.total,
        stage=row.stage,
        result=row.result,
        error=row.error,
        created_at=row.created_at,
        updated_at=row.updated_at,
        holder=row.holder,
        beats=row.beats,
        attempts=row.attempts,
        cancelled=row.cancelled,
        kept=row.kept,
    )
