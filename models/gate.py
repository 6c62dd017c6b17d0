"""Whether a candidate may take the place of the version that answers now.

Two questions. Is the candidate clearly worse on pictures that both versions know, all of them,
one label, or sources left out? And is there reason to doubt what it was made from: labels that
look odd, labels that changed with nobody's word for it, far fewer pictures? Few pictures cannot
show a loss of a point, so where there is doubt it has to be shown that there is none.

The numbers below were chosen by simulated retrains, see `benchmarks/gates.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from models.doubt import old_labels_wrong, remedy, unharmed
from models.evidence import Evidence, Paired
from models.fallen import Fallen
from models.odd import Odd, odd_labels
from models.paired import Difference, differences
from models.widened import paid, unpaid, widenings

CLEARLY = 0.975
"""Share of bootstrap draws that show a loss, from which it is clear."""
NOTICEABLE = 0.001
"""A loss below a tenth of a point is none: among very many pictures it would be clear as well."""
CLEARLY_LABEL = 0.98
"""Of a single label, before it is shared among all labels."""
LABEL_MARGIN = 0.025
"""Of a single label: where the line between labels runs moves a point or two to and fro."""
MARGIN = 0.01
"""A loss that matters: one point."""
SOURCES_MARGIN = 0.02
"""On sources left out: they are few, and drawing their pictures anew shows little of that."""
RELABELLED = 0.005
MUCH_RELABELLED = 0.02
"""Of the current version's pictures; above it not even a loss of a point is risked."""
SHRUNK = 0.8


@dataclass(frozen=True, slots=True)
class Gate:
    """What was decided, why in one sentence, and the figures it rests on, JSON-ready.

    `against` is the version that was current then; None where there was none.
    """

    promoted: bool
    reason: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    against: str | None = None


def decide(
    evidence: Evidence,
    fallen: Fallen | None = None,
    more_doubts: Mapping[str, float] = MappingProxyType({}),
) -> Gate:
    """The rule by itself: reads nothing but what it is given.

    Parameters
    ----------
    evidence
        Both versions' answers.
    fallen
        What became of corrected pictures; None where nobody corrected anything.
    more_doubts
        Other reasons to doubt the candidate, each with the loss that may still be risked.
    """
    seen = evidence.seen
    overall, per_label = differences(*_columns(evidence.shared))
    unseen, _ = differences(*_columns(evidence.unseen))
    odd = odd_labels(evidence.fresh, evidence.shared, evidence.has)
    doubts = {**dict(_doubts(evidence, odd)), **more_doubts}
    added = widenings(evidence.widened)
    against = [
        *_refused(evidence, fallen),
        *unpaid(added),
        *_clearly_worse(overall, per_label, unseen, seen),
        *_unproven(evidence, overall, doubts, dispelled=not more_doubts),
    ]
    figures = {
        "compared": None if overall is None else overall.as_json(),
        "per_label": {label: one.as_json() for label, one in per_label.items()},
        "sources_left_out": None if unseen is None else unseen.as_json(),
        "pictures": {
            "had": evidence.had,
            "has": evidence.has,
            "removed": evidence.removed,
            "relabelled": evidence.relabelled,
        },
        "labels_added": {label: one.as_json() for label, one in added.items()},
        "new_labels": None if odd is None else asdict(odd),
        "corrected": None if fallen is None else asdict(fallen),
        "doubts": list(doubts),
        "against": against,
    }
    if against:
        said = [*against, old_labels_wrong(evidence, overall)]
    else:
        said = [_for(overall, doubts, seen) + paid(added)]
    reason = " ".join(part for part in [*said, evidence.note] if part)
    return Gate(not against, reason, figures)


def _columns(paired: Paired) -> tuple[Any, Any, Any, Any]:
    return paired.labels, paired.families, paired.before, paired.after


