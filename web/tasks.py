"""Tasks: made, shown, counted, taken away."""

from __future__ import annotations

import re
import unicodedata

from flask import Response

from domain import DEFAULT_TASK, NotFound, Task, Unacceptable
from web.answers import answer
from web.bodies import checked, read_json
from web.context import current_engine, current_person
from web.errors import Forbidden
from web.guard import may_read_names
from web.payloads.tasks import (
    LinkRequest,
    NewTask,
    PromptsRequest,
    TaskDeleted,
    TasksBody,
    TaskSettings,
    UnlinkRequest,
    canonical,
    stats_body,
    task_body,
    variants_body,
)

MOST_TASKS = 50
"""From so many tasks on, somebody who is not trusted makes no more: each is read by all."""
BLANKS = "[\\s\u200b\ufeff]+"
"""What is taken off the ends of a label: those of no width as well."""


def known_task(name: str) -> Task:
    """The task of that name.

    Raises
    ------
    NotFound
        There is none, or there can be none.
    """
    return current_engine().store.tasks.get(task_name(name))


def task_name(name: str) -> str:
    """A name that a task may have, now or once.

    Raises
    ------
    NotFound
        There can be none of that name.
    """
    if not re.fullmatch(r"[a-z0-9_-]{1,64}", name):
        raise NotFound("There is no task of that name.")
    return name


def list_tasks() -> Response:
    """All tasks."""
    engine = current_engine()
    return answer(TasksBody(tasks=[task_body(engine, t) for t in engine.store.tasks.all()]))


def create_task() -> Response:
    """Make a task that can then be taught.

    Whoever may not do what the admin key opens makes none where there are 50 already, and none of
    more labels than one person may bring.
    """
    asked = checked(NewTask, read_json())
    if not current_person().trusted:
        _check_new_task(asked)
    is_open = not asked.labels if asked.open is None else asked.open
    if not is_open and len(asked.labels) < 2:
        raise Unacceptable("labels", asked.labels, "two or more, or `open`: true")
    engine = current_engine()
    task = engine.store.tasks.create(
        asked.name,
        asked.kind,
        asked.labels,
        open=is_open,
        prompts=asked.prompts or {},
        settings=asked.settings.model_dump() if asked.settings else {},
    )
    response = answer(task_body(engine, task), 201)
    response.headers["Location"] = f"/tasks/{task.name}"
    return response


def _check_new_task(asked: NewTask) -> None:
    engine = current_engine()
    n = len(engine.store.tasks.all())
    if n >= MOST_TASKS:
        raise Forbidden(f"There are {n} tasks here; making more needs the admin key.", tasks=n)
    most = engine.settings.feedback_new_labels
    if len(asked.labels) > most:
        raise Forbidden(
            f"{len(asked.labels)} labels; more than {most} at once need the admin key.",
            allowed=most,
        )


def show_task(task: str) -> Response:
    """One task."""
    return answer(task_body(current_engine(), known_task(task)))


def describe_labels(task: str) -> Response:
    """Say in words what the labels' pictures look like, for embedders that read texts.

    It changes what a task answers that nobody taught, so it needs what the admin key opens.
    """
    known_task(task)
    asked = checked(PromptsRequest, read_json())
    engine = current_engine()
    return answer(task_body(engine, engine.store.tasks.describe(task, asked.prompts)))


def settle_task(task: str) -> Response:
    """Change what a task settles for itself; what is not named stays, and null takes it away.

    `unsure_below` holds from the next request on, `max_false` from the next training on.
    """
    known_task(task)
    asked = checked(TaskSettings, read_json()).model_dump(exclude_unset=True)
    engine = current_engine()
    return answer(task_body(engine, engine.store.tasks.settle(task, asked)))


def delete_task(task: str) -> Response:
    """Take a task away. Its rows are kept; its name is free again."""
    known_task(task)
    current_engine().store.tasks.delete(task)
    return answer(TaskDeleted(task=task, deleted=True))


def show_stats(task: str = DEFAULT_TASK) -> Response:
    """What a task knows and was asked, in numbers.

    Whoever needs no key to ask is told how many pictures people brought, and not who they are.
    """
    engine = current_engine()
    return answer(stats_body(engine, known_task(task), names=may_read_names(engine.settings)))


def link_variants(task: str = DEFAULT_TASK) -> Response:
    """Let another form count as a label, from now on and for all that was taught.

    A link made here is nobody's in the log, so only whoever may do what the admin key opens makes
    one; `variant_of` in a correction says the same under a person's name.
    """
    known_task(task)
    label, variant = checked(LinkRequest, read_json()).pair
    after = current_engine().store.tasks.link(task, label, variant)
    return answer(variants_body(after, canonical(after, _one_form(label))))


def unlink_variants(task: str = DEFAULT_TASK) -> Response:
    """Let a form stand for itself again, with all that was taught under its name."""
    before = known_task(task)
    variant = checked(UnlinkRequest, read_json()).variant
    after = current_engine().store.tasks.unlink(task, variant)
    return answer(variants_body(after, canonical(before, _one_form(variant))))


def _one_form(label: str) -> str:
    """A label as it is stored; one that cannot be stored is refused there."""
    form = unicodedata.normalize("NFC", label)
    return re.sub(rf"\A{BLANKS}|{BLANKS}\Z", "", form)
