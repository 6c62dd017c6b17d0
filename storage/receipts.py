"""What each correction did when it was made, kept to be shown again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from domain import NotFound
from storage import schema
from storage.store import Database


class Receipts:
    """Details by the id of their correction; what is in them is up to whoever puts them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, correction_id: str, detail: Mapping[str, Any]) -> None:
        """Keep the details of a correction, in the place of those there are.

        Raises
        ------
        NotFound
            No such correction, or its picture was erased.
        """
        log = schema.corrections.c
        with self._database.writing(durable=False) as connection:
            standing = select(log.id).where(log.id == correction_id, log.erased.is_(False))
            if connection.execute(standing).one_or_none() is None:
                raise NotFound(f"there is no correction {correction_id}", id=correction_id)
            latest = {"detail": dict(detail)}
            added = self._database.insert(schema.receipts).values(
                correction_id=correction_id, **latest
            )
            connection.execute(
                added.on_conflict_do_update(index_elements=["correction_id"], set_=latest)
            )

    def get(self, correction_id: str) -> dict[str, Any] | None:
        """The details of a correction, if they were kept."""
        rows = schema.receipts.c
        with self._database.reading() as connection:
            found = select(rows.detail).where(rows.correction_id == correction_id)
            detail: dict[str, Any] | None = connection.execute(found).scalar()
        return detail
