"""The schedule: since when it holds, and which of its slots were taken."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from domain import Night
from storage import schema
from storage.store import Database


class Nights:
    """Slots of the schedule, each given to one job; `Jobs.take_night` takes them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def schedule(self, text: str, now: datetime) -> datetime:
        """Since when a schedule holds: as remembered, or from now on when it is a new one."""
        table = schema.schedule
        offered = self._database.insert(table).values(id=1, text=text, since=now)
        changed = offered.on_conflict_do_update(
            index_elements=["id"],
            set_={"text": offered.excluded.text, "since": offered.excluded.since},
            where=table.c.text != offered.excluded.text,
        )
        with self._database.writing() as connection:
            connection.execute(changed)
            since: datetime = connection.execute(select(table.c.since)).scalar_one()
        return since

    def taken(self, slot: str) -> bool:
        """Whether a job was given this slot."""
        nights = schema.nights.c
        with self._database.reading() as connection:
            found = select(nights.slot).where(nights.slot == slot)
            return connection.execute(found).scalar() is not None

    def all(self, limit: int) -> list[Night]:
        """The latest slots that were taken, newest first."""
        nights = schema.nights
        with self._database.reading() as connection:
            newest = select(nights).order_by(nights.c.due.desc(), nights.c.slot.desc()).limit(limit)
            return [_night(row) for row in connection.execute(newest)]


def _night(row: Row[Any]) -> Night:
    """The noun that a row holds."""
    return Night(slot=row.slot, due=row.due, taken_at=row.taken_at, job_id=row.job_id)
