"""How an answer holds when the picture is saved anew, made smaller or cut, as sites do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from decision import Decision, Sight, decide_each, withdrawn
from domain import BY_HEAD, UNSURE, Delivered, Stability, Statistics, Task, TaskKind, VerdictSource
from embeddings import Embedder
from embeddings.images import Picture, within
from embeddings.redelivery import embed_redelivered
from models.knowledge import Knowledge
from models.promise import ACCUSED
from turns import Turn
from wording import span

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
SPOKEN = {
    "jpeg_85": "as a JPEG of quality 85",
    "jpeg_60": "as a JPEG of quality 60",
    "jpeg_40": "as a JPEG of quality 40",
    "half_size": "at half its size",
    "thumbnail": "as a thumbnail",
    "crop_95": "cut to its middle 95 %",
    "webp": "as a WebP",
    SHRUNK: "at 2 megapixels",
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


def weighed(task: Task, sight: Sight, decision: Decision, stability: Stability | None) -> Decision:
    """The decision with what its stability says of it: one that flips is unsure.

    Parameters
    ----------
    task
        The task asked.
    sight
        The picture as it was sent.
    decision
        What was decided about it.
    stability
        What its copies came to; None where nothing was asked of them.
    """
    if stability is None:
        return decision
    chances = f"{stability.label} {span(stability.low, stability.high)}"
    if any(one.name == SHRUNK for one in stability.deliveries):
        chances += "; as it is large, it was made smaller to 2 megapixels before"
    if not stability.flips:
        reason = f"The statistics hold when it is saved anew, made smaller or cut: {chances}."
        return replace(decision, reasons=(*decision.reasons, reason))
    before = decision.statistics.prediction
    reason = f"As sent the statistics {_say(before)}; {_anew(before, stability)} ({chances})"
    if decision.source not in BY_HEAD:
        # people's word holds for copies, which are recognised; a signed one for the file it is in
        return replace(decision, reasons=(*decision.reasons, f"{reason}; they do not decide here."))
    stays = "stays" if decision.prediction == UNSURE else "is"
    return withdrawn(task, sight, decision, f"{reason}, so it {stays} unsure.")


def _anew(before: str, stability: Stability) -> str:
    """What the copies are called otherwise, by what they are called."""
    ways: dict[str, list[str]] = {}
    for one in stability.deliveries:
        if one.prediction != before:
            ways.setdefault(one.prediction, []).append(SPOKEN.get(one.name, one.name))
    return _listed([f"{_listed(names)} they {_say(said)}" for said, names in ways.items()])


def _say(prediction: str) -> str:
    return "are unsure" if prediction == UNSURE else f"say {prediction}"


def _watched(task: Task, sent: Statistics) -> str:
    """The label whose probability is told: that of an accusation, else the likeliest as sent."""
    accused = task.variants.get(ACCUSED, ACCUSED)
    if task.kind is TaskKind.AUTHENTICITY and accused in sent.probabilities:
        return accused
    return max(sent.probabilities, key=lambda label: sent.probabilities[label])


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
