"""Months, of UTC wherever the database is: in which samples came, and from when to when."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sqlalchemy import Connection, select

from domain import Unacceptable
from storage import schema
from storage.live import IS_VISIBLE


def bounds_of(month: str) -> tuple[datetime, datetime]:
    """The first moment of a month and that of the next.

    Raises
    ------
    Unacceptable
        It is not written as `2026-11`.
    """
    written = re.fullmatch(r"([0-9]{4})-(0[1-9]|1[0-2])", month)
    year, number = (int(part) for part in written.groups()) if written else (0, 0)
    if not 1 <= year < datetime.max.year:
        raise Unacceptable("month", month, "a year and a month, such as 2026-11")
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return datetime(year, number, 1, tzinfo=UTC), datetime(*following, 1, tzinfo=UTC)


def months_of(connection: Connection, task_id: int) -> list[str]:
    """The months in which the user's readable samples came to a task.

    One look at the index a month, however many samples came in it.
    """
    samples = schema.samples.c
    first_from = (
        select(samples.added_at)
        .where(
            samples.task_id == task_id,
            samples.demo.is_(False),
            samples.unreadable.is_(False),
            IS_VISIBLE,
        )
        .order_by(samples.added_at)
        .limit(1)
    )
    months: list[str] = []
    came: datetime | None = connection.execute(first_from).scalar()
    while came is not None:
        months.append(f"{came:%Y-%m}")
        _, following = bounds_of(months[-1])
        came = connection.execute(first_from.where(samples.added_at >= following)).scalar()
    return months
