from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models.batch import Search, search
from models.examples import Examples
from models.unseen import leave_sources_out
from tests.models.made import clusters


def leaking(per_label: int = 60) -> Examples:
    """Within each source one column gives the label away; between sources it turns around."""
    examples = clusters(per_label, sources=("web", "stock"), apart=0.0)
    vectors = examples.vectors.copy()
    turned = np.where(examples.sources == "web", 1.0, -1.0)
    vectors[:, 0] = np.where(examples.labels == "real", 1.0, -1.0) * turned
    vectors[:, 1] = turned
    return dataclasses.replace(examples, vectors=vectors)


@pytest.fixture(scope="module")
def found() -> Search:
    return search(leaking(), classifier="svm", jobs=2)


def test_a_shortcut_within_sources_is_shown_by_leaving_sources_out(found: Search) -> None:
    unseen = leave_sources_out(found, seconds=60.0, jobs=2)

    figures = unseen.figures
    assert found.winner.log_loss < 0.3
    assert figures["balanced_accuracy"] < 0.2
    assert set(figures["per_source"]) == {"web", "stock"}
    assert figures["n"] == 120
    labels = found.examples.labels[unseen.rows]
    assert float((unseen.said == labels).mean()) == figures["accuracy"]


def test_without_two_mixed_sources_it_says_why_not() -> None:
    one_source = search(clusters(20), classifier="logistic_regression", jobs=1)

    assert "two sources" in leave_sources_out(one_source, seconds=60.0, jobs=1).figures["skipped"]


def test_without_time_it_says_so(found: Search) -> None:
    assert "budget" in leave_sources_out(found, seconds=-1.0, jobs=1).figures["skipped"]


def test_a_handful_of_a_second_source_is_no_measurement_of_the_first() -> None:
    examples = clusters(60, apart=1.0)
    sources = np.where(np.arange(120) % 20 == 0, "stock", "web")
    found = search(
        dataclasses.replace(examples, sources=sources), classifier="logistic_regression", jobs=1
    )

    unseen = leave_sources_out(found, seconds=60.0, jobs=1)

    assert set(unseen.figures["per_source"]) == {"stock"}
    assert "3 of 60" in unseen.figures["too_large"]["web"]
    assert set(examples.labels[unseen.rows]) == {"ai", "real"}


def test_where_no_source_leaves_enough_it_says_why_not() -> None:
    examples = clusters(30)
    sources = np.where(examples.labels == "ai", "web", "stock")
    sources[0], sources[-1] = "stock", "web"  # each source is nearly all of one label
    found = search(
        dataclasses.replace(examples, sources=sources), classifier="logistic_regression", jobs=1
    )

    figures = leave_sources_out(found, seconds=60.0, jobs=1).figures

    assert figures["cause"] == "sources"
    assert "most of the pictures" in figures["skipped"] and "1 of 30" in figures["skipped"]


def test_lack_of_time_is_told_from_lack_of_sources(found: Search) -> None:
    one_source = search(clusters(20), classifier="logistic_regression", jobs=1)

    assert leave_sources_out(found, seconds=-1.0, jobs=1).figures["cause"] == "time"
    assert leave_sources_out(one_source, seconds=60.0, jobs=1).figures["cause"] == "sources"
