"""How an answer holds when the picture is saved anew, made smaller or cut, as sites do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from decision import Decision, Sight, decide_each
from domain import UNSURE, Delivered, Stability, Statistics, Task, TaskKind, VerdictSource
from embeddings import Embedder
from embeddings.images import Picture, within
from embeddings.redelivery import embed_redelivered
from models.knowledge import Knowledge
from models.promise import ACCUSED
from turns import Turn

UNKNOWN = "0" * 64
"""Stands for the name of a file that nobody has spoken of."""
MOST_PIXELS = 2_000_000
"""Larger pictures are made smaller before they are delivered anew, about as messengers do: of
25 million pixels the copies would keep a core busy for half a minute."""
SHRUNK = "shrunk"
"""The delivery that such a picture has besides: made smaller, and not saved anew."""
MOST_AT_ONCE = 8
"""Pictures of one request, over HTTP, that are delivered anew."""
RETRY_SECONDS = 5
WEIGHING = Turn("Another picture's stability is being looked at.", retry_seconds=RETRY_SECONDS)
"""Taken while a request's pictures are delivered anew: others are answered without, meanwhile."""
BY_STATISTICS = frozenset({VerdictSource.MODEL, VerdictSource.TEXT})
"""What decides anew when a picture comes anew. People's word on it holds for its copies, which
are recognised by likeness; a signed word holds for the file that bears it."""
SPOKEN = {
    "jpeg_85": "a JPEG of quality 85",
    "jpeg_60": "a JPEG of quality 60",
    "jpeg_40": "a JPEG of quality 40",
    "half_size": "half its size",
    "thumbnail": "a thumbnail",
    "crop_95": "its middle 95 %",
    "webp": "a WebP",
    SHRUNK: "2 megapixels",
}


def stability_of(
    task: Task, known: Knowledge, embedder: Embedder, picture: Picture, sent: Decision
) -> Stability | None:
    """Score a picture as it may be delivered anew. Nothing is kept.

    One of more than two million pixels is made smaller first, which is a delivery of its own.

    Parameters
    ----------
    task
        The task asked.
    known
        What is known of it.
    embedder
        That of the task.
    picture
        As it was sent.
    sent
        What was decided about it as it was sent.

    Returns
    -------
    Stability or None
        Of what the statistics say, whoever decided; None where there are none.
    """
    if sent.statistics.source is VerdictSource.NONE:
        return None
    smaller = within(picture, MOST_PIXELS)
    names, vectors = embed_redelivered(smaller, embedder)
    if smaller is not picture:
        names = (SHRUNK, *names)
        vectors = np.concatenate([embedder.embed([smaller]), vectors])
    sights = [Sight(UNKNOWN, 0, vector, None) for vector in vectors]
    # no matches: copies are recognised whatever the head says, and it is the head that is asked
    decisions = decide_each(task, known, sights, [()] * len(sights))
    return held(task, sent.statistics, dict(zip(names, decisions, strict=True)))


def held(task: Task, sent: Statistics, anew: Mapping[str, Decision]) -> Stability:
    """Compare what the statistics say of a picture as sent and as delivered anew, by name."""
    label = _watched(task, sent)
    deliveries = tuple(
        Delivered(name, said.prediction, said.probabilities.get(label, 0.0))
        for name, said in ((name, decision.statistics) for name, decision in anew.items())
    )
    chances = [sent.probabilities.get(label, 0.0), *(one.probability for one in deliveries)]
    flips = any(one.prediction != sent.prediction for one in deliveries)
    return Stability(label, min(chances), max(chances), flips, deliveries)


def weighed(decision: Decision, stability: Stability | None) -> Decision:
    """The decision with what its stability says of it: one that flips is unsure."""
    if stability is None:
        return decision
    span = f"{stability.label} between {stability.low:.0%} and {stability.high:.0%}"
    if any(one.name == SHRUNK for one in stability.deliveries):
        span += "; as it is large, it was made smaller to 2 megapixels before"
    if not stability.flips:
        reason = f"The statistics hold when it is saved anew, made smaller or cut: {span}."
        return replace(decision, reasons=(*decision.reasons, reason))
    before = decision.statistics.prediction
    others = [one for one in stability.deliveries if one.prediction != before]
    told = _listed([f"{one.prediction} as {SPOKEN.get(one.name, one.name)}" for one in others])
    reason = f"As sent the statistics say {before}, delivered anew {told} ({span})"
    if decision.source not in BY_STATISTICS:
        return replace(decision, reasons=(*decision.reasons, f"{reason}; they do not decide here."))
    reasons = (*decision.reasons, f"{reason}, so it stays unsure.")
    return replace(decision, prediction=UNSURE, reasons=reasons)


def _watched(task: Task, sent: Statistics) -> str:
    """The label whose probability is told: that of an accusation, else the likeliest as sent."""
    accused = task.variants.get(ACCUSED, ACCUSED)
    if task.kind is TaskKind.AUTHENTICITY and accused in sent.probabilities:
        return accused
    return max(sent.probabilities, key=lambda label: sent.probabilities[label])


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
