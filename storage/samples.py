"""Labelled pictures, and what could not become one."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, func, insert, select, update

from domain import NewSample, NotFound, PictureFacts, Sample, Split
from storage import schema
from storage.store import Database
from storage.tasks import check_label, clean_label, labels_of, locked_state, task_id_of


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


class Samples:
    """The labelled pictures of each task. Demonstration and the user's own are read apart."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, task: str, facts: PictureFacts, new: NewSample) -> Sample | None:
        """Keep a labelled picture.

        Returns
        -------
        Sample or None
            None when the task has this picture already. The user's picture takes the place of
            the same one of the demonstration, never the other way around.

        Raises
        ------
        NotFound
            No such task.
        Unacceptable
            The label is not one of the task's.
        """
        return self.add_many(task, [(facts, new)])[0]

    def add_many(
        self, task: str, pictures: Sequence[tuple[PictureFacts, NewSample]]
    ) -> list[Sample | None]:
        """Keep labelled pictures in one transaction; as `add` for each, in order."""
        with self._database.writing() as connection:
            # with the lock, nobody else adds to this task between looking and inserting
            task_id = locked_state(connection, task).task_id
            labels = set(labels_of(connection, task_id))
            rows = [_row(task_id, facts.sha256, new) for facts, new in pictures]
            for row in rows:
                check_label(labels, row["label"])
            self._keep_facts(connection, [facts for facts, _ in pictures])
            keep = self._make_room(connection, task_id, rows)
            if keep:
                connection.execute(insert(schema.samples), [rows[place] for place in keep])
            return self._kept(connection, task, task_id, rows, keep)

    def _keep_facts(self, connection: Connection, facts: Iterable[PictureFacts]) -> None:
        rows = {
            f.sha256: {
                "sha256": f.sha256,
                "width": f.width,
                "height": f.height,
                "format": f.format,
                "n_bytes": f.n_bytes,
                "phash": f.phash,
            }
            for f in facts
        }
        if rows:  # in one order for all writers, so that two never wait for each other
            known = self._database.insert(schema.pictures).on_conflict_do_nothing()
            connection.execute(known, [rows[sha256] for sha256 in sorted(rows)])

    def _make_room(
        self, connection: Connection, task_id: int, rows: Sequence[dict[str, Any]]
    ) -> list[int]:
        """Which rows are new to the task; those that they replace are gone then.

        Replaced are the demonstration's by the user's, and what was put aside as unreadable:
        whoever offers a picture again has just read it.
        """
        samples = schema.samples
        here = samples.c.task_id == task_id
        users = {row["sha256"] for row in rows if not row["demo"]}
        replaced = self._database.among(samples.c.sha256, users)
        connection.execute(delete(samples).where(here, samples.c.demo.is_(True), replaced))
        offered = self._database.among(samples.c.sha256, {row["sha256"] for row in rows})
        connection.execute(delete(samples).where(here, samples.c.unreadable.is_(True), offered))
        taken = set(connection.execute(select(samples.c.sha256).where(here, offered)).scalars())
        keep = []
        # the user's first: within one call they win over the demonstration's as well
        for place, row in sorted(enumerate(rows), key=lambda item: bool(item[1]["demo"])):
            if row["sha256"] not in taken:
                taken.add(row["sha256"])
                keep.append(place)
        return sorted(keep)

    def _kept(
        self,
        connection: Connection,
        task: str,
        task_id: int,
        rows: Sequence[dict[str, Any]],
        keep: Collection[int],
    ) -> list[Sample | None]:
        """What is stored of the rows that were inserted; None in the place of each other one."""
        new = self._database.among(
            schema.samples.c.sha256, [rows[place]["sha256"] for place in keep]
        )
        stored = {row.sha256: row for row in connection.execute(_select(task_id).where(new))}
        kept: list[Sample | None] = [None] * len(rows)
        for place in keep:
            kept[place] = _sample(task, stored[rows[place]["sha256"]])
        return kept

    def get(self, task: str, sha256: str) -> Sample | None:
        """The sample of a picture in a task, if it is one."""
        with self._database.reading() as connection:
            task_id = task_id_of(connection, task)
            found = _select(task_id).where(schema.samples.c.sha256 == sha256)
            row = connection.execute(found).one_or_none()
        return _sample(task, row) if row else None

    def all(self, task: str, *, demo: bool = False) -> list[Sample]:
        """Every readable sample of a task, in the order they came: the user's, or the demo's."""
        with self._database.reading() as connection:
            task_id = task_id_of(connection, task)
            found = _select(task_id).where(
                schema.samples.c.demo.is_(demo), schema.samples.c.unreadable.is_(False)
            )
            rows = connection.execute(found.order_by(schema.samples.c.id)).all()
        return [_sample(task, row) for row in rows]

    def counts(self, task: str, *, demo: bool = False) -> list[tuple[str, str, int]]:
        """How many readable samples: (label, source, number), sorted."""
        samples = schema.samples.c
        with self._database.reading() as connection:
            found = (
                select(samples.label, samples.source, func.count())
                .where(
                    samples.task_id == task_id_of(connection, task),
                    samples.demo.is_(demo),
                    samples.unreadable.is_(False),
                )
                .group_by(samples.label, samples.source)
            )
            # sorted here: each database would sort by another alphabet
            return sorted((label, source, n) for label, source, n in connection.execute(found))

    def missing_vectors(
        self, task: str, embedder_id: str, *, demo: bool | None = None
    ) -> list[str]:
        """The sha256 of every readable sample that has no vector of an embedder yet, in order."""
        samples, vectors = schema.samples.c, schema.vectors.c
        has_one = and_(vectors.sha256 == samples.sha256, vectors.embedder == embedder_id)
        with self._database.reading() as connection:
            found = (
                select(samples.sha256)
                .outerjoin(schema.vectors, has_one)
                .where(
                    samples.task_id == task_id_of(connection, task),
                    samples.unreadable.is_(False),
                    vectors.sha256.is_(None),
                )
                .order_by(samples.id)
            )
            if demo is not None:
                found = found.where(samples.demo.is_(demo))
            return list(connection.execute(found).scalars())

    def quarantine(
        self, task: str, name: str, reason: str, message: str, source: str, sha256: str | None
    ) -> None:
        """Remember a picture that was not kept; the same one again replaces its reason."""
        with self._database.writing() as connection:
            task_id = task_id_of(connection, task)
            self._quarantine(connection, task_id, name, reason, message, source, sha256)

    def quarantine_sample(self, task: str, sha256: str, reason: str, message: str) -> None:
        """Put a kept sample aside, because its picture turned out not to be readable.

        Raises
        ------
        NotFound
            The task has no such sample.
        """
        samples = schema.samples
        with self._database.writing() as connection:
            task_id = task_id_of(connection, task)
            aside = (
                update(samples)
                .where(samples.c.task_id == task_id, samples.c.sha256 == sha256)
                .values(unreadable=True)
                .returning(samples.c.source)
            )
            source = connection.execute(aside).scalar()
            if source is None:
                raise NotFound(f"the task {task} has no sample {sha256}", sha256=sha256)
            self._quarantine(connection, task_id, sha256, reason, message, source, sha256)

    def _quarantine(
        self,
        connection: Connection,
        task_id: int,
        name: str,
        reason: str,
        message: str,
        source: str,
        sha256: str | None,
    ) -> None:
        fingerprint = hashlib.sha256(
            "\0".join((source, name, sha256 or "")).encode("utf-8", "surrogatepass")
        ).hexdigest()
        row: dict[str, Any] = {
            "task_id": task_id,
            "name": name,
            "source": source,
            "sha256": sha256,
            "fingerprint": fingerprint,
            "reason": reason,
            "message": message,
            "at": datetime.now(UTC),
        }
        added = self._database.insert(schema.quarantine).values(row)
        latest = {key: row[key] for key in ("reason", "message", "at")}
        connection.execute(
            added.on_conflict_do_update(index_elements=["task_id", "fingerprint"], set_=latest)
        )

    def quarantined(self, task: str) -> list[Quarantined]:
        """What was offered to a task and not kept, in the order it came."""
        rows = schema.quarantine.c
        with self._database.reading() as connection:
            task_id = task_id_of(connection, task)
            found = select(schema.quarantine).where(rows.task_id == task_id).order_by(rows.id)
            return [
                Quarantined(task, row.name, row.source, row.sha256, row.reason, row.message, row.at)
                for row in connection.execute(found)
            ]


def _row(task_id: int, sha256: str, new: NewSample) -> dict[str, Any]:
    return {
        "task_id": task_id,
        "sha256": sha256,
        "label": clean_label(new.label),
        "source": new.source,
        "family": new.family,
        "split": Split(new.split).value,
        "license": new.license,
        "author": new.author,
        "page_url": new.page_url,
        "demo": new.demo,
        "unreadable": False,
        "added_at": datetime.now(UTC),
    }


def _select(task_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(schema.samples, schema.pictures.c.phash)
        .join(schema.pictures)
        .where(schema.samples.c.task_id == task_id)
    )


def _sample(task: str, row: Row[Any]) -> Sample:
    return Sample(
        id=row.id,
        task=task,
        sha256=row.sha256,
        label=row.label,
        source=row.source,
        family=row.family,
        split=Split(row.split),
        license=row.license,
        author=row.author,
        page_url=row.page_url,
        demo=row.demo,
        phash=row.phash,
        added_at=row.added_at,
    )
