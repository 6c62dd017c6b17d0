"""The scheduler processes there are, as they last showed themselves."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import delete, select

from domain import Clock
from storage import schema
from storage.store import Database


class Clocks:
    """Processes that keep the schedule; any number may, each slot is given out once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def seen(self, clock: Clock) -> None:
        """Keep what a process shows of itself, in place of what it showed before."""
        row = asdict(clock)
        latest = {name: value for name, value in row.items() if name != "id"}
        added = self._database.insert(schema.clocks).values(row)
        with self._database.writing(durable=False) as connection:
            connection.execute(added.on_conflict_do_update(index_elements=["id"], set_=latest))

    def gone(self, clock_id: str) -> None:
        """Forget a process that ends."""
        clocks = schema.clocks
        with self._database.writing(durable=False) as connection:
            connection.execute(delete(clocks).where(clocks.c.id == clock_id))

    def all(self) -> list[Clock]:
        """Every process that was not forgotten, the oldest first."""
        clocks = schema.clocks
        with self._database.reading() as connection:
            found = select(clocks).order_by(clocks.c.started_at, clocks.c.id)
            return [Clock(**row) for row in connection.execute(found).mappings()]

    def forget(self, before: datetime) -> None:
        """Forget the processes that were not seen since a moment."""
        clocks = schema.clocks
        with self._database.writing(durable=False) as connection:
            connection.execute(delete(clocks).where(clocks.c.seen_at < before))
