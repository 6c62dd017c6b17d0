"""Corrections: an append-only log with a gapless sequence in each task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select

from domain import (
    Conflict,
    Correction,
    Limited,
    NewCorrection,
    NewSample,
    Person,
    PictureFacts,
    Taught,
    TeachLimits,
    Unacceptable,
)
from storage import schema
from storage.labels import clean_label, settle, taught_label
from storage.live import IS_LIVE, IS_VISIBLE
from storage.log import (
    correction_of,
    in_order,
    key_of,
    new_row,
    one_row,
    said_by,
    select_log,
    unknown_correction,
)
from storage.pictures import keep_facts, keep_taught, relabel_taught
from storage.state import LIVE, locked_state, moved, task_id_of
from storage.store import Database

MAX_KEY = 255
MAX_PERSON = 128
MINUTE = timedelta(minutes=1)
USUAL_LIMITS = TeachLimits()


class _Rehearsed(Exception):
    """Takes a transaction back, and what it would have written out of it."""

    def __init__(self, taught: Taught) -> None:
        super().__init__()
        self.taught = taught


class Corrections:
    """What people said. Rows are added and read; an undo is a row as well."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def teach(
        self,
        task: str,
        new: NewCorrection,
        facts: PictureFacts,
        sample: NewSample | None,
        limits: TeachLimits = USUAL_LIMITS,
    ) -> Taught:
        """Write one correction; on return it is on the disk.

        Parameters
        ----------
        task
            The task it is about.
        new
            What somebody says of a picture. With the same key of the same person again nothing
            is written and the first row comes back.
        facts
            Of that picture.
        sample
            As what the picture is kept if the task does not have it; its label is that of the
            correction. None: it is not kept.
        limits
            What a person who is not trusted may do.

        Raises
        ------
        NotFound
            No such task.
        Unacceptable
            A closed task has no such label, or a value is too long.
        Conflict
            The key was used for something else, or the label cannot be a variant of that.
        Limited
            Too much from this person for now.
        """
        _check(new, facts)
        with self._database.writing() as connection:
            return self._teach(connection, task, new, facts, sample, limits)

    def rehearse(
        self, task: str, new: NewCorrection, facts: PictureFacts, limits: TeachLimits = USUAL_LIMITS
    ) -> Taught:
        """What `teach` would write, refusing what it would refuse; nothing is written."""
        _check(new, facts)
        try:
            with self._database.writing(durable=False) as connection:
                raise _Rehearsed(self._teach(connection, task, new, facts, None, limits))
        except _Rehearsed as rehearsed:
            return rehearsed.taught

    def _teach(
        self,
        connection: Connection,
        task: str,
        new: NewCorrection,
        facts: PictureFacts,
        sample: NewSample | None,
        limits: TeachLimits,
    ) -> Taught:
        state = locked_state(connection, task)
        first = _by_key(connection, state.task_id, new)
        if first is not None:
            return Taught(_same(correction_of(task, first), new), fresh=False)
        if not new.person.trusted:
            _check_rate(connection, state.task_id, new.person, limits)
        label, linked = taught_label(connection, state.task_id, new, limits)
        keep_facts(self._database, connection, [facts])
        returns = _returns(connection, state.task_id, new.sha256, offered=sample is not None)
        row = {**new_row(state, 1, new.person), **said_by(new), "label": label}
        connection.execute(insert(schema.corrections), row)
        keep_taught(connection, state.task_id, new.sha256, label, sample)
        moved(connection, state, corrections=1, epoch=int(linked or returns))
        written = one_row(connection, state.task_id, row["id"])
        return Taught(correction_of(task, written), fresh=True)

    def undo(
        self, task: str, ids: Sequence[str], person: str, trusted: bool, note: str = ""
    ) -> list[Correction]:
        """Take corrections back, all of them or none; on return that is on the disk.

        Returns
        -------
        list[Correction]
            The rows that take them back, in the order asked.

        Raises
        ------
        NotFound
            No such task, or it has no such correction.
        Unacceptable
            One of them takes another one back itself.
        Conflict
            One of them was taken back already, or its picture was erased.
        """
        wanted = list(dict.fromkeys(ids))
        if not wanted:
            return []
        with self._database.writing() as connection:
            state = locked_state(connection, task)
            who = Person(person, trusted)
            found = self._undoable(connection, state.task_id, wanted)
            rows = [
                {
                    **new_row(state, place, who),
                    **dict.fromkeys(("verdict_id", "variant_of", "idempotency_key")),
                    "sha256": found[correction_id].sha256,
                    "label": found[correction_id].label,
                    "note": note,
                    "undoes": correction_id,
                }
                for place, correction_id in enumerate(wanted, 1)
            ]
            connection.execute(insert(schema.corrections), rows)
            pictures = {row.sha256 for row in found.values()}
            relabel_taught(self._database, connection, state.task_id, pictures)
            labels = sorted({row.label for row in found.values()})
            unlinked = settle(connection, state.task_id, labels)
            moved(connection, state, corrections=len(rows), epoch=int(unlinked))
            written = select_log(state.task_id).where(schema.corrections.c.seq > state.corrections)
            return in_order(task, connection, written)

    def _undoable(
        self, connection: Connection, task_id: int, ids: Sequence[str]
    ) -> dict[str, Row[Any]]:
        log = schema.corrections
        these = self._database.among(log.c.id, ids)
        named = connection.execute(select(log).where(these))
        found = {row.id: row for row in named if row.task_id == task_id}
        already = self._database.among(log.c.undoes, ids)
        undone = set(connection.execute(select(log.c.undoes).where(already)).scalars())
        for one in ids:
            row = found.get(one)
            if row is None:
                raise unknown_correction(one)
            if row.undoes is not None:
                raise Unacceptable("id", one, "a correction; this one takes another one back")
            if row.erased:
                raise Conflict(f"the picture of the correction {one} was erased", id=one)
            if one in undone:
                raise Conflict(f"the correction {one} is undone already", id=one)
        return found

    def get(self, task: str, correction_id: str) -> Correction:
        """One row of the log.

        Raises
        ------
        NotFound
            No such task, or it has no such correction.
        """
        with self._database.reading() as connection:
            return correction_of(
                task, one_row(connection, task_id_of(connection, task), correction_id)
            )

    def find(self, correction_id: str) -> Correction:
        """One row of the log of whichever task; it names its task.

        Raises
        ------
        NotFound
            No task that is here has such a correction.
        """
        tasks, log = schema.tasks.c, schema.corrections.c
        with self._database.reading() as connection:
            named = select(tasks.id, tasks.name).join(schema.corrections, log.task_id == tasks.id)
            row = connection.execute(named.where(LIVE, log.id == correction_id)).one_or_none()
            if row is None:
                raise unknown_correction(correction_id)
            return correction_of(row.name, one_row(connection, row.id, correction_id))

    def undone_by(self, task: str, correction_id: str) -> Correction | None:
        """The row that takes a correction back, if one does."""
        with self._database.reading() as connection:
            found = select_log(task_id_of(connection, task))
            undo = found.where(schema.corrections.c.undoes == correction_id)
            row = connection.execute(undo).one_or_none()
        return correction_of(task, row) if row else None

    def page(
        self,
        task: str,
        *,
        limit: int,
        before_seq: int | None = None,
        person: str | None = None,
        sha256: str | None = None,
    ) -> list[Correction]:
        """Some rows of the log, newest first, those that take others back included.

        Parameters
        ----------
        task
            The task they are about.
        limit
            At most so many.
        before_seq
            Only those before this number: the last one of the page before.
        person
            Only those of one person.
        sha256
            Only those on one picture.
        """
        log = schema.corrections.c
        with self._database.reading() as connection:
            found = select_log(task_id_of(connection, task))
            if before_seq is not None:
                found = found.where(log.seq < min(before_seq, schema.MAX_ID))
            if person is not None:
                found = found.where(log.person == person)
            if sha256 is not None:
                found = found.where(log.sha256 == sha256)
            newest = connection.execute(found.order_by(log.seq.desc()).limit(limit))
            return [correction_of(task, row) for row in newest]

    def since(self, task: str, seq: int) -> list[Correction]:
        """Every row of a task's log after number `seq`, in order."""
        with self._database.reading() as connection:
            found = select_log(task_id_of(connection, task)).where(schema.corrections.c.seq > seq)
            return in_order(task, connection, found)

    def of_person(self, task: str, person: str, since: datetime | None = None) -> list[Correction]:
        """The live corrections of one person, oldest first: all, or those from a moment on."""
        log = schema.corrections
        with self._database.reading() as connection:
            found = select_log(task_id_of(connection, task))
            found = found.where(log.c.person == person, IS_LIVE)
            if since is not None:
                found = found.where(log.c.created_at >= since)
            return in_order(task, connection, found)

    def last_befores(self, task: str, n: int) -> list[tuple[str, str]]:
        """What was answered before the last live corrections, and what they say, newest first.

        Returns
        -------
        list[tuple[str, str]]
            (prediction before, label), at most n; corrections without a before are left out.
        """
        log = schema.corrections
        with self._database.reading() as connection:
            found = select(log.c.before_prediction, log.c.label).where(
                log.c.task_id == task_id_of(connection, task),
                log.c.before_prediction.is_not(None),
                IS_LIVE,
            )
            newest = connection.execute(found.order_by(log.c.seq.desc()).limit(n))
            return [(before, label) for before, label in newest]

    def lately(self, task: str, n: int) -> list[Correction]:
        """The last n live corrections of which it is known what was answered before, newest first.

        Those of one picture all count: each was said of an answer.
        """
        log = schema.corrections.c
        with self._database.reading() as connection:
            found = select_log(task_id_of(connection, task))
            found = found.where(log.before_prediction.is_not(None), IS_LIVE)
            newest = connection.execute(found.order_by(log.seq.desc()).limit(n))
            return [correction_of(task, row) for row in newest]

    def count(self, task: str) -> int:
        """How many rows a task's log has, undone ones and undos included."""
        state = schema.task_state.c
        with self._database.reading() as connection:
            task_id = task_id_of(connection, task)
            found = select(state.corrections).where(state.task_id == task_id)
            return int(connection.execute(found).scalar_one())


