"""The decision rule, pure: what people said of a picture, what its file says, what the head says.

The three are kept apart: one of them decides, and the others stand beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from decision.files import by_evidence, file_says, proof_of
from decision.heads import DEMO_REASON, by_head, unless_strange
from decision.nouns import Decision, Policy, Sight
from decision.people import beside_proof, by_copies, by_memory, name_people
from domain import UNSURE, Task, VerdictSource
from models.ensemble import parts_of
from models.knowledge import Knowledge
from models.memory import Match

__all__ = [
    "DEMO_REASON",
    "Decision",
    "Policy",
    "Sight",
    "called",
    "decide",
    "decide_each",
    "name_people",
    "withdrawn",
]

AS_USUAL = Policy()


def decide(
    task: Task,
    known: Knowledge,
    sight: Sight,
    scores: NDArray[np.float64] | None,
    matches: Sequence[Match] | None = None,
    policy: Policy = AS_USUAL,
) -> Decision:
    """The decision rule: people on this picture, proof in the file, people on copies, the head.

    Proof is overruled only by somebody trusted: anybody can bring a label, hardly anybody a key.

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
    alone = by_head(task, known, scores, sight.facts)
    opinion = known.opinions.get(sight.sha256)
    proof = proof_of(task, sight) if policy.evidence_decides else None
    if opinion is not None and (proof is None or opinion.vote.trusted):
        decided = by_memory(task, opinion, alone, policy)
    elif proof is not None:
        decided = by_evidence(task, proof, alone)
        decided = decided if opinion is None else beside_proof(opinion, decided, policy)
    else:
        decided = by_copies(known, sight, matches, alone, policy)
    if decided.source is VerdictSource.MODEL and task.open:
        decided = unless_strange(sight.familiarity, decided)
    proof = proof if decided.source is VerdictSource.EVIDENCE else None
    beside = tuple(file_says(task, sight, decided.prediction, proof))
    return replace(
        decided,
        reasons=(*decided.reasons, *beside),
        of_label=(*decided.of_label, *beside),
    )


def withdrawn(task: Task, sight: Sight, decided: Decision, why: str) -> Decision:
    """The decision taken back to `unsure`: why comes first, what spoke for its label is gone.

    Parameters
    ----------
    task
        The task asked.
    sight
        The picture.
    decided
        What was decided about it until then.
    why
        The reason.
    """
    kept = [reason for reason in decided.reasons if reason not in decided.of_label]
    beside = tuple(file_says(task, sight, UNSURE, None))
    return replace(decided, prediction=UNSURE, reasons=(why, *kept, *beside), of_label=beside)


def decide_each(
    task: Task,
    known: Knowledge,
    sights: Sequence[Sight],
    matches: Sequence[Sequence[Match]] | None = None,
    policy: Policy = AS_USUAL,
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
    return [by_head(task, known, row).prediction for row in scores]
