"""What a version promises of a label, and what is answered by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from config import PromiseFor, load_settings
from domain import Task, TaskKind
from models.answered import Answered
from models.promise import (
    BEFORE_CORRECTIONS,
    judged,
    judged_as_taught,
    limits_of,
    make_promise,
    percent,
    rates_of,
)
from models.summary import promise, promise_of

NOW = datetime(2026, 11, 21, tzinfo=UTC)
AUTHENTICITY = Task(1, "authenticity", TaskKind.AUTHENTICITY, ("ai", "real"), False, NOW)
SMILE = Task(2, "smile", TaskKind.PHOTO, ("no", "yes"), False, NOW)
CLASSES = ("ai", "real")
ONE_PERCENT = {"ai": 0.01, "real": 0.01}


def said(
    per_label: int = 400, *, seed: int = 0, spread: float = 1.0, families: int | None = None
) -> Answered:
    """Log-odds of ai are normal around 2 for ai and around -2 for real pictures."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(CLASSES, per_label)
    logits = rng.normal(np.where(labels == "ai", 2.0, -2.0), spread)
    chances = 1 / (1 + np.exp(-logits))
    names = [f"{label}-{i % (families or per_label)}" for i, label in enumerate(labels)]
    sources = np.asarray(["web", "stock"])[np.arange(len(labels)) % 2]
    return Answered(labels, np.asarray(names), sources, np.column_stack([chances, 1 - chances]))


