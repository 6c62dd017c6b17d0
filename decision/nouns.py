"""What a decision is made of: the picture as it is seen, what settings say, what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config import Settings
from domain import Evidence, People, Statistics, VerdictSource
from models.labelled import Familiarity
from models.memory import Match


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
    `of_label`: those of the reasons that are about the prediction, and fall with it.
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
    of_label: tuple[str, ...] = ()


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
