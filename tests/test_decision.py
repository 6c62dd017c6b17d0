"""What people said, what the file says and what the head says: who decides, and what is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from config import Settings
from decision import Decision, Policy, Sight, decide_each
from domain import (
    UNSURE,
    Correction,
    Evidence,
    ModelVersion,
    Task,
    TaskKind,
    VerdictSource,
)
from models.knowledge import Knowledge
from models.labelled import Familiarity
from models.standing import opinion_of
from tests.web.service import FixedHead

NOW = datetime(2026, 11, 21, tzinfo=UTC)
TASK = Task(1, "authenticity", TaskKind.AUTHENTICITY, ("ai", "real"), False, NOW)
SHA = "0" * 64
CARD = {"thresholds": {"accuse": 0.9, "budget": 0.01, "n_real": 400}}


def signed(status: str = "valid", points_to: str | None = "ai", **detail: Any) -> Evidence:
    claim = f"Content credentials ({status}) say: {points_to}."
    return Evidence("c2pa", claim, status, points_to, {"forging": "hard: it takes a key", **detail})


def written(points_to: str | None, **detail: Any) -> Evidence:
    easy = {"forging": "easy: anybody can write it", **detail}
    return Evidence("iptc", f"The metadata says {points_to}.", "unsigned", points_to, easy)


def vote(label: str, person: str = "ada", *, trusted: bool = True) -> Correction:
    return Correction(f"c-{person}", "authenticity", 1, SHA, label, person, NOW, trusted=trusted)


def decided(
    *evidence: Evidence,
    p_ai: float = 0.1,
    votes: tuple[Correction, ...] = (),
    task: Task = TASK,
    policy: Policy = Policy(),  # noqa: B008 -- it is frozen
    card: Mapping[str, Any] = CARD,
) -> Decision:
    version = ModelVersion("v1", "authenticity", "e:1", "svm", "00", False, NOW, card)
    head = FixedHead(("ai", "real"), (p_ai, 1 - p_ai))
    opinions = {SHA: opinion_of(votes, {})} if votes else {}
    known = Knowledge(version=version, head=head, opinions=opinions)
    sight = Sight(SHA, 0, np.zeros(4, np.float32), None, evidence)
    return decide_each(task, known, [sight], policy=policy)[0]


def test_a_trusted_signer_who_says_ai_decides() -> None:
    decision = decided(signed(), p_ai=0.1)
    assert (decision.prediction, decision.source) == ("ai", VerdictSource.EVIDENCE)
    assert decision.probabilities == {"ai": 1.0, "real": 0.0}
    assert decision.reasons[0] == signed().claim
    assert any("statistics alone would say real" in reason for reason in decision.reasons)


def test_what_the_statistics_say_stands_apart_from_what_decided() -> None:
    decision = decided(signed(), p_ai=0.1)
    alone = decision.statistics
    assert (alone.prediction, alone.source) == ("real", VerdictSource.MODEL)
    assert alone.probabilities == pytest.approx({"ai": 0.1, "real": 0.9})


@pytest.mark.parametrize(
    "piece",
    [
        signed("untrusted_issuer"),
        signed("expired"),
        signed("tampered", None),
        signed("valid", "real"),
        signed("valid", None, contradicts=["real"]),
        written("ai", contradicts=["real"]),
        replace(written("ai"), status="valid"),
    ],
    ids=["untrusted", "expired", "tampered", "camera", "parts", "unsigned", "not signed"],
)
def test_nothing_weaker_decides(piece: Evidence) -> None:
    decision = decided(piece, p_ai=0.1)
    assert (decision.prediction, decision.source) == ("real", VerdictSource.MODEL)


def test_the_setting_takes_the_decision_from_the_file(settings: Settings) -> None:
    off = Policy.of(settings.model_copy(update={"evidence_decides": False}))
    decision = decided(signed(), p_ai=0.1, policy=off)
    assert (decision.prediction, decision.source) == ("real", VerdictSource.MODEL)
    assert any("disagrees" in reason for reason in decision.reasons)
    assert Policy.of(settings).evidence_decides


def test_people_who_spoke_of_this_picture_are_heard_before_its_file() -> None:
    decision = decided(signed(), votes=(vote("real"),))
    assert (decision.prediction, decision.source) == ("real", VerdictSource.MEMORY)
    assert any("disagrees" in reason and signed().claim in reason for reason in decision.reasons)
    assert decision.people is not None and decision.people.label == "real"
    assert (decision.people.votes, decision.people.copies) == (1, 0)


def test_disagreement_of_file_and_statistics_is_said_and_how_easily_it_is_forged() -> None:
    decision = decided(written("ai", contradicts=["real"]), p_ai=0.1)
    (told,) = [reason for reason in decision.reasons if "disagrees" in reason]
    assert "easy: anybody can write it" in told


def test_what_rules_an_answer_out_disagrees_though_it_points_to_none() -> None:
    decision = decided(written(None, contradicts=["real"]), p_ai=0.1)
    assert any("disagrees" in reason for reason in decision.reasons)
    assert not any("says of itself" in r for r in decided(written(None), p_ai=0.1).reasons)


def test_agreement_is_said_once_for_all_that_agrees() -> None:
    decision = decided(written("real"), written("real"), p_ai=0.1)
    assert sum("agrees" in reason for reason in decision.reasons) == 1


def test_what_the_file_points_to_is_said_beside_an_unsure_answer() -> None:
    decision = decided(written("ai"), p_ai=0.7)
    assert decision.prediction == "unsure"
    assert any("points to ai" in reason for reason in decision.reasons)


def test_a_file_changed_after_signing_is_said() -> None:
    tampered = signed("tampered", None)
    assert tampered.claim in decided(tampered).reasons


def test_only_questions_of_authenticity_are_decided_by_files() -> None:
    smile = Task(2, "smile", TaskKind.PHOTO, ("ai", "real"), False, NOW)
    assert decided(signed(), task=smile).source is VerdictSource.MODEL


def test_a_task_that_calls_it_otherwise_is_answered_in_its_words() -> None:
    task = replace(TASK, labels=("synthetic", "real"), variants={"ai": "synthetic"})
    assert decided(signed(), task=task).prediction == "synthetic"


def test_proof_is_overruled_only_by_somebody_trusted() -> None:
    stranger = vote("real", "bob", trusted=False)
    decision = decided(signed(), votes=(stranger,))
    assert (decision.prediction, decision.source) == ("ai", VerdictSource.EVIDENCE)
    assert any("bob labelled it real; only somebody trusted" in r for r in decision.reasons)
    assert decision.people is not None and decision.people.votes == 1
    both = decided(signed(), votes=(vote("real"), stranger))
    assert (both.prediction, both.source) == ("real", VerdictSource.MEMORY)
    assert decided(votes=(stranger,)).source is VerdictSource.MEMORY
    off = Policy(evidence_decides=False)
    assert decided(signed(), votes=(stranger,), policy=off).source is VerdictSource.MEMORY


def test_a_task_that_no_longer_parts_ai_from_real_is_decided_by_no_file() -> None:
    task = replace(TASK, labels=("real", "drawn"), variants={"ai": "real"})
    decision = decided(signed(), task=task)
    assert decision.source is VerdictSource.MODEL


@pytest.mark.parametrize("p_ai", [0.1, 0.95, 0.6])
def test_a_file_neither_agrees_nor_disagrees_in_words_the_task_does_not_have(p_ai: float) -> None:
    task = replace(TASK, labels=("fake", "genuine"))
    head = FixedHead(("fake", "genuine"), (p_ai, 1 - p_ai))
    sight = Sight(SHA, 0, np.zeros(4, np.float32), None, (signed(), written("ai")))
    (decision,) = decide_each(task, Knowledge(head=head, taught={"fake": 9, "genuine": 9}), [sight])
    told = " ".join(decision.reasons)
    assert signed().claim in told
    assert "says of itself" not in told
    assert decision.source is VerdictSource.MODEL


def test_one_picture_is_no_pictures() -> None:
    version = ModelVersion("v1", "authenticity", "e:1", "svm", "00", False, NOW, CARD)
    head = FixedHead(("ai", "real"), (0.1, 0.9))
    sight = Sight(SHA, 0, np.zeros(4, np.float32), None)
    for known in (Knowledge(head=head, version=version), Knowledge(head=head)):
        (decision,) = decide_each(TASK, replace(known, taught={"ai": 1}), [sight])
        told = " ".join(decision.reasons)
        assert "1 picture " in told
        assert "1 pictures" not in told


def test_a_sentence_begins_with_a_capital_where_nobody_is_named() -> None:
    public = Policy(names_people=False)
    assert decided(votes=(vote("real"),), policy=public).reasons[0].startswith("Somebody trusted")
    stranger = (vote("real", "bob", trusted=False),)
    assert decided(votes=stranger, policy=public).reasons[0].startswith("Somebody labelled")
    assert decided(signed(), votes=stranger, policy=public).reasons[-1].startswith("Somebody")
    assert decided(votes=(vote("real"),)).reasons[0].startswith("ada labelled")


def test_nobody_is_named_where_anybody_may_ask(settings: Settings) -> None:
    public = Policy.of(settings.model_copy(update={"public_classify": True}))
    votes = (vote("real"), vote("ai", "bob", trusted=False))
    for some in (votes, votes[:1]):
        told = " ".join(decided(votes=some, policy=public).reasons)
        assert "ada" not in told and "bob" not in told
        assert "omebody" in told
        assert "ada" in " ".join(decided(votes=some).reasons)


OPEN = Task(2, "letters", TaskKind.DRAWING, ("ai", "real"), True, NOW)
STRANGE = Familiarity(similarity=0.3, chance=0.01, examined=99)


def strangely(task: Task, familiarity: Familiarity | None, *votes: Correction) -> Decision:
    head = FixedHead(("ai", "real"), (0.9, 0.1))
    opinions = {SHA: opinion_of(votes, {})} if votes else {}
    known = Knowledge(head=head, opinions=opinions, taught={"ai": 50, "real": 50})
    sight = Sight(SHA, 0, np.zeros(4, np.float32), None, familiarity=familiarity)
    return decide_each(task, known, [sight])[0]


def test_an_open_task_calls_nothing_by_a_name_that_is_like_nothing_it_knows() -> None:
    decision = strangely(OPEN, STRANGE)

    assert (decision.prediction, decision.none_of_these) == (UNSURE, True)
    assert decision.statistics.prediction == "ai"
    assert "99 known ones 1.0%" in decision.reasons[-1]


@pytest.mark.parametrize(
    "familiarity",
    [None, Familiarity(0.3, 0.06, 99), Familiarity(0.3, 0.05, 18)],
    ids=["not looked up", "as far as others", "too few to tell"],
)
def test_without_proof_of_strangeness_the_head_answers(familiarity: Familiarity | None) -> None:
    decision = strangely(OPEN, familiarity)

    assert (decision.prediction, decision.none_of_these) == ("ai", False)


def test_a_closed_task_has_no_pictures_of_other_labels() -> None:
    assert strangely(replace(OPEN, open=False), STRANGE).prediction == "ai"


def test_what_people_said_of_a_strange_picture_stands() -> None:
    decision = strangely(OPEN, STRANGE, vote("real"))

    assert (decision.prediction, decision.none_of_these) == ("real", False)


def test_a_weak_slice_is_said_beside_the_heads_answer() -> None:
    looks = {"width": 200, "height": 300, "format": "JPEG", "manner": "drawn", "camera": False}
    weak = {"n": 23, "right": 14, "low": 0.2, "rest": 0.1, "weak": True, "unseen": None}
    card = {**CARD, "slices": {"with_looks": 90, "parts": {"manner": {"drawn": weak}}}}
    version = ModelVersion("v1", "authenticity", "e:1", "svm", "00", False, NOW, card)
    known = Knowledge(version=version, head=FixedHead(("ai", "real"), (0.1, 0.9)))

    def reasons(looks: Mapping[str, Any] | None, known: Knowledge = known) -> str:
        sight = Sight(SHA, 0, np.zeros(4, np.float32), None, facts=looks)
        return " ".join(decide_each(TASK, known, [sight])[0].reasons)

    said = "On pictures like this (drawn), it was right 14 of 23 times"
    assert said in reasons(looks)
    assert said not in reasons(None)
    assert said not in reasons({**looks, "manner": "photo"})
    spoken = replace(known, opinions={SHA: opinion_of((vote("real"),), {})})
    assert said not in reasons(looks, spoken), "people spoke of this very picture"


def test_an_accusation_of_a_picture_like_those_wrongly_accused_says_so() -> None:
    looks = {"width": 2000, "height": 3000, "format": "JPEG", "manner": "photo", "camera": True}
    real = {"n": 28, "right": 12, "low": 0.37, "rest": 0.17, "weak": True, "unseen": None,
            "taken_for": {"ai": 16}}  # fmt: skip
    large = {"n": 60, "right": 44, "low": 0.1, "rest": 0.2, "weak": False, "unseen": None,
             "labels": {"real": real}}  # fmt: skip
    card = {**CARD, "slices": {"with_looks": 90, "parts": {"size": {"large": large}}}}
    version = ModelVersion("v1", "authenticity", "e:1", "svm", "00", False, NOW, card)

    def reasons(p_ai: float) -> str:
        head = FixedHead(("ai", "real"), (p_ai, 1 - p_ai))
        sight = Sight(SHA, 0, np.zeros(4, np.float32), None, facts=looks)
        known = Knowledge(version=version, head=head)
        return " ".join(decide_each(TASK, known, [sight])[0].reasons)

    said = "Of real pictures like this (large), 16 of 28 were taken for ai"
    assert said in reasons(0.99)
    assert said in reasons(0.6), "unsure, and leaning that way"
    assert said not in reasons(0.1)


# --- words ---


def by_words(p_ai: float, share: float, *, kind: TaskKind = TaskKind.AUTHENTICITY) -> Decision:
    task = replace(TASK, kind=kind)
    head = FixedHead(("ai", "real"), (p_ai, 1 - p_ai))
    taught = {} if share == 1 else {"ai": 20, "real": 20}
    known = Knowledge(head=head, words=share, taught=taught)
    return decide_each(task, known, [Sight(SHA, 0, np.zeros(4, np.float32), None)])[0]


def test_words_alone_accuse_nobody_and_clear_nobody() -> None:
    for p_ai in (0.01, 0.99):
        decision = by_words(p_ai, 1.0)
        assert (decision.prediction, decision.source) == ("unsure", VerdictSource.TEXT)
        assert decision.probabilities["ai"] == pytest.approx(p_ai)


def test_words_of_other_tasks_predict_unless_labels_are_nearly_even() -> None:
    assert by_words(0.9, 1.0, kind=TaskKind.PHOTO).prediction == "ai"
    assert by_words(0.501, 1.0, kind=TaskKind.PHOTO).prediction == "unsure"


@pytest.mark.parametrize(("share", "source"), [(0.6, "text"), (0.4, "model")])
def test_an_answer_is_whose_share_is_larger(share: float, source: str) -> None:
    decision = by_words(0.9, share, kind=TaskKind.PHOTO)
    assert decision.source == source
    assert not decision.statistics.calibrated
    assert f"by {share:.0%} of the whole" in decision.reasons[0]


def test_what_was_taught_with_few_words_answers_as_what_was_taught() -> None:
    assert by_words(0.1, 0.2).prediction == "real"