def promised(known: Answered, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = make_promise(CLASSES, known, ONE_PERCENT, **more)["labels"]
    return made


def test_both_labels_are_said_only_where_few_enough_others_are() -> None:
    known = said()

    labels = promised(known)

    for label, column, other in (("ai", 0, "real"), ("real", 1, "ai")):
        limit = labels[label]
        reached = known.chances[:, column] >= limit["from"]
        assert limit["promised"]
        assert limit["upper_95"] <= 0.01
        assert reached[known.labels == other].sum() == limit["wrongly"] == 0
        assert reached[known.labels == label].mean() == pytest.approx(limit["recall"])
        assert (limit["n_others"], limit["needed"], limit["more"]) == (400, 299, 0)


def test_what_holds_for_ai_keeps_its_own_names() -> None:
    thresholds = make_promise(CLASSES, said(), ONE_PERCENT)

    limit = thresholds["labels"]["ai"]
    assert thresholds["accuse"] == limit["from"]
    assert (thresholds["budget"], thresholds["n_real"], thresholds["n_ai"]) == (0.01, 400, 400)
    assert thresholds["upper_95"] == limit["upper_95"]


def test_a_family_of_near_duplicates_counts_once() -> None:
    labels = promised(said(families=40))

    assert labels["ai"]["n_others"] == 40
    assert not labels["ai"]["promised"]
    assert labels["ai"]["more"] == 259


def test_of_a_family_the_worst_picture_counts() -> None:
    known = said(2)
    known.chances[known.labels == "real", 0] = [0.2, 0.7]
    one = Answered(known.labels, np.repeat(["a", "r"], 2), known.sources, known.chances)

    assert one.others("ai", 0).tolist() == [0.7]


def test_too_few_pictures_promise_less_and_ask_for_more() -> None:
    few, many = promised(said(100))["ai"], promised(said(400))["ai"]

    assert not few["promised"]
    assert few["can_promise"] == pytest.approx(0.0295, abs=1e-4)
    assert few["from"] > many["from"] - 0.05
    assert few["recall"] <= many["recall"] + 0.05


def test_sources_left_out_make_a_score_stricter_unless_only_known_ones_are_asked_for() -> None:
    known, elsewhere = said(), said(seed=1, spread=3.0)

    strict = promised(known, left_out=elsewhere)["ai"]
    lax = promised(known, left_out=elsewhere, promise_for=PromiseFor.KNOWN)["ai"]

    assert strict["from"] is None or strict["from"] > lax["from"]
    assert strict["from_known"] == lax["from_known"] == lax["from"]
    assert lax["unseen_sources"]["share"] > 0.01
    assert lax["unseen_sources"]["sources"] == 2
    assert strict["unseen_sources"]["share"] <= 0.01


def test_a_share_on_sources_left_out_is_null_where_it_was_not_measured() -> None:
    assert promised(said())["ai"]["unseen_sources"] is None


def test_rates_of_authenticity_are_the_services_and_the_tasks_own_come_first() -> None:
    settings = load_settings(max_false_accusation=0.02, max_false_clearance=0.1)
    own = Task(1, "a", TaskKind.AUTHENTICITY, CLASSES, False, NOW, settings={
        "max_false": {"real": 0.05}
    })  # fmt: skip

    assert rates_of(AUTHENTICITY, settings, CLASSES) == {"ai": 0.02, "real": 0.1}
    assert rates_of(AUTHENTICITY, load_settings(max_false_accusation=0.02), CLASSES) == {
        "ai": 0.02, "real": 0.02,
    }  # fmt: skip
    assert rates_of(own, settings, CLASSES) == {"ai": 0.02, "real": 0.05}
    assert rates_of(SMILE, settings, ("no", "yes")) == {}
    assert rates_of(AUTHENTICITY, settings, CLASSES, demo=True) == {"ai": 0.02}


# --- what is answered ---


def card(**labels: Mapping[str, Any]) -> dict[str, Any]:
    plain = {"from": 0.9, "budget": 0.01, "promised": True, "n_others": 400, "needed": 299,
             "more": 0, "unseen_sources": None}  # fmt: skip
    return {"thresholds": {"labels": {label: {**plain, **own} for label, own in labels.items()}}}


BOTH = card(ai={}, real={"from": 0.8})


@pytest.mark.parametrize(
    ("p_ai", "expected"),
    [(0.95, "ai"), (0.9, "ai"), (0.89, "unsure"), (0.3, "unsure"), (0.21, "unsure"), (0.2, "real")],
)
def test_between_both_scores_it_is_unsure(p_ai: float, expected: str) -> None:
    prediction, _ = judged(AUTHENTICITY, BOTH, {"ai": p_ai, "real": 1 - p_ai})

    assert prediction == expected


def test_held_back_it_says_from_which_score_on_for_whose_sake_and_by_what() -> None:
    _, (reason,) = judged(AUTHENTICITY, BOTH, {"ai": 0.7, "real": 0.3})

    for part in ("90%", "1% of real pictures", "95 % confidence", "400"):
        assert part in reason


def test_too_few_pictures_are_said_with_how_many_more_it_takes() -> None:
    few = card(ai={"promised": False, "n_others": 100, "more": 199})

    _, (held_back,) = judged(AUTHENTICITY, few, {"ai": 0.7, "real": 0.3})
    prediction, (rests,) = judged(AUTHENTICITY, few, {"ai": 0.95, "real": 0.05})

    assert "100 real pictures are too few" in held_back and "299" in held_back
    assert prediction == "ai"
    assert "not promised" in rests and "199 more" in rests


def test_where_no_score_will_do_a_label_is_never_said() -> None:
    prediction, (reason,) = judged(AUTHENTICITY, card(ai={"from": None}), {"ai": 1.0, "real": 0.0})

    assert prediction == "unsure"
    assert "No score" in reason


def test_false_accusations_on_sources_left_out_are_said_with_the_accusation() -> None:
    elsewhere = {"wrongly": 12, "n_others": 160}

    _, reasons = judged(
        AUTHENTICITY, card(ai={"unseen_sources": elsewhere}), {"ai": 0.95, "real": 0.05}
    )

    assert any("12 of 160 real pictures" in reason for reason in reasons)


def test_labels_without_a_limit_are_answered_by_the_likeliest() -> None:
    assert judged(SMILE, {}, {"no": 0.49, "yes": 0.51}) == ("yes", [])


def test_of_two_labels_that_are_nearly_even_what_was_taught_says_neither() -> None:
    even, reasons = judged_as_taught(SMILE, {"no": 0.46, "yes": 0.54})

    assert even == "unsure"
    assert any("nearly even" in reason for reason in reasons)
    assert judged_as_taught(SMILE, {"no": 0.45, "yes": 0.55}) == ("yes", [])
    assert judged_as_taught(SMILE, {"a": 0.35, "b": 0.33, "c": 0.32})[0] == "a"


def test_what_was_taught_alone_promises_nothing_and_says_so() -> None:
    prediction, (reason,) = judged_as_taught(AUTHENTICITY, {"ai": 0.9, "real": 0.1})

    assert prediction == "ai"
    assert "promised only by a version" in reason


def test_cards_from_before_labels_had_limits_hold_for_ai_alone() -> None:
    old = {"thresholds": {"accuse": 0.9, "budget": 0.01, "n_real": 400}}

    assert judged(AUTHENTICITY, old, {"ai": 0.7, "real": 0.3})[0] == "unsure"
    assert judged(AUTHENTICITY, old, {"ai": 0.4, "real": 0.6})[0] == "real"


def test_a_task_may_stay_unsure_below_a_score_of_its_own() -> None:
    task = Task(2, "smile", TaskKind.PHOTO, ("no", "yes"), False, NOW, settings={
        "unsure_below": 0.7
    })  # fmt: skip

    assert judged(task, {}, {"no": 0.31, "yes": 0.69})[0] == "unsure"
    assert judged(task, {}, {"no": 0.3, "yes": 0.7})[0] == "yes"


def linked(**own: Any) -> Task:
    return Task(1, "a", TaskKind.PHOTO, ("a", "c"), False, NOW, variants={"b": "a"}, **own)


def test_labels_that_became_one_after_training_are_promised_nothing_together() -> None:
    both = {**card(a={"from": 0.3}), "labels": ["a", "b", "c"]}

    prediction, (reason,) = judged(linked(), both, {"a": 0.99, "c": 0.01})

    assert prediction == "unsure"
    assert "a and b count as a" in reason and "next training" in reason
    assert judged(linked(), both, {"a": 0.4, "c": 0.6})[0] == "c"


def test_a_label_under_another_name_keeps_its_limit() -> None:
    renamed = {**card(b={"from": 0.9}), "labels": ["b", "c"]}

    assert judged(linked(), renamed, {"a": 0.91, "c": 0.09}) == ("a", [])
    assert judged(linked(), renamed, {"a": 0.89, "c": 0.11})[0] == "unsure"
    assert limits_of(linked(), renamed)["a"]["from"] == 0.9
    taught = judged(linked(), renamed, {"a": 0.91, "c": 0.09}, classes=("a", "b", "c"))
    assert taught[0] == "unsure", "corrections taught the other name as well"


def test_shares_follow_a_label_to_its_other_name() -> None:
    task = Task(1, "authenticity", TaskKind.AUTHENTICITY, ("fake", "real"), False, NOW,
                variants={"ai": "fake"})  # fmt: skip
    shares = load_settings(max_false_accusation=0.02, max_false_clearance=0.1)
    own = replace(task, settings={"max_false": {"ai": 0.05}})

    assert rates_of(task, shares, ("fake", "real")) == {"fake": 0.02, "real": 0.1}
    assert rates_of(own, shares, ("fake", "real")) == {"fake": 0.05, "real": 0.1}


def test_what_was_promised_before_corrections_is_said_to_be_that() -> None:
    chances = {"ai": 0.95, "real": 0.05}

    assert judged(AUTHENTICITY, BOTH, chances, {}, corrected=True) == ("ai", [BEFORE_CORRECTIONS])
    assert judged(AUTHENTICITY, BOTH, chances, {}) == ("ai", [])
    _, reasons = judged(AUTHENTICITY, BOTH, {"ai": 0.7, "real": 0.3}, {}, corrected=True)
    assert BEFORE_CORRECTIONS in reasons


def test_sources_left_out_are_named_where_they_make_the_score() -> None:
    elsewhere = {"sources": 3, "n_others": 60, "wrongly": 0, "recall": 0.5}
    raised = {"from": 0.957, "from_known": 0.62, "n_others": 500, "unseen_sources": elsewhere}

    _, (reason,) = judged(AUTHENTICITY, card(ai=raised), {"ai": 0.9, "real": 0.1})
    _, (plain,) = judged(
        AUTHENTICITY, card(ai={**raised, "from_known": 0.957}), {"ai": 0.9, "real": 0.1}
    )
    told = promise_of(CLASSES, "ai", {**card(ai=raised)["thresholds"]["labels"]["ai"],
                                      "recall": 0.5})  # fmt: skip

    for text in (reason, told):
        assert "From 62%" in text or "from 62%" in text
        assert "60 without the label from 3 sources" in text
    assert "left out" not in plain


def test_of_many_labels_what_a_score_finds_is_only_what_is_likeliest_too() -> None:
    labels = np.asarray(["a", "a", "b", "c"])
    chances = np.asarray([[0.5, 0.3, 0.2], [0.3, 0.6, 0.1], [0.1, 0.8, 0.1], [0.05, 0.05, 0.9]])
    known = Answered(labels, np.asarray(list("wxyz")), np.repeat("web", 4), chances)

    limit = make_promise(("a", "b", "c"), known, {"a": 0.4})["labels"]["a"]

    reached = known.own("a", 0) >= limit["from"]
    assert limit["recall"] == (reached & [True, False]).mean()


def test_corrections_make_it_stricter_and_say_so() -> None:
    chances = {"ai": 0.93, "real": 0.07}

    prediction, reasons = judged(AUTHENTICITY, BOTH, chances, {"ai": 0.97})

    assert prediction == "unsure"
    assert any("Corrections" in reason and "97%" in reason for reason in reasons)
    assert judged(AUTHENTICITY, BOTH, chances, {})[0] == "ai"


# --- in words ---


def test_a_card_says_what_it_promises_what_that_buys_and_what_it_does_elsewhere() -> None:
    thresholds = make_promise(CLASSES, said(), ONE_PERCENT, left_out=said(100, seed=1))
    text = promise({"labels": list(CLASSES), "thresholds": thresholds})

    assert text is not None
    for part in ("ai is said from", "real is said from", "1% of real pictures", "sources left out"):
        assert part in text
    assert promise({"labels": list(CLASSES)}) is None


def test_scores_that_fell_back_to_known_sources_say_so_and_why() -> None:
    why = "8 sources would take about 2 s, 0.5 s of the budget are left"
    asked = make_promise(CLASSES, said(), ONE_PERCENT, unmeasured=why)
    known = make_promise(CLASSES, said(), ONE_PERCENT, promise_for=PromiseFor.KNOWN, unmeasured=why)

    text, of_known = (
        str(promise({"labels": list(CLASSES), "thresholds": made})) for made in (asked, known)
    )

    assert "known sources alone" in text and why in text
    assert "known sources alone" not in of_known


@pytest.mark.parametrize(
    ("score", "text"), [(0.9, "90%"), (0.901, "91%"), (0.99951, "99.96%"), (0.999951, "99.9951%")]
)
def test_a_score_is_never_shown_lower_than_it_is(score: float, text: str) -> None:
    assert percent(score) == text
