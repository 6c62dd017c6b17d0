"""What tables are made of: types that SQLite and PostgreSQL hold alike, whatever is written."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Integer,
    MetaData,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_once",
        "fk": "%(table_name)s_%(column_0_N_name)s_of",
        "ck": "%(table_name)s_%(constraint_name)s",
    }
)


def task_column() -> Column[int]:
    """Whose a row is."""
    return Column("task_id", Integer, ForeignKey("tasks.id"), nullable=False)


def mark(name: str) -> Column[bool]:
    """A mark that came later: with a default, SQLite adds it without copying the table."""
    return Column(name, Boolean, nullable=False, server_default=text("false"))


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


def through_json(value: Any) -> Any:
    """A document as `Json` gives it back."""
    return json.loads(json.dumps(_finite(value)))


class JsonValue(Json):
    """Any JSON value, where null is one too: a setting that was made empty again."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Write it; None is JSON's null and not the database's."""
        return "null" if value is None else super().process_bind_param(value, dialect)


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
        return None if value is None else storable(value)


def storable(text: str) -> str:
    """A text as `FreeText` keeps it, for values that reach a query in another way."""
    return text.replace("\0", r"\x00").encode("utf-8", "backslashreplace").decode("utf-8")


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
