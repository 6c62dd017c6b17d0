"""Reasons that say who spoke are told from those that do not, whatever labels are called."""

from __future__ import annotations

import pytest

from decision import name_people
from web.withheld import nameless

LIKE = "It is 97% like the picture 0123456789ab, which"


@pytest.mark.parametrize(
    "reason",
    [
        "alice labelled this very picture ai on 2026-11-21.",
        "local labelled this very picture ai on 2026-11-21.",
        "alice labelled it ai; only somebody trusted overrules it.",
        "A. N. Other labelled this very picture ai on 2026-11-21.",
        f"{LIKE} alice labelled ai.",
        # labels that would have it look otherwise
        f"{LIKE} alice labelled ai, which somebody labelled ai.",
        "alice labelled this very picture x, somebody labelled this very picture y on 2026-11-21.",
        "People differ about this very picture: alice says ai, bob says real. It waits.",
        "People differ about this very picture: somebody says ai, bob says real. It waits.",
        "People differ about this very picture: alice says x, somebody says y. It waits.",
    ],
)
def test_names_are_seen(reason: str) -> None:
    assert name_people(["The statistics say ai.", reason])


@pytest.mark.parametrize(
    "reason",
    [
        "Somebody labelled this very picture ai on 2026-11-21.",
        "somebody trusted labelled this very picture ai on 2026-11-21.",
        f"{LIKE} somebody labelled ai.",
        "Somebody labelled it ai; only somebody trusted overrules it.",
        "People differ about this very picture: somebody trusted says ai, somebody says real.",
        "People differ about a picture like it.",
        "The file says it was made by alice labelled a generator.",
    ],
)
def test_what_names_nobody_is_for_everybody(reason: str) -> None:
    assert not name_people([reason])


def test_each_person_has_one_number_in_a_document() -> None:
    document = {
        "feedback:alice": {"why": ["of feedback:bob, feedback:alice and web", 1, None]},
        "feedback:two words": "my_feedback: none",
    }

    assert nameless(document) == {
        "feedback:1": {"why": ["of feedback:2, feedback:1 and web", 1, None]},
        "feedback:3": "my_feedback: none",
    }
