"""Verdicts, as they were given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Column, Connection, Row, func, insert, select, update

from domain import (
    Delivered,
    Evidence,
    Nearest,
    NotFound,
    People,
    PictureFacts,
    Stability,
    Statistics,
    Verdict,
    VerdictSource,
    most_probable,
)
from storage import schema
from storage.columns import storable, through_json
from storage.state import task_id_of
from storage.store import Database

REPEATS = 20
"""How many verdicts a picture are looked through for the latest pictures."""
KEPT_LABELS = 20
"""Of a task of thousands of labels, no answer needs more, and each would be a large row."""


class Verdicts:
    """Every answer given, by its id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, verdict: Verdict) -> None:
        """Keep a verdict."""
        self.add_many([verdict])

    def add_many(self, verdicts: Sequence[Verdict]) -> None:
        """Keep verdicts in one transaction.

        Raises
        ------
        NotFound
            A task of theirs does not exist.
        """
        if not verdicts:
            return
        with self._database.writing(durable=False) as connection:
            ids = {task: task_id_of(connection, task) for task in {v.task for v in verdicts}}
            rows = [_row(verdict, ids[verdict.task]) for verdict in verdicts]
            connection.execute(insert(schema.verdicts), rows)

    def as_kept(self, verdict: Verdict) -> Verdict:
        """The verdict as `get` will give it: what is signed must be what is read back."""
        row = _row(verdict, 0)
        for name, value in row.items():
            if isinstance(value, str):
                row[name] = storable(value)
            elif isinstance(value, datetime):
                row[name] = value.astimezone(UTC)
        row["detail"] = through_json(row["detail"])
        return _verdict(SimpleNamespace(**row, name=verdict.task))

    def keep_seal(self, verdict_id: str, seal: str) -> str:
        """Give a verdict without a seal this one; returns the one it has then.

        Raises
        ------
        NotFound
            None of that id.
        """
        rows = schema.verdicts
        this = rows.c.id == verdict_id
        with self._database.writing(durable=False) as connection:
            asked = select(rows.c.detail).where(this).with_for_update()
            detail = connection.execute(asked).scalar_one_or_none()
            if detail is None:
                raise _no_verdict(verdict_id)
            if detail.get("seal") is None:
                detail = {**detail, "seal": seal}
                connection.execute(update(rows).where(this).values(detail=detail))
        kept: str = detail["seal"]
        return kept

    def get(self, verdict_id: str) -> Verdict:
        """Find a verdict; one of a deleted task as well.

        Raises
        ------
        NotFound
            None of that id.
        """
        with self._database.reading() as connection:
            found = select(schema.verdicts, schema.tasks.c.name).join(schema.tasks)
            row = connection.execute(found.where(schema.verdicts.c.id == verdict_id)).one_or_none()
        if row is None:
            raise _no_verdict(verdict_id)
        return _verdict(row)

    def task_id(self, verdict_id: str) -> int:
        """The id of the task that gave it: a name has another task after a reset.

        Raises
        ------
        NotFound
            None of that id.
        """
        verdicts = schema.verdicts.c
        with self._database.reading() as connection:
            found = select(verdicts.task_id).where(verdicts.id == verdict_id)
            task_id: int | None = connection.execute(found).scalar()
        if task_id is None:
            raise NotFound(f"there is no verdict {verdict_id}", id=verdict_id)
        return task_id

    def recent(self, task: str, limit: int) -> list[tuple[str, str]]:
        """The latest pictures that were answered: (sha256, latest prediction), newest first.

        Looks at most at `REPEATS` times as many verdicts, so a picture that is asked about over
        and over may leave fewer than `limit`.
        """
        with self._database.reading() as connection:
            latest = _latest(connection, task, schema.verdicts.c.prediction, limit)
        return list(latest.items())

    def deciders(self, task: str, limit: int) -> dict[str, VerdictSource]:
        """What decided the latest verdict on each of the latest pictures, as `recent` looks."""
        with self._database.reading() as connection:
            latest = _latest(connection, task, schema.verdicts.c.source, limit)
        return {sha256: VerdictSource(source) for sha256, source in latest.items()}

    def latest(self, task: str, limit: int) -> list[Verdict]:
        """The latest verdict on each of the latest pictures, newest first; as `recent` looks."""
        verdicts = schema.verdicts.c
        with self._database.reading() as connection:
            ids = list(_latest(connection, task, verdicts.id, limit).values())
            found = select(schema.verdicts, schema.tasks.c.name).join(schema.tasks)
            these = found.where(self._database.among(verdicts.id, ids))
            known = {row.id: _verdict(row) for row in connection.execute(these)}
        # one may be erased between the two questions
        return [known[verdict_id] for verdict_id in ids if verdict_id in known]

    def count(self, task: str) -> int:
        """How many verdicts a task has given."""
        verdicts = schema.verdicts.c
        with self._database.reading() as connection:
            task_id = task_id_of(connection, task)
            counted = select(func.count()).where(verdicts.task_id == task_id)
            return connection.execute(counted).scalar_one()


