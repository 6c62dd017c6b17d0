"""Near recall of corrected pictures: copies of what somebody corrected are recognised."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.crops import DIM, Asked, lengths
from models.exact import quantised
from models.near import NearRule, fit_rule

__all__ = ["Match", "Memory", "NearRule", "fit_rule"]

BLOCK = 256
"""Pictures a block: so many are copied at most when one is added or removed."""


@dataclass(frozen=True, slots=True)
class Match:
    """A remembered picture that another one is a copy of.

    `similarity` is how well the two pictures' light and shade correlate: 1 is the same as far
    as one sees at thumbnail size, 0 has nothing in common. By `phash` it is estimated from how
    many bits differ.
    """

    sha256: str
    similarity: float
    by: Literal["likeness", "phash"]


@dataclass(frozen=True, eq=False)
class _Block:
    """Some remembered pictures, row by row; never changed."""

    ids: tuple[str, ...]
    phashes: NDArray[np.uint64]
    likenesses: NDArray[np.float32]
    lengths: NDArray[np.float32]

    @cached_property
    def members(self) -> frozenset[str]:
        return frozenset(self.ids)

    @property
    def nbytes(self) -> int:
        held = self.phashes.nbytes + self.likenesses.nbytes + self.lengths.nbytes
        return held + 200 * len(self.ids)  # a sha256, in the tuple and in the set

    def without(self, sha256s: Collection[str]) -> _Block:
        return self.take([row for row, sha256 in enumerate(self.ids) if sha256 not in sha256s])

    def take(self, rows: Sequence[int]) -> _Block:
        return _Block(
            tuple(self.ids[row] for row in rows),
            self.phashes[rows],
            self.likenesses[rows],
            self.lengths[rows],
        )

    def joined(self, other: _Block) -> _Block:
        return _Block(
            self.ids + other.ids,
            np.concatenate([self.phashes, other.phashes]),
            np.concatenate([self.likenesses, other.likenesses]),
            np.concatenate([self.lengths, other.lengths]),
        )


@dataclass(frozen=True)
class Memory:
    """Remembered pictures. Never changes: adding and removing give another one.

    Blocks are shared between one memory and the next, so a snapshot costs what is new in it.
    What `near` says depends on which pictures are remembered, and to no bit on the order in
    which they, and others since forgotten, came.
    """

    _blocks: tuple[_Block, ...] = field(default=(), repr=False)

    def __len__(self) -> int:
        return sum(len(block.ids) for block in self._blocks)

    def __contains__(self, sha256: str) -> bool:
        return any(sha256 in block.members for block in self._blocks)

    def __iter__(self) -> Iterator[str]:
        return (sha256 for block in self._blocks for sha256 in block.ids)

    @property
    def nbytes(self) -> int:
        """Bytes held, shared blocks included."""
        return sum(block.nbytes for block in self._blocks)

    def added(
        self,
        sha256s: Sequence[str],
        phashes: Sequence[int],
        likenesses: Sequence[NDArray[np.float32] | None],
    ) -> Memory:
        """Remember pictures; those remembered already are replaced.

        Parameters
        ----------
        sha256s
            n different ones.
        phashes
            n; 0 where unknown or flat.
        likenesses
            n of (DIM,) float32; None or zeros where unknown or flat: then the hash decides.
        """
        rows = np.zeros((len(sha256s), DIM), np.float32)
        for row, likeness in zip(rows, likenesses, strict=True):
            if likeness is not None:
                row[:] = quantised(likeness)
        new = _Block(tuple(sha256s), np.array(phashes, np.uint64), rows, lengths(rows))
        kept = self.removed(sha256s)._blocks
        if kept and len(kept[-1].ids) < BLOCK:
            kept, new = kept[:-1], kept[-1].joined(new)
        starts = range(0, len(new.ids), BLOCK)
        pieces = [new.take(range(at, min(at + BLOCK, len(new.ids)))) for at in starts]
        return Memory((*kept, *pieces))

    def removed(self, sha256s: Collection[str]) -> Memory:
        """Forget pictures; those that are not remembered are no matter."""
        gone = frozenset(sha256s)
        blocks: list[_Block] = []
        for block in self._blocks:
            left = block if gone.isdisjoint(block.members) else block.without(gone)
            if blocks and len(blocks[-1].ids) + len(left.ids) <= BLOCK:
                left = blocks.pop().joined(left)
            if left.ids:
                blocks.append(left)
        return Memory(tuple(blocks))

    def near(
        self,
        phash: int,
        likeness: NDArray[np.float32] | None,
        *,
        rule: NearRule,
        most: int = 5,
    ) -> list[Match]:
        """The remembered pictures that a picture is a copy of.

        Parameters
        ----------
        phash
            Of the picture; 0 when unknown or flat.
        likeness
            (DIM,) float32; zeros or None when unknown or flat.
        rule
            What counts as a copy.
        most
            No more than so many.

        Returns
        -------
        list[Match]
            Best first. Likeness decides where both pictures have one, else the hash.
        """
        asked = Asked(np.zeros(DIM, np.float32) if likeness is None else likeness)
        found = [match for block in self._blocks for match in _near(block, phash, asked, rule)]
        return sorted(found, key=lambda match: (-match.similarity, match.sha256))[:most]


def _near(block: _Block, phash: int, asked: Asked, rule: NearRule) -> Iterator[Match]:
    likeness = asked.similarities(block.likenesses, block.lengths)
    blind = (block.lengths[:, 0] == 0) | asked.blank
    bits = np.bitwise_count(block.phashes ^ np.uint64(phash))
    hashed = blind & (bits <= rule.bits) & (block.phashes > 0) & (phash > 0)
    similarity = np.where(blind, np.cos(np.pi / 64 * bits), likeness)
    passed = np.flatnonzero(hashed | (~blind & (likeness >= rule.likeness)))
    for row in passed:
        by: Literal["likeness", "phash"] = "phash" if blind[row] else "likeness"
        yield Match(block.ids[row], float(similarity[row]), by)
