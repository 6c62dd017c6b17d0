"""The decision rule, pure: what people said of a picture, what its file says, what the head says.

The three are kept apart: one of them decides, and the others stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config import Settings
from domain import (
    UNSURE,
    Correction,
    Evidence,
    ModelVersion,
    People,
    Statistics,
    Task,
    TaskKind,
    VerdictSource,
)
from models.ensemble import parts_of
from models.knowledge import Knowledge
from models.labelled import Familiarity
from models.memory import Match
from models.promise import judged, judged_as_taught
from models.slices import like_this
from models.standing import Opinion
from provenance import AI

DEMO_REASON = (
    "This is the demonstration model: it tells computed patterns from a few photographs and "
    "knows nothing of real AI pictures. Bring your own with `python -m scraper folder`, "
    "`python -m embeddings` and `python train.py` to replace it."
)


UNCALIBRATED = (
    "Its probabilities were held against no picture: the order of the labels may be right where "
    "they are not."
)
HALF = 0.5
"""Share of the words from which on the answer is theirs."""
MOST_NAMED = 5
"""People and pictures named in a reason."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What settings say of decisions.

    `evidence_decides`: a trusted signer who says that a generator made the picture is believed.
    `names_people`: reasons say who labelled what.
    """

    evidence_decides: bool = True
    names_people: bool = True

    @classmethod
    def of(cls, settings: Settings) -> Policy:
        """That of a service: whoever may ask without a key is told nobody's name."""
        return cls(settings.evidence_decides, not settings.public_classify)


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one picture, and why.

    `statistics` is what the head alone says, `people` what was said of it or its copies, whatever
    decided. `alike`: remembered pictures like it. `none_of_these`: it is like nothing known.
    """

    prediction: str
    confidence: float
    probabilities: Mapping[str, float]
    source: VerdictSource
    reasons: tuple[str, ...]
    statistics: Statistics
    alike: tuple[Match, ...] = ()
    people: People | None = None
    none_of_these: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """A picture as the decision sees it.

    Attributes
    ----------
    vector
        (dim,) float32, unit length; None where no such vector was made.
    likeness
        (length,) float32 of what recognises altered copies; None where it was not made.
    evidence
        What its file says of its origin; empty also where the file is not there.
    facts
        What it looks like by simple facts: see `embeddings.manner.looks`. None where the
        picture itself is not at hand.
    familiarity
        How near it is to what an open task knows; None where it was not looked up.
    """

    sha256: str
    phash: int
    vector: NDArray[np.float32] | None
    likeness: NDArray[np.float32] | None
    evidence: tuple[Evidence, ...] = ()
    facts: Mapping[str, Any] | None = None
    familiarity: Familiarity | None = None


def decide(
    task: Task,
    known: Knowledge,
    sight: Sight,
    scores: NDArray[np.float64] | None,
    matches: Sequence[Match] | None = None,
    policy: Policy = Policy(),
) -> Decision:
    """The decision rule: people on this picture, proof in the file, people on copies, the head.

    Parameters
    ----------
    task
        The task asked.
    known
        What is known of it.
    sight
        The picture.
    scores
        (k,) what the head gives it, in the order of its classes; None without a head.
    matches
        The remembered pictures it is a copy of, where they are known already.
    policy
        What settings say.
    """
    by_head = _by_head(task, known, scores, sight.facts)
    opinion = known.opinions.get(sight.sha256)
    proof = _proof(task, sight) if policy.evidence_decides else None
    if opinion is not None:
        decided = _by_memory(task, opinion, by_head, policy)
    elif proof is not None:
        decided = _by_evidence(task, proof, by_head)
    else:
        decided = _by_copies(known, sight, matches, by_head, policy)
    if decided.source is VerdictSource.MODEL and task.open:
        decided = _unless_strange(sight.familiarity, decided)
    proof = proof if decided.source is VerdictSource.EVIDENCE else None
    beside = _file_says(task, sight, decided.prediction, proof)
    return replace(decided, reasons=(*decided.reasons, *beside))


def decide_each(
    task: Task,
    known: Knowledge,
    sights: Sequence[Sight],
    matches: Sequence[Sequence[Match]] | None = None,
    policy: Policy = Policy(),
) -> list[Decision]:
    """Decide for many pictures, their vectors scored as one batch."""
    scores: dict[int, NDArray[np.float64]] = {}
    parts: dict[int, Mapping[str, Mapping[str, float]]] = {}
    having = [(i, sight.vector) for i, sight in enumerate(sights) if sight.vector is not None]
    if known.head is not None and having:
        vectors = np.stack([vector for _, vector in having])
        rows = known.head.predict_proba(vectors)
        scores = {i: row for (i, _), row in zip(having, rows, strict=True)}
        told = parts_of(known.head, vectors)
        parts = {i: said for (i, _), said in zip(having, told, strict=True) if said}
    decided = [
        decide(task, known, sight, scores.get(i), None if matches is None else matches[i], policy)
        for i, sight in enumerate(sights)
    ]
    return [
        replace(one, statistics=replace(one.statistics, parts=parts[i])) if i in parts else one
        for i, one in enumerate(decided)
    ]


def called(task: Task, known: Knowledge, scores: NDArray[np.float64]) -> list[str]:
    """What the head by itself would answer to each of (n, k) scores."""
    return [_by_head(task, known, row).prediction for row in scores]


# --- what people said ---


def _by_memory(task: Task, opinion: Opinion, by_head: Decision, policy: Policy) -> Decision:
    """By what people said of exactly this picture."""
    shares = {**dict.fromkeys(task.labels, 0.0), **opinion.shares}
    prediction = opinion.label or UNSURE
    confidence = shares[opinion.label] if opinion.label else max(shares.values())
    if opinion.disputed:
        votes = opinion.votes[-MOST_NAMED:]
        told = ", ".join(f"{_who(vote, policy)} says {vote.label}" for vote in votes)
        reason = f"People differ about this very picture: {told}. It waits in the conflict queue."
    else:
        vote = opinion.votes[-1]
        who = _who(vote, policy)
        reason = f"{who} labelled this very picture {vote.label} on {vote.created_at:%Y-%m-%d}."
    return replace(
        by_head,
        prediction=prediction,
        confidence=confidence,
        probabilities=shares,
        source=VerdictSource.MEMORY,
        reasons=(reason,),
        people=_people(opinion, copies=0),
    )


def _by_copies(
    known: Knowledge,
    sight: Sight,
    matches: Sequence[Match] | None,
    by_head: Decision,
    policy: Policy,
) -> Decision:
    """By what people said of its copies, if they said something; else by the head."""
    if matches is None:
        matches = known.near(sight.phash, sight.likeness)
    alike = [(match, known.opinions[match.sha256]) for match in matches]
    alike = [(match, said) for match, said in alike if said.label is not None]
    # somebody trusted leads among copies as on one picture: no copy of a stranger's outvotes them
    led = [(match, said) for match, said in alike if said.vote.trusted]
    return _by_similar(led or alike, by_head, policy) if alike else by_head


def _by_similar(
    alike: Sequence[tuple[Match, Opinion]], by_head: Decision, policy: Policy
) -> Decision:
    """Pictures like it were labelled: they weigh by their similarity, the head has the rest."""
    total = sum(match.similarity for match, _ in alike)
    best = max(match.similarity for match, _ in alike)
    chances = {label: (1 - best) * p for label, p in by_head.probabilities.items()}
    for match, said in alike:
        label = str(said.label)
        chances[label] = chances.get(label, 0.0) + best * match.similarity / total
    chances = {label: p / sum(chances.values()) for label, p in chances.items()}
    prediction = max(chances, key=lambda label: chances[label])
    reasons = [
        f"It is {match.similarity:.0%} like the picture {match.sha256[:12]}, "
        f"which {_who(said.vote, policy)} labelled {said.vote.label}."
        for match, said in alike
    ]
    if any(said.disputed for _, said in alike):
        reasons.append("People differ about a picture like it.")
    return replace(
        by_head,
        prediction=prediction,
        confidence=chances[prediction],
        probabilities=chances,
        source=VerdictSource.SIMILAR,
        reasons=tuple(reasons),
        alike=tuple(match for match, _ in alike),
        people=_people(alike[0][1], copies=len(alike)),
    )


def _people(opinion: Opinion, *, copies: int) -> People:
    return People(opinion.label, opinion.shares, len(opinion.votes), opinion.disputed, copies)


def _who(vote: Correction, policy: Policy) -> str:
    if policy.names_people:
        return vote.person
    return "somebody trusted" if vote.trusted else "somebody"


# --- what the file says ---


def _proof(task: Task, sight: Sight) -> Evidence | None:
    """A trusted signer's word that a generator made the picture, while the file is as signed."""
    if task.kind is not TaskKind.AUTHENTICITY or _label(task, AI) not in task.labels:
        return None
    for piece in sight.evidence:
        if (piece.kind, piece.status, piece.points_to) == ("c2pa", "valid", AI):
            return piece
    return None


