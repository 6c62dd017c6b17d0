"""Answers are put into words that claim no more than was found."""

from __future__ import annotations

from typing import Any

import pytest

from wording import answered, percent, span


@pytest.mark.parametrize(
    ("p", "shown"),
    [(1.0, "100%"), (0.9999, "over 99%"), (0.5, "50%"), (0.0001, "under 1%"), (0.0, "0%")],
)
def test_rounding_makes_nothing_certain_and_nothing_impossible(p: float, shown: str) -> None:
    assert percent(p) == shown


def test_a_span_of_one_number_is_said_as_one() -> None:
    assert span(0.2, 0.201) == "20% each time"
    assert span(0.99, 0.9999) == "between 99% and over 99%"


def said(prediction: str, source: str = "model", **more: Any) -> dict[str, Any]:
    return {"prediction": prediction, "confidence": 1.0, "source": source, **more}


def leaning(source: str = "model", **chances: float) -> dict[str, Any]:
    return {"source": source, "probabilities": chances}


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (said("ai", statistics=leaning(ai=1.0)), "ai (100%)"),
        (
            said("unsure", statistics=leaning(real=0.002, ai=0.998)),
            "unsure (the statistics lean to ai, over 99%)",
        ),
        (
            said(
                "unsure",
                statistics={"source": "model", "probabilities": {"a": 0.2, "(other)": 0.8}},
            ),
            "unsure (the statistics lean to a, 20%)",
        ),
        (said("unsure", "none", statistics=leaning("none", ai=0.5, real=0.5)), "unsure"),
        (
            said("unsure", "memory", people={"disputed": True}, statistics=leaning(ai=1.0)),
            "unsure (people differ)",
        ),
        (said("unsure"), "unsure"),
    ],
    ids=["sure", "leaning", "many labels", "nothing known", "disputed", "of an early version"],
)
def test_unsure_is_never_said_with_a_certainty(document: dict[str, Any], told: str) -> None:
    assert answered(document) == told
