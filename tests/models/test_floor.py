from __future__ import annotations

import numpy as np

from models.answers import Answers
from models.floor import no_better_than_chance
from tests.models.answering import answers


def kept(per_label: int, right: int, *, a_family: int = 1) -> Answers:
    """So many of each of two labels, of which so many are right; so many in a row one family."""
    rows = []
    for label, other in (("ai", "real"), ("real", "ai")):
        rows += [(f"{label} {i}", label, label if i < right else other) for i in range(per_label)]
    found = answers(*rows)
    found.families[:] = np.arange(len(found)) // a_family
    return found


def test_guesses_are_told_from_a_version_that_knows_something() -> None:
    assert no_better_than_chance(kept(100, 70)) == ""
    reason = no_better_than_chance(kept(100, 52))

    assert "not shown to be better than guessing: balanced accuracy on 200 pictures" in reason
    assert "52.0%" in reason
    assert "by guessing 50.0%" in reason


def test_a_few_pictures_that_are_all_right_are_enough() -> None:
    assert no_better_than_chance(kept(5, 5)) == ""


def test_a_label_said_of_everything_is_no_knowledge_however_common_it_is() -> None:
    rows = [(f"ai {i}", "ai", "ai") for i in range(190)] + [
        (f"real {i}", "real", "ai") for i in range(10)
    ]

    assert no_better_than_chance(answers(*rows))


def test_near_duplicates_are_right_together() -> None:
    assert no_better_than_chance(kept(100, 65)) == ""
    assert no_better_than_chance(kept(100, 65, a_family=10))


def test_nothing_is_said_of_nothing() -> None:
    assert no_better_than_chance(answers()) == ""
