"""What learning changes beside the picture it is about: told in the receipt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from decision import Policy, Sight, called, decide_each
from domain import Answer, Correction, Effect, Golden, Receipt, Task, VerdictSource
from engine import Engine
from models.knowledge import Knowledge
from models.memory import Match
from models.neighbours import asks_familiarity
from models.samplebook import LATEST
from models.shelf import Rows
from models.watched import Watch


def effect_of(
    engine: Engine,
    task: Task,
    before: Knowledge,
    after: Knowledge,
    touched: Sequence[Sight],
    supposed: Sequence[Rows] = (),
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
    supposed
        (dim,) vectors of examples that `after` would have and that nobody stored.
    """
    apart = {one.sha256 for one in touched}
    samples = {s: phash for s, phash in engine.samplebook.latest(task) if s not in apart}
    deciders = engine.store.verdicts.deciders(task.name, LATEST)
    verdicts = {s: samples.get(s, 0) for s in deciders if s not in apart}
    pictures = {**verdicts, **samples}
    watch = engine.watched.look(task, pictures)
    suspects = _by_head(engine, task, before, after, watch)
    for one in touched:
        near = watch.memory.near(one.phash, one.likeness, rule=after.rule, most=len(pictures))
        suspects.update(match.sha256 for match in near)
    now_or_then = _familiar_or_not(engine, task, before, after, touched)
    unlabelled = [s for s in verdicts if s not in samples and s in watch.vectors]
    suspects.update(s for s in unlabelled if now_or_then(watch.vectors[s]))
    # what people said of a picture stays said: nobody but the touched ones was spoken of; and
    # what a file proves stays proven, whatever is learned
    proven = Policy.of(engine.settings).evidence_decides
    stays = {s for s, by in deciders.items() if proven and by is VerdictSource.EVIDENCE}
    open_ = sorted(s for s in suspects if s not in after.opinions and s not in stays)
    likenesses = engine.learned.shelf(task.kind).likenesses(open_)
    changed = _changed(
        engine,
        task,
        before,
        after,
        [
            Sight(sha256, pictures[sha256], watch.vectors.get(sha256), likenesses[row])
            for row, sha256 in enumerate(open_)
        ],
        supposed,
    )
    return Effect(
        near_samples=sum(sha256 in changed for sha256 in samples),
        of_samples=len(samples),
        past_verdicts_flipped=sum(sha256 in changed for sha256 in verdicts),
        of_verdicts=len(verdicts),
        golden_before=before.golden,
        golden_after=after.golden,
    )


def _by_head(
    engine: Engine, task: Task, before: Knowledge, after: Knowledge, watch: Watch
) -> set[str]:
    """The pictures that the head answers otherwise now; memory may still say the same."""
    if before.head is after.head:
        return set()
    if before.head is None or after.head is None:
        return set(watch.vectors)
    scores = [engine.watched.scores(task, head, watch) for head in (before.head, after.head)]
    first = called(task, before, scores[0])
    then = called(task, after, scores[1])
    return {s for s, one, other in zip(watch.vectors, first, then, strict=True) if one != other}


def _familiar_or_not(
    engine: Engine, task: Task, before: Knowledge, after: Knowledge, touched: Sequence[Sight]
) -> Callable[[Rows], bool]:
    """Tells of a picture whether it may have become a stranger, or ceased to be one.

    Only what is near enough to a picture that was spoken of may, as long as what counts as near
    stays as it is.
    """
    if not (asks_familiarity(task, before) and asks_familiarity(task, after)):
        return lambda vector: False  # a first or a last head: all are suspected of it
    now, then = (engine.neighbours.of(task, known) for known in (before, after))
    line = min(now.line, then.line)
    if not np.array_equal(now.apart, then.apart):
        return lambda vector: True
    spoken_of = [one.vector for one in touched if one.vector is not None]
    if line == -np.inf or not spoken_of:
        return lambda vector: False
    near = np.stack(spoken_of)
    return lambda vector: bool((near @ vector).max() >= line)


def _changed(
    engine: Engine,
    task: Task,
    before: Knowledge,
    after: Knowledge,
    suspects: Sequence[Sight],
    supposed: Sequence[Rows],
) -> set[str]:
    """Those answered otherwise by the whole rule."""
    asked = [(one.sha256, one.vector) for one in suspects]
    answers = []
    known_then = _matched(before, after, suspects)
    for (known, matches), more in zip(known_then, ((), supposed), strict=True):
        near = engine.neighbours.familiarities(task, known, asked, more)
        seen = [replace(one, familiarity=how) for one, how in zip(suspects, near, strict=True)]
        answers.append(decide_each(task, known, seen, matches))
    first, then = answers
    return {
        sight.sha256
        for sight, one, other in zip(suspects, first, then, strict=True)
        if one.prediction != other.prediction
    }


def _matched(
    before: Knowledge, after: Knowledge, suspects: Sequence[Sight]
) -> list[tuple[Knowledge, list[list[Match]] | None]]:
    """Both moments with what they remember of each picture; memory is looked through once."""
    if before.rule != after.rule:
        return [(before, None), (after, None)]
    larger = max(before, after, key=lambda known: len(known.memory))
    found = [larger.near(sight.phash, sight.likeness) for sight in suspects]
    return [
        (known, [[match for match in some if match.sha256 in known.opinions] for some in found])
        for known in (before, after)
    ]


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
