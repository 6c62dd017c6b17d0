"""A CLIP of a few hundred kilobytes, untrained: the real code path without a download."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch

from embeddings.clip import import_open_clip
from embeddings.weights import Weights

DIM = 24


def write_config(folder: Path, name: str = "tiny") -> Path:
    """A model configuration of open_clip; CLIP_MODEL_NAME may name it."""
    described = {
        "embed_dim": DIM,
        "vision_cfg": {
            "image_size": 32,
            "layers": 2,
            "width": 64,
            "head_width": 32,
            "patch_size": 8,
        },
        "text_cfg": {
            "context_length": 16,
            "vocab_size": 49408,
            "width": 16,
            "heads": 2,
            "layers": 1,
        },
    }
    file = folder / f"{name}.json"
    file.write_text(json.dumps(described), encoding="utf-8")
    return file


def build(config: Path, **options: Any) -> Any:
    """The model as open_clip itself builds it."""
    open_clip = import_open_clip()
    open_clip.add_model_config(config)
    return open_clip.create_model(config.stem, **options).eval()


def write_checkpoint(config: Path, seed: int = 1, suffix: str = ".pt") -> Path:
    """A checkpoint file of that model; CLIP_PRETRAINED may name it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state = build(config).state_dict()
    file = config.with_name(f"{config.stem}-{seed}{suffix}")
    if suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(state, file)
    else:
        torch.save(state, file)
    return file


def plain_weights(config: Path, **changes: Any) -> Weights:
    """Untrained weights of that model."""
    plain = Weights("clip:test/random", config.stem, DIM, config)
    return dataclasses.replace(plain, **changes)