def _by_evidence(task: Task, proof: Evidence, by_head: Decision) -> Decision:
    label, alone = _label(task, AI), by_head.statistics
    reasons = [proof.claim]
    if alone.source is not VerdictSource.NONE:
        also = "also say" if alone.prediction == label else "alone would say"
        reasons.append(f"The statistics {also} {alone.prediction}.")
    return replace(
        by_head,
        prediction=label,
        confidence=1.0,
        probabilities={**dict.fromkeys(task.labels, 0.0), label: 1.0},
        source=VerdictSource.EVIDENCE,
        reasons=tuple(reasons),
    )


def _file_says(task: Task, sight: Sight, prediction: str, proof: Evidence | None) -> Iterator[str]:
    """What stands beside the answer: where the file agrees, where not, and where it was altered."""
    told = set()
    for piece in sight.evidence:
        if piece is proof:
            continue
        if piece.status == "tampered":
            yield piece.claim
            continue
        label = _label(task, piece.points_to) if piece.points_to else ""
        ruled_out = {_label(task, each) for each in piece.detail.get("contradicts", ())}
        against = prediction in ruled_out or label not in ("", prediction)
        agrees = bool(label) and not against
        if (against, agrees) in told or not (against or agrees):
            continue
        told.add((against, agrees))
        if agrees:
            yield f"What the file says of itself agrees. {piece.claim}"
        elif prediction == UNSURE:
            yield f"What the file says of itself points to {label}. {piece.claim}{_forged(piece)}"
        else:
            yield f"What the file says of itself disagrees. {piece.claim}{_forged(piece)}"