def _check(new: NewCorrection, facts: PictureFacts) -> None:
    if new.sha256 != facts.sha256:
        raise ValueError(f"facts of {facts.sha256} with a correction of {new.sha256}")
    key = new.idempotency_key
    if key is not None and not 1 <= len(key) <= MAX_KEY:
        raise Unacceptable("Idempotency-Key", key, f"1 to {MAX_KEY} characters")
    if not 1 <= len(new.person.name) <= MAX_PERSON:
        raise Unacceptable("person", new.person.name, f"1 to {MAX_PERSON} characters")


def _by_key(connection: Connection, task_id: int, new: NewCorrection) -> Row[Any] | None:
    key = key_of(new)
    if key is None:
        return None
    found = select_log(task_id).where(schema.corrections.c.idempotency_key == key)
    return connection.execute(found).one_or_none()


def _same(first: Correction, new: NewCorrection) -> Correction:
    """The row a key was used for, if it is for this."""
    variant_of = None if new.variant_of is None else clean_label(new.variant_of, field="variant_of")
    said = (new.sha256, clean_label(new.label), variant_of)
    if first.erased or (first.sha256, first.label, first.variant_of) != said:
        raise Conflict(
            "this Idempotency-Key was used for another correction",
            key=new.idempotency_key,
            id=first.id,
        )
    return first


