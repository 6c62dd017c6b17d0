"""Beside a verdict, when asked for: the labelled pictures nearest to it, and what they tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from decision import Decision, Sight
from domain import BY_HEAD, Nearest
from models.labelled import SHOWN, Labelled


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is said beside a verdict. `nearest`: best first; `document` is JSON-ready."""

    nearest: tuple[Nearest, ...]
    document: dict[str, Any]


def heatmap_url(verdict_id: str) -> str:
    """Where a heat map of a verdict is asked for."""
    return f"/verdicts/{verdict_id}/heatmap"


def explain(
    decision: Decision,
    sight: Sight,
    labelled: Labelled,
    first: Sequence[Nearest],
    heatmap: str | None,
) -> Explanation:
    """Explain one decision.

    Parameters
    ----------
    decision
        What was decided.
    sight
        The picture.
    labelled
        The examples of its task.
    first
        The remembered pictures that the decision rests on; they come first.
    heatmap
        Where a heat map of it may be asked for; None where its file is not kept.
    """
    found = labelled.nearest(sight.vector, SHOWN) if sight.vector is not None else []
    named = {one.sample_id for one in first}
    nearest = (*first, *(one for one in found if one.sample_id not in named))[:SHOWN]
    familiarity = sight.familiarity
    if familiarity is None and sight.vector is not None:
        familiarity = labelled.familiarity(sight.vector, sight.sha256)
    by_head = decision.source in BY_HEAD
    return Explanation(
        nearest,
        {
            "why": f"{_why(found, labelled)} {_where(decision, heatmap)}",
            "heatmap": heatmap if by_head else None,
            "examples": {"known": len(labelled), "left_out": labelled.left_out},
            "familiarity": asdict(familiarity) if familiarity is not None else None,
        },
    )


def _why(found: Sequence[Nearest], labelled: Labelled) -> str:
    if not found:
        return "No labelled picture is known that it could be compared with."
    labels = Counter(one.label for one in found)
    told = ", ".join(f"{n} {label}" for label, n in labels.most_common())
    return (
        f"Of {len(labelled)} labelled pictures the {len(found)} nearest are: {told}; the nearest "
        f"of all, {found[0].label}, has a similarity of {found[0].similarity:.2f}. They were found "
        "by what the model sees, and show what it takes for alike, not what decided."
    )


def _where(decision: Decision, heatmap: str | None) -> str:
    """What there is to say of a heat map."""
    if decision.source not in BY_HEAD:
        return "A heat map would not explain it: no model gave this answer."
    if heatmap is None:
        return "Its file is not kept, so no heat map of it can be asked for."
    return "A heat map is drawn when asked for, if one is better than chance: a hint, no proof."
