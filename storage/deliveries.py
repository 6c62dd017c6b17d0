"""Messages to the webhook: written with what they tell, sent when somebody comes to it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from domain import Delivery, NotFound
from storage import schema
from storage.store import Database


class Deliveries:
    """What waits to be sent, arrived, or was given up."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, event: str, body: Mapping[str, Any], now: datetime) -> Delivery:
        """Write a message that is due at once."""
        delivery_id = uuid.uuid4().hex
        row = {
            **{"id": delivery_id, "event": event, "body": dict(body)},
            **{"created_at": now, "next_try_at": now, "attempts": 0},
        }
        table = schema.deliveries
        with self._database.writing() as connection:
            connection.execute(insert(table), row)
            written = select(table).where(table.c.id == delivery_id)
            return Delivery(**connection.execute(written).mappings().one())

    def due(self, now: datetime, limit: int = 20) -> list[Delivery]:
        """What is to be tried by now, the longest due first."""
        table = schema.deliveries
        due = select(table).where(table.c.next_try_at <= now)
        in_order = due.order_by(table.c.next_try_at, table.c.created_at, table.c.id).limit(limit)
        with self._database.reading() as connection:
            return [Delivery(**row) for row in connection.execute(in_order).mappings()]

    def hold(self, delivery: Delivery, until: datetime) -> bool:
        """Begin a try, which counts as one from here on; nobody else begins another before then.

        Parameters
        ----------
        delivery
            The message, as it was read.
        until
            From when on it is due again if nothing is heard of this try.

        Returns
        -------
        bool
            False when it was tried meanwhile, arrived, or was given up: leave it alone.
        """
        table = schema.deliveries
        waiting = update(table).where(
            table.c.id == delivery.id,
            table.c.attempts == delivery.attempts,
            table.c.next_try_at.is_not(None),
        )
        held = waiting.values(attempts=delivery.attempts + 1, next_try_at=until)
        with self._database.writing() as connection:
            return connection.execute(held.returning(table.c.id)).scalar() is not None

    def delivered(self, delivery_id: str, now: datetime) -> None:
        """A try that was begun has arrived.

        Raises
        ------
        NotFound
            No such message.
        """
        arrived = {"delivered_at": now, "next_try_at": None, "last_error": None}
        table = schema.deliveries
        with self._database.writing() as connection:
            this = update(table).where(table.c.id == delivery_id).values(arrived)
            if connection.execute(this.returning(table.c.id)).scalar() is None:
                raise _unknown(delivery_id)

    def failed(self, delivery_id: str, error: str, next_try_at: datetime | None) -> None:
        """A try that was begun has failed; the next is at a moment, or never.

        Nothing changes when another try has arrived meanwhile.

        Raises
        ------
        NotFound
            No such message.
        """
        table = schema.deliveries
        waits = update(table).where(table.c.id == delivery_id, table.c.delivered_at.is_(None))
        later = waits.values(last_error=error, next_try_at=next_try_at)
        known = select(table.c.id).where(table.c.id == delivery_id)
        with self._database.writing() as connection:
            if connection.execute(known).scalar() is None:
                raise _unknown(delivery_id)
            connection.execute(later)

    def all(self, limit: int = 50) -> list[Delivery]:
        """The latest messages, newest first."""
        table = schema.deliveries
        newest = select(table).order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return [Delivery(**row) for row in connection.execute(newest).mappings()]


def _unknown(delivery_id: str) -> NotFound:
    return NotFound(f"there is no message {delivery_id}", id=delivery_id)
