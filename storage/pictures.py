"""What is kept of pictures beside their bytes, in the transaction of whoever brings them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from domain import NewSample, PictureFacts, Split
from storage import schema
from storage.labels import clean_label
from storage.live import HAS_LIVE, IS_LIVE, LATEST_LABEL
from storage.store import Database

_log = schema.corrections.c
_trusted_label = (
    select(_log.label)
    .where(
        _log.task_id == schema.samples.c.task_id,
        _log.sha256 == schema.samples.c.sha256,
        _log.trusted.is_(True),
        IS_LIVE,
    )
    .order_by(_log.seq.desc())
    .limit(1)
    .scalar_subquery()
)
TAUGHT_LABEL = func.coalesce(_trusted_label, LATEST_LABEL)
"""What a sample that corrections hold up is: as somebody trusted said last, else as anybody did."""


def keep_facts(database: Database, connection: Connection, facts: Iterable[PictureFacts]) -> None:
    """Keep what is known of pictures; what is there already stays."""
    rows = {
        f.sha256: {
            "sha256": f.sha256,
            "width": f.width,
            "height": f.height,
            "format": f.format,
            "n_bytes": f.n_bytes,
            "phash": f.phash,
        }
        for f in facts
    }
    if rows:  # in one order for all writers, so that two never wait for each other
        known = database.insert(schema.pictures).on_conflict_do_nothing()
        connection.execute(known, [rows[sha256] for sha256 in sorted(rows)])


def sample_row(
    task_id: int,
    sha256: str,
    new: NewSample,
    *,
    taught: bool = False,
    now: datetime | None = None,
) -> dict[str, Any]:
    """The row of a sample to be."""
    return {
        "task_id": task_id,
        "sha256": sha256,
        "label": clean_label(new.label),
        "source": new.source,
        "family": new.family,
        "split": Split(new.split).value,
        "license": new.license,
        "author": new.author,
        "page_url": new.page_url,
        "demo": new.demo,
        "unreadable": False,
        "taught": taught,
        "added_at": now or datetime.now(UTC),
    }


def keep_taught(
    connection: Connection, task_id: int, sha256: str, label: str, new: NewSample | None
) -> None:
    """Make a corrected picture a sample, unless the task has it or nothing is to be kept.

    The correction is in the log already: a sample that only corrections hold up has the label
    that somebody trusted gave last, else the last one.
    """
    samples = schema.samples
    this = (samples.c.task_id == task_id, samples.c.sha256 == sha256)
    found = select(samples.c.taught, samples.c.unreadable).where(*this)
    row = connection.execute(found).one_or_none()
    changes: dict[str, Any] = {}
    if row is None:
        if new is None:
            return
        given = {**sample_row(task_id, sha256, new, taught=True), "label": label}
        connection.execute(insert(samples), given)
    elif row.unreadable and new is not None:  # whoever offers a picture again has just read it
        changes["unreadable"] = False
    if row is None or row.taught:  # it may have been spoken of before it was kept
        changes["label"] = TAUGHT_LABEL
    if changes:
        connection.execute(update(samples).where(*this).values(changes))


def relabel_taught(
    database: Database, connection: Connection, task_id: int, sha256s: Collection[str]
) -> None:
    """After rows of the log were taken back: give their samples the label that is left."""
    samples = schema.samples
    left = (
        update(samples)
        .where(
            samples.c.task_id == task_id,
            database.among(samples.c.sha256, sha256s),
            samples.c.taught.is_(True),
            HAS_LIVE,
        )
        .values(label=TAUGHT_LABEL)
    )
    connection.execute(left)
