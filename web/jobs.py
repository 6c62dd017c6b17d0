"""Background work: asked for, looked at, cancelled. The scheduler does it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Response, request

from domain import DEFAULT_TASK, RETRAIN, Clock
from engine import Engine
from web.answers import answer
from web.bodies import checked, read_json
from web.context import current_engine, current_person
from web.guard import Level, may, may_read_names
from web.payloads.jobs import (
    CrawlsBody,
    JobsBody,
    NightsBody,
    RetrainRequest,
    Told,
    crawl_body,
    job_asked_body,
    job_body,
    night_body,
)
from web.queries import asked_count
from web.tasks import known_task

SILENCE = timedelta(seconds=35)
"""A scheduler that has not shown itself for so long is taken for gone; it does every 10 s."""
NO_SCHEDULER = "No scheduler is running, so jobs and nights wait: start `python scheduler.py`."
LISTED = 20
MOST_LISTED = 500


def retrain(task: str = DEFAULT_TASK) -> Response:
    """Ask for a retrain.

    The scheduler does it in a process of its own: embed what is new, train, and promote what is no
    worse. `collect`: let the sources of COLLECT bring pictures first. `force`: train though nothing
    is new. `all`: every task. 409 while one is queued or runs; `detail.job` names it.
    """
    known_task(task)
    engine, asked = current_engine(), RetrainRequest.model_validate({})
    if request.content_length or request.content_type:
        asked = checked(RetrainRequest, read_json())
    wanted = {
        "collect": asked.collect,
        "force": asked.force,
        "why": f"asked by {current_person().name}",
    }
    now, whose = datetime.now(UTC), None if asked.all else task
    job = engine.store.jobs.ask(RETRAIN, request=wanted, now=now, task=whose)
    note = None if living_clocks(engine, now) else NO_SCHEDULER
    return answer(job_asked_body(job.id, note), 202)


def living_clocks(engine: Engine, now: datetime) -> list[Clock]:
    """The scheduler processes that showed themselves lately.

    One whose clock is that far ahead counts as little: it would seem alive long after its end.
    """
    return [one for one in engine.store.clocks.all() if abs(now - one.seen_at) < SILENCE]


def show_job(job_id: str) -> Response:
    """How far a job is, and what came of it."""
    told = _told()
    return answer(job_body(current_engine().store.jobs.get(job_id), told), names=told.names)


def list_jobs() -> Response:
    """The latest jobs, newest first."""
    jobs = current_engine().store.jobs.all(asked_count(LISTED, MOST_LISTED))
    told = _told()
    return answer(JobsBody(jobs=[job_body(job, told) for job in jobs]), names=told.names)


def cancel_job(job_id: str) -> Response:
    """Cancel a job. One that runs stops at the next place where it can; nothing is lost."""
    return answer(job_body(current_engine().store.jobs.cancel(job_id, datetime.now(UTC)), _told()))


def list_nights() -> Response:
    """The latest nights: when each was due, and what came of it."""
    store = current_engine().store
    nights = store.nights.all(asked_count(LISTED, MOST_LISTED))
    jobs, told = store.jobs.some([night.job_id for night in nights]), _told()
    return answer(
        NightsBody(nights=[night_body(night, jobs[night.job_id], told) for night in nights]),
        names=told.names,
    )


def list_crawls() -> Response:
    """The ledger of collecting: what each source listed, refused and brought."""
    crawls = current_engine().store.crawls.all(limit=asked_count(LISTED, MOST_LISTED))
    told = _told()
    return answer(CrawlsBody(crawls=[crawl_body(one, told) for one in crawls]))


def _told() -> Told:
    """How much of a job whoever asks is told."""
    settings = current_engine().settings
    return Told(names=may_read_names(settings), addresses=may(settings, Level.ADMIN))
