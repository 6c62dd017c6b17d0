"""Run by alembic, on the connection that `storage.store` opened and locked."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy.types import TypeDecorator

from storage.schema import metadata


def render_plainly(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    """Write our column types as what they are in the database: a migration never changes again."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    render_item=render_plainly,
)
context.run_migrations()
