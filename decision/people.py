"""What people said of a picture, or of its copies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from decision.nouns import Decision, Policy, Sight
from domain import UNSURE, Correction, People, Task, VerdictSource
from models.knowledge import Knowledge
from models.memory import Match
from models.standing import Opinion

MOST_NAMED = 5
"""People and pictures named in a reason."""
SPEAKS = re.compile(
    r"^(?P<one>.+?) labelled (?:this very picture|it) |"
    r"^People differ about this very picture: (?P<all>.+)|"
    r"^It is .+? like .+?, which (?P<other>.+?) labelled "
)
"""The reasons below that say who spoke."""
SAYS = re.compile(r"(?:^|, )(somebody trusted|somebody|[^,]+) says ")
NOBODY = frozenset({"somebody", "somebody trusted"})
"""Who spoke, where names are not told."""


def by_memory(task: Task, opinion: Opinion, alone: Decision, policy: Policy) -> Decision:
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
        who = _first(vote, policy)
        reason = f"{who} labelled this very picture {vote.label} on {vote.created_at:%Y-%m-%d}."
    return replace(
        alone,
        prediction=prediction,
        confidence=confidence,
        probabilities=shares,
        source=VerdictSource.MEMORY,
        reasons=(reason,),
        people=_people(opinion, copies=0),
    )


def beside_proof(opinion: Opinion, proven: Decision, policy: Policy) -> Decision:
    """What nobody trusted says of a picture is told beside its file's proof, and waits."""
    vote = opinion.votes[-1]
    said = opinion.label or vote.label
    reasons = proven.reasons
    if opinion.disputed or said != proven.prediction:
        who = _first(vote, policy)
        reasons = (*reasons, f"{who} labelled it {vote.label}; only somebody trusted overrules it.")
    return replace(proven, reasons=reasons, people=_people(opinion, copies=0))


def by_copies(
    known: Knowledge,
    sight: Sight,
    matches: Sequence[Match] | None,
    alone: Decision,
    policy: Policy,
) -> Decision:
    """By what people said of its copies, if they said something; else by the head."""
    if matches is None:
        matches = known.near(sight.phash, sight.likeness)
    alike = [(match, known.opinions[match.sha256]) for match in matches]
    alike = [(match, said) for match, said in alike if said.label is not None]
    # somebody trusted leads among copies as on one picture: no copy of a stranger's outvotes them
    led = [(match, said) for match, said in alike if said.vote.trusted]
    return _by_similar(led or alike, alone, policy) if alike else alone


def _by_similar(
    alike: Sequence[tuple[Match, Opinion]], alone: Decision, policy: Policy
) -> Decision:
    """Pictures like it were labelled: they weigh by their similarity, the head has the rest."""
    total = sum(match.similarity for match, _ in alike)
    best = max(match.similarity for match, _ in alike)
    chances = {label: (1 - best) * p for label, p in alone.probabilities.items()}
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
        alone,
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


def _first(vote: Correction, policy: Policy) -> str:
    """Who it was, where a sentence begins; a person's name stays as it is written."""
    who = _who(vote, policy)
    return who if policy.names_people else who.capitalize()


def _who(vote: Correction, policy: Policy) -> str:
    if policy.names_people:
        return vote.person
    return "somebody trusted" if vote.trusted else "somebody"


def name_people(reasons: Iterable[str]) -> bool:
    """Whether reasons of a decision by people say who they are; in doubt they do."""
    return any(who.lower() not in NOBODY for reason in reasons for who in _speakers(reason))


def _speakers(reason: str) -> list[str]:
    found = SPEAKS.search(reason)
    if found is None:
        return []
    if found["all"] is not None:
        return SAYS.findall(found["all"])
    return [found["one"] or found["other"]]
