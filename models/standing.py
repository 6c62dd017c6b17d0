"""What people say now: the log of corrections folded, a pure function of its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from domain import Correction

Canonical = Mapping[str, str]
"""Variant to the label it stands for."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a picture is, by the people who spoke: `label` is None when they are at odds.

    `shares` are those of the votes, by canonical label. `vote` is the row that `label` rests on.
    """

    label: str | None
    shares: Mapping[str, float]
    disputed: bool
    vote: Correction
    votes: tuple[Correction, ...]


def opinion_of(votes: tuple[Correction, ...], canonical: Canonical) -> Opinion:
    """Weigh the live votes on one picture, one a person, in the order they were given.

    Somebody trusted leads, whatever the others say; else most votes do. Votes that differ are
    a dispute in either case.
    """
    labels = [canonical.get(vote.label, vote.label) for vote in votes]
    counts = Counter(labels)
    shares = {label: n / len(votes) for label, n in counts.items()}
    trusted = [vote for vote in votes if vote.trusted]
    if trusted:
        lead = trusted[-1]
        return Opinion(canonical.get(lead.label, lead.label), shares, len(counts) > 1, lead, votes)
    (label, most), *others = counts.most_common(2)
    vote = next(
        v for v, named in zip(reversed(votes), reversed(labels), strict=True) if named == label
    )
    at_odds = bool(others) and others[0][1] == most
    return Opinion(None if at_odds else label, shares, bool(others), vote, votes)


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """The live corrections of a task. Never changed: `after` gives the next one.

    Attributes
    ----------
    seq
        The last row of the log that is in it.
    live
        By id, the rows that were not taken back.
    """

    seq: int = 0
    live: Mapping[str, Correction] = field(default_factory=lambda: MappingProxyType({}))
    _pictures: Mapping[str, tuple[Correction, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def after(self, rows: Iterable[Correction]) -> Standing:
        """With more rows of the log, in their order."""
        live, pictures, seq = dict(self.live), dict(self._pictures), self.seq
        for row in rows:
            seq = row.seq
            if row.erased:
                continue
            if row.undoes is None:
                live[row.id] = row
                pictures[row.sha256] = (*pictures.get(row.sha256, ()), row)
                continue
            undone = live.pop(row.undoes, None)
            if undone is not None:
                left = tuple(one for one in pictures[undone.sha256] if one.id != undone.id)
                if left:
                    pictures[undone.sha256] = left
                else:
                    del pictures[undone.sha256]
        return Standing(seq, live, pictures)

    def __len__(self) -> int:
        return len(self._pictures)

    def votes(self, sha256: str) -> tuple[Correction, ...]:
        """Each person's latest live label for a picture, in the order they were given."""
        latest = {row.person: row for row in self._pictures.get(sha256, ())}
        return tuple(sorted(latest.values(), key=lambda row: row.seq))

    def disputed(self, canonical: Canonical) -> list[Opinion]:
        """The pictures that people differ about, the latest vote first."""
        several = (self.votes(s) for s, rows in self._pictures.items() if len(rows) > 1)
        found = [opinion_of(votes, canonical) for votes in several]
        disputes = [opinion for opinion in found if opinion.disputed]
        return sorted(disputes, key=lambda one: -one.votes[-1].seq)


def overruled(vote: Correction, golden: Mapping[str, str], canonical: Canonical) -> bool:
    """Whether somebody not trusted contradicts a golden picture: that waits for one who is.

    Parameters
    ----------
    vote
        What was said.
    golden
        Labels of the golden pictures by sha256.
    canonical
        Variants of labels.
    """
    known = golden.get(vote.sha256)
    if vote.trusted or known is None:
        return False
    return canonical.get(vote.label, vote.label) != canonical.get(known, known)


def heard(
    standing: Standing, sha256: str, golden: Mapping[str, str], canonical: Canonical
) -> Opinion | None:
    """What people say of a picture, leaving out who is overruled; None when nothing is said."""
    votes = standing.votes(sha256)
    counted = tuple(vote for vote in votes if not overruled(vote, golden, canonical))
    return opinion_of(counted, canonical) if counted else None
