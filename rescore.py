"""After a promotion: which verdicts the new version would give otherwise, and who is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import webhook
from decision import Policy, Sight, decide_each
from domain import Change, Delivery, Task, Verdict, VerdictSource
from engine import Engine
from models.knowledge import Knowledge
from storage import Promotion

LATEST = 10_000
"""Of how many pictures, the latest that were asked about, verdicts are looked at again."""
BATCH = 500
MOST_TOLD = 1_000
"""Changes named in a message; the others are counted and can be asked for."""
EVENT = "promoted"
HELD_OUT = ("n", "accuracy", "balanced_accuracy")
DECIDED_HERE = frozenset(VerdictSource) - {VerdictSource.EVIDENCE}
"""A version decides nothing that a file's own proof does; where words did, it does from now on."""

Progress = Callable[[int, int], None]

log = logging.getLogger(__name__)


def rescore(
    engine: Engine,
    task_name: str,
    version_id: str,
    *,
    progress: Progress = lambda done, total: None,
    limit: int = LATEST,
    now: datetime | None = None,
) -> list[Change]:
    """Decide anew about pictures that were asked about, and note what is answered otherwise.

    Looked at is the latest verdict on each picture that has a vector of the embedder in use,
    unless this very version gave it. What corrections say counts as it does for any answer.
    Done again, it notes what was not noted yet and forgets nothing, so that it may break off at
    any moment.

    Parameters
    ----------
    engine
        The open engine.
    task_name
        Whose verdicts.
    version_id
        The version that was promoted. When another one answers by now, nothing new is noted.
    progress
        Told of pictures looked at, and how many there are; may raise to break off.
    limit
        Pictures at most, those asked about last.
    now
        The present moment, aware; the system's when left out.

    Returns
    -------
    list[Change]
        All that was noted since the version was promoted, the surest first.

    Raises
    ------
    NotFound
        No such task, or it has no such version.
    """
    task = engine.store.tasks.get(task_name)
    engine.store.versions.get(task_name, version_id)
    noted = _noted(engine, task_name, version_id)
    known = engine.learned.knowledge(task)
    if known.version is None or known.version.id != version_id:
        log.warning("%s does not answer for %s, so nothing is re-scored.", version_id, task_name)
        return _ranked(noted)
    verdicts = [
        verdict
        for verdict in engine.store.verdicts.latest(task_name, limit)
        if verdict.model_version != version_id and verdict.source in DECIDED_HERE
    ]
    at = now or datetime.now(UTC)
    for start in range(0, len(verdicts), BATCH):
        progress(start, len(verdicts))
        batch = verdicts[start : start + BATCH]
        for change in _changes(engine, task, known, batch, version_id, at):
            noted[change.sha256] = change
    changes = _kept(engine, task, version_id, _ranked(noted))
    progress(len(verdicts), len(verdicts))
    return changes


def announce(
    engine: Engine,
    task_name: str,
    version_id: str,
    reason: str,
    changes: Sequence[Change],
    *,
    now: datetime | None = None,
) -> Delivery | None:
    """Tell the webhook, if one is set, of a promotion and of the verdicts that it changes.

    Parameters
    ----------
    engine
        The open engine.
    task_name
        Whose version was promoted.
    version_id
        Which.
    reason
        Why.
    changes
        What `rescore` gave; the first of many are named and all are counted.
    now
        The present moment, aware; the system's when left out.

    Raises
    ------
    NotFound
        No such task, or it has no such version.
    """
    store = engine.store
    version = store.versions.get(task_name, version_id)
    promotion, before = _promotion(store.versions.promotions(task_name), version_id)
    held_out = version.card.get("metrics", {}).get("held_out", {})
    body = {
        "task": task_name,
        "version": version_id,
        "previous": before,
        "reason": reason,
        "promoted_at": promotion.at.isoformat() if promotion else None,
        "held_out": {name: held_out.get(name) for name in HELD_OUT},
        "changes_count": len(changes),
        "changes": [_as_json(change) for change in changes[:MOST_TOLD]],
        "changes_url": f"/tasks/{quote(task_name, safe='')}/models/{version_id}/changes",
    }
    return webhook.announce(store, engine.settings, EVENT, body, now or datetime.now(UTC))


