"""Crawls: the ledger, where each source goes on from, and what it listed before."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, delete, insert, select, update

from domain import Crawl, NotFound, Seen
from storage import schema
from storage.columns import storable
from storage.state import LIVE, task_id_of
from storage.store import Database

BROKEN_OFF = "broken off"
"""How a crawl ended that never said so itself."""
MAX_KEY_BYTES = 500
"""What is longer, such as an address, is known by its fingerprint: an index holds no more."""


class Crawls:
    """What sources brought. All of it is of one task, and goes when that is reset."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, task: str, source: str, query: str, now: datetime) -> str:
        """Open a row of the ledger and return its id; what this source left open is closed.

        Raises
        ------
        NotFound
            No such task.
        """
        crawls = schema.crawls
        crawl_id = uuid.uuid4().hex
        with self._database.writing() as connection:
            task_id = task_id_of(connection, task)
            left = update(crawls).where(
                crawls.c.task_id == task_id,
                crawls.c.source == source,
                crawls.c.finished_at.is_(None),
            )
            connection.execute(left.values(finished_at=now, ended=BROKEN_OFF))
            row = {"id": crawl_id, "task_id": task_id, "source": source, "query": query}
            connection.execute(insert(crawls), {**row, "started_at": now, "counts": {}})
        return crawl_id

    def count(
        self, crawl_id: str, counts: Mapping[str, int], now: datetime, *, ended: str | None = None
    ) -> None:
        """Keep the counts of a crawl, in place of those before; `ended` closes it and says why.

        Raises
        ------
        NotFound
            No such crawl.
        """
        crawls = schema.crawls
        values: dict[str, Any] = {"counts": dict(counts)}
        if ended is not None:
            values |= {"ended": ended, "finished_at": now}
        this = update(crawls).where(crawls.c.id == crawl_id).values(values)
        with self._database.writing(durable=ended is not None) as connection:
            if connection.execute(this.returning(crawls.c.id)).scalar() is None:
                raise NotFound(f"there is no crawl {crawl_id}", id=crawl_id)

    def all(
        self, task: str | None = None, *, since: datetime | None = None, limit: int = 100
    ) -> list[Crawl]:
        """The ledger, newest first: of one task or all, of what began at a moment or later.

        Raises
        ------
        NotFound
            No such task.
        """
        crawls = schema.crawls.c
        with self._database.reading() as connection:
            found = _select()
            if task is not None:
                found = found.where(crawls.task_id == task_id_of(connection, task))
            if since is not None:
                found = found.where(crawls.started_at >= since)
            newest = found.order_by(crawls.started_at.desc(), crawls.id.desc()).limit(limit)
            return [_crawl(row) for row in connection.execute(newest)]

    def cursor(self, task: str, source: str, query: str) -> dict[str, Any] | None:
        """Where a source goes on from, if it was left anywhere."""
        cursors = schema.cursors.c
        with self._database.reading() as connection:
            found = select(cursors.cursor).where(
                cursors.task_id == task_id_of(connection, task),
                cursors.source == source,
                cursors.query == _key(query),
            )
            cursor: dict[str, Any] | None = connection.execute(found).scalar()
        return cursor

    def move_cursor(
        self, task: str, source: str, query: str, cursor: Mapping[str, Any] | None, now: datetime
    ) -> None:
        """Remember where a source goes on from; None: from its beginning."""
        table, key = schema.cursors, _key(query)
        with self._database.writing() as connection:
            where = {"task_id": task_id_of(connection, task), "source": source, "query": key}
            if cursor is None:
                connection.execute(delete(table).filter_by(**where))
                return
            latest = {"cursor": dict(cursor), "updated_at": now}
            moved = self._database.insert(table).values({**where, **latest})
            connection.execute(moved.on_conflict_do_update(index_elements=[*where], set_=latest))

    def seen(self, task: str, source: str, keys: Collection[str]) -> dict[str, Seen]:
        """What became of the pictures that a source listed before, by its own name for them."""
        table = schema.seen
        named = {_key(key): key for key in keys}
        with self._database.reading() as connection:
            found = select(table).where(
                table.c.task_id == task_id_of(connection, task),
                table.c.source == source,
                self._database.among(table.c.key, named),
            )
            rows = connection.execute(found).all()
        return {named[row.key]: _seen(named[row.key], row) for row in rows}

    def note(self, task: str, source: str, pictures: Sequence[Seen]) -> None:
        """Remember what became of pictures, in place of what was remembered of them."""
        if not pictures:
            return
        with self._database.writing(durable=False) as connection:
            where = {"task_id": task_id_of(connection, task), "source": source}
            rows = {_key(one.key): {**where, **asdict(one)} for one in pictures}
            offered = self._database.insert(schema.seen)
            places = ("task_id", "source", "key")
            latest = {
                column.name: column for column in offered.excluded if column.name not in places
            }
            noted = offered.on_conflict_do_update(index_elements=places, set_=latest)
            # in one order for all writers, so that two never wait for each other
            connection.execute(noted, [{**rows[key], "key": key} for key in sorted(rows)])


def _key(name: str) -> str:
    """A name as it is stored and looked up: whole, or its beginning with a fingerprint."""
    kept = storable(name)
    data = kept.encode()
    if len(data) <= MAX_KEY_BYTES:
        return kept
    beginning = data[: MAX_KEY_BYTES // 2].decode("utf-8", "ignore")
    return f"{beginning}#sha256:{hashlib.sha256(data).hexdigest()}"


def _select() -> Select[Any]:
    return select(schema.crawls, schema.tasks.c.name.label("task")).join(schema.tasks).where(LIVE)


def _crawl(row: Row[Any]) -> Crawl:
    return Crawl(
        id=row.id,
        task=row.task,
        source=row.source,
        query=row.query,
        started_at=row.started_at,
        finished_at=row.finished_at,
        counts=row.counts,
        ended=row.ended,
    )


def _seen(key: str, row: Row[Any]) -> Seen:
    return Seen(
        key=key,
        url=row.url,
        outcome=row.outcome,
        at=row.at,
        sha256=row.sha256,
        etag=row.etag,
        last_modified=row.last_modified,
    )
