from __future__ import annotations

import time
from datetime import UTC, datetime

import numpy as np
import pytest

from domain import Sample, Split, TaskKind
from models.families import NEAR_BITS, Families, split_of

BASE = 0x0F0F_F0F0_3C3C_C3C3


def flip(phash: int, *bits: int) -> int:
    for bit in bits:
        phash ^= 1 << bit
    return phash


def sample(sha256: str, family: str, phash: int) -> Sample:
    return Sample(
        id=1,
        task="t",
        sha256=sha256,
        label="a",
        source="s",
        family=family,
        split=Split.TRAIN,
        license="",
        author="",
        page_url="",
        demo=False,
        phash=phash,
        added_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("kind", TaskKind)
def test_the_threshold_is_that_of_the_kind(kind: TaskKind) -> None:
    families = Families(kind)
    families.found("f", BASE)
    near = NEAR_BITS[kind]
    assert families.find(flip(BASE, *range(near))) == "f"
    assert families.find(flip(BASE, *range(near + 1))) is None


def test_drawings_must_be_nearer_than_photographs() -> None:
    assert NEAR_BITS[TaskKind.DRAWING] < NEAR_BITS[TaskKind.PHOTO]


def test_the_nearest_founder_wins() -> None:
    families = Families(TaskKind.PHOTO)
    families.found("far", flip(BASE, 0, 1, 2, 3, 4, 5))
    families.found("near", flip(BASE, 10, 11))
    assert families.find(BASE) == "near"


def test_members_do_not_bring_others_in() -> None:
    # a chain: each link is near the one before, its end is far from the founder
    member = flip(BASE, *range(8))
    end = flip(BASE, *range(16))
    families = Families.of(TaskKind.PHOTO, [sample("a", "a", BASE), sample("b", "a", member)])
    assert len(families) == 1
    assert families.find(member) == "a"
    assert families.find(end) is None


def test_a_family_without_its_founder_is_stood_for_by_a_member() -> None:
    families = Families.of(
        TaskKind.PHOTO, [sample("b", "a", BASE), sample("c", "a", ~BASE % 2**64)]
    )
    assert families.find(BASE) == "a"


def test_the_founder_stands_for_its_family_wherever_it_comes() -> None:
    member = flip(BASE, *range(8))
    families = Families.of(TaskKind.PHOTO, [sample("b", "a", member), sample("a", "a", BASE)])
    assert families.find(flip(BASE, *range(56, 64))) == "a"


def test_flat_pictures_join_nobody() -> None:
    families = Families(TaskKind.PHOTO)
    families.found("flat", 0)
    families.found("few bits", 0b11)
    assert families.find(0) is None
    assert families.find(0b10) == "few bits"
    assert families.find(0b1) == "few bits"


def test_the_highest_bit_counts_like_any_other() -> None:
    families = Families(TaskKind.DRAWING)
    families.found("f", 2**64 - 1)
    assert families.find(2**63 - 1) == "f"


def test_a_search_among_100_000_is_fast() -> None:
    rng = np.random.default_rng(0)
    hashes = [int(n) for n in rng.integers(1, 2**64, 100_000, dtype=np.uint64)]
    families = Families(TaskKind.PHOTO)
    for number, phash in enumerate(hashes):
        families.found(str(number), phash)
    started = time.perf_counter()
    found = [families.find(flip(phash, 3)) for phash in hashes[-100:]]
    assert time.perf_counter() - started < 0.5
    assert found == [str(number) for number in range(99_900, 100_000)]


def test_about_a_fifth_is_held_out_and_never_moves() -> None:
    names = [f"{number:064x}" for number in range(5000)]
    held_out = [split_of(name) is Split.TEST for name in names]
    assert 0.18 < np.mean(held_out) < 0.22
    assert [n for n in range(40) if held_out[n]] == [4, 9, 15, 18, 21, 32, 34, 38]
