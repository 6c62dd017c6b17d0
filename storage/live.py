"""What still counts: rows of the log that nobody took back, and the samples they hold up."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, exists, or_, select

from storage import schema


def is_live(rows: FromClause) -> ColumnElement[bool]:
    """Whether a row of the log gives a label that was not taken back, to a picture still here."""
    undo = schema.corrections.alias()
    return and_(
        rows.c.undoes.is_(None),
        rows.c.erased.is_(False),
        ~exists().where(undo.c.undoes == rows.c.id),
    )


def has_live() -> ColumnElement[bool]:
    """Whether a live row of the log is about a sample's picture."""
    rows = schema.corrections.alias()
    return exists().where(_about_sample(rows), is_live(rows))


def is_visible() -> ColumnElement[bool]:
    """Whether a sample is there: one that corrections brought is, while one of them is live."""
    return or_(schema.samples.c.taught.is_(False), has_live())


def latest_label() -> Select[Any]:
    """The label that the latest live row gives to a sample's picture."""
    rows = schema.corrections.alias()
    given = select(rows.c.label).where(_about_sample(rows), is_live(rows))
    return given.order_by(rows.c.seq.desc()).limit(1)


def _about_sample(rows: FromClause) -> ColumnElement[bool]:
    samples = schema.samples.c
    return and_(rows.c.task_id == samples.task_id, rows.c.sha256 == samples.sha256)
