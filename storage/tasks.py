"""Tasks, their labels and the variants of labels."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from domain import DEFAULT_TASK, UNSURE, Conflict, NotFound, Task, TaskKind, Unacceptable
from storage import schema
from storage.store import Database

MAX_LABEL = 64
MAX_SHOWN = 20
LIVE = schema.tasks.c.archived_at.is_(None)
RESERVED_LABELS = (UNSURE, "(other)")
"""What a verdict says in the place of a label."""


class Tasks:
    """What can be told apart."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        name: str,
        kind: TaskKind,
        labels: Sequence[str] = (),
        *,
        open: bool,
        prompts: Mapping[str, str] = MappingProxyType({}),
    ) -> Task:
        """Make a task.

        Raises
        ------
        Conflict
            One of that name exists.
        Unacceptable
            A bad name, a bad label, or a closed task that could never tell anything apart.
        """
        if not re.fullmatch(r"[a-z0-9_-]{1,64}", name):
            raise Unacceptable("name", name, "1 to 64 of a-z 0-9 _ -")
        clean = [clean_label(label) for label in labels]
        if len(set(clean)) < len(clean):
            raise Unacceptable("labels", list(labels), "each label once")
        if not open and len(clean) < 2:
            raise Unacceptable("labels", list(labels), "two or more labels, or an open task")
        row = {
            "name": name,
            "kind": TaskKind(kind).value,
            "open": open,
            "prompts": {clean_label(label): prompt for label, prompt in prompts.items()},
            "created_at": datetime.now(UTC),
        }
        try:
            with self._database.writing() as connection:
                task_id = connection.execute(insert(schema.tasks).returning(schema.tasks.c.id), row)
                _start(connection, task_id.scalar_one(), clean)
                return _read_one(connection, name)
        except IntegrityError:
            raise Conflict(f"the task {name} exists already", name=name) from None

    def ensure_default(self) -> None:
        """Make the task that always exists, unless it does."""
        try:
            self.get(DEFAULT_TASK)
        except NotFound:
            with suppress(Conflict):  # another process may make it at the same moment
                self.create(DEFAULT_TASK, TaskKind.AUTHENTICITY, ("ai", "real"), open=False)

    def get(self, name: str) -> Task:
        """Find a task by name.

        Raises
        ------
        NotFound
            None of that name, or it was deleted.
        """
        with self._database.reading() as connection:
            return _read_one(connection, name)

    def all(self) -> list[Task]:
        """Every task, in the order they were made."""
        with self._database.reading() as connection:
            return _read(connection)

    def delete(self, name: str) -> None:
        """Archive a task: its rows stay, its name is free again.

        Raises
        ------
        NotFound
            No task of that name.
        Conflict
            It is the default task, which always exists.
        """
        if name == DEFAULT_TASK:
            raise Conflict(f"the task {name} always exists; it cannot be deleted", name=name)
        with self._database.writing() as connection:
            state = locked_state(connection, name)
            archived = update(schema.tasks).where(schema.tasks.c.id == state.task_id)
            connection.execute(archived.values(archived_at=datetime.now(UTC)))

    def add_label(self, name: str, label: str) -> Task:
        """Give an open task one more label; nothing happens when it has it.

        Raises
        ------
        NotFound
            No task of that name.
        Unacceptable
            A bad label, or a new one for a closed task.
        Conflict
            The label is a variant of another one.
        """
        label = clean_label(label)
        with self._database.writing() as connection:
            state = locked_state(connection, name)
            task = _read_one(connection, name)
            if label in task.labels:
                return task
            if label in task.variants:
                raise Conflict(f"{label} is a variant of {task.variants[label]}", label=label)
            if not task.open:
                raise Unacceptable("label", label, _one_of(task.labels))
            row = {"task_id": state.task_id, "label": label, "position": len(task.labels)}
            connection.execute(insert(schema.labels), row)
            return replace(task, labels=(*task.labels, label))

    def add_variant(self, name: str, label: str, variant: str) -> Task:
        """Let another form count as a label of the task; nothing happens when it does.

        Raises
        ------
        NotFound
            No task of that name.
        Unacceptable
            `label` is not a label of the task, or `variant` cannot be a label.
        Conflict
            The variant is a label itself, or a variant of another label.
        """
        label, variant = clean_label(label), clean_label(variant)
        with self._database.writing() as connection:
            state = locked_state(connection, name)
            task = _read_one(connection, name)
            check_label(task.labels, label)
            if task.variants.get(variant) == label:
                return task
            if variant in task.labels or variant in task.variants:
                raise Conflict(f"{variant} stands for something else already", variant=variant)
            row = {"task_id": state.task_id, "variant": variant, "label": label}
            connection.execute(insert(schema.variants), row)
            return replace(task, variants={**task.variants, variant: label})


