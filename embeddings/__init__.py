"""Embedders: from a decoded picture to a unit vector."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from config import Encoder, Settings
from domain import TaskKind, Unavailable
from embeddings.builtin import Builtin
from embeddings.clip import Clip
from embeddings.drawn import DrawnClip
from embeddings.ensemble import Ensemble
from embeddings.images import Picture
from embeddings.weights import RANDOM, find_weights

log = logging.getLogger(__name__)


class Embedder(Protocol):
    """Pictures to unit vectors. Vectors of two ids never mix."""

    @property
    def id(self) -> str:
        """Such as `clip:ViT-B-32/openai` or `builtin-drawing:2`."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    @property
    def device(self) -> str:
        """`cpu`, `cuda:0` and so on."""

    @property
    def runtime(self) -> str:
        """What computes: `torch`, `numpy`."""

    @property
    def reason(self) -> str:
        """Why this embedder answers and not another, in one plain sentence."""

    def embed(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Embed pictures.

        Parameters
        ----------
        pictures
            Any number, also none.

        Returns
        -------
        NDArray[np.float32]
            (n, dim), unit rows; the same picture gives the same row in any batch to 1e-5.
        """


@runtime_checkable
class Weighted(Protocol):
    """An embedder whose numbers come from a file."""

    @property
    def weights_sha256(self) -> str | None:
        """Of that file; None when there is none after all."""


def weights_of(embedder: Embedder) -> str | None:
    """The sha256 of the weights behind an embedder; None where it is code alone."""
    return embedder.weights_sha256 if isinstance(embedder, Weighted) else None


def load_embedders(settings: Settings) -> Mapping[TaskKind, Embedder]:
    """Pick the embedder of each task kind as ENCODER says. Does not import torch.

    Parameters
    ----------
    settings
        `encoder`, what begins with `clip_`, and nothing else is read.

    Raises
    ------
    Unavailable
        ENCODER=clip or clip+builtin, and CLIP cannot be had here.
    Unacceptable
        CLIP_MODEL_NAME or CLIP_PRETRAINED names nothing there is.
    """
    if settings.encoder is Encoder.BUILTIN:
        return _builtin("ENCODER=builtin asks for it.")
    needed = settings.encoder in (Encoder.CLIP, Encoder.ENSEMBLE)
    wait = math.inf if needed else settings.clip_fetch_seconds
    try:
        weights = find_weights(
            settings.clip_model_name, settings.clip_pretrained, fetch_seconds=wait
        )
    except Unavailable as error:
        mend = error.detail["mend"]
        if needed:
            asked = f"ENCODER={settings.encoder.value}"
            message = f"{asked}: {error.message}. To mend it: {mend}; or set ENCODER=auto."
            raise Unavailable(message) from error
        reason = f"{error.message}: the built-in embedder answers. To use CLIP: {mend}."
        log.warning(reason)
        return _builtin(reason)
    clip = Clip(
        weights,
        device=settings.clip_device,
        batch_size=settings.clip_batch_size,
        reason=_why_clip(settings),
    )
    log.info("%s answers. %s", clip.id, clip.reason)
    embedders: dict[TaskKind, Embedder] = {kind: clip for kind in TaskKind}
    embedders[TaskKind.DRAWING] = DrawnClip(clip)
    if settings.encoder is Encoder.ENSEMBLE:
        both = Builtin(TaskKind.AUTHENTICITY, clip.reason)
        embedders[TaskKind.AUTHENTICITY] = Ensemble(clip, both, clip.reason)
    return embedders


def _builtin(reason: str) -> Mapping[TaskKind, Embedder]:
    # Its matrices are small: threads of BLAS double the processor time (22 ms to 49 ms a picture
    # on two cores) and take the cores from the requests beside it.
    threadpool_limits(limits=1, user_api="blas")
    return {kind: Builtin(kind, reason) for kind in TaskKind}


def _why_clip(settings: Settings) -> str:
    if settings.clip_pretrained == RANDOM:
        return "CLIP_PRETRAINED=random asks for untrained weights: good for measuring speed only."
    if settings.encoder is not Encoder.AUTO:
        return f"ENCODER={settings.encoder.value} asks for it."
    return "ENCODER=auto found its weights at hand."
