"""Facts of files that are not their content, by picture and recipe: a cache that survives."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select

from storage import schema
from storage.store import Database

CHUNK = 4_000
"""Pictures asked for at once."""


class FileFacts:
    """What was read from the headers of pictures. Facts of two recipes never mix."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, recipe: str, sha256s: Collection[str]) -> dict[str, dict[str, Any]]:
        """The facts there are of some pictures, by sha256."""
        table, wanted = schema.file_facts.c, list(sha256s)
        found: dict[str, dict[str, Any]] = {}
        with self._database.reading() as connection:
            for start in range(0, len(wanted), CHUNK):
                some = self._database.among(table.sha256, wanted[start : start + CHUNK])
                rows = select(table.sha256, table.facts).where(table.recipe == recipe, some)
                found.update((row.sha256, row.facts) for row in connection.execute(rows))
        return found

    def put_many(self, recipe: str, facts: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep facts by sha256; what is there already stays as it is."""
        if not facts:
            return
        rows = [
            # in one order for all writers, so that two never wait for each other
            {"sha256": sha256, "recipe": recipe, "facts": dict(facts[sha256])}
            for sha256 in sorted(facts)
        ]
        with self._database.writing(durable=False) as connection:
            known = self._database.insert(schema.file_facts).on_conflict_do_nothing()
            connection.execute(known, rows)
