"""What still counts: rows of the log that nobody took back, and the samples they hold up.

Conditions, made once: putting them together costs more than a database needs to answer them.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, FromClause, and_, exists, func, or_, select

from storage import schema

_undo = schema.corrections.alias("undo")
_said = schema.corrections.alias("said")


def _is_live(rows: FromClause) -> ColumnElement[bool]:
    return and_(
        # not IS NULL: SQLite takes an index whose values differ to have one NULL, and looks there
        func.coalesce(rows.c.undoes, "") == "",
        rows.c.erased.is_(False),
        ~exists().where(_undo.c.undoes == rows.c.id),
    )


_about_sample = and_(
    _said.c.task_id == schema.samples.c.task_id, _said.c.sha256 == schema.samples.c.sha256
)

IS_LIVE = _is_live(schema.corrections)
"""Whether a row of the log gives a label that was not taken back, to a picture still here."""
HAS_LIVE = exists().where(_about_sample, _is_live(_said))
"""Whether a live row of the log is about a sample's picture."""
IS_VISIBLE = or_(schema.samples.c.taught.is_(False), HAS_LIVE)
"""Whether a sample is there: one that corrections brought is, while one of them is live."""
LATEST_LABEL = (
    select(_said.c.label)
    .where(_about_sample, _is_live(_said))
    .order_by(_said.c.seq.desc())
    .limit(1)
    .scalar_subquery()
)
"""The label that the latest live row gives to a sample's picture."""