def _returns(connection: Connection, task_id: int, sha256: str, *, offered: bool) -> bool:
    """Whether a correction about to be written brings a sample back that no reader sees.

    It has its old number then, so whoever reads only later ones would miss it.
    """
    samples = schema.samples.c
    unseen = or_(~IS_VISIBLE, samples.unreadable.is_(True)) if offered else ~IS_VISIBLE
    found = select(samples.id).where(samples.task_id == task_id, samples.sha256 == sha256, unseen)
    return connection.execute(found).first() is not None


def _check_rate(connection: Connection, task_id: int, person: Person, limits: TeachLimits) -> None:
    """Counted in the log, so all processes count together."""
    log = schema.corrections.c
    newest = (
        select(log.created_at)
        .where(log.task_id == task_id, log.person == person.name)
        .order_by(log.created_at.desc())
    )
    # the one that has to be a minute old before another may come
    oldest = newest.offset(max(limits.per_minute, 1) - 1).limit(1)
    at: datetime | None = connection.execute(oldest).scalar()
    left = timedelta(0) if at is None else at + MINUTE - datetime.now(UTC)
    # further away than that is no rate but a clock that was set back
    if timedelta(0) < left <= 2 * MINUTE:
        raise Limited(
            f"{person.name} has corrected {limits.per_minute} pictures within a minute",
            retry_after=math.ceil(min(left, MINUTE).total_seconds()),
            per_minute=limits.per_minute,
        )
