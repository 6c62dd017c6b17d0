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