def _refused(evidence: Evidence, fallen: Fallen | None) -> Iterator[str]:
    if evidence.lost:
        yield (
            f"It does not know {', '.join(evidence.lost)}, which the current version tells apart: "
            "too few pictures of it are left."
        )
    if fallen is not None and fallen.message:
        yield fallen.message


def _clearly_worse(
    overall: Difference | None,
    per_label: Mapping[str, Difference],
    unseen: Difference | None,
    seen: str,
) -> Iterator[str]:
    if overall is not None and overall.worse > CLEARLY and overall.change < -NOTICEABLE:
        yield f"Clearly worse: {_compared(overall, seen)}."
    certain = 1 - (1 - CLEARLY_LABEL) / max(len(per_label), 1)
    for label, one in per_label.items():
        if one.worse > certain and one.change < -LABEL_MARGIN:
            yield (
                f"Clearly worse on {label}: {one.after:.1%} of {one.n} pictures are right, with "
                f"the current version {one.before:.1%} ({_range(one)})."
            )
    if unseen is not None and unseen.worse > CLEARLY and unseen.change < -SOURCES_MARGIN:
        yield (
            f"Clearly worse on sources left out in turn: balanced accuracy on {unseen.n} pictures "
            f"is {unseen.after:.1%}, the current version's {unseen.before:.1%} ({_range(unseen)})."
        )


def _doubts(evidence: Evidence, odd: Odd | None) -> Iterator[tuple[str, float]]:
    """Reasons to doubt what a candidate was made from, and the loss that may still be risked."""
    if odd is not None and odd.doubted:
        yield (
            f"{odd.odd:.0%} of {odd.n} new labels are other than the rest leads to expect, "
            f"of the old ones {odd.odd_of_old:.0%} (look at {odd.label} first)",
            0.0 if odd.strange else MARGIN,
        )
    if evidence.relabelled > RELABELLED * evidence.had:
        much = evidence.relabelled > MUCH_RELABELLED * evidence.had
        yield (
            f"{evidence.relabelled} of {evidence.had} pictures have another label than before "
            "that no correction explains",
            0.0 if much else MARGIN,
        )
    if evidence.has < SHRUNK * evidence.had:
        yield (
            f"it was made from {evidence.has} pictures, the current version from {evidence.had}",
            MARGIN,
        )


def _unproven(
    evidence: Evidence,
    overall: Difference | None,
    doubts: Mapping[str, float],
    *,
    dispelled: bool,
) -> Iterator[str]:
    """Where there is doubt, the candidate has to show that it loses no more than may be risked.

    `dispelled`: a doubt about labels is dispelled where no picture is lost; others are not.
    """
    if not doubts:
        return
    because = "; ".join(doubts)
    if overall is None:
        yield f"Doubtful, and there is nothing to compare it on: {because}."
    elif overall.low < -min(doubts.values()) and not (dispelled and unharmed(evidence, overall)):
        told = f"{_sentence(overall, evidence.seen)} {remedy(overall, min(doubts.values()))}"
        yield f"Doubtful, and not shown to be no worse: {because}. {told}"


def _for(overall: Difference | None, doubts: Mapping[str, float], seen: str) -> str:
    if overall is None:
        return "No pictures are held out to compare it on."
    shown = f" It had to show that, for {'; '.join(doubts)}." if doubts else ""
    return f"No worse: {_compared(overall, seen)}.{shown}"


def _sentence(one: Difference, seen: str) -> str:
    told = _compared(one, seen)
    return f"{told[0].upper()}{told[1:]}."


def _compared(one: Difference, seen: str) -> str:
    return (
        f"balanced accuracy on the {one.n} {seen} is {one.after:.1%}, the current "
        f"version's {one.before:.1%} ({_range(one)})"
    )


def _range(one: Difference) -> str:
    return (
        f"difference {100 * one.change:+.1f} points, {100 * one.low:+.1f} to "
        f"{100 * one.high:+.1f} with 95 % confidence"
    )
