"""Forgetting what grows with every night and is asked for by nobody after a while."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Table, and_, delete, func, select, tuple_

from domain import JobStatus
from storage import schema
from storage.store import Database

AT_ONCE = 2000
"""Rows removed in one transaction: nobody who writes beside it waits for long."""
TAKEN_IN = ("kept", "near_duplicate", "duplicate")
"""Outcomes of pictures that are here. Forgotten, they would be fetched again for nothing."""


def prune(database: Database, before: datetime, *, at_once: int = AT_ONCE) -> Mapping[str, int]:
    """Forget what ended before a moment; returns how many rows of each table.

    Messages that arrived or were given up, jobs that are finished, the nights they were for, and
    finds of sources that were not taken in, which may be looked at again then. The latest night
    stays: its slot must not be given out twice. What waits, what runs and what was erased by
    name stays too.
    """
    gone = {
        "deliveries": _remove(database, schema.deliveries, _done_with(before), at_once),
        "seen": _remove(database, schema.seen, _turned_down(before), at_once),
        # before the jobs, which they name
        "nights": _remove(database, schema.nights, _nights_gone_by(before), at_once),
        "jobs": _remove(database, schema.jobs, _finished(before), at_once),
    }
    return {name: n for name, n in gone.items() if n}


def _done_with(before: datetime) -> ColumnElement[bool]:
    deliveries = schema.deliveries.c
    return and_(deliveries.created_at < before, deliveries.next_try_at.is_(None))


def _turned_down(before: datetime) -> ColumnElement[bool]:
    seen = schema.seen.c
    # an erased picture has no address left: only its source's own name, to be known by
    return and_(seen.at < before, seen.outcome.not_in(TAKEN_IN), seen.url != "")


def _nights_gone_by(before: datetime) -> ColumnElement[bool]:
    nights, jobs = schema.nights.c, schema.jobs.c
    over = select(jobs.id).where(_over(before))
    latest = select(func.max(nights.due)).scalar_subquery()
    return and_(nights.due < before, nights.due < latest, nights.job_id.in_(over))


def _finished(before: datetime) -> ColumnElement[bool]:
    return and_(_over(before), schema.jobs.c.id.not_in(select(schema.nights.c.job_id)))


def _over(before: datetime) -> ColumnElement[bool]:
    jobs = schema.jobs.c
    ended = (JobStatus.DONE.value, JobStatus.FAILED.value)
    return and_(jobs.updated_at < before, jobs.status.in_(ended))


def _remove(database: Database, table: Table, these: ColumnElement[bool], at_once: int) -> int:
    key = tuple_(*table.primary_key.columns)
    some = select(*table.primary_key.columns).where(these).limit(at_once)
    gone = 0
    while True:
        with database.writing(durable=False) as connection:
            n = connection.execute(delete(table).where(key.in_(some))).rowcount
        gone += n
        if n < at_once:
            return gone