def _no_verdict(verdict_id: str) -> NotFound:
    return NotFound(f"there is no verdict {verdict_id}", id=verdict_id)


def _latest(connection: Connection, task: str, column: Column[str], limit: int) -> dict[str, str]:
    """A column of the latest verdict on each of the latest pictures, by sha256, newest first."""
    verdicts = schema.verdicts.c
    found = (
        select(verdicts.sha256, column)
        .where(verdicts.task_id == task_id_of(connection, task))
        .order_by(verdicts.created_at.desc(), verdicts.id.desc())
        .limit(limit * REPEATS)
    )
    latest: dict[str, str] = {}
    with connection.execute(found.execution_options(yield_per=500)) as rows:
        for sha256, value in rows:
            latest.setdefault(sha256, value)
            if len(latest) == limit:
                break
    return latest


def _row(verdict: Verdict, task_id: int) -> dict[str, Any]:
    return {
        "id": verdict.id,
        "task_id": task_id,
        "sha256": verdict.picture.sha256,
        "prediction": verdict.prediction,
        "confidence": verdict.confidence,
        "source": verdict.source.value,
        "model_version": verdict.model_version,
        "embedder": verdict.embedder,
        "trained_at": verdict.trained_at,
        "corrections": verdict.corrections,
        "demo": verdict.demo,
        "created_at": verdict.created_at,
        "detail": {
            "probabilities": most_probable(verdict.probabilities, KEPT_LABELS),
            "reasons": verdict.reasons,
            "evidence": [asdict(evidence) for evidence in verdict.evidence],
            "nearest": [asdict(nearest) for nearest in verdict.nearest],
            "picture": asdict(verdict.picture),
            "timing_ms": dict(verdict.timing_ms),
            "statistics": _statistics(verdict.statistics) if verdict.statistics else None,
            "people": asdict(verdict.people) if verdict.people else None,
            "stability": asdict(verdict.stability) if verdict.stability else None,
            "explained": verdict.explained,
            "none_of_these": verdict.none_of_these,
            "seal": verdict.seal,
        },
    }


def _statistics(said: Statistics) -> dict[str, Any]:
    parts = {name: most_probable(part, KEPT_LABELS) for name, part in said.parts.items()}
    kept = most_probable(said.probabilities, KEPT_LABELS)
    return {**asdict(said), "probabilities": kept, "parts": parts}


def _verdict(row: Row[Any] | SimpleNamespace) -> Verdict:
    detail = row.detail
    return Verdict(
        id=row.id,
        task=row.name,
        prediction=row.prediction,
        confidence=row.confidence,
        probabilities=detail["probabilities"],
        source=VerdictSource(row.source),
        reasons=tuple(detail["reasons"]),
        evidence=tuple(Evidence(**evidence) for evidence in detail["evidence"]),
        nearest=tuple(Nearest(**nearest) for nearest in detail["nearest"]),
        model_version=row.model_version,
        embedder=row.embedder,
        trained_at=row.trained_at,
        corrections=row.corrections,
        picture=PictureFacts(**detail["picture"]),
        timing_ms=detail["timing_ms"],
        created_at=row.created_at,
        demo=row.demo,
        statistics=_statistics_of(detail.get("statistics")),
        people=People(**detail["people"]) if detail.get("people") else None,
        stability=_stability_of(detail.get("stability")),
        explained=detail.get("explained"),
        none_of_these=detail.get("none_of_these", False),
        seal=None if detail.get("seal") is None else str(detail["seal"]),
    )


def _statistics_of(kept: Mapping[str, Any] | None) -> Statistics | None:
    """None also of verdicts from before it was kept."""
    return Statistics(**{**kept, "source": VerdictSource(kept["source"])}) if kept else None


def _stability_of(kept: Mapping[str, Any] | None) -> Stability | None:
    if not kept:
        return None
    deliveries = tuple(Delivered(**each) for each in kept["deliveries"])
    return Stability(**{**kept, "deliveries": deliveries})