def _as_json(change: Change) -> dict[str, Any]:
    return {
        "sha256": change.sha256,
        "verdict_id": change.verdict_id,
        "before": change.before,
        "after": change.after,
        "confidence": change.confidence,
    }


def _promotion(
    promotions: Sequence[Promotion], version_id: str
) -> tuple[Promotion | None, str | None]:
    """When a version became current last, and which one was before it."""
    for place, promotion in enumerate(promotions):
        if promotion.version == version_id:
            earlier = (one.version for one in promotions[place + 1 :])
            return promotion, next((other for other in earlier if other != version_id), None)
    return None, None


def _noted(engine: Engine, task_name: str, version_id: str) -> dict[str, Change]:
    """What was noted since the version was promoted, by sha256: not when it was an earlier time."""
    store = engine.store
    promotion, _ = _promotion(store.versions.promotions(task_name), version_id)
    n = store.changes.count(task_name, version_id)
    noted = store.changes.all(task_name, version_id, n) if n else []
    since = [one for one in noted if promotion is None or one.at >= promotion.at]
    return {one.sha256: one for one in since}


def _changes(
    engine: Engine,
    task: Task,
    known: Knowledge,
    verdicts: Sequence[Verdict],
    version_id: str,
    at: datetime,
) -> list[Change]:
    """Those of some verdicts that would be others now."""
    shelf = engine.learned.shelf(task.kind)
    vectors = shelf.vectors([verdict.picture.sha256 for verdict in verdicts])
    having = [verdict for verdict in verdicts if verdict.picture.sha256 in vectors]
    likenesses = shelf.likenesses([verdict.picture.sha256 for verdict in having])
    asked = [(one.picture.sha256, vectors[one.picture.sha256]) for one in having]
    near = engine.neighbours.familiarities(task, known, asked)
    sights = [
        Sight(
            sha256,
            verdict.picture.phash,
            vector,
            likeness,
            verdict.evidence,
            familiarity=familiarity,
        )
        for (sha256, vector), verdict, likeness, familiarity in zip(
            asked, having, likenesses, near, strict=True
        )
    ]
    policy = Policy.of(engine.settings)
    changes = []
    for verdict, decision in zip(
        having, decide_each(task, known, sights, policy=policy), strict=True
    ):
        # a label that was linked to another one since is no other answer
        said = _as_sent(verdict)
        if decision.prediction != task.variants.get(said, said):
            changes.append(
                Change(
                    task=task.name,
                    version=version_id,
                    sha256=verdict.picture.sha256,
                    verdict_id=verdict.id,
                    before=verdict.prediction,
                    after=decision.prediction,
                    confidence=decision.confidence,
                    at=at,
                )
            )
    return changes


def _as_sent(verdict: Verdict) -> str:
    """What was answered before its stability was asked for, which no other verdict's was."""
    wavered = verdict.stability is not None and verdict.stability.flips
    wavered = wavered and not verdict.none_of_these
    alone = verdict.statistics
    if wavered and alone is not None and alone.source is verdict.source:
        return alone.prediction
    return verdict.prediction


def _kept(engine: Engine, task: Task, version_id: str, changes: Sequence[Change]) -> list[Change]:
    """Write them down; a picture that was erased meanwhile does not come back by it."""
    engine.store.changes.put(task.name, version_id, changes)
    # looked at after writing: what is erased later than that takes its change with it
    here = engine.learned.shelf(task.kind).vectors([one.sha256 for one in changes])
    left = [one for one in changes if one.sha256 in here]
    if len(left) < len(changes):
        engine.store.changes.put(task.name, version_id, left)
    return left


def _ranked(noted: Mapping[str, Change]) -> list[Change]:
    return sorted(noted.values(), key=lambda one: (-one.confidence, one.sha256))
