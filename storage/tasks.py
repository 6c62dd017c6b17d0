"""Tasks: made, found, given labels, reset and brought back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update
from sqlalchemy.exc import IntegrityError

from domain import DEFAULT_TASK, Archive, Conflict, NotFound, Task, TaskKind, Unacceptable
from storage import archives, schema
from storage.labels import (
    add_label,
    check_label,
    clean_label,
    end_of,
    labels_of,
    link,
    links_of,
    one_of,
    unlink,
)
from storage.prompts import Prompts, clean_prompts
from storage.state import LIVE, locked_state, moved, unknown_task
from storage.store import Database
from storage.task_settings import changed, clean_settings


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
        prompts: Prompts = MappingProxyType({}),
        settings: Mapping[str, Any] = MappingProxyType({}),
    ) -> Task:
        """Make a task.

        Raises
        ------
        Conflict
            One of that name exists.
        Unacceptable
            A bad name, a bad label, bad texts, settings that are none, or a closed task that
            could never tell anything apart.
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
            "prompts": {label: line for label, line in clean_prompts(prompts).items() if line},
            "settings": clean_settings(settings, clean, open=open),
            "created_at": datetime.now(UTC),
        }
        try:
            with self._database.writing() as connection:
                archives.start(connection, row, clean)
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
            archives.put_away(connection, locked_state(connection, name).task_id)

    def reset(self, name: str) -> Archive:
        """Begin anew with a task of the same kind and its labels that were not taught.

        Raises
        ------
        NotFound
            No task of that name.
        """
        with self._database.writing() as connection:
            return archives.reset(connection, name)

    def archives(self, name: str) -> list[Archive]:
        """What was reset or deleted under a name, newest first."""
        with self._database.reading() as connection:
            return archives.of_name(connection, name)

    def restore(self, name: str, archive_id: int) -> Task:
        """Bring back what was archived; what has the name now is archived in turn.

        Raises
        ------
        NotFound
            No such archive of that name.
        Conflict
            Another task took the name at the same moment.
        """
        try:
            with self._database.writing() as connection:
                archives.restore(connection, name, archive_id)
                return _read_one(connection, name)
        except IntegrityError:
            raise Conflict(f"the task {name} exists already", name=name) from None

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
            if label in task.variants:
                raise Conflict(f"{label} is a variant of {task.variants[label]}", label=label)
            if not task.open:
                if label in task.labels:
                    return task
                raise Unacceptable("label", label, one_of(task.labels))
            add_label(connection, state.task_id, label)
            return _read_one(connection, name)

    def describe(self, name: str, prompts: Prompts) -> Task:
        """Give labels of a task other texts that describe them; an empty one takes them away.

        Raises
        ------
        NotFound
            No task of that name.
        Unacceptable
            A label that a closed task does not have, or bad texts.
        """
        cleaned = clean_prompts(prompts)
        with self._database.writing() as connection:
            state = locked_state(connection, name)
            task = _read_one(connection, name)
            for label in () if task.open else cleaned:
                check_label({*task.labels, *task.variants}, label, field=f"prompts.{label}")
            kept = {k: line for k, line in {**task.prompts, **cleaned}.items() if line}
            if kept != task.prompts:
                of_task = update(schema.tasks).where(schema.tasks.c.id == state.task_id)
                connection.execute(of_task.values(prompts=kept))
                moved(connection, state, epoch=1)
            return _read_one(connection, name)

    def settle(self, name: str, settings: Mapping[str, Any]) -> Task:
        """Change settings of a task: those that are named, and one that is None is none any more.

        So it is with the labels of `max_false`.

        Raises
        ------
        NotFound
            No task of that name.
        Unacceptable
            Naming the field, what was got and what is allowed.
        """
        with self._database.writing() as connection:
            state = locked_state(connection, name)
            task = _read_one(connection, name)
            later = changed(task.settings, settings)
            known = {*task.labels, *task.variants}
            clean = clean_settings(later, known, open=task.open)
            if clean != task.settings:
                of_task = update(schema.tasks).where(schema.tasks.c.id == state.task_id)
                connection.execute(of_task.values(settings=clean))
                moved(connection, state)
            return _read_one(connection, name)

    def renew(self, name: str) -> None:
        """Have every process read the log of a task again: vectors it rests on are new.

        Raises
        ------
        NotFound
            No task of that name.
        """
        with self._database.writing() as connection:
            moved(connection, locked_state(connection, name), epoch=1)

    def link(self, name: str, label: str, variant: str) -> Task:
        """Let another form count as a label of the task; nothing happens when it does.

        A label that has pictures of its own may become a variant as well.

        Raises
        ------
        NotFound
            No task of that name.
        Unacceptable
            `label` is not a label of the task, or `variant` cannot be a label.
        Conflict
            They would stand for one another, the variant stands for something else already,
            or a closed task would have less than two labels left.
        """
        label, variant = clean_label(label), clean_label(variant, field="variant")
        with self._database.writing() as connection:
            state = locked_state(connection, name)
            links = links_of(connection, state.task_id)
            check_label({*labels_of(connection, state.task_id), *links}, label)
            if link(connection, state.task_id, links, label, variant):
                moved(connection, state, epoch=1)
            return _read_one(connection, name)

    def unlink(self, name: str, variant: str) -> Task:
        """Let a variant stand for itself again: what was labelled so is of that label again.

        Raises
        ------
        NotFound
            No task of that name.
        Conflict
            It is no variant, or it would be a new label of a closed task.
        """
        variant = clean_label(variant, field="variant")
        with self._database.writing() as connection:
            state = locked_state(connection, name)
            unlink(connection, state.task_id, variant)
            moved(connection, state, epoch=1)
            return _read_one(connection, name)


def _read_one(connection: Connection, name: str) -> Task:
    found = _read(connection, schema.tasks.c.name == name)
    if not found:
        raise unknown_task(name)
    return found[0]


def _read(connection: Connection, *where: ColumnElement[bool]) -> list[Task]:
    tasks, labels, variants = schema.tasks.c, schema.labels.c, schema.variants.c
    wanted = select(tasks.id).where(LIVE, *where)
    links_by_task: dict[int, dict[str, str]] = {}
    for variant in connection.execute(
        select(variants.task_id, variants.variant, variants.label)
        .where(variants.task_id.in_(wanted))
        .order_by(variants.variant)
    ):
        links_by_task.setdefault(variant.task_id, {})[variant.variant] = variant.label
    labels_by_task: dict[int, list[str]] = {}
    for row in connection.execute(
        select(labels.task_id, labels.label)
        .where(labels.task_id.in_(wanted), labels.hidden.is_(False))
        .order_by(labels.position, labels.label)
    ):
        if row.label not in links_by_task.get(row.task_id, ()):
            labels_by_task.setdefault(row.task_id, []).append(row.label)
    return [
        Task(
            id=row.id,
            name=row.name,
            kind=TaskKind(row.kind),
            labels=tuple(labels_by_task.get(row.id, ())),
            open=row.open,
            created_at=row.created_at,
            prompts=row.prompts,
            settings=row.settings,
            variants={one: end_of(links, one) for one in links},
        )
        for row in connection.execute(select(schema.tasks).where(LIVE, *where).order_by(tasks.id))
        for links in (links_by_task.get(row.id, {}),)
    ]
