"""Background work on the wire: jobs, nights and the crawls' ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from domain import Crawl, Job, JobStatus, Night
from web.payloads import ErrorDetail, Payload

FAILED, CANCELLED = "job_failed", "cancelled"


class RetrainRequest(Payload):
    """What a retrain is to do beside training."""

    collect: bool = Field(False, description="Let the sources of COLLECT bring pictures first.")
    force: bool = Field(False, description="Train though nothing is new.")
    all: bool = Field(False, description="Every task that has pictures.")


class JobAsked(Payload):
    """A job that was asked for, and where to look how far it is."""

    id: str
    status_url: str = Field(examples=["/jobs/1b5e0c0de9"])


class JobAskedBody(Payload):
    """The answer to a request for background work."""

    job: JobAsked
    note: str | None = Field(description="What keeps it from beginning, if anything does.")


class ProgressBody(Payload):
    """How far a job is; `total` is 0 where that is not known."""

    done: int
    total: int
    stage: str = Field(
        description="collect, embed, check, train, gate or promote, and of what.",
        examples=["train smile"],
    )


class JobBody(Payload):
    """Background work."""

    id: str
    kind: str
    task: str | None = Field(description="Null: every task.")
    status: Literal["queued", "running", "done", "failed"]
    progress: ProgressBody
    result: dict[str, Any] | None = Field(description="What came of it, by task.")
    error: ErrorDetail | None
    request: dict[str, Any]
    attempts: int = Field(description="How often a process began it.")
    cancelled: bool = Field(description="Whether somebody asked for it to stop.")
    created_at: datetime
    updated_at: datetime


class JobsBody(Payload):
    """The latest jobs, newest first."""

    jobs: list[JobBody]


class NightBody(Payload):
    """A slot of the schedule, and what came of it."""

    slot: str = Field(examples=["2026-11-21T03:00Z"])
    due: datetime
    taken_at: datetime
    job: JobBody


class NightsBody(Payload):
    """The latest nights, newest first."""

    nights: list[NightBody]


class CrawlBody(Payload):
    """What one source brought in one go: a row of the ledger."""

    id: str
    task: str
    source: str
    query: str
    started_at: datetime
    finished_at: datetime | None
    counts: dict[str, int] = Field(
        description="listed, fetched, refused (robots, noai, licence, other), duplicate, "
        "near_duplicate, unreadable, contradicted, failed, kept ..."
    )
    ended: str | None = Field(description="Why it stopped; null while it goes on.")


class CrawlsBody(Payload):
    """The ledger, newest first."""

    crawls: list[CrawlBody]


def job_asked_body(job_id: str, note: str | None) -> JobAskedBody:
    """Where to look for a job."""
    return JobAskedBody(job=JobAsked(id=job_id, status_url=f"/jobs/{job_id}"), note=note)


def job_body(job: Job) -> JobBody:
    """A job as the wire has it."""
    return JobBody(
        id=job.id,
        kind=job.kind,
        task=job.task,
        status=job.status.value,
        progress=ProgressBody(done=job.done, total=job.total, stage=job.stage),
        result=dict(job.result) if job.result is not None else None,
        error=_error(job),
        request=dict(job.request),
        attempts=job.attempts,
        cancelled=job.cancelled,
        created_at=job.created_at,
        updated_at=job.updated_at,
    )


def _error(job: Job) -> ErrorDetail | None:
    if job.status is not JobStatus.FAILED:
        return None
    if job.cancelled:
        return ErrorDetail(code=CANCELLED, message="It was cancelled.", detail={})
    return ErrorDetail(code=FAILED, message=job.error or "It failed.", detail={})


def night_body(night: Night, job: Job) -> NightBody:
    """A night and its job."""
    return NightBody(slot=night.slot, due=night.due, taken_at=night.taken_at, job=job_body(job))


def crawl_body(crawl: Crawl) -> CrawlBody:
    """A row of the ledger."""
    return CrawlBody(
        id=crawl.id,
        task=crawl.task,
        source=crawl.source,
        query=crawl.query,
        started_at=crawl.started_at,
        finished_at=crawl.finished_at,
        counts=dict(crawl.counts),
        ended=crawl.ended,
    )
