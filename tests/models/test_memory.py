from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from domain import TaskKind
from models.crops import DIM
from models.memory import BLOCK, Memory, NearRule, fit_rule
from models.near import BITS, FEW, MOST_LIKE

Rows = NDArray[np.float32]
RULE = NearRule.of(TaskKind.PHOTO)


def likenesses(n: int, seed: int = 0) -> Rows:
    rows = np.random.default_rng(seed).standard_normal((n, DIM))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def nearly(row: Rows, share: float = 0.1, seed: int = 9) -> Rows:
    """A likeness that correlates with another by about `1 - share ** 2 / 2`."""
    other = row + share * likenesses(1, seed)[0]
    return np.asarray(other / np.linalg.norm(other), np.float32)


def names(n: int) -> list[str]:
    return [f"{i:064x}" for i in range(n)]


def of(n: int, seed: int = 0) -> tuple[Memory, Rows]:
    rows = likenesses(n, seed)
    return Memory().added(names(n), [0] * n, list(rows)), rows


def test_a_copy_is_found_and_a_stranger_is_not() -> None:
    memory, rows = of(700)
    (match,) = memory.near(0, nearly(rows[300]), rule=RULE)
    assert match.sha256 == names(700)[300]
    assert match.by == "likeness"
    assert match.similarity == pytest.approx(1 - 0.1**2 / 2, abs=0.002)
    assert memory.near(0, likenesses(1, 77)[0], rule=RULE) == []


def test_the_same_picture_is_like_itself_to_the_full() -> None:
    memory, rows = of(3)
    assert memory.near(0, rows[1], rule=RULE)[0].similarity == pytest.approx(1, abs=1e-6)


def test_the_best_come_first_and_no_more_than_asked_for() -> None:
    base = likenesses(1)[0]
    rows = [nearly(base, share, int(100 * share)) for share in (0.3, 0.1, 0.4, 0.2)]
    memory = Memory().added(names(4), [0] * 4, rows)
    found = memory.near(0, base, rule=RULE, most=3)
    assert [match.sha256 for match in found] == [names(4)[i] for i in (1, 3, 0)]


def test_a_snapshot_never_changes() -> None:
    memory, rows = of(BLOCK + 5)
    before = memory.near(0, rows[BLOCK], rule=RULE)
    more = memory.added(["f" * 64], [0], [nearly(rows[BLOCK])])
    fewer = memory.removed([names(BLOCK + 5)[BLOCK]])
    assert memory.near(0, rows[BLOCK], rule=RULE) == before
    assert (len(memory), len(more), len(fewer)) == (BLOCK + 5, BLOCK + 6, BLOCK + 4)
    assert len(more.near(0, rows[BLOCK], rule=RULE)) == 2
    assert fewer.near(0, rows[BLOCK], rule=RULE) == []


def test_full_blocks_are_shared() -> None:
    memory, _ = of(3 * BLOCK)
    more = memory.added(["f" * 64], [0], [likenesses(1, 5)[0]])
    assert all(old is new for old, new in zip(memory._blocks, more._blocks, strict=False))


def test_order_and_detours_never_change_a_bit() -> None:
    rows, ids = likenesses(600), names(600)
    for i in range(0, 600, 3):
        rows[i] = nearly(rows[0], 0.3, seed=i)  # many near each other
    straight = Memory().added(ids, [0] * 600, list(rows))
    detour, order = Memory(), np.random.default_rng(1).permutation(600)
    for at in range(0, 600, 47):
        batch = order[at : at + 47]
        detour = detour.added([ids[i] for i in batch], [0] * len(batch), [rows[i] for i in batch])
        detour = detour.added([f"{at:063x}x"], [0], [nearly(rows[0], 0.2, seed=at)])
        detour = detour.removed([ids[batch[0]]]).removed([f"{at:063x}x"])
        detour = detour.added([ids[batch[0]]], [0], [rows[batch[0]]])
    for asked in (rows[0], rows[7], nearly(rows[30])):
        found = straight.near(0, asked, rule=RULE, most=300)
        assert found == detour.near(0, asked, rule=RULE, most=300)
    assert sorted(detour) == ids


