from __future__ import annotations

from models.afterwards import with_decision

PAGE = "<!doctype html><html><body><h1>smile</h1></body></html>"
FIGURES = {
    "compared": {"n": 80, "before": 0.9, "after": 0.88, "change": -0.02, "low": -0.05,
                 "high": 0.01, "gained": 2, "lost": 4},
    "per_label": {},
    "sources_left_out": None,
    "new_labels": None,
    "corrected": {"corrected": 3, "served": [], "by_head": ["ab"], "risen": 1},
}  # fmt: skip


def test_the_decision_and_its_figures_are_put_at_the_end_of_the_page() -> None:
    page = with_decision(PAGE, "kept", "It is <b>worse</b>.", FIGURES)

    assert page.startswith("<!doctype html><html><body><h1>smile</h1>")
    assert page.endswith("</body></html>")
    for said in ("kept", "&lt;b&gt;worse&lt;/b&gt;", "-2.0", "-5.0 to +1.0", "Of 3 pictures"):
        assert said in page


def test_a_page_that_has_the_decision_stays_as_it_is() -> None:
    once = with_decision(PAGE, "kept", "Worse.", FIGURES)

    assert with_decision(once, "promoted", "Better.", {}) == once


def test_a_decision_without_figures_is_told_all_the_same() -> None:
    assert "It is the first version" in with_decision(
        PAGE, "promoted", "It is the first version.", {}
    )
