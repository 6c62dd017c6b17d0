"""What learning changes beside the picture it is about: told in the receipt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from classify import Sight, decide_each
from domain import Answer, Correction, Effect, Golden, Receipt, Task, VerdictSource
from engine import Engine
from models import Head
from models.adjusted import golden_right
from models.knowledge import Knowledge
from models.memory import Memory
from models.samplebook import LATEST
from models.shelf import Rows

DECIDED = 100
"""Pictures that are decided twice in full; each looks through the whole memory."""


def effect_of(
    engine: Engine, task: Task, before: Knowledge, after: Knowledge, touched: Sequence[str]
) -> Effect:
    """Compare what two moments answer for the latest samples and the latest verdicts' pictures.

    Parameters
    ----------
    engine
        The open engine.
    task
        The task that learned.
    before, after
        What was known, and what is known now.
    touched
        The pictures that were spoken of; they are not counted.
    """
    apart = set(touched)
    samples = {s: phash for s, phash in engine.samplebook.latest(task) if s not in apart}
    verdicts = [s for s, _ in engine.store.verdicts.recent(task.name, LATEST) if s not in apart]
    watched = [*samples, *(sha256 for sha256 in verdicts if sha256 not in samples)]
    vectors, likenesses = engine.watched.look(task, [*watched, *touched])
    sights = {
        s: Sight(s, samples.get(s, 0), vectors.get(s), likenesses.get(s))
        for s in (*watched, *touched)
    }
    looked_at = [sights[sha256] for sha256 in watched]
    suspects = _by_head(before, after, looked_at)
    for sha256 in touched:
        suspects |= _near(after, sights[sha256], looked_at)
    changed = _changed(task, before, after, [sights[sha256] for sha256 in suspects])
    return Effect(
        near_samples=sum(sha256 in changed for sha256 in samples),
        of_samples=len(samples),
        past_verdicts_flipped=sum(sha256 in changed for sha256 in verdicts),
        of_verdicts=len(verdicts),
        golden_before=golden_of(before),
        golden_after=golden_of(after),
    )


def _by_head(before: Knowledge, after: Knowledge, sights: Sequence[Sight]) -> set[str]:
    """The pictures to which the head gives another label now; memory may still say the same."""
    having = [sight for sight in sights if sight.vector is not None]
    if before.head is after.head or not having:
        return set()
    rows = np.stack([sight.vector for sight in having if sight.vector is not None])
    labels = [_labels(known.head, rows) for known in (before, after)]
    return {sight.sha256 for sight, *two in zip(having, *labels, strict=True) if two[0] != two[1]}


def _labels(head: Head | None, rows: Rows) -> list[str | None]:
    if head is None:
        return [None] * len(rows)
    return [head.classes[i] for i in head.predict_proba(rows).argmax(axis=1)]


def _near(known: Knowledge, touched: Sight, sights: Sequence[Sight]) -> set[str]:
    """The pictures that memory takes for copies of a touched one."""
    seen = None if touched.likeness is None else touched.likeness[None]
    alone = Memory().added([touched.sha256], [touched.phash], seen)
    return {
        sight.sha256
        for sight in sights
        if alone.near(sight.phash, sight.likeness, rule=known.rule, most=1)
    }


def _changed(
    task: Task, before: Knowledge, after: Knowledge, suspects: Sequence[Sight]
) -> set[str]:
    """Those answered otherwise by the whole rule; past `DECIDED` the head's word counts."""
    decided, rest = suspects[:DECIDED], suspects[DECIDED:]
    first, then = (decide_each(task, known, decided) for known in (before, after))
    changed = {
        sight.sha256
        for sight, one, other in zip(decided, first, then, strict=True)
        if one.prediction != other.prediction
    }
    return changed | {one.sha256 for one in rest if one.sha256 not in after.opinions}


def golden_of(known: Knowledge) -> Golden | None:
    """How the head does on its version's frozen held-out pictures."""
    if known.version is None or known.head is None or known.support is None:
        return None
    right, of = golden_right(known.head, known.support)
    return Golden(right, of)


def described(made: Receipt) -> dict[str, Any]:
    """What of a receipt is kept beside the log, JSON-ready."""
    return {
        "after": asdict(made.after),
        "learned_ms": made.learned_ms,
        "effect": asdict(made.effect),
    }


def restored(row: Correction, kept: Mapping[str, Any], *, undone: bool) -> Receipt:
    """The receipt again, from the log's row and what was kept."""
    after, effect = kept["after"], dict(kept["effect"])
    for name in ("golden_before", "golden_after"):
        effect[name] = Golden(**effect[name]) if effect[name] else None
    answer = Answer(after["prediction"], after["confidence"], VerdictSource(after["source"]))
    return Receipt(
        row, row.before or answer, answer, kept["learned_ms"], Effect(**effect), undone=undone
    )
