"""Labelled pictures, and what could not become one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, func, insert, or_, select, update

from domain import NewSample, NotFound, PictureFacts, Sample, Split
from storage import schema
from storage.labels import check_label, labels_of
from storage.live import HAS_LIVE, IS_VISIBLE
from storage.months import bounds_of, months_of
from storage.pictures import keep_facts, sample_row
from storage.quarantine import Quarantined, all_aside, count_aside, put_aside
from storage.state import locked_state, task_id_of
from storage.store import Database


class Samples:
    """The labelled pictures of each task. Demonstration and the user's own are read apart.

    What only corrections brought is there as long as one of them stands.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, task: str, facts: PictureFacts, new: NewSample, *, now: datetime | None = None
    ) -> Sample | None:
        """Keep a labelled picture.

        Parameters
        ----------
        task
            The task it is of.
        facts
            What is known of the picture.
        new
            What it shows and where it is from.
        now
            The present moment, aware; the system's when left out.

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
        return self.add_many(task, [(facts, new)], now=now)[0]

    def add_many(
        self,
        task: str,
        pictures: Sequence[tuple[PictureFacts, NewSample]],
        *,
        now: datetime | None = None,
    ) -> list[Sample | None]:
        """Keep labelled pictures in one transaction; as `add` for each, in order."""
        with self._database.writing() as connection:
            # with the lock, nobody else adds to this task between looking and inserting
            task_id = locked_state(connection, task).task_id
            labels = set(labels_of(connection, task_id))
            rows = [sample_row(task_id, facts.sha256, new, now=now) for facts, new in pictures]
            for row in rows:
                check_label(labels, row["label"])
            keep_facts(self._database, connection, [facts for facts, _ in pictures])
            keep = self._make_room(connection, task_id, rows)
            if keep:
                connection.execute(insert(schema.samples), [rows[place] for place in keep])
            return self._kept(connection, task, task_id, rows, keep)

    def _make_room(
        self, connection: Connection, task_id: int, rows: Sequence[dict[str, Any]]
    ) -> list[int]:
        """Which rows are new to the task; those that they replace are gone then.

        Replaced are the demonstration's and the taught ones by the user's, taught ones that
        nothing holds up any longer, and what was put aside as unreadable: whoever offers a
        picture again has just read it.
        """
        samples = schema.samples
        here = samples.c.task_id == task_id
        users = {row["sha256"] for row in rows if not row["demo"]}
        replaced = self._database.among(samples.c.sha256, users)
        lesser = or_(samples.c.demo.is_(True), samples.c.taught.is_(True))
        connection.execute(delete(samples).where(here, lesser, replaced))
        offered = self._database.among(samples.c.sha256, {row["sha256"] for row in rows})
        gone = or_(samples.c.unreadable.is_(True), and_(samples.c.taught.is_(True), ~HAS_LIVE))
        connection.execute(delete(samples).where(here, gone, offered))
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
            found = _select(task_id).where(schema.samples.c.sha256 == sha256, IS_VISIBLE)
            row = connection.execute(found).one_or_none()
        return _sample(task, row) if row else None

    def facts(self, sha256s: Collection[str]) -> dict[str, PictureFacts]:
        """What is known of those pictures that any task has seen, labelled or only corrected."""
        pictures = schema.pictures
        with self._database.reading() as connection:
            found = select(pictures).where(self._database.among(pictures.c.sha256, sha256s))
            return {
                row.sha256: PictureFacts(
                    row.sha256, row.width, row.height, row.format, row.n_bytes, row.phash
                )
                for row in connection.execute(found)
            }

    def by_id(self, task: str, sample_id: int) -> Sample:
        """The sample of a number.

        Raises
        ------
        NotFound
            No such task, or it has no such sample.
        """
        with self._database.reading() as connection:
            task_id = task_id_of(connection, task)
            found = _select(task_id).where(schema.samples.c.id == sample_id, IS_VISIBLE)
            known = 0 < sample_id <= schema.MAX_ID
            row = connection.execute(found).one_or_none() if known else None
        if row is None:
            raise NotFound(f"the task {task} has no sample {sample_id}", id=sample_id)
        return _sample(task, row)

    def all(self, task: str, *, demo: bool = False) -> list[Sample]:
        """Every readable sample of a task, in the order they came: the user's, or the demo's."""
        return self.after(task, 0, demo=demo)

    def after(self, task: str, sample_id: int, *, demo: bool = False) -> list[Sample]:
        """As `all`, of those that came after a number: for whoever has read the others."""
        samples = schema.samples.c
        with self._database.reading() as connection:
            found = _select(task_id_of(connection, task)).where(
                samples.id > min(sample_id, schema.MAX_ID)
            )
            found = found.where(samples.demo.is_(demo), samples.unreadable.is_(False), IS_VISIBLE)
            return [_sample(task, row) for row in connection.execute(found.order_by(samples.id))]

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
                    IS_VISIBLE,
                )
                .group_by(samples.label, samples.source)
            )
            # sorted here: each database would sort by another alphabet
            return sorted((label, source, n) for label, source, n in connection.execute(found))

    def months(self, task: str) -> list[str]:
        """The months (UTC, as `2026-11`) in which the user's readable samples came, in order."""
        with self._database.reading() as connection:
            return months_of(connection, task_id_of(connection, task))

    def of_month(
        self, task: str, month: str, split: Split, limit: int, *, demo: bool = False
    ) -> list[Sample]:
        """Readable samples that came in a month, of one side of the split, ordered by sha256.

        Parameters
        ----------
        task
            The task they are of.
        month
            Of UTC, as `2026-11`.
        split
            The side of the fixed split.
        limit
            At most so many: the same ones each time, unless some came or went.
        demo
            The demonstration's instead of the user's.

        Raises
        ------
        NotFound
            No such task.
        Unacceptable
            That is no month.
        """
        samples = schema.samples.c
        first, end = bounds_of(month)
        with self._database.reading() as connection:
            found = _select(task_id_of(connection, task)).where(
                samples.added_at >= first,
                samples.added_at < end,
                samples.split == Split(split).value,
                samples.demo.is_(demo),
                samples.unreadable.is_(False),
                IS_VISIBLE,
            )
            in_order = found.order_by(samples.sha256).limit(limit)
            return [_sample(task, row) for row in connection.execute(in_order)]

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
                    IS_VISIBLE,
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
            what = Quarantined(task, name, source, sha256, reason, message, datetime.now(UTC))
            put_aside(self._database, connection, task_id, what)

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
            what = Quarantined(task, sha256, source, sha256, reason, message, datetime.now(UTC))
            put_aside(self._database, connection, task_id, what)

    def quarantined(self, task: str) -> list[Quarantined]:
        """What was offered to a task and not kept, in the order it came."""
        with self._database.reading() as connection:
            return all_aside(connection, task, task_id_of(connection, task))

    def count_quarantined(self, task: str) -> int:
        """How much was offered to a task and not kept."""
        with self._database.reading() as connection:
            return count_aside(connection, task_id_of(connection, task))


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
        taught=row.taught,
    )