def _forged(piece: Evidence) -> str:
    how = str(piece.detail.get("forging", ""))
    return f" Forging that is {how}." if how else ""


def _label(task: Task, word: str) -> str:
    """What the task calls `ai` or `real`."""
    return task.variants.get(word, word)


# --- what the head says ---


def _by_head(
    task: Task,
    known: Knowledge,
    scores: NDArray[np.float64] | None,
    looks: Mapping[str, Any] | None = None,
) -> Decision:
    """What the version gives, adjusted by corrections, or what was taught by itself."""
    if known.head is None or scores is None:
        even = {label: 1 / len(task.labels) for label in task.labels}
        reason = _unanswered(task, known)
        return _alone(UNSURE, max(even.values(), default=0.0), even, VerdictSource.NONE, (reason,))
    probabilities: dict[str, float] = {}
    for label, p in zip(known.head.classes, scores, strict=True):
        canonical = task.variants.get(label, label)
        probabilities[canonical] = probabilities.get(canonical, 0.0) + float(p)
    best = max(probabilities, key=lambda label: probabilities[label])
    confidence = probabilities[best]
    learned = sum(known.taught.values())
    if known.words:
        return _by_words(task, known, best, probabilities)
    taught = f"What was learned from {learned} pictures" if known.version is None else "The model"
    reasons = [f"{taught} gives {best} {_percent(confidence)}."]
    if known.version is not None and learned:
        reasons.append(f"Corrections of {learned} pictures are weighed in.")
    if known.version is None:
        prediction, held_back = judged_as_taught(task, probabilities)
    else:
        prediction, held_back = judged(task, known.version.card, probabilities, known.held)
    reasons.extend(held_back)
    if known.version is not None:
        reasons.extend(_cautions(task, known.version))
        if not known.version.demo:
            reasons.extend(like_this(known.version.card, looks, confidence, best, task.variants))
    if known.problem:
        reasons.append(known.problem)
    alone = _alone(prediction, confidence, probabilities, VerdictSource.MODEL, tuple(reasons))
    calibrated = known.version is not None and not learned
    return replace(alone, statistics=replace(alone.statistics, calibrated=calibrated))


