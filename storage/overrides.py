"""Settings changed while the service runs; they outlive it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import select

from storage import schema
from storage.store import Database


class Overrides:
    """Values by the name of their setting."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> dict[str, object]:
        """Everything that was changed."""
        rows = schema.overrides.c
        with self._database.reading() as connection:
            found = select(rows.key, rows.value).order_by(rows.key)
            return {row.key: row.value for row in connection.execute(found)}

    def write(self, changes: Mapping[str, object]) -> None:
        """Merge changes in: all of them or none; what they do not name stays."""
        now = datetime.now(UTC)
        with self._database.writing() as connection:
            for key in sorted(changes):  # in one order, so that two writers never wait in a ring
                latest = {"value": changes[key], "updated_at": now}
                added = self._database.insert(schema.overrides).values(key=key, **latest)
                connection.execute(added.on_conflict_do_update(index_elements=["key"], set_=latest))
