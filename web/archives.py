"""Begin a task anew, and bring back what was put away."""

from __future__ import annotations

from flask import Response

from domain import DEFAULT_TASK, NotFound, Unacceptable
from web.answers import answer
from web.bodies import checked, read_json
from web.context import current_engine
from web.payloads.archives import (
    ArchivesBody,
    ResetBody,
    ResetRequest,
    RestoreRequest,
    SavedBody,
    archive_body,
)
from web.payloads.tasks import task_body
from web.tasks import known_task, task_name


def save(task: str = DEFAULT_TASK) -> Response:
    """Say what is durable. Nothing needs saving: whatever was acknowledged is on the disk."""
    found = task_body(current_engine(), known_task(task))
    return answer(
        SavedBody(
            task=task,
            durable=True,
            samples=found.samples,
            corrections=found.corrections,
            version=found.version,
        )
    )


def reset(task: str = DEFAULT_TASK) -> Response:
    """Begin a task anew. All that it knew is put away, and can be brought back."""
    known_task(task)
    _check_name(task, checked(ResetRequest, read_json()).confirm)
    archive = current_engine().store.tasks.reset(task)
    return answer(ResetBody(task=task, archive=archive_body(archive)))


def list_archives(task: str = DEFAULT_TASK) -> Response:
    """What was put away under this name: by a reset, a restore, or by deleting the task."""
    store = current_engine().store
    archives = store.tasks.archives(task_name(task))
    if not archives:
        known_task(task)
    return answer(ArchivesBody(task=task, archives=[archive_body(one) for one in archives]))


def restore(task: str = DEFAULT_TASK) -> Response:
    """Bring back what was put away, also of a deleted task. What is there now is put away."""
    store = current_engine().store
    if not store.tasks.archives(task_name(task)):
        known_task(task)
        raise NotFound(f"Nothing of the task {task} was put away.")
    asked = checked(RestoreRequest, read_json())
    _check_name(task, asked.confirm)
    return answer(task_body(current_engine(), store.tasks.restore(task, asked.archive)))


def _check_name(task: str, confirmed: str) -> None:
    if confirmed != task:
        raise Unacceptable("confirm", confirmed, f"{task}, the name of this task")
