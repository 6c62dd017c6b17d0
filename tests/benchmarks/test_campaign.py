"""The search for parts that carry over: what tells labels apart everywhere is seen to."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.campaign import KERNEL, RIDGE, areas, leave_sources_out
from models.examples import Examples


def made(*, carries_over: bool) -> Examples:
    """Three sources; the first column tells the label, in the last source the other way round."""
    rng = np.random.default_rng(0)
    sources, codes = np.repeat(["a", "b", "c"], 60), np.tile([0, 1], 90)
    vectors = rng.normal(size=(180, 12)).astype(np.float32)
    turned = (sources == "c") & (not carries_over)
    vectors[:, 0] += 4 * np.where(turned, 1 - codes, codes)
    labels = np.where(codes == 1, "real", "ai")
    return Examples(vectors, labels, sources, np.arange(180).astype(str))


@pytest.mark.parametrize("head", [RIDGE, KERNEL])
def test_a_column_that_tells_everywhere_carries_over(head: str) -> None:
    found = areas(leave_sources_out(made(carries_over=True), np.arange(12), head))
    assert found["pooled"] > 0.95
    low, high = found["pooled_95"]
    assert low <= found["pooled"] <= high
    noise = areas(leave_sources_out(made(carries_over=True), np.arange(1, 12), head))
    assert noise["pooled"] < 0.65


@pytest.mark.parametrize("head", [RIDGE, KERNEL])
def test_a_source_where_it_is_the_other_way_round_is_seen(head: str) -> None:
    found = areas(leave_sources_out(made(carries_over=False), np.arange(12), head))
    assert found["sources"]["c"] < 0.1
