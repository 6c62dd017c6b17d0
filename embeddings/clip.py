"""CLIP models of open_clip as embedders. torch is imported when the first picture comes."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from domain import Unavailable
from embeddings.cores import Lanes, usable_cores
from embeddings.images import Picture, as_pil
from embeddings.weights import Weights

SEED = 20240717
"""Of `random` weights, so that every process has the same ones."""
LONGEST = 8
"""Longest side looked at, in shortest sides, by models that see only the middle square."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class _ImageTower(NamedTuple):
    """A model's image half: how a picture becomes its input, and what computes."""

    transform: Callable[[Any], Any]
    resizing: str
    module: Any
    device: Any
    pool: ThreadPoolExecutor

    @property
    def sees_middle(self) -> bool:
        return self.resizing == "shortest"

    def prepared(self, picture: Picture) -> Any:
        """The model's input: (3, side, side) float32."""
        pixels = _middle(picture.pixels) if self.sees_middle else picture.pixels
        return self.transform(as_pil(pixels))


class Patches(NamedTuple):
    """What a tower makes of a picture's parts.

    Attributes
    ----------
    vectors
        (rows, columns, dim) float32, unit, in the space of whole pictures.
    top, left, height, width
        The rectangle of the picture that they cover, in pixels.
    """

    vectors: NDArray[np.float32]
    top: int
    left: int
    height: int
    width: int


