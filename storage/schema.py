"""The tables: one schema for SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    UniqueConstraint,
    text,
)

from storage.columns import FreeText, Json, JsonValue, Unsigned64, Utc, mark, metadata, task_column
from storage.work import (
    changes,
    clocks,
    crawls,
    cursors,
    deliveries,
    file_facts,
    jobs,
    measurements,
    nights,
    runs,
    schedule,
    seen,
)

__all__ = [
    "LIVE",
    "MAX_ID",
    "changes",
    "clocks",
    "corrections",
    "crawls",
    "cursors",
    "deliveries",
    "file_facts",
    "jobs",
    "labels",
    "measurements",
    "metadata",
    "model_versions",
    "nights",
    "overrides",
    "pictures",
    "promotions",
    "quarantine",
    "receipts",
    "runs",
    "samples",
    "schedule",
    "seen",
    "task_state",
    "tasks",
    "variants",
    "vectors",
    "verdicts",
]

MAX_ID = 2**31 - 1
"""The greatest number that an Integer column holds on PostgreSQL."""

LIVE = text("archived_at IS NULL")

tasks = Table(
    "tasks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", FreeText, nullable=False),
    Column("kind", FreeText, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("prompts", Json, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("archived_at", Utc),
    Column("settings", Json, nullable=False, server_default=text("'{}'")),
    # a deleted task keeps its rows and gives its name back
    Index("tasks_live_name", "name", unique=True, sqlite_where=LIVE, postgresql_where=LIVE),
)

labels = Table(
    "labels",
    metadata,
    Column("task_id", Integer, ForeignKey("tasks.id"), primary_key=True),
    Column("label", FreeText, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("taught_by", FreeText),  # who brought it by a correction; null: it came otherwise
    mark("hidden"),  # taught, and everything that was said with it was taken back
)

variants = Table(
    "variants",
    metadata,
    Column("task_id", Integer, primary_key=True),
    Column("variant", FreeText, primary_key=True),
    # as it was linked, perhaps a variant itself: so one link can be taken out of a chain again
    Column("label", FreeText, nullable=False),
    mark("taught"),  # linked by a correction, and only as long as that stands
    ForeignKeyConstraint(["task_id", "label"], ["labels.task_id", "labels.label"]),
)

pictures = Table(
    "pictures",
    metadata,
    Column("sha256", FreeText, primary_key=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("format", FreeText, nullable=False),
    Column("n_bytes", BigInteger, nullable=False),
    Column("phash", Unsigned64, nullable=False),
)

samples = Table(
    "samples",
    metadata,
    Column("id", Integer, primary_key=True),
    task_column(),
    Column("sha256", FreeText, ForeignKey("pictures.sha256"), nullable=False),
    Column("label", FreeText, nullable=False),
    Column("source", FreeText, nullable=False),
    Column("family", FreeText, nullable=False),
    Column("split", FreeText, nullable=False),
    Column("license", FreeText, nullable=False),
    Column("author", FreeText, nullable=False),
    Column("page_url", FreeText, nullable=False),
    Column("demo", Boolean, nullable=False),
    Column("unreadable", Boolean, nullable=False),
    Column("added_at", Utc, nullable=False),
    mark("taught"),  # there because of corrections, and only as long as one of them stands
    UniqueConstraint("task_id", "sha256"),
    ForeignKeyConstraint(["task_id", "label"], ["labels.task_id", "labels.label"]),
    Index(None, "task_id", "label"),
    Index(None, "task_id", "added_at"),
    sqlite_autoincrement=True,  # an id once given out never names another sample
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Integer, primary_key=True),
    task_column(),
    Column("name", FreeText, nullable=False),
    Column("source", FreeText, nullable=False),
    Column("sha256", FreeText),  # null: the bytes were never had
    Column("reason", FreeText, nullable=False),
    Column("message", FreeText, nullable=False),
    Column("at", Utc, nullable=False),
    # of source, name and sha256, which together are longer than an index may hold
    Column("fingerprint", FreeText, nullable=False),
    UniqueConstraint("task_id", "fingerprint"),
)

vectors = Table(
    "vectors",
    metadata,
    # the embedder first: all vectors of one embedder are read together
    Column("embedder", FreeText, primary_key=True),
    Column("sha256", FreeText, primary_key=True),
    Column("vector", LargeBinary, nullable=False),  # float32, little-endian
)

corrections = Table(
    "corrections",
    metadata,
    Column("id", FreeText, primary_key=True),
    task_column(),
    Column("seq", Integer, nullable=False),
    Column("sha256", FreeText, nullable=False),
    Column("label", FreeText, nullable=False),
    Column("person", FreeText, nullable=False),
    Column("verdict_id", FreeText),
    Column("variant_of", FreeText),
    Column("note", FreeText, nullable=False),
    Column("undoes", FreeText, ForeignKey("corrections.id"), unique=True),
    Column("idempotency_key", FreeText),  # with the person's name: keys of two never meet
    Column("created_at", Utc, nullable=False),
    Column("trusted", Boolean, nullable=False, server_default=text("true")),
    Column("before_prediction", FreeText),
    Column("before_confidence", Double),
    Column("before_source", FreeText),
    mark("erased"),
    UniqueConstraint("task_id", "seq"),
    UniqueConstraint("task_id", "idempotency_key"),
    ForeignKeyConstraint(["task_id", "label"], ["labels.task_id", "labels.label"]),
    Index(None, "task_id", "person", "created_at"),
    Index(None, "task_id", "sha256", "seq"),
    Index(None, "task_id", "label"),
)

receipts = Table(
    "receipts",
    metadata,
    Column("correction_id", FreeText, ForeignKey("corrections.id"), primary_key=True),
    Column("detail", Json, nullable=False),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("task_id", Integer, ForeignKey("tasks.id"), primary_key=True),
    Column("id", FreeText, primary_key=True),
    Column("embedder", FreeText, nullable=False),
    Column("classifier", FreeText, nullable=False),
    Column("sha256", FreeText, nullable=False),
    Column("demo", Boolean, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("card", Json, nullable=False),
)

task_state = Table(
    "task_state",
    metadata,
    Column("task_id", Integer, ForeignKey("tasks.id"), primary_key=True),
    # moves with every correction and promotion: who remembers it knows whether anything is new
    Column("counter", Integer, nullable=False),
    Column("corrections", Integer, nullable=False),  # the last sequence number given out
    Column("current", FreeText),
    # moves when what was read of the log before no longer holds: variants, an erased picture
    Column("epoch", Integer, nullable=False, server_default=text("0")),
    ForeignKeyConstraint(["task_id", "current"], ["model_versions.task_id", "model_versions.id"]),
)

promotions = Table(
    "promotions",
    metadata,
    Column("id", Integer, primary_key=True),
    task_column(),
    Column("version", FreeText, nullable=False),
    Column("at", Utc, nullable=False),
    Column("why", FreeText, nullable=False),
    mark("back"),  # a rollback: what is gone back from is not gone back to
    ForeignKeyConstraint(["task_id", "version"], ["model_versions.task_id", "model_versions.id"]),
    Index(None, "task_id", "id"),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", FreeText, primary_key=True),
    task_column(),
    Column("sha256", FreeText, nullable=False),
    Column("prediction", FreeText, nullable=False),
    Column("confidence", Double, nullable=False),
    Column("source", FreeText, nullable=False),
    Column("model_version", FreeText),
    Column("embedder", FreeText, nullable=False),
    Column("trained_at", Utc),
    Column("corrections", Integer, nullable=False),
    Column("demo", Boolean, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("detail", Json, nullable=False),  # what is shown but never searched
    Index(None, "task_id", "created_at"),
    Index(None, "task_id", "sha256"),
)

overrides = Table(
    "overrides",
    metadata,
    Column("key", FreeText, primary_key=True),
    Column("value", JsonValue, nullable=False),
    Column("updated_at", Utc, nullable=False),
)
