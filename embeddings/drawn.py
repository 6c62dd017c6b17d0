"""Drawings for CLIP: cut out and shown in black on white, as the built-in embedder sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embeddings.canvas import as_drawing
from embeddings.clip import Clip
from embeddings.images import Picture

LOOK = 1
"""Changes whenever `as_drawing` shows drawings otherwise."""


@dataclass(frozen=True, slots=True)
class DrawnClip:
    """Embedder of drawings by a CLIP, which any number of threads may share."""

    clip: Clip

    @property
    def id(self) -> str:
        """Such as `clip:ViT-B-32/openai+drawn:1`: its vectors are not those of photographs."""
        return f"{self.clip.id}+drawn:{LOOK}"

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.clip.dim

    @property
    def weights_sha256(self) -> str | None:
        """Of its CLIP's weights."""
        return self.clip.weights_sha256

    @property
    def device(self) -> str:
        """Where it computes."""
        return self.clip.device

    @property
    def runtime(self) -> str:
        """What computes."""
        return self.clip.runtime

    @property
    def reason(self) -> str:
        """Why this embedder answers and not another."""
        return self.clip.reason

    def embed(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Embed drawings: (n, dim) float32, unit rows.

        Raises
        ------
        Unavailable
            The model does not load here; the message says what to do.
        """
        return self.clip.embed([Picture(as_drawing(one), one.facts) for one in pictures])

    def embed_text(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts into the same space: (n, dim) float32, unit rows."""
        return self.clip.embed_text(prompts)

    def text_scale(self) -> float:
        """By which likenesses are multiplied before they become probabilities."""
        return self.clip.text_scale()

    def forget_text(self) -> None:
        """Let the text tower go."""
        self.clip.forget_text()
