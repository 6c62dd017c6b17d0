"""The tables: one schema for SQLite and PostgreSQL."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeDecorator


class Utc(TypeDecorator[datetime]):
    """An instant: timezone-aware in, UTC out. SQLite has no zones, so it keeps UTC bare."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time of no zone: it would mean another instant on another machine."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone cannot be stored: {value!r}")
        return value.astimezone(UTC).replace(tzinfo=None if dialect.name == "sqlite" else UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """A JSON document as text, the same bytes on both databases.

    JSON has no NaN and no infinity: they become null.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Write it in ASCII, which also carries what UTF-8 cannot, such as lone surrogates."""
        if value is None:
            return None
        try:
            return json.dumps(value, allow_nan=False)
        except ValueError:
            return json.dumps(_finite(value), allow_nan=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Read it."""
        return None if value is None else json.loads(value)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


class FreeText(TypeDecorator[str]):
    """Text of any length: what a database refuses to hold or to look up is written as an escape.

    No VARCHAR(n): SQLite ignores the length and PostgreSQL does not.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """PostgreSQL holds no NUL, neither database holds the lone surrogates of odd file names."""
        if value is None:
            return None
        return value.replace("\0", r"\x00").encode("utf-8", "backslashreplace").decode("utf-8")


class Unsigned64(TypeDecorator[int]):
    """0 to 2**64 - 1 in the signed 64 bits that both databases have."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        """Fold the upper half onto the negative numbers."""
        if value is None:
            return None
        if not 0 <= value < 2**64:
            raise ValueError(f"not an unsigned 64-bit number: {value}")
        return value - 2**64 if value >= 2**63 else value

    def process_result_value(self, value: int | None, dialect: Dialect) -> int | None:
        """Unfold."""
        return None if value is None else value % 2**64


metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_once",
        "fk": "%(table_name)s_%(column_0_N_name)s_of",
        "ck": "%(table_name)s_%(constraint_name)s",
    }
)


def _task() -> Column[int]:
    return Column("task_id", Integer, ForeignKey("tasks.id"), nullable=False)


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
    # a deleted task keeps its rows and gives its name back
    Index("tasks_live_name", "name", unique=True, sqlite_where=LIVE, postgresql_where=LIVE),
)

labels = Table(
    "labels",
    metadata,
    Column("task_id", Integer, ForeignKey("tasks.id"), primary_key=True),
    Column("label", FreeText, primary_key=True),
    Column("position", Integer, nullable=False),
)

variants = Table(
    "variants",
    metadata,
    Column("task_id", Integer, primary_key=True),
    Column("variant", FreeText, primary_key=True),
    Column("label", FreeText, nullable=False),
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
    _task(),
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
    UniqueConstraint("task_id", "sha256"),
    ForeignKeyConstraint(["task_id", "label"], ["labels.task_id", "labels.label"]),
    sqlite_autoincrement=True,  # an id once given out never names another sample
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Integer, primary_key=True),
    _task(),
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
    _task(),
    Column("seq", Integer, nullable=False),
    Column("sha256", FreeText, nullable=False),
    Column("label", FreeText, nullable=False),
    Column("person", FreeText, nullable=False),
    Column("verdict_id", FreeText),
    Column("variant_of", FreeText),
    Column("note", FreeText, nullable=False),
    Column("undoes", FreeText, ForeignKey("corrections.id"), unique=True),
    Column("idempotency_key", FreeText),
    Column("created_at", Utc, nullable=False),
    UniqueConstraint("task_id", "seq"),
    UniqueConstraint("task_id", "idempotency_key"),
    ForeignKeyConstraint(["task_id", "label"], ["labels.task_id", "labels.label"]),
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
    ForeignKeyConstraint(["task_id", "current"], ["model_versions.task_id", "model_versions.id"]),
)

promotions = Table(
    "promotions",
    metadata,
    Column("id", Integer, primary_key=True),
    _task(),
    Column("version", FreeText, nullable=False),
    Column("at", Utc, nullable=False),
    Column("why", FreeText, nullable=False),
    ForeignKeyConstraint(["task_id", "version"], ["model_versions.task_id", "model_versions.id"]),
    Index(None, "task_id", "id"),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", FreeText, primary_key=True),
    _task(),
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
    Column("heartbeat_at", Utc),
    CheckConstraint("status IN ('queued', 'running', 'done', 'failed')", name="status_known"),
    Index(None, "status", "created_at"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", FreeText, primary_key=True),
    _task(),
    Column("why", FreeText, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("finished_at", Utc, nullable=False),
    Column("counts", Json, nullable=False),
    Column("metrics", Json, nullable=False),
    Column("gate", FreeText, nullable=False),
    Column("reason", FreeText, nullable=False),
    Column("version", FreeText),
    Index(None, "task_id", "started_at"),
)

overrides = Table(
    "overrides",
    metadata,
    Column("key", FreeText, primary_key=True),
    Column("value", Json, nullable=False),
    Column("updated_at", Utc, nullable=False),
)
