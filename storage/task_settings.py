"""What a task settles for itself: how rarely a label may be said wrongly, when it is unsure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from config import LEAST_SHARE
from domain import Unacceptable
from storage.labels import clean_label, one_of

MAX_FALSE, UNSURE_BELOW = "max_false", "unsure_below"
SHARES = f"a number from {LEAST_SHARE:f} on and below 0.5"
SCORES = "a number from 0 to 1"


def clean_settings(
    settings: Mapping[str, Any], labels: Collection[str], *, open: bool
) -> dict[str, Any]:
    """A task's settings as they are stored; what is None or empty is left out.

    Parameters
    ----------
    settings
        `max_false`: by label, the share of pictures of other labels that may be given it, of
        closed tasks alone; `unsure_below`: the probability below which nothing is said.
    labels
        Those of the task, and their variants: a label may have become one since.
    open
        Whether it takes new labels.

    Raises
    ------
    Unacceptable
        Naming the field, what was got and what is allowed.
    """
    unknown = sorted(set(settings) - {MAX_FALSE, UNSURE_BELOW})
    if unknown:
        raise Unacceptable(f"settings.{unknown[0]}", settings[unknown[0]], "no such setting")
    clean: dict[str, Any] = {}
    shares = _shares(settings.get(MAX_FALSE) or {}, labels)
    if shares and open:
        raise Unacceptable(
            MAX_FALSE, dict(shares), "nothing for an open task: a new label has no pictures yet"
        )
    if shares:
        clean[MAX_FALSE] = shares
    if (least := settings.get(UNSURE_BELOW)) is not None:
        if not _is_number(least) or not 0 <= least <= 1:
            raise Unacceptable(UNSURE_BELOW, least, SCORES)
        clean[UNSURE_BELOW] = float(least)
    return clean


def changed(settings: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a task with a change to them: shares that it does not name stay as they are."""
    later = {**settings, **change}
    shares, new = settings.get(MAX_FALSE), change.get(MAX_FALSE)
    if shares and isinstance(new, Mapping):
        later[MAX_FALSE] = {**shares, **new}
    return later


def _shares(given: Any, labels: Collection[str]) -> dict[str, float]:
    if not isinstance(given, Mapping):
        raise Unacceptable(MAX_FALSE, given, "a share for each label")
    shares: dict[str, float] = {}
    for name, share in given.items():
        label = clean_label(name, field=f"{MAX_FALSE}.{name}")
        if label not in labels:
            raise Unacceptable(f"{MAX_FALSE}.{label}", label, one_of(sorted(labels)))
        if share is None:
            shares.pop(label, None)
            continue
        if not _is_number(share) or not LEAST_SHARE <= share < 0.5:
            raise Unacceptable(f"{MAX_FALSE}.{label}", share, SHARES)
        shares[label] = float(share)
    return shares


def _is_number(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)  # type: ignore[arg-type]
