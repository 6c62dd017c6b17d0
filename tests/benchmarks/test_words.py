"""Made-up texts are as good as they are asked to be, and both together are measured beside them."""

from __future__ import annotations

from argparse import Namespace

import numpy as np

from benchmarks.words import Words, made_up, measure
from tests.models.made import clusters

EXAMPLES = clusters(60, ("a", "b", "c"), dim=24, apart=2.5)


def right(words: Words) -> float:
    heads = [made_up(EXAMPLES, words, np.random.default_rng(seed)) for seed in range(10)]
    said = [head.predict_proba(EXAMPLES.vectors).argmax(axis=1) for head in heads]
    return float(np.mean([one == EXAMPLES.codes for one in said]))


def test_texts_are_worse_the_more_noise_they_have() -> None:
    assert right(Words(0.0, 1.0)) > 0.9
    assert right(Words(30.0, 1.0)) < 0.7 < right(Words(0.5, 1.0))


def test_what_is_asked_was_not_shown_and_each_k_has_its_figures() -> None:
    chosen = Namespace(shots=[1, 4], seeds=2, asked=50)
    figures = measure(EXAMPLES, Words(0.5, 1.0), chosen)
    assert set(figures) == {1, 4}
    assert figures[4]["taught"] >= figures[1]["taught"]
    assert figures[1]["share of words"] > figures[4]["share of words"]
    assert figures[1]["both"] > 0.8
