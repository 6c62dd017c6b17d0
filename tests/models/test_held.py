"""What corrections do to what was promised."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.adjusted import Adjusted, adjust
from models.held import held_to
from models.support import Support
from models.taught import Shown
from tests.models.made import clusters
from tests.web.service import FixedHead

LABELS = np.repeat(["ai", "real"], 100)


def card(at: float | None = 0.9) -> dict[str, Any]:
    return {"thresholds": {"labels": {"ai": {"from": at}}}}


def head(before: NDArray[np.float64], after: NDArray[np.float64]) -> Adjusted:
    """A head whose golden pictures got these chances of ai, without corrections and with."""
    base = FixedHead(("ai", "real"), (0.5, 0.5))
    both = tuple(np.column_stack([one, 1 - one]) for one in (before, after))
    return Adjusted(base, ("ai", "real"), None, 0, (both[0], both[1]))


def chances(shift: float = 0.0) -> NDArray[np.float64]:
    """Log-odds of ai of 100 ai pictures, then of 100 real ones, these moved."""
    logits = np.concatenate([np.linspace(-1, 5, 100), np.linspace(-5, 1, 100) + shift])
    return np.asarray(1 / (1 + np.exp(-logits)))


def test_what_moves_no_picture_up_breaks_nothing() -> None:
    assert held_to(card(), head(chances(), chances()), LABELS) == {}
    assert held_to(card(), head(chances(), chances(-1.0)), LABELS) == {}


def test_the_score_rises_with_the_likeliest_of_the_others() -> None:
    held = held_to(card(), head(chances(), chances(0.5)), LABELS)

    assert held["ai"] == pytest.approx(1 / (1 + np.exp(-(np.log(9) + 0.5))), abs=1e-5)


def test_no_more_golden_pictures_are_wronged_than_before() -> None:
    after = chances()
    after[LABELS == "real"] = np.where(np.arange(100) == 3, 0.97, after[LABELS == "real"])

    held = held_to(card(), head(chances(), after), LABELS)

    assert held["ai"] is not None and 0.97 < held["ai"] <= 0.970002


def test_where_a_golden_picture_is_certain_to_be_wronged_it_is_never_said() -> None:
    after = chances()
    after[150] = 1.0

    assert held_to(card(), head(chances(), after), LABELS) == {"ai": None}


def test_labels_without_a_score_and_heads_nobody_corrected_have_nothing_to_hold() -> None:
    assert held_to(card(None), head(chances(), chances(2.0)), LABELS) == {}
    assert held_to({}, head(chances(), chances(2.0)), LABELS) == {}
    nobody = Adjusted(FixedHead(("ai", "real"), (0.5, 0.5)), ("ai", "real"), None)
    assert held_to(card(), nobody, LABELS) == {}


def test_an_adjusted_head_tells_what_its_golden_pictures_got() -> None:
    examples = clusters(60)
    golden = slice(0, 120, 3)
    base = FixedHead(("ai", "real"), (0.3, 0.7))
    support = Support(
        examples.vectors, examples.labels, examples.vectors[golden], examples.labels[golden], {}
    )
    shown = [Shown(f"c{i}", "ai", 2, examples.vectors[i : i + 1]) for i in range(20)]

    adjusted = adjust(base, support, shown)

    assert adjusted.golden is not None
    before, after = adjusted.golden
    assert before == pytest.approx(base.predict_proba(support.golden))
    assert after == pytest.approx(adjusted.predict_proba(support.golden), abs=1e-9)


def test_cards_from_before_labels_had_limits_are_held_too() -> None:
    old = {"thresholds": {"accuse": 0.9, "budget": 0.01, "n_real": 400}}

    assert held_to(old, head(chances(), chances(0.5)), LABELS).keys() == {"ai"}


def test_only_corrections_that_reach_other_pictures_generalise() -> None:
    examples = clusters(60)
    base = FixedHead(("ai", "real"), (0.3, 0.7))
    support = Support(
        examples.vectors, examples.labels, examples.vectors[::3], examples.labels[::3], {}
    )
    shown = [Shown(f"c{i}", "ai", 2, examples.vectors[i : i + 1]) for i in range(20)]

    adjusted = adjust(base, support, shown)

    assert adjusted.correcting is not None
    assert adjusted.generalises == (adjusted.correcting.reach > 0)
    assert not replace(adjusted, correcting=replace(adjusted.correcting, reach=0.0)).generalises
    assert not Adjusted(base, ("ai", "real"), None).generalises
