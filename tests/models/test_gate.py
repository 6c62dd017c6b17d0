from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.evidence import Evidence, Fresh, Paired, Widened
from models.fallen import Fallen
from models.gate import Gate, decide

NOBODY = Paired(
    np.empty(0, np.str_), np.empty(0, np.uint64), np.empty(0, np.bool_), np.empty(0, np.bool_)
)
NOTHING_NEW = Fresh(
    np.empty(0, np.str_), np.empty(0, np.bool_), np.empty(0, np.intp), np.empty(0, np.bool_)
)


def right(n: int, *, wrong: int = 0, at: int = 0) -> np.ndarray:
    """(n,) all right but `wrong` in a row from `at` on."""
    rows = np.ones(n, np.bool_)
    rows[at : at + wrong] = False
    return rows


def paired(before: np.ndarray, after: np.ndarray, *, a_family: int = 1) -> Paired:
    """The first half `ai`, the rest `real`; so many pictures in a row are one family."""
    n = len(before)
    labels = np.repeat(["ai", "real"], [n // 2, n - n // 2])
    return Paired(labels, (np.arange(n) // a_family).astype(np.uint64), before, after)


def fresh(n: int, odd: int, *, odd_before: int | None = None, of: str | None = None) -> Fresh:
    """New labels, the first ones odd; half `ai` and half `real` in turn, or all of one."""
    labels = np.full(n, of) if of else np.asarray(["ai", "real"] * n)[:n]
    before = odd if odd_before is None else odd_before
    return Fresh(labels, np.arange(n) < odd, np.arange(n), np.arange(n) < before)


def evidence(shared: Paired, **more: object) -> Evidence:
    had = len(shared)
    plain = Evidence(shared, NOBODY, NOTHING_NEW, 0, 0, had, had, ())
    return replace(plain, **more)  # type: ignore[arg-type]


def alike(n: int = 1_000, wrong: int = 100, *, moved: int = 0) -> Paired:
    """Two versions equally good, with the same mistakes but for `moved` of each alone."""
    rows = np.arange(n) % (n // wrong)  # each nth row, so that both labels have their share
    before, after = rows != 0, rows != 0
    before[np.flatnonzero(rows == 1)[:: max(wrong // max(moved, 1), 1)][:moved]] = False
    after[np.flatnonzero(rows == 2)[:: max(wrong // max(moved, 1), 1)][:moved]] = False
    return paired(before, after)


def judged(before: np.ndarray, after: np.ndarray, *, a_family: int = 1) -> Gate:
    return decide(evidence(paired(before, after, a_family=a_family)))


# --- clearly worse, or not ---


def test_an_equal_candidate_is_promoted_and_both_figures_are_said() -> None:
    gate = decide(evidence(alike()))

    assert gate.promoted
    assert "balanced accuracy on the 1000 pictures that both know is 90.0%" in gate.reason
    assert "current version's 90.0%" in gate.reason
    assert gate.figures["compared"]["change"] == 0


def test_a_better_candidate_is_promoted() -> None:
    gate = judged(right(1_000, wrong=80), right(1_000, wrong=40))

    assert gate.promoted
    assert gate.figures["compared"]["gained"] == 40
    assert gate.figures["compared"]["low"] > 0


def test_as_many_gained_as_lost_is_no_loss() -> None:
    assert judged(right(1_000, wrong=30, at=0), right(1_000, wrong=30, at=30)).promoted


def test_a_loss_within_what_chance_does_is_promoted() -> None:
    before, after = right(1_000, wrong=30, at=0), right(1_000, wrong=34, at=30)

    assert judged(before, after).promoted


def test_a_clear_loss_is_kept_with_its_size_and_interval() -> None:
    gate = judged(right(1_000), right(1_000, wrong=20, at=490))

    assert not gate.promoted
    assert gate.reason.startswith("Clearly worse: balanced accuracy")
    assert "difference -2.0 points" in gate.reason
    assert gate.figures["against"][0] in gate.reason


def test_pictures_on_which_both_agree_do_not_hide_a_loss() -> None:
    # eight more mistakes of a thousand and no other difference: unpaired errors would swallow it
    assert not judged(right(1_000, wrong=100), right(1_000, wrong=108)).promoted


def test_among_very_many_pictures_a_loss_that_nobody_would_notice_is_none() -> None:
    wrong = np.arange(200_000) % 2_000 == 0

    assert judged(right(200_000), ~wrong).promoted  # one in 2,000, and as clear as can be


def test_near_duplicates_speak_once() -> None:
    before, after = right(1_000), right(1_000, wrong=8, at=496)

    assert not judged(before, after).promoted
    assert judged(before, after, a_family=8).promoted


def test_a_loss_of_one_label_is_not_made_up_for_by_another() -> None:
    before = right(1_000, wrong=40, at=960)
    after = right(1_000, wrong=30)

    gate = judged(before, after)

    assert gate.figures["compared"]["change"] > 0
    assert not gate.promoted
    assert gate.reason.startswith("Clearly worse on ai: 94.0% of 500")


def test_labels_weigh_alike_however_many_pictures_they_have() -> None:
    labels = np.repeat(["ai", "real"], [1_900, 100])
    after = right(2_000, wrong=20, at=1_900)
    shared = Paired(labels, np.arange(2_000).astype(np.uint64), right(2_000), after)

    gate = decide(evidence(shared))

    assert gate.figures["compared"]["after"] == pytest.approx(0.9)
    assert not gate.promoted


def test_a_clear_loss_on_sources_left_out_is_kept() -> None:
    unseen = paired(right(400), right(400, wrong=20, at=190))

    gate = decide(evidence(alike(), unseen=unseen))

    assert not gate.promoted
    assert gate.reason.startswith("Clearly worse on sources left out")


def test_with_nothing_to_compare_on_it_is_promoted_and_says_so() -> None:
    gate = decide(evidence(NOBODY))

    assert gate.promoted
    assert "No pictures are held out" in gate.reason


def test_the_same_evidence_is_always_judged_alike() -> None:
    before, after = right(500, wrong=25), right(500, wrong=25, at=200)

    assert judged(before, after) == judged(before, after)


# --- what is refused whatever the figures ---


def test_a_candidate_that_no_longer_tells_a_label_apart_is_kept() -> None:
    gate = decide(evidence(alike(), lost=("hands",)))

    assert not gate.promoted
    assert "does not know hands" in gate.reason


def test_a_corrected_picture_that_would_fall_back_is_named() -> None:
    fallen = Fallen(3, (), ("ab" * 32,), 1)

    gate = decide(evidence(alike()), fallen)

    assert not gate.promoted
    assert "1 of 3 corrected pictures would fall back" in gate.reason
    assert "abababababab" in gate.reason


def test_corrected_pictures_that_stay_right_are_no_matter() -> None:
    assert decide(evidence(alike()), Fallen(3, (), (), 1)).promoted


# --- doubt: it has to be shown that nothing is lost ---


def test_new_labels_as_good_as_old_ones_are_not_doubted() -> None:
    gate = decide(evidence(alike(200, 20), fresh=fresh(200, 24), has=400))

    assert gate.promoted
    assert gate.figures["doubts"] == []


def test_odd_new_labels_are_kept_where_few_pictures_cannot_show_that_they_do_no_harm() -> None:
    gate = decide(evidence(alike(200, 20, moved=4), fresh=fresh(200, 50), has=400))

    assert not gate.promoted
    assert "25% of 200 new labels are other than the rest leads to expect" in gate.reason
    assert "of the old ones 12%" in gate.reason


def test_odd_new_labels_are_let_in_where_many_pictures_show_that_they_do_no_harm() -> None:
    gate = decide(evidence(alike(2_000, 200), fresh=fresh(600, 78), has=2_600))

    assert gate.promoted
    assert "It had to show that" in gate.reason


def test_new_labels_that_are_surely_wrong_have_to_be_a_gain() -> None:
    gained = paired(right(4_000, wrong=400), right(4_000, wrong=360))

    moved = alike(4_000, 400, moved=40)

    assert not decide(evidence(moved, fresh=fresh(400, 120), has=4_400)).promoted
    assert decide(evidence(gained, fresh=fresh(400, 120), has=4_400)).promoted


def test_odd_labels_of_one_kind_among_good_ones_are_doubted() -> None:
    some = fresh(400, 0)
    odd = (some.labels == "real") & (np.arange(400) < 120)
    one_way = replace(some, odd=odd, odd_before=odd)

    gate = decide(evidence(alike(400, 40, moved=10), fresh=one_way, has=800))

    assert not gate.promoted
    assert "look at real first" in gate.reason


def test_a_new_source_that_the_candidate_has_understood_is_not_doubted() -> None:
    # the current version was wrong about half of it, the candidate learned it
    gate = decide(evidence(alike(400, 40), fresh=fresh(200, 20, odd_before=100), has=600))

    assert gate.promoted


def test_a_handful_of_odd_labels_among_many_pictures_is_harmless() -> None:
    gate = decide(evidence(alike(2_000, 20), fresh=fresh(8, 6), has=2_008))

    assert gate.promoted


def test_labels_that_changed_with_nobodys_word_for_it_are_doubted() -> None:
    gate = decide(evidence(alike(400, 40, moved=10), relabelled=8))

    assert not gate.promoted
    assert "8 of 400 pictures have another label than before" in gate.reason


def test_many_changed_labels_have_to_be_a_gain() -> None:
    moved = alike(4_000, 400, moved=40)

    assert decide(evidence(moved, relabelled=40)).promoted
    assert not decide(evidence(moved, relabelled=100)).promoted


def test_far_fewer_pictures_than_before_are_doubted() -> None:
    gate = decide(evidence(alike(400, 40, moved=10), has=100, removed=300))

    assert not gate.promoted
    assert "made from 100 pictures, the current version from 400" in gate.reason


def test_doubt_without_anything_to_compare_on_keeps_the_current_version() -> None:
    gate = decide(evidence(NOBODY, had=400, has=50))

    assert not gate.promoted
    assert "nothing to compare it on" in gate.reason


# --- few pictures of which none is lost ---


def test_an_identical_candidate_dispels_any_doubt_on_few_pictures() -> None:
    gate = decide(evidence(alike(100, 10), fresh=fresh(100, 40), has=200))

    assert gate.figures["doubts"]
    assert gate.promoted


def test_few_pictures_of_which_none_is_lost_dispel_no_doubt_where_new_answers_moved() -> None:
    moved = fresh(100, 40, odd_before=20)

    assert not decide(evidence(alike(100, 10), fresh=moved, has=200)).promoted
    assert decide(evidence(alike(400, 40), fresh=moved, has=500)).promoted


@pytest.mark.parametrize("n", [100, 400])
def test_new_labels_that_are_mostly_contradicted_stay_doubted(n: int) -> None:
    assert not decide(evidence(alike(n, n // 10), fresh=fresh(100, 60), has=n + 100)).promoted


def test_new_labels_that_nobody_could_be_asked_about_stay_doubted() -> None:
    some = fresh(100, 40)
    unasked = replace(some, asked=some.asked[:0], odd_before=some.odd_before[:0])

    assert not decide(evidence(alike(100, 10), fresh=unasked, has=200)).promoted


def test_a_few_pictures_left_of_many_prove_nothing_although_none_is_lost() -> None:
    assert not decide(evidence(alike(50, 1), had=414, has=50)).promoted


def test_a_doubt_says_what_would_dispel_it() -> None:
    gate = decide(evidence(alike(400, 40, moved=10), has=100, removed=300))

    assert "What would dispel it: correct or erase what is wrong among these" in gate.reason
    assert "pictures more that both know" in gate.reason


# --- labels that the current version does not know ---


def added(right_ones: int, n: int, *, taken: int = 0) -> Widened:
    """A new label with `n` pictures, said wrongly of some of 400 others."""
    old = paired(right(400), right(400, wrong=taken, at=200 - taken // 2))
    labels = np.concatenate([old.labels, np.full(n, "drawn")])
    own = np.arange(n) < right_ones
    return Widened(
        "drawn",
        Paired(
            labels,
            np.arange(400 + n).astype(np.uint64),
            np.concatenate([old.before, np.zeros(n, np.bool_)]),
            np.concatenate([old.after, own]),
        ),
    )


def test_a_new_label_that_brings_more_than_it_takes_is_let_in_and_told_of() -> None:
    gate = decide(evidence(alike(400, 40), widened=(added(27, 30, taken=12),), has=430))

    assert gate.promoted
    assert "New: drawn, 90.0% of its 30 pictures are right, 3.0% of the others'" in gate.reason
    assert gate.figures["labels_added"]["drawn"]["taken"] == pytest.approx(0.03)


def test_a_new_label_that_takes_as_much_as_it_brings_is_kept_out() -> None:
    gate = decide(evidence(alike(400, 40), widened=(added(15, 30, taken=90),), has=430))

    assert not gate.promoted
    assert "The new label drawn is not shown to bring more than it takes" in gate.reason


def test_a_good_new_label_does_not_pay_for_a_loss_on_old_ones() -> None:
    worse = paired(right(400), right(400, wrong=20, at=190))

    assert not decide(evidence(worse, widened=(added(30, 30),), has=430)).promoted


# --- old labels that may be the wrong ones ---


def test_a_candidate_that_contradicts_most_old_labels_says_what_to_do_if_those_were_wrong() -> None:
    gate = judged(right(80), right(80, wrong=60, at=10))

    assert not gate.promoted
    assert "disagrees with most labels of the current version's 80 pictures" in gate.reason
    assert "correct or erase them, or promote this one by hand" in gate.reason


def test_changed_labels_that_are_doubted_say_how_to_vouch_for_them() -> None:
    gate = decide(evidence(alike(400, 40, moved=10), relabelled=40))

    assert "say so by corrections, or promote this one by hand" in gate.reason
    assert "by corrections" not in judged(right(400), right(400, wrong=20, at=190)).reason
