"""Two embedders as one: both look at each picture, and their vectors stand side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from domain import VectorPart
from embeddings.builtin import Builtin
from embeddings.clip import Clip
from embeddings.images import Picture

CLIP, BUILTIN = "clip", "builtin"


class Ensemble:
    """Embedder of a CLIP and hand-made features, which any number of threads may share.

    Each part's vector is unit and is scaled so that the whole is. A head may look at the parts
    apart: see `parts`.
    """

    def __init__(self, clip: Clip, builtin: Builtin, reason: str) -> None:
        self._clip = clip
        self._members: Mapping[str, Clip | Builtin] = {CLIP: clip, BUILTIN: builtin}
        self._reason = reason
        self._scale = 1 / sqrt(len(self._members))

    @property
    def id(self) -> str:
        """Such as `clip:ViT-B-32/openai+builtin-authenticity:2`."""
        return "+".join(member.id for member in self._members.values())

    @property
    def dim(self) -> int:
        """Length of a vector: of all parts together."""
        return sum(member.dim for member in self._members.values())

    @property
    def parts(self) -> tuple[VectorPart, ...]:
        """Which numbers of a vector are whose."""
        ends = list(accumulate(member.dim for member in self._members.values()))
        return tuple(
            VectorPart(name, member.id, end - member.dim, end)
            for (name, member), end in zip(self._members.items(), ends, strict=True)
        )

    @property
    def weights_sha256(self) -> str | None:
        """Of its CLIP's weights; the other part is code alone."""
        return self._clip.weights_sha256

    @property
    def device(self) -> str:
        """Where the larger part computes."""
        return self._clip.device

    @property
    def runtime(self) -> str:
        """What computes."""
        return "+".join(member.runtime for member in self._members.values())

    @property
    def reason(self) -> str:
        """Why this embedder answers and not another."""
        return self._reason

    def embed(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Embed pictures: (n, dim) float32, unit rows.

        Raises
        ------
        Unavailable
            The CLIP model does not load here; the message says what to do.
        """
        rows = [member.embed(pictures) for member in self._members.values()]
        return np.concatenate(rows, axis=1) * np.float32(self._scale)

    def embed_text(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts for CLIP's part: (n, dim) float32, unit rows, 0 where the others' are."""
        rows = np.zeros((len(prompts), self.dim), np.float32)
        rows[:, : self._clip.dim] = self._clip.embed_text(prompts)
        return rows

    def text_scale(self) -> float:
        """By which likenesses are multiplied: more than CLIP's own, as its part is scaled down."""
        return self._clip.text_scale() / self._scale

    def forget_text(self) -> None:
        """Let the text tower go."""
        self._clip.forget_text()
