"""Records name the weights that a picture was embedded with."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from domain import TaskKind
from embeddings import Embedder, weights_of
from embeddings.builtin import Builtin
from embeddings.clip import Clip
from embeddings.drawn import DrawnClip
from embeddings.ensemble import Ensemble
from embeddings.weights import Weights

BYTES = b"the numbers of a model"


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    (file := tmp_path / "model.safetensors").write_bytes(BYTES)
    return Clip(Weights("clip:x/file-0", "x", 8, None, file))


def with_clip(clip: Clip) -> list[Embedder]:
    return [clip, DrawnClip(clip), Ensemble(clip, Builtin(TaskKind.AUTHENTICITY), "a test")]


def test_weights_are_known_by_the_sha256_of_their_file(clip: Clip) -> None:
    expected = hashlib.sha256(BYTES).hexdigest()
    assert [weights_of(embedder) for embedder in with_clip(clip)] == [expected] * 3


def test_weights_that_were_removed_or_never_in_a_file_have_none(clip: Clip, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").unlink()
    random = Clip(Weights("clip:x/random", "x", 8))
    assert {weights_of(embedder) for embedder in [*with_clip(clip), *with_clip(random)]} == {None}


def test_embedder_of_code_alone_has_none() -> None:
    assert {weights_of(Builtin(kind)) for kind in TaskKind} == {None}
