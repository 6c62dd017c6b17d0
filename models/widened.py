"""Whether a label that the current version does not know is worth what it costs the others.

Nothing was lost on it, for nothing could be right. But each old picture that is called by it is
one, so that it has to bring more than it takes: in balanced accuracy over the labels that both
know and itself, by more than chance does. Pictures of old labels under a new name cannot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from models.evidence import Widened
from models.paired import Difference, differences


@dataclass(frozen=True, slots=True)
class Widening:
    """What one new label does.

    Attributes
    ----------
    n
        Its pictures.
    right
        Which share of them the candidate tells without having learned from them.
    taken
        Which share of the others' pictures was told rightly and is called by it now, labels
        weighed alike.
    balance
        By how much balanced accuracy moves.
    """

    n: int
    right: float
    taken: float
    balance: Difference

    @property
    def pays(self) -> bool:
        """Whether it surely brings more than it takes."""
        return self.balance.low > 0

    def as_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "balance": self.balance.as_json()}


def widenings(widened: Sequence[Widened]) -> Mapping[str, Widening]:
    """What each new label brings and takes; labels of which nothing is known are left out."""
    found = {}
    for one in widened:
        pictures = one.paired
        balance, by_label = differences(
            pictures.labels, pictures.families, pictures.before, pictures.after
        )
        if balance is not None:
            own = by_label.get(one.label)
            taken = [-each.change for label, each in by_label.items() if label != one.label]
            found[one.label] = Widening(
                n=own.n if own else 0,
                right=own.after if own else 0.0,
                taken=float(np.mean(taken)) if taken else 0.0,
                balance=balance,
            )
    return found


def unpaid(added: Mapping[str, Widening]) -> Iterator[str]:
    """What speaks against new labels."""
    for label, one in added.items():
        if not one.pays:
            yield (
                f"The new label {label} is not shown to bring more than it takes: {_told(one)}. "
                f"Look at its pictures: are they of {label}, and enough?"
            )


def paid(added: Mapping[str, Widening]) -> str:
    """What new labels bring, to be said after why a candidate was promoted; empty without any."""
    return "".join(f" New: {label}, {_told(one)}." for label, one in added.items())


def _told(one: Widening) -> str:
    return (
        f"{one.right:.1%} of its {one.n} pictures are right, {one.taken:.1%} of the others' are "
        f"called so wrongly (balanced accuracy {100 * one.balance.change:+.1f} points, "
        f"{100 * one.balance.low:+.1f} to {100 * one.balance.high:+.1f})"
    )
