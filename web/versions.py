"""Model versions and the runs that made them."""

from __future__ import annotations

from flask import Response

from domain import DEFAULT_TASK
from web.answers import answer
from web.context import current_engine
from web.payloads.versions import model_body, run_body, versions_body
from web.tasks import known_task


def model_info(task: str = DEFAULT_TASK) -> Response:
    """The current model version: what it was trained on and how good it is."""
    return answer(model_body(current_engine(), known_task(task)))


def list_versions(task: str = DEFAULT_TASK) -> Response:
    """All model versions, and which was live from when."""
    return answer(versions_body(current_engine(), known_task(task)))


def training_history(task: str = DEFAULT_TASK) -> Response:
    """All training runs, newest first."""
    known_task(task)
    return answer([run_body(run) for run in current_engine().store.runs.all(task)])
