from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from domain import TaskKind
from embeddings.clip import Clip
from embeddings.drawn import DrawnClip
from embeddings.images import Picture, decode
from embeddings.teaching import copies_of
from embeddings.weights import find_weights
from tests import tiny_clip
from tests.letters import COLOURS, PAPER, letter_png
from tests.pictures import encode, photo


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    config = tiny_clip.write_config(tmp_path_factory.mktemp("clip"))
    return Clip(find_weights(str(config), "random"))


def test_clip_sees_one_drawing_whatever_it_was_drawn_with(clip: Clip) -> None:
    files = [
        letter_png("K"),
        letter_png("K", colour=(255, 255, 255), ground=None),
        letter_png("K", colour=COLOURS["red"], ground=COLOURS["blue"]),
        letter_png("K", colour=COLOURS["blue"], ground=PAPER),
    ]
    rows = DrawnClip(clip).embed([decode(data) for data in files])
    assert (rows @ rows[0]).min() > 0.9999
    unlike = clip.embed([decode(data) for data in files])
    assert (unlike @ unlike[0]).min() < 0.99


def test_drawings_and_photographs_of_one_clip_never_mix(clip: Clip) -> None:
    assert DrawnClip(clip).id != clip.id
    assert DrawnClip(clip).dim == clip.dim


def test_copies_for_clip_are_fine_enough_for_it_and_one_batch(clip: Clip) -> None:
    class Watched:
        id, dim, device, runtime, reason = clip.id, clip.dim, "cpu", "torch", "for tests"

        def __init__(self) -> None:
            self.sides: list[list[int]] = []

        def embed(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
            self.sides.append([max(p.pixels.shape) for p in pictures])
            return clip.embed(pictures)

    watched = Watched()
    picture = decode(encode(photo(3, 900, 700), "PNG"))
    copies = copies_of(picture, TaskKind.PHOTO, watched)
    np.testing.assert_allclose(np.linalg.norm(copies, axis=1), 1, atol=1e-5)
    assert len(watched.sides) == 1
    assert min(watched.sides[0]) >= 448
