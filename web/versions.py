"""Model versions: shown, promoted, gone back to; and the runs that made them."""

from __future__ import annotations

from flask import Response

from domain import DEFAULT_TASK, NotFound
from promotion import promote, roll_back
from web.answers import answer
from web.context import current_engine, current_person
from web.guard import may_read_names
from web.payloads.versions import (
    changes_body,
    model_body,
    moved_body,
    run_body,
    versions_body,
)
from web.queries import asked_count
from web.tasks import known_task

LISTED = 100
MOST_LISTED = 1000
MOST_CHANGES = 10_000
REPORT = "report.html"
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""A report is one file with its style and its plots inside; no script runs in it."""


def model_info(task: str = DEFAULT_TASK) -> Response:
    """The current model version: what it was trained on and how good it is."""
    return answer(model_body(current_engine(), known_task(task)), names=_names_told())


def list_versions(task: str = DEFAULT_TASK) -> Response:
    """All model versions, and which was live from when; of that the latest `n`."""
    engine, n = current_engine(), asked_count(LISTED, MOST_LISTED)
    return answer(versions_body(engine, known_task(task), n, names=_names_told()))


def training_history(task: str = DEFAULT_TASK) -> Response:
    """The latest training runs, newest first."""
    known_task(task)
    runs = current_engine().store.runs.all(task)[: asked_count(LISTED, MOST_LISTED)]
    names = _names_told()
    return answer([run_body(run, names=names) for run in runs], names=names)


def promote_version(version: str, task: str = DEFAULT_TASK) -> Response:
    """Let a version answer. Every process does so from its next request on.

    Verdicts that it would give otherwise are listed under `/models/<version>/changes` soon after.
    """
    known_task(task)
    moved = promote(current_engine(), task, version, who=current_person().name)
    return answer(moved_body(moved))


def roll_back_version(task: str = DEFAULT_TASK) -> Response:
    """Go back to the version that answered before the current one; again, to the one before."""
    known_task(task)
    return answer(moved_body(roll_back(current_engine(), task, who=current_person().name)))


def list_changes(version: str, task: str = DEFAULT_TASK) -> Response:
    """Pictures whose latest verdict this version, promoted since, gives otherwise."""
    engine, known = current_engine(), known_task(task)
    engine.store.versions.get(known.name, version)
    return answer(changes_body(engine, task, version, asked_count(LISTED, MOST_CHANGES)))


def show_report(version: str, task: str = DEFAULT_TASK) -> Response:
    """The report that was written when a version was trained: a page with plots.

    It may name who taught, in plots too, so with PUBLIC_CLASSIFY as well it needs a key.
    """
    engine, known = current_engine(), known_task(task)
    page = engine.registry.report(engine.store.versions.get(known.name, version), REPORT)
    if page is None:
        raise NotFound(f"The version {version} has no report.")
    shown = Response(page, mimetype="text/html")
    shown.headers["Content-Security-Policy"] = REPORT_POLICY
    return shown


def _names_told() -> bool:
    """Whether whoever asks is told who asked for a run or a promotion, and who taught."""
    return may_read_names(current_engine().settings)