def test_removed_pictures_leave_no_scattered_blocks() -> None:
    memory, _ = of(8 * BLOCK)
    few = memory.removed(names(8 * BLOCK)[::2]).removed(names(8 * BLOCK)[1::4])
    assert len(few) == 2 * BLOCK
    assert len(few._blocks) <= 4
    assert few.removed(names(8 * BLOCK)) == Memory()


def test_adding_again_replaces() -> None:
    memory, rows = of(10)
    other = likenesses(1, 5)[0]
    again = memory.added([names(10)[4]], [0], [other])
    assert len(again) == 10
    assert names(10)[4] in again
    assert again.near(0, rows[4], rule=RULE) == []
    assert again.near(0, other, rule=RULE)[0].sha256 == names(10)[4]


def test_forgetting_what_was_never_known_is_no_matter() -> None:
    memory, _ = of(3)
    assert list(memory.removed(["f" * 64])) == names(3)


def test_an_empty_memory_knows_nothing() -> None:
    assert Memory().near(5, likenesses(1)[0], rule=RULE) == []
    assert len(Memory().added([], [], [])) == 0


def test_without_a_likeness_the_hash_decides() -> None:
    phash = 0x0F0F_F0F0_3C3C_C3C3
    memory = Memory().added(names(2), [phash, ~phash & (2**64 - 1)], [None, None])
    near, far = phash ^ 0b111, phash ^ ((1 << (BITS[TaskKind.PHOTO] + 1)) - 1)
    (match,) = memory.near(near, likenesses(1)[0], rule=RULE)
    assert (match.sha256, match.by) == (names(2)[0], "phash")
    assert 0.98 < match.similarity < 1
    assert memory.near(far, None, rule=RULE) == []


def test_where_both_have_a_likeness_the_hash_has_no_say() -> None:
    memory = Memory().added(names(1), [5], [likenesses(1)[0]])
    assert memory.near(5, likenesses(1, 3)[0], rule=RULE) == []
    assert len(memory.near(5, None, rule=RULE)) == 1


def test_flat_pictures_are_like_nothing() -> None:
    flat = np.zeros(DIM, np.float32)
    memory = Memory().added(names(2), [0, 0], [flat, None])
    assert memory.near(0, flat, rule=RULE) == memory.near(0, None, rule=RULE) == []
    assert memory.near(7, likenesses(1)[0], rule=RULE) == []


def test_a_thousand_pictures_are_small() -> None:
    memory, _ = of(1_000)
    assert memory.nbytes < 5_000_000


def test_few_pictures_leave_the_rule_as_it_is() -> None:
    rows = [nearly(likenesses(1)[0], 0.3, seed) for seed in range(FEW - 1)]
    assert fit_rule(TaskKind.PHOTO, rows, range(FEW - 1)) == RULE


def test_unlike_pictures_leave_the_rule_as_it_is() -> None:
    rows = [*likenesses(60), None]
    assert fit_rule(TaskKind.DRAWING, rows, [0] * 61) == NearRule.of(TaskKind.DRAWING)


@pytest.mark.parametrize(("share", "expected"), [(0.4, 0.9), (0.2, MOST_LIKE)])
def test_pictures_that_are_all_alike_ask_for_more(share: float, expected: float) -> None:
    base = likenesses(1)[0]
    rows: list[Rows | None] = [nearly(base, share, seed + 1) for seed in range(80)]
    phashes = [int(h) for h in np.random.default_rng(0).integers(1, 2**63, 80)]
    rule = fit_rule(TaskKind.PHOTO, rows, phashes)
    assert RULE.likeness < rule.likeness <= MOST_LIKE
    assert rule.likeness == pytest.approx(expected, abs=0.02)
    memory = Memory().added(names(79), phashes[1:], rows[1:])
    if expected < MOST_LIKE:
        assert memory.near(phashes[0], rows[0], rule=rule) == []


def test_copies_among_the_pictures_say_nothing() -> None:
    rows = list(itertools.chain.from_iterable((row, nearly(row)) for row in likenesses(40)))
    phashes = [int(h) for h in np.random.default_rng(0).integers(1, 2**63, 40).repeat(2)]
    assert fit_rule(TaskKind.PHOTO, rows, phashes) == RULE
