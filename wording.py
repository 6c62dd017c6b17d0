"""How answers are put into words, by commands and in reasons alike. Imports little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain import OTHER, UNSURE


def percent(p: float) -> str:
    """A probability for people; rounding makes nothing certain, and nothing impossible."""
    shown = f"{p:.0%}"
    if shown == "100%" and p < 1:
        return "over 99%"
    return "under 1%" if shown == "0%" and p > 0 else shown


def span(low: float, high: float) -> str:
    """From one probability to another."""
    least, most = percent(low), percent(high)
    return f"{least} each time" if least == most else f"between {least} and {most}"


def sureness(said: Mapping[str, Any]) -> str:
    """How sure a described verdict is, or what `unsure` leans to; empty where there is nothing.

    Parameters
    ----------
    said
        The verdict as `wire.describe` gives it; one of earlier versions as well.
    """
    if said["prediction"] != UNSURE:
        return percent(float(said["confidence"]))
    people, statistics = said.get("people"), said.get("statistics")
    if said["source"] == "memory" and people and people["disputed"]:
        return "people differ"
    if not statistics or statistics["source"] == "none" or not statistics["probabilities"]:
        return ""
    named = {label: p for label, p in statistics["probabilities"].items() if label != OTHER}
    label, p = max(named.items(), key=lambda item: float(item[1]))
    return f"the statistics lean to {label}, {percent(float(p))}"


def answered(said: Mapping[str, Any]) -> str:
    """What a described verdict answers, in a few words."""
    sure = sureness(said)
    return f"{said['prediction']} ({sure})" if sure else str(said["prediction"])