class Clip:
    """Embedder that any number of threads may share; loads itself at the first picture.

    The two towers load apart: pictures need no text tower, which is a third of the memory.
    """

    def __init__(
        self, weights: Weights, *, device: str = "auto", batch_size: int = 32, reason: str = ""
    ) -> None:
        self._weights = weights
        self._device = device
        self._batch_size = batch_size
        self._reason = reason
        self._loading = threading.Lock()
        self._lanes = Lanes(1)
        self._image: _ImageTower | None = None
        self._text: tuple[Any, Any, Any] | None = None
        self._problems: dict[Callable[[], Any], str] = {}

    @property
    def id(self) -> str:
        """Such as `clip:ViT-B-32/openai`; two checkpoint files never share one."""
        return self._weights.id

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._weights.dim

    @cached_property
    def weights_sha256(self) -> str | None:
        """Of the file of weights; None for random ones, and where it was removed since."""
        file = self._weights.file
        if file is None or not file.is_file():
            return None
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    @property
    def device(self) -> str:
        """Where it computes; what CLIP_DEVICE says until it is loaded."""
        return str(self._image.device) if self._image else self._device

    @property
    def runtime(self) -> str:
        """What computes."""
        return "torch"

    @property
    def reason(self) -> str:
        """Why this embedder answers and not another."""
        return self._reason

    def embed(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Embed pictures, in batches.

        Parameters
        ----------
        pictures
            Any number, also none.

        Returns
        -------
        NDArray[np.float32]
            (n, dim), unit rows.

        Raises
        ------
        Unavailable
            The model does not load here; the message says what to do.
        """
        rows = np.empty((len(pictures), self.dim), np.float32)
        for start in range(0, len(pictures), self._batch_size):
            batch = pictures[start : start + self._batch_size]
            rows[start : start + len(batch)] = self._embed_batch(self._load_image(), batch)
        return rows

    def _embed_batch(self, tower: _ImageTower, batch: Sequence[Picture]) -> NDArray[np.float32]:
        import torch

        # a lone picture, the usual request, is spared the hop to another thread
        alone = len(batch) == 1
        inputs = map(tower.prepared, batch) if alone else tower.pool.map(tower.prepared, batch)
        stacked = torch.stack(list(inputs))  # (n, 3, side, side) float32
        with self._lanes.lane() as threads, torch.inference_mode():
            torch.set_num_threads(threads)  # of the calls this thread makes
            return _unit_rows(tower.module(stacked.to(tower.device)))

    def patches(self, picture: Picture) -> Patches | None:
        """Embed a picture's parts: the last tokens, put through what the whole goes through.

        Returns
        -------
        Patches or None
            None of a model whose parts have no vectors of their own: no vision transformer, or
            one that pools by attention.

        Raises
        ------
        Unavailable
            The model does not load here; the message says what to do.

        References
        ----------
        C. Zhou, C. C. Loy, B. Dai, "Extract free dense labels from CLIP", ECCV 2022, which also
        says how rough such tokens are.
        """
        tower = self._load_image()
        visual = tower.module
        plain = hasattr(visual, "forward_intermediates") and hasattr(visual, "ln_post")
        pooled_plainly = plain and getattr(visual, "attn_pool", None) is None
        if not pooled_plainly or tower.resizing not in ("shortest", "squash"):
            return None
        import torch

        inputs = tower.prepared(picture)[None]
        with self._lanes.lane() as threads, torch.inference_mode():
            torch.set_num_threads(threads)
            found = visual.forward_intermediates(
                inputs.to(tower.device),
                indices=1,
                normalize_intermediates=True,
                intermediates_only=True,
            )
            (tokens,) = found["image_intermediates"]  # (1, width, rows, columns)
            tokens = tokens[0].permute(1, 2, 0)
            if visual.proj is not None:
                tokens = tokens @ visual.proj
            rows, columns, dim = tokens.shape
            vectors = _unit_rows(tokens.reshape(-1, dim))
        height, width = picture.pixels.shape[:2]
        side = min(height, width)
        seen = (side, side) if tower.sees_middle else (height, width)
        return Patches(
            vectors.reshape(rows, columns, dim),
            (height - seen[0]) // 2,
            (width - seen[1]) // 2,
            *seen,
        )

    def embed_text(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts into the same space as pictures.

        Parameters
        ----------
        prompts
            Any number, also none; what is beyond the model's context is cut off.

        Returns
        -------
        NDArray[np.float32]
            (n, dim), unit rows: the dot product with a picture's row is their likeness.

        Raises
        ------
        Unavailable
            The model does not load here; the message says what to do.
        """
        rows = np.empty((len(prompts), self.dim), np.float32)
        for start in range(0, len(prompts), self._batch_size):
            batch = list(prompts[start : start + self._batch_size])
            rows[start : start + len(batch)] = self._embed_prompts(batch)
        return rows

    def text_scale(self) -> float:
        """By which the model learned to multiply likenesses of texts and pictures: about 100.

        Raises
        ------
        Unavailable
            The model does not load here; the message says what to do.

        References
        ----------
        A. Radford et al., "Learning transferable visual models from natural language
        supervision", ICML 2021, section 2.3.
        """
        model, _, _ = self._load_text()
        return float(model.logit_scale.exp())

    def forget_text(self) -> None:
        """Let the text tower go, a third of the model's memory; the next text loads it again."""
        with self._loading:
            self._text = None

    def _embed_prompts(self, prompts: list[str]) -> NDArray[np.float32]:
        model, tokenizer, device = self._load_text()
        import torch

        with self._lanes.lane() as threads, torch.inference_mode():
            torch.set_num_threads(threads)
            return _unit_rows(model.encode_text(tokenizer(prompts).to(device)))

    # --- loading ---

    def _load_image(self) -> _ImageTower:
        with self._loading:
            if self._image is None:
                self._image = self._guarded(self._build_image)
            return self._image

    def _load_text(self) -> tuple[Any, Any, Any]:
        with self._loading:
            if self._text is None:
                self._text = self._guarded(self._build_text)
            return self._text

    def _guarded(self, build: Callable[[], T]) -> T:
        """Load once; a tower that failed to load is not tried again at every picture."""
        if build not in self._problems:
            try:
                return build()
            except Unavailable as error:
                self._problems[build] = error.message
            except Exception as error:
                log.exception("CLIP does not load")
                kind = type(error).__name__  # its text may name places on this machine
                said = f"The CLIP model {self.id} does not load ({kind}; see the log)."
                self._problems[build] = said
        problem = self._problems[build]
        raise Unavailable(f"{problem} Set CLIP_MODEL_NAME and CLIP_PRETRAINED right.")

    def _build_image(self) -> _ImageTower:
        open_clip = import_open_clip()
        device = _pick_device(self._device)
        model = self._build_model(open_clip)
        settings = open_clip.get_model_preprocess_cfg(model)
        names = ("mean", "std", "interpolation", "resize_mode", "fill_color")
        transform = open_clip.image_transform(
            settings["size"], is_train=False, **{n: settings[n] for n in names}
        )
        log.info("CLIP %s loaded on %s", self.id, device)
        return _ImageTower(
            transform,
            settings["resize_mode"],
            model.visual.to(device).eval().requires_grad_(False),
            device,
            ThreadPoolExecutor(usable_cores(), thread_name_prefix="clip-prepare"),
        )

    def _build_text(self) -> tuple[Any, Any, Any]:
        open_clip = import_open_clip()
        device = _pick_device(self._device)
        model = self._build_model(open_clip)
        del model.visual
        tokenizer = open_clip.get_tokenizer(self._weights.model)
        return model.to(device).eval().requires_grad_(False), tokenizer, device

    def _build_model(self, open_clip: Any) -> Any:
        """The whole model on the processor, float32."""
        import torch

        self._lanes = Lanes(min(torch.get_num_threads(), usable_cores()))  # OMP_NUM_THREADS counts
        weights = self._weights
        if weights.config is not None:
            open_clip.add_model_config(weights.config)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            return open_clip.create_model(
                weights.model,
                pretrained=str(weights.file) if weights.file else None,
                # open_clip only warns when a tag was trained with another activation than
                # the model's: its ViT-B-32 and `openai` differ in it
                force_quick_gelu=weights.quick_gelu,
                force_preprocess_cfg=dict(weights.preprocess),
                pretrained_text=False,
            )


def _middle(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut what is never looked at off both ends of a very long picture.

    open_clip scales a picture until its shorter side fits and then takes the middle square: of
    one 16,384 x 1 it would first make one 3.7 million pixels wide.
    """
    height, width = pixels.shape[:2]
    shorter, longer = sorted((height, width))
    cut = (longer - LONGEST * shorter) // 2
    if cut <= 0:
        return pixels
    part = pixels[cut:-cut] if height > width else pixels[:, cut:-cut]
    return np.ascontiguousarray(part)


def _unit_rows(features: Any) -> NDArray[np.float32]:
    """(n, dim) unit rows from what a tower gives."""
    pooled = features[0] if isinstance(features, tuple) else features  # CoCa adds its tokens
    rows: NDArray[np.float32] = pooled.float().cpu().numpy()
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return rows


def import_open_clip() -> Any:
    """open_clip, also where torchvision's C extension does not fit the torch installed.

    Without its extension (a CPU build of torch with the usual torchvision) the import of
    torchvision fails on two operators that CLIP never calls; declaring them is enough.
    """
    import torch

    _try_extension(torch)
    declared = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            torch.library.define(f"torchvision::{operator}", declared)
    import open_clip

    torch.backends.cudnn.allow_tf32 = False  # a GPU's vectors are to equal a processor's
    return open_clip


def _try_extension(torch: Any) -> None:
    """Load torchvision's extension as torchvision itself would, a moment earlier."""
    spec = find_spec("torchvision")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        for library in Path(folder).glob("_C.*"):
            try:
                torch.ops.load_library(str(library))
            except OSError as error:
                log.debug("torchvision's extension does not load: %s", error)


def _pick_device(wanted: str) -> Any:
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        found = [kind for kind, there in available.items() if there]
        wanted = found[0] if found else "cpu"
    kind = wanted.split(":")[0]
    if not available.get(kind, True):
        raise Unavailable(f"CLIP_DEVICE={wanted}, but torch finds none here (auto and cpu work).")
    return torch.device(wanted)
