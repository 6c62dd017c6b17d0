"""Who may teach a head how much."""

from __future__ import annotations

import numpy as np

from domain import Answer, Correction, VerdictSource
from models.admission import FREE_VOTES, Admission, Teaching
from models.standing import Opinion, Standing, opinion_of
from tests.models.test_standing import NOBODY, said, undo


def teachings(rows: list[Correction]) -> list[Teaching]:
    admission = Admission(NOBODY)
    found = said_of(rows)
    admission.move({}, found, found)
    return list(admission.teachings.values())


def said_of(rows: list[Correction]) -> dict[str, Opinion]:
    standing = Standing().after(rows)
    votes = {row.sha256: standing.votes(row.sha256) for row in rows}
    return {sha256: opinion_of(one, NOBODY) for sha256, one in votes.items() if one}


def test_a_flood_of_one_who_is_not_trusted_teaches_a_share_only() -> None:
    honest = [said(i, f"h{i}", "a", "admin") for i in range(1, 301)]
    flood = [said(300 + i, f"f{i}", "b", "eve", trusted=False) for i in range(1, 501)]
    taught = teachings(honest + flood)
    assert sum(one.vote.person == "admin" for one in taught) == 300
    assert sum(one.vote.person == "eve" for one in taught) == 30
    assert sum(one.vote.person == "eve" for one in teachings(honest[:50] + flood)) == FREE_VOTES


def test_the_only_one_who_teaches_is_not_limited() -> None:
    alone = [said(i, f"h{i}", "a", "ann", trusted=False) for i in range(1, 301)]
    assert len(teachings(alone)) == 300


def test_pictures_at_odds_teach_nothing_unless_somebody_trusted_leads() -> None:
    rows = [
        said(1, "x", "a", "ann", trusted=False),
        said(2, "x", "b", "bob", trusted=False),
        said(3, "y", "a", "admin"),
        said(4, "y", "b", "bob", trusted=False),
    ]
    assert [(one.vote.sha256, one.label) for one in teachings(rows)] == [("y", "a")]


def test_who_contradicts_everything_is_soon_not_heard() -> None:
    ann = [said(i, f"p{i}", "a", "ann", trusted=False) for i in range(1, 101)]
    eve = [said(100 + i, f"p{i}", "b", "eve", trusted=False) for i in range(1, 101)]
    taught = teachings(ann + eve)
    assert len(taught) == 100 - FREE_VOTES
    assert {one.label for one in taught} == {"a"}


def test_nobody_is_free_where_a_version_answers() -> None:
    flood = said_of([said(i, f"p{i}", "a", "eve", trusted=False) for i in range(1, 101)])
    admission = Admission(NOBODY, first_is_free=False)
    admission.move({}, flood, flood)
    assert len(admission.teachings) == FREE_VOTES


def test_confident_mistakes_weigh_more() -> None:
    def weight(prediction: str, confidence: float) -> int:
        before = Answer(prediction, confidence, VerdictSource.MODEL)
        (one,) = teachings([said(1, "x", "a", before=before)])
        return one.weight

    assert [weight("b", 0.95), weight("b", 0.6), weight("a", 0.9), weight("unsure", 0.9)] == [
        3,
        2,
        1,
        1,
    ]


def test_step_by_step_or_at_once_the_same_is_learned_from() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rows: list[Correction] = []
        live: list[Correction] = []
        admission, had = Admission(NOBODY), dict[str, Opinion]()
        for seq in range(1, 80):
            if live and rng.random() < 0.25:
                rows.append(undo(seq, live.pop(int(rng.integers(len(live))))))
            else:
                who = str(rng.choice(["ann", "bob", "eve"]))
                name, label = f"p{rng.integers(40)}", str(rng.choice(["a", "b"]))
                rows.append(said(seq, name, label, who, trusted=who == "ann"))
                live.append(rows[-1])
            now = said_of(rows)
            gone, new = admission.move(had, now, {rows[-1].sha256})
            assert not {one.vote.id for one in gone} & {one.vote.id for one in new}
            had = now
        assert list(admission.teachings.values()) == teachings(rows)
