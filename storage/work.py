"""The tables of the work that goes on by itself: jobs, nights, crawls, what follows from them."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    Table,
    text,
)

from storage.columns import FreeText, Json, Utc, mark, metadata, task_column


def _count(name: str) -> Column[int]:
    """A number that came later and began at 0."""
    return Column(name, Integer, nullable=False, server_default=text("0"))


def _document(name: str) -> Column[object]:
    """A JSON object that came later and began empty."""
    return Column(name, Json, nullable=False, server_default=text("'{}'"))


jobs = Table(
    "jobs",
    metadata,
    Column("id", FreeText, primary_key=True),
    Column("kind", FreeText, nullable=False),
    Column("task_id", Integer, ForeignKey("tasks.id")),
    Column("status", FreeText, nullable=False),
    # held while queued or running, given back after: two jobs of one slot cannot be
    Column("slot", FreeText, unique=True),
    Column("request", Json, nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("stage", FreeText, nullable=False),
    Column("result", Json),
    Column("error", FreeText),
    Column("created_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Column("holder", FreeText),
    _count("beats"),
    _count("attempts"),
    mark("cancelled"),
    _document("kept"),
    CheckConstraint("status IN ('queued', 'running', 'done', 'failed')", name="status_known"),
    Index(None, "status", "created_at"),
)

nights = Table(
    "nights",
    metadata,
    Column("slot", FreeText, primary_key=True),
    Column("due", Utc, nullable=False),
    Column("taken_at", Utc, nullable=False),
    Column("job_id", FreeText, ForeignKey("jobs.id"), nullable=False, unique=True),
)

clocks = Table(
    "clocks",
    metadata,
    Column("id", FreeText, primary_key=True),
    Column("host", FreeText, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("seen_at", Utc, nullable=False),
    Column("next_run", Utc),
)

schedule = Table(
    "schedule",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("text", FreeText, nullable=False),
    Column("since", Utc, nullable=False),
    CheckConstraint("id = 1", name="only_one"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", FreeText, primary_key=True),
    task_column(),
    Column("why", FreeText, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("finished_at", Utc, nullable=False),
    Column("counts", Json, nullable=False),
    Column("metrics", Json, nullable=False),
    Column("gate", FreeText, nullable=False),
    Column("reason", FreeText, nullable=False),
    Column("version", FreeText),
    Column("job_id", FreeText),
    _document("detail"),
    Index(None, "task_id", "started_at"),
)

crawls = Table(
    "crawls",
    metadata,
    Column("id", FreeText, primary_key=True),
    task_column(),
    Column("source", FreeText, nullable=False),
    Column("query", FreeText, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("finished_at", Utc),
    Column("counts", Json, nullable=False),
    Column("ended", FreeText),
    Index(None, "task_id", "started_at"),
)

cursors = Table(
    "cursors",
    metadata,
    Column("task_id", Integer, ForeignKey("tasks.id"), primary_key=True),
    Column("source", FreeText, primary_key=True),
    Column("query", FreeText, primary_key=True),
    Column("cursor", Json, nullable=False),
    Column("updated_at", Utc, nullable=False),
)

seen = Table(
    "seen",
    metadata,
    Column("task_id", Integer, ForeignKey("tasks.id"), primary_key=True),
    Column("source", FreeText, primary_key=True),
    Column("key", FreeText, primary_key=True),
    Column("url", FreeText, nullable=False),
    Column("outcome", FreeText, nullable=False),
    Column("at", Utc, nullable=False),
    Column("sha256", FreeText),
    Column("etag", FreeText),
    Column("last_modified", FreeText),
    Index(None, "sha256"),  # an erased picture is looked for in all of them
)

changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True),
    task_column(),
    Column("version", FreeText, nullable=False),
    Column("sha256", FreeText, nullable=False),
    Column("verdict_id", FreeText, nullable=False),
    Column("before", FreeText, nullable=False),
    Column("after", FreeText, nullable=False),
    Column("confidence", Double, nullable=False),
    Column("at", Utc, nullable=False),
    Index(None, "task_id", "version"),
    Index(None, "sha256"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", FreeText, primary_key=True),
    Column("event", FreeText, nullable=False),
    Column("body", Json, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", Utc),
    Column("delivered_at", Utc),
    Column("last_error", FreeText),
    Index(None, "next_try_at"),
)

measurements = Table(
    "measurements",
    metadata,
    Column("task_id", Integer, ForeignKey("tasks.id"), primary_key=True),
    Column("version", FreeText, primary_key=True),
    Column("what", FreeText, primary_key=True),
    Column("at", Utc, nullable=False),
    Column("n", Integer, nullable=False),
    Column("right", Integer, nullable=False),
)

file_facts = Table(
    "file_facts",
    metadata,
    # the picture first: an erased one is found in every recipe
    Column("sha256", FreeText, primary_key=True),
    Column("recipe", FreeText, primary_key=True),
    Column("facts", Json, nullable=False),
)
