"""Which version answers, by a person's word: promoted or gone back to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from domain import RESCORE, Conflict, ModelVersion
from engine import Engine


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of the pointer.

    `before` answered until then; `job_id` looks verdicts over that may be others now, and is None
    where nothing moved.
    """

    task: str
    version: str
    before: str | None
    why: str
    job_id: str | None


def promote(engine: Engine, task_name: str, version_id: str, *, who: str) -> Moved:
    """Make a version the one that answers, if it can.

    Raises
    ------
    NotFound
        No such task, or it has no such version.
    Conflict
        It was trained on vectors of another embedder than the one in use.
    Unavailable
        Its files are missing or broken.
    """
    version = engine.store.versions.get(task_name, version_id)
    return _move(engine, version, f"Promoted by {who}.")


def roll_back(engine: Engine, task_name: str, *, who: str) -> Moved:
    """Go back to the version that answered before the current one.

    Raises
    ------
    NotFound
        No such task.
    Conflict
        Nothing answered before, or it was trained on vectors of another embedder.
    Unavailable
        Its files are missing or broken.
    """
    previous = engine.store.versions.previous(task_name)
    if previous is None:
        raise Conflict(f"No version of {task_name} answered before the current one.")
    version = engine.store.versions.get(task_name, previous.version)
    return _move(engine, version, f"Rolled back by {who}.", back=True)


def _move(engine: Engine, version: ModelVersion, why: str, *, back: bool = False) -> Moved:
    task = engine.store.tasks.get(version.task)
    embedder = engine.embedders[task.kind].id
    if version.embedder != embedder:
        raise Conflict(
            f"The version {version.id} was trained on vectors of {version.embedder}, but "
            f"{embedder} answers now.",
            version=version.id,
            embedder=version.embedder,
        )
    engine.registry.load(version)  # what cannot be read must not come to answer
    current = engine.store.versions.current(version.task)
    before = current.id if current else None
    if before == version.id:
        return Moved(version.task, version.id, before, "It answers already.", None)
    engine.store.versions.promote(version.task, version.id, why, back=back)
    return Moved(version.task, version.id, before, why, _look_over(engine))


def _look_over(engine: Engine) -> str:
    """Ask for the verdicts to be looked over; a job that waits or runs will see this as well."""
    try:
        return engine.store.jobs.ask(RESCORE, request={}, now=datetime.now(UTC)).id
    except Conflict as waiting:
        return str(waiting.detail["job"])
