"""What a file says of itself: proof, or something beside the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from decision.nouns import Decision, Sight
from domain import AI, REAL, UNSURE, Evidence, Task, TaskKind, VerdictSource


def proof_of(task: Task, sight: Sight) -> Evidence | None:
    """A trusted signer's word that a generator made the picture, while the file is as signed."""
    if task.kind is not TaskKind.AUTHENTICITY or _label(task, AI) not in task.labels:
        return None
    if _label(task, AI) == _label(task, REAL):
        return None  # it does not tell them apart
    for piece in sight.evidence:
        if (piece.kind, piece.status, piece.points_to) == ("c2pa", "valid", AI):
            return piece
    return None


def by_evidence(task: Task, proof: Evidence, alone: Decision) -> Decision:
    """By a signer's word; what the statistics say is told beside it."""
    label, statistics = _label(task, AI), alone.statistics
    reasons = [proof.claim]
    if statistics.source is not VerdictSource.NONE:
        also = "also say" if statistics.prediction == label else "alone would say"
        reasons.append(f"The statistics {also} {statistics.prediction}.")
    return replace(
        alone,
        prediction=label,
        confidence=1.0,
        probabilities={**dict.fromkeys(task.labels, 0.0), label: 1.0},
        source=VerdictSource.EVIDENCE,
        reasons=tuple(reasons),
    )


def file_says(task: Task, sight: Sight, prediction: str, proof: Evidence | None) -> Iterator[str]:
    """What stands beside the answer: where the file agrees, where not, and where it was altered."""
    told: set[object] = set()
    for piece in sight.evidence:
        if piece is proof:
            continue
        if piece.status == "tampered":
            yield piece.claim
            continue
        label = _label(task, piece.points_to) if piece.points_to else ""
        if label and label not in task.labels:
            # the task asks in words that the file's are not, and nobody linked them
            if label not in told:
                yield f"{piece.claim}{_forged(piece)}"
            told.add(label)
            continue
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
