"""Tasks: made, shown, counted, taken away."""

from __future__ import annotations

import re

from flask import Response

from domain import DEFAULT_TASK, NotFound, Task, Unacceptable
from web.answers import answer
from web.bodies import checked, read_json
from web.context import current_engine
from web.payloads.tasks import NewTask, TaskDeleted, TasksBody, stats_body, task_body


def known_task(name: str) -> Task:
    """The task of that name.

    Raises
    ------
    NotFound
        There is none, or there can be none.
    """
    if not re.fullmatch(r"[a-z0-9_-]{1,64}", name):
        raise NotFound("There is no task of that name.")
    return current_engine().store.tasks.get(name)


def list_tasks() -> Response:
    """All tasks."""
    engine = current_engine()
    return answer(TasksBody(tasks=[task_body(engine, t) for t in engine.store.tasks.all()]))


def create_task() -> Response:
    """Make a task that can then be taught."""
    asked = checked(NewTask, read_json())
    is_open = not asked.labels if asked.open is None else asked.open
    if not is_open and len(asked.labels) < 2:
        raise Unacceptable("labels", asked.labels, "two or more, or `open`: true")
    engine = current_engine()
    task = engine.store.tasks.create(
        asked.name, asked.kind, asked.labels, open=is_open, prompts=asked.prompts or {}
    )
    response = answer(task_body(engine, task), 201)
    response.headers["Location"] = f"/tasks/{task.name}"
    return response


def show_task(task: str) -> Response:
    """One task."""
    return answer(task_body(current_engine(), known_task(task)))


def delete_task(task: str) -> Response:
    """Take a task away. Its rows are kept; its name is free again."""
    known_task(task)
    current_engine().store.tasks.delete(task)
    return answer(TaskDeleted(task=task, deleted=True))


def show_stats(task: str = DEFAULT_TASK) -> Response:
    """What a task knows and was asked, in numbers."""
    return answer(stats_body(current_engine(), known_task(task)))