def clean_label(text: str) -> str:
    """Bring a label to its one form (NFC, no blanks around it).

    Raises
    ------
    Unacceptable
        Empty, too long, with control characters, or a word that verdicts use otherwise.
    """
    label = unicodedata.normalize("NFC", text).strip()
    # Cc: control characters, Cs: halves of a broken UTF-16 pair. Joiners and direction marks,
    # which emoji and right-to-left scripts need, are of another category.
    broken = any(unicodedata.category(character) in {"Cc", "Cs"} for character in label)
    if broken or not 1 <= len(label) <= MAX_LABEL or label in RESERVED_LABELS:
        allowed = f"1 to {MAX_LABEL} characters of any script, none of them a control character"
        raise Unacceptable("label", text, f"{allowed}, and not {' or '.join(RESERVED_LABELS)}")
    return label


def check_label(labels: Collection[str], label: str) -> None:
    """Refuse what is not one of a task's labels."""
    if label not in labels:
        raise Unacceptable("label", label, _one_of(labels))


def _one_of(labels: Collection[str]) -> str:
    shown = sorted(labels)[:MAX_SHOWN]
    more = f" and {len(labels) - MAX_SHOWN} more" if len(labels) > MAX_SHOWN else ""
    return (
        f"one of {', '.join(shown)}{more}" if shown else "no label yet: the task needs some first"
    )


def labels_of(connection: Connection, task_id: int) -> list[str]:
    """A task's labels, in the order they came."""
    labels = schema.labels.c
    found = select(labels.label).where(labels.task_id == task_id).order_by(labels.position)
    return list(connection.execute(found).scalars())


def task_id_of(connection: Connection, name: str) -> int:
    """The id of a task, or NotFound."""
    found = select(schema.tasks.c.id).where(LIVE, schema.tasks.c.name == name)
    task_id: int | None = connection.execute(found).scalar()
    if task_id is None:
        raise unknown_task(name)
    return task_id


def locked_state(connection: Connection, name: str) -> Row[int, int, int, str | None]:
    """Lock a task's state row until the end of the transaction: writers to one task take turns."""
    state = schema.task_state
    found = (
        select(state.c.task_id, state.c.counter, state.c.corrections, state.c.current)
        .join(schema.tasks)
        .where(LIVE, schema.tasks.c.name == name)
        .with_for_update(of=state)
    )
    row = connection.execute(found).one_or_none()
    if row is None:
        raise unknown_task(name)
    return row


def unknown_task(name: str) -> NotFound:
    """What to raise when no task has that name."""
    return NotFound(f"there is no task {name}", task=name)


def _start(connection: Connection, task_id: int, labels: Sequence[str]) -> None:
    rows = [
        {"task_id": task_id, "label": label, "position": position}
        for position, label in enumerate(labels)
    ]
    if rows:
        connection.execute(insert(schema.labels), rows)
    connection.execute(
        insert(schema.task_state), {"task_id": task_id, "counter": 0, "corrections": 0}
    )


def _read_one(connection: Connection, name: str) -> Task:
    found = _read(connection, schema.tasks.c.name == name)
    if not found:
        raise unknown_task(name)
    return found[0]


def _read(connection: Connection, *where: ColumnElement[bool]) -> list[Task]:
    tasks, labels, variants = schema.tasks.c, schema.labels.c, schema.variants.c
    wanted = select(tasks.id).where(LIVE, *where)
    labels_by_task: dict[int, list[str]] = {}
    for row in connection.execute(
        select(labels.task_id, labels.label)
        .where(labels.task_id.in_(wanted))
        .order_by(labels.position)
    ):
        labels_by_task.setdefault(row.task_id, []).append(row.label)
    variants_by_task: dict[int, dict[str, str]] = {}
    for variant in connection.execute(
        select(variants.task_id, variants.variant, variants.label)
        .where(variants.task_id.in_(wanted))
        .order_by(variants.variant)
    ):
        variants_by_task.setdefault(variant.task_id, {})[variant.variant] = variant.label
    return [
        Task(
            id=row.id,
            name=row.name,
            kind=TaskKind(row.kind),
            labels=tuple(labels_by_task.get(row.id, ())),
            open=row.open,
            created_at=row.created_at,
            prompts=row.prompts,
            variants=variants_by_task.get(row.id, {}),
        )
        for row in connection.execute(select(schema.tasks).where(LIVE, *where).order_by(tasks.id))
    ]
