"""The ten verdicts of the documentation are of the shape that is served, signed, and as titled."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.verdicts import WORDS
from records.checking import Result, check
from records.keys import PublicKey, public_keys
from web.payloads.verdicts import SignedVerdictBody

PAGE = Path(__file__).resolve().parent.parent / "docs" / "verdicts.md"
TITLES = tuple(WORDS)
Verdict = Mapping[str, Any]


def kinds(said: Verdict, status: str) -> set[str]:
    """The kinds of evidence that have a status."""
    return {piece["kind"] for piece in said["evidence"] if piece["status"] == status}


SHOWS: Mapping[str, Callable[[Verdict], bool]] = {
    "Real": lambda said: (
        (said["prediction"], said["source"]) == ("real", "model") and bool(said["nearest"])
    ),
    "AI with a manifest": lambda said: (
        (said["prediction"], said["source"]) == ("ai", "evidence")
        and "c2pa" in kinds(said, "valid")
    ),
    "AI, manifest stripped": lambda said: said["source"] == "model" and not said["evidence"],
    "Tampered": lambda said: (
        "c2pa" in kinds(said, "tampered")
        and not kinds(said, "valid")
        and said["source"] != "evidence"
    ),
    "Disagreement": lambda said: (
        said["prediction"] == "real"
        and any(piece["points_to"] == "ai" for piece in said["evidence"])
        and any("disagrees" in reason for reason in said["reasons"])
    ),
    "Unsure": lambda said: (said["prediction"], said["source"]) == ("unsure", "model"),
    "Flips": lambda said: said["stability"]["flips"] and said["prediction"] == "unsure",
    "Corrected": lambda said: (
        (said["prediction"], said["source"]) == ("ai", "memory") and said["people"]["votes"] == 1
    ),
    "Untaught task": lambda said: (said["prediction"], said["source"]) == ("unsure", "none"),
    "Text start": lambda said: (
        said["source"] == "text" and said["statistics"]["calibrated"] is False
    ),
}


def sections() -> dict[str, Any]:
    """The JSON below each heading."""
    found = re.findall(
        r"^## (?:\d+\. )?(.+?)\n.*?```json\n(.*?)\n```", PAGE.read_text("utf-8"), re.DOTALL | re.M
    )
    return {title: json.loads(text) for title, text in found}


def keys() -> list[PublicKey]:
    return public_keys(json.dumps(sections()["The keys"]).encode())


def test_page_has_the_ten_verdicts_in_their_order_and_the_keys() -> None:
    assert tuple(sections()) == (*TITLES, "The keys")
    assert len(TITLES) == 10


@pytest.mark.parametrize("title", TITLES)
def test_verdict_has_the_names_that_are_served(title: str) -> None:
    said = sections()[title]
    SignedVerdictBody.model_validate(said)
    assert set(said) == set(SignedVerdictBody.model_fields)


@pytest.mark.parametrize("title", TITLES)
def test_verdict_is_as_it_was_signed(title: str) -> None:
    assert check(sections()[title], keys()).result is Result.VALID


@pytest.mark.parametrize("title", TITLES)
def test_verdict_shows_what_its_title_says(title: str) -> None:
    assert SHOWS[title](sections()[title])


def test_same_picture_is_told_apart_from_its_altered_file_and_its_stripped_copy() -> None:
    found = sections()
    titles = ("AI with a manifest", "AI, manifest stripped", "Tampered", "Real", "Disagreement")
    assert len({found[title]["image"]["sha256"] for title in titles}) == 5
