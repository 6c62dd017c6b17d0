from __future__ import annotations

import itertools

import numpy as np

from benchmarks.load import copies, photograph
from embeddings.images import decode


def test_copies_show_the_same_and_are_never_the_same_file() -> None:
    """Or a service that remembers vectors by hash would seem faster than it is."""
    made = [decode(data) for data in itertools.islice(copies(photograph(0.05)), 3)]

    assert len({picture.facts.sha256 for picture in made}) == 3
    np.testing.assert_array_equal(made[0].pixels, made[1].pixels)


def test_the_photograph_has_the_size_asked_for() -> None:
    facts = decode(photograph(2.0)).facts

    assert abs(facts.width * facts.height - 2_000_000) < 20_000
    assert 300_000 < facts.n_bytes < 3_000_000
