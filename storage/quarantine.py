"""Pictures that were offered and not kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from storage import schema
from storage.store import Database


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A picture that was offered and not kept, and why. `sha256` is None when none was read."""

    task: str
    name: str
    source: str
    sha256: str | None
    reason: str
    message: str
    at: datetime


def put_aside(database: Database, connection: Connection, task_id: int, what: Quarantined) -> None:
    """Remember a picture that was not kept; the same one again replaces its reason."""
    fingerprint = hashlib.sha256(
        "\0".join((what.source, what.name, what.sha256 or "")).encode("utf-8", "surrogatepass")
    ).hexdigest()
    row: dict[str, Any] = {
        "task_id": task_id,
        "name": what.name,
        "source": what.source,
        "sha256": what.sha256,
        "fingerprint": fingerprint,
        "reason": what.reason,
        "message": what.message,
        "at": what.at,
    }
    added = database.insert(schema.quarantine).values(row)
    latest = {key: row[key] for key in ("reason", "message", "at")}
    connection.execute(
        added.on_conflict_do_update(index_elements=["task_id", "fingerprint"], set_=latest)
    )


def all_aside(connection: Connection, task: str, task_id: int) -> list[Quarantined]:
    """What was offered to a task and not kept, in the order it came."""
    rows = schema.quarantine.c
    found = select(schema.quarantine).where(rows.task_id == task_id).order_by(rows.id)
    return [
        Quarantined(task, row.name, row.source, row.sha256, row.reason, row.message, row.at)
        for row in connection.execute(found)
    ]


def count_aside(connection: Connection, task_id: int) -> int:
    """How much was offered to a task and not kept."""
    rows = schema.quarantine.c
    counted = select(func.count()).where(rows.task_id == task_id)
    return connection.execute(counted).scalar_one()
