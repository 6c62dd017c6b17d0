"""Background work on the wire: jobs, nights and the crawls' ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from domain import Crawl, Job, JobStatus, Night
from web.payloads import ErrorDetail, Payload
from web.withheld import bare, bare_address, bare_everywhere, unnamed

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


@dataclass(frozen=True, slots=True)
class Told:
    """What a caller may know beside the work itself.

    `names`: who asked for it. `addresses`: whole ones of pages, whose queries may hold tokens.
    """

    names: bool
    addresses: bool

    def request(self, job: Job) -> dict[str, Any]:
        """What a job was asked to do."""
        asked = dict(job.request)
        if not self.names and isinstance(asked.get("why"), str):
            asked["why"] = unnamed(asked["why"])
        return asked

    def text(self, text: str) -> str:
        """Words in which there may be addresses."""
        return text if self.addresses else bare(text)

    def query(self, crawl: Crawl) -> str:
        """What a source was asked for; the source `page`, for an address."""
        if self.addresses or crawl.source != "page":
            return crawl.query
        return bare_address(crawl.query)

    def result(self, job: Job) -> dict[str, Any] | None:
        """What came of a job."""
        found = None if job.result is None else dict(job.result)
        if found is None or self.addresses:
            return found
        return {key: bare_everywhere(part) for key, part in found.items()}


def job_body(job: Job, told: Told) -> JobBody:
    """A job as the wire has it."""
    return JobBody(
        id=job.id,
        kind=job.kind,
        task=job.task,
        status=job.status.value,
        progress=ProgressBody(done=job.done, total=job.total, stage=job.stage),
        result=told.result(job),
        error=_error(job, told),
        request=told.request(job),
        attempts=job.attempts,
        cancelled=job.cancelled,
        created_at=job.created_at,
        updated_at=job.updated_at,
    )


def _error(job: Job, told: Told) -> ErrorDetail | None:
    if job.status is not JobStatus.FAILED:
        return None
    if job.cancelled:
        return ErrorDetail(code=CANCELLED, message="It was cancelled.", detail={})
    return ErrorDetail(code=FAILED, message=told.text(job.error or "It failed."), detail={})


def night_body(night: Night, job: Job, told: Told) -> NightBody:
    """A night and its job."""
    shown = job_body(job, told)
    return NightBody(slot=night.slot, due=night.due, taken_at=night.taken_at, job=shown)


def crawl_body(crawl: Crawl, told: Told) -> CrawlBody:
    """A row of the ledger."""
    return CrawlBody(
        id=crawl.id,
        task=crawl.task,
        source=crawl.source,
        query=told.query(crawl),
        started_at=crawl.started_at,
        finished_at=crawl.finished_at,
        counts=dict(crawl.counts),
        ended=None if crawl.ended is None else told.text(crawl.ended),
    )
