"""What people say now: undone, said again, at odds, flooded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from domain import Correction
from models.standing import Opinion, Standing, opinion_of, overruled

NOBODY: dict[str, str] = {}


def said(seq: int, sha256: str, label: str, person: str = "ann", **more: Any) -> Correction:
    row = Correction(
        id=f"c{seq}",
        task="letters",
        seq=seq,
        sha256=sha256,
        label=label,
        person=person,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return replace(row, **more)


def undo(seq: int, of: Correction) -> Correction:
    return said(seq, of.sha256, of.label, undoes=of.id)


def opinions(standing: Standing, *pictures: str) -> list[Opinion]:
    votes = [standing.votes(picture) for picture in pictures]
    return [opinion_of(one, NOBODY) for one in votes if one]


def test_the_latest_label_of_the_same_person_counts() -> None:
    standing = Standing().after([said(1, "x", "a"), said(2, "x", "b")])
    (opinion,) = opinions(standing, "x")
    assert (opinion.label, opinion.disputed, len(opinion.votes)) == ("b", False, 1)


def test_undoing_the_latest_brings_the_one_before_back() -> None:
    first, second = said(1, "x", "a"), said(2, "x", "b")
    standing = Standing().after([first, second, undo(3, second)])
    assert [one.label for one in opinions(standing, "x")] == ["a"]
    assert not standing.after([undo(4, first)]).votes("x")


def test_undoing_twice_what_was_superseded_leaves_the_rest() -> None:
    first, second = said(1, "x", "a"), said(2, "x", "b")
    standing = Standing().after([first, second, undo(3, first)])
    assert [one.label for one in opinions(standing, "x")] == ["b"]


def test_different_people_who_differ_are_at_odds() -> None:
    rows = [said(1, "x", "a", "ann", trusted=False), said(2, "x", "b", "bob", trusted=False)]
    (opinion,) = opinions(Standing().after(rows), "x")
    assert opinion.label is None and opinion.disputed
    assert opinion.shares == {"a": 0.5, "b": 0.5}


def test_most_votes_lead_and_the_dispute_stays_said() -> None:
    rows = [said(i, "x", "b" if i < 3 else "a", f"p{i}", trusted=False) for i in (1, 2, 3)]
    (opinion,) = opinions(Standing().after(rows), "x")
    assert (opinion.label, opinion.disputed, opinion.vote.id) == ("b", True, "c2")


def test_somebody_trusted_leads_whatever_others_say() -> None:
    rows = [
        said(1, "x", "a", "admin"),
        *(said(i, "x", "b", f"p{i}", trusted=False) for i in (2, 3)),
    ]
    (opinion,) = opinions(Standing().after(rows), "x")
    assert (opinion.label, opinion.disputed) == ("a", True)


def test_a_variant_and_its_label_agree() -> None:
    votes = (said(1, "x", "a", trusted=False), said(2, "x", "a2", "bob", trusted=False))
    opinion = opinion_of(votes, {"a2": "a"})
    assert (opinion.label, opinion.disputed) == ("a", False)
    assert opinion_of(votes, NOBODY).disputed


def test_disputes_are_listed_latest_first() -> None:
    rows = [
        said(1, "x", "a"),
        said(2, "y", "a"),
        said(3, "y", "b", "bob"),
        said(4, "x", "b", "bob"),
    ]
    listed = Standing().after(rows).disputed(NOBODY)
    assert [one.vote.sha256 for one in listed] == ["x", "y"]
    assert Standing().after(rows).disputed({"b": "a"}) == []


def test_erased_rows_say_nothing() -> None:
    standing = Standing().after([said(1, "", "a", erased=True), said(2, "y", "a")])
    assert (len(standing), standing.seq, set(standing.live)) == (1, 2, {"c2"})


def test_an_earlier_standing_does_not_change() -> None:
    before = Standing().after([said(1, "x", "a")])
    before.after([said(2, "x", "b"), said(3, "y", "b")])
    assert (len(before), before.votes("x")[0].label, before.seq) == (1, "a", 1)


def test_in_steps_or_at_once_is_the_same_and_undone_is_as_never_said() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rows: list[Correction] = []
        live: list[Correction] = []
        for seq in range(1, 60):
            if live and rng.random() < 0.3:
                rows.append(undo(seq, live.pop(int(rng.integers(len(live))))))
            else:
                picture, label, person = (rng.choice(list(x)) for x in ("uvwxyz", "ab", "pq"))
                row = said(seq, str(picture), str(label), str(person))
                rows.append(row)
                live.append(row)
        at_once, in_steps = Standing().after(rows), Standing()
        for row in rows:
            in_steps = in_steps.after([row])
        never = Standing().after(sorted(live, key=lambda one: one.seq))
        for picture in "uvwxyz":
            assert at_once.votes(picture) == in_steps.votes(picture) == never.votes(picture)


def test_golden_pictures_are_overruled_only_by_somebody_trusted() -> None:
    golden = {"x": "a"}
    assert overruled(said(1, "x", "b", trusted=False), golden, NOBODY)
    assert not overruled(said(1, "x", "b"), golden, NOBODY)
    assert not overruled(said(1, "x", "a2", trusted=False), golden, {"a2": "a"})
    assert not overruled(said(1, "y", "b", trusted=False), golden, NOBODY)