def _by_words(
    task: Task, known: Knowledge, best: str, probabilities: Mapping[str, float]
) -> Decision:
    """What the words of the labels give, alone or beside what was taught. Never calibrated."""
    learned, confidence = sum(known.taught.values()), probabilities[best]
    if known.words < 1:
        reasons = [
            f"What was learned from {learned} pictures, and the words of the labels by "
            f"{known.words:.0%} of the whole, give {best} {_percent(confidence)}."
        ]
    else:
        reasons = [f"The words of its labels alone give {best} {_percent(confidence)}."]
    reasons.append(UNCALIBRATED)
    prediction, held_back = judged_as_taught(task, probabilities)
    if task.kind is TaskKind.AUTHENTICITY and known.words >= HALF:
        prediction = UNSURE
        held_back = ["Nobody measured how often words accuse real pictures, so it stays unsure."]
    reasons.extend(held_back)
    if known.words == 1:
        reasons.append(_how_to_teach(task))
    if known.problem:
        reasons.append(known.problem)
    source = VerdictSource.TEXT if known.words >= HALF else VerdictSource.MODEL
    return _alone(prediction, confidence, probabilities, source, tuple(reasons))


def _percent(p: float) -> str:
    """A probability for people; rounding makes nothing certain."""
    shown = f"{p:.0%}"
    return "over 99%" if shown == "100%" and p < 1 else shown


def _alone(
    prediction: str,
    confidence: float,
    probabilities: Mapping[str, float],
    source: VerdictSource,
    reasons: tuple[str, ...],
) -> Decision:
    """A decision by the head, which is also what stands for the statistics where others decide."""
    statistics = Statistics(prediction, confidence, probabilities, source)
    return Decision(prediction, confidence, probabilities, source, reasons, statistics)


def _unless_strange(familiarity: Familiarity | None, by_head: Decision) -> Decision:
    """An open task's picture may have none of its labels; the head can only choose among them."""
    if familiarity is None or not familiarity.strange:
        return by_head
    reason = (
        "It may be none of these: it is unlike every labelled picture. The nearest has a "
        f"similarity of {familiarity.similarity:.2f}; of {familiarity.examined} known ones "
        f"{familiarity.chance:.1%} are as far from all others. If it is something new, show it "
        "with a label of its own."
    )
    reasons = (*by_head.reasons, reason)
    return replace(by_head, prediction=UNSURE, reasons=reasons, none_of_these=True)


def _unanswered(task: Task, known: Knowledge) -> str:
    if known.problem:
        return known.problem
    if known.head is not None:
        return "There is no vector of this picture to judge it by; send its file."
    if known.taught:
        label = next(iter(known.taught))
        return (
            f"Only {label} has been taught so far. Show an example of another label, "
            f"with `label` and the picture, to /tasks/{task.name}/train."
        )
    words = known.wordless or (
        "With CLIP (ENCODER=clip) it would answer by the words of its labels until then."
    )
    return f"Nobody has taught the task {task.name} yet. {_how_to_teach(task)} {words}"


def _how_to_teach(task: Task) -> str:
    return (
        f"Send pictures with their `label` to /tasks/{task.name}/train, or bring many with "
        f"`python -m scraper folder DIR --task {task.name} --labels-from-folders`, then run "
        f"`python -m embeddings` and `python train.py --task {task.name}`."
    )


def _cautions(task: Task, version: ModelVersion) -> list[str]:
    if version.demo:
        return [DEMO_REASON]
    unseen = version.card.get("leave_one_source_out") or {}
    accuracy = unseen.get("balanced_accuracy")
    if accuracy is not None:
        return [
            f"On pictures from sources it had not seen, it was right {accuracy:.0%} of the time "
            "(labels weighed alike)."
        ]
    if task.kind is TaskKind.AUTHENTICITY:
        return [
            "Too few sources taught it to tell how it does on pictures from elsewhere: "
            "there it may be little better than a guess."
        ]
    return []
