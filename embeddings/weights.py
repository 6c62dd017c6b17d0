"""Finding what a CLIP embedder needs before torch is imported: its model, weights and id."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import json
import logging
import math
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain import Unacceptable, Unavailable

RANDOM = "random"
LOOK_UP_SECONDS = 60.0
"""For a look into caches: it takes a fifth of a second, but a cold disk may be slow."""
CHECKPOINT_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".npz", ".npy")
INSTALL = "python -m pip install -r requirements-clip.txt"
FETCH = (
    "start once with ENCODER=clip where huggingface.co can be reached, which waits for the "
    "weights; or copy the cache of a machine that has them; or set CLIP_PRETRAINED to a "
    "checkpoint file"
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Weights:
    """All that decides the vectors of a CLIP embedder.

    `model` is its name for open_clip; `config` is set when it is not one of open_clip's own.
    `file` is None for random weights. `preprocess` is what the tag says of its transform.
    """

    id: str
    model: str
    dim: int
    config: Path | None = None
    file: Path | None = None
    quick_gelu: bool = False
    preprocess: Mapping[str, Any] = field(default_factory=dict)


def find_weights(model: str, pretrained: str, *, fetch_seconds: float = 0.0) -> Weights:
    """Find the weights of a model, without importing torch.

    Parameters
    ----------
    model
        One of open_clip's names, or a model configuration of your own (a JSON file).
    pretrained
        A tag of open_clip, a checkpoint file, or `random`.
    fetch_seconds
        How long weights that are not cached may take to be fetched; 0 does not try.

    Raises
    ------
    Unacceptable
        No such model, tag or file.
    Unavailable
        The libraries are not installed, or the weights are neither cached nor fetched. The
        detail `mend` says what to do.
    """
    name, config, described = _describe_model(model)
    shown = f"{name}-{_digest(config)}" if config else name
    dim = int(described["embed_dim"])
    if pretrained == RANDOM:
        return Weights(f"clip:{shown}/{RANDOM}", name, dim, config)
    file = Path(pretrained).expanduser()
    if file.is_file():
        _check_checkpoint(file)
        return Weights(f"clip:{shown}/file-{_digest(file)}", name, dim, config, file.absolute())
    if _looks_like_file(pretrained):
        raise Unacceptable("CLIP_PRETRAINED", pretrained, "a file that exists; there is none")
    found = _find_tag(name, pretrained, fetch_seconds)
    return Weights(
        f"clip:{shown}/{found['tag']}",
        name,
        dim,
        config,
        Path(found["file"]),
        found["quick_gelu"],
        found["preprocess"],
    )


def _describe_model(model: str) -> tuple[str, Path | None, Mapping[str, Any]]:
    """A model's name, its file if it is one's own, and the configuration."""
    shipped = _shipped_models()
    own = Path(model).expanduser()
    if own.suffix == ".json":
        return own.stem, own.absolute(), _read_config(own, model)
    name = model.replace("/", "-")  # as open_clip does: ViT-B/32 is ViT-B-32
    if name not in shipped:
        alike = _alike(name, list(shipped))
        allowed = f"an open_clip model name{alike}, or a model configuration file NAME.json"
        raise Unacceptable("CLIP_MODEL_NAME", model, allowed)
    return name, None, json.loads(shipped[name].read_text(encoding="utf-8"))


def _shipped_models() -> dict[str, Path]:
    spec = importlib.util.find_spec("open_clip")
    missing = [n for n in ("torch", "torchvision") if importlib.util.find_spec(n) is None]
    if spec is None or not spec.submodule_search_locations or missing:
        raise Unavailable("CLIP needs torch and open_clip, which are not installed", mend=INSTALL)
    folder = Path(spec.submodule_search_locations[0]) / "model_configs"
    return {path.stem: path for path in sorted(folder.glob("*.json"))}


def _read_config(file: Path, given: str) -> Mapping[str, Any]:
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unacceptable("CLIP_MODEL_NAME", given, f"a readable JSON file ({error})") from None
    if not isinstance(described, dict) or not {"embed_dim", "vision_cfg", "text_cfg"} <= {
        *described
    }:
        allowed = "a model configuration of open_clip, with embed_dim, vision_cfg and text_cfg"
        raise Unacceptable("CLIP_MODEL_NAME", given, allowed)
    return described


# --- tags: cached, fetched, or neither ---


def _find_tag(model: str, tag: str, fetch_seconds: float) -> Mapping[str, Any]:
    found = _look_up(model, tag, LOOK_UP_SECONDS) or {"state": "missing"}
    if found["state"] == "unknown":
        alike = _alike(tag, found["tags"])
        allowed = f"a tag that open_clip has for {model}{alike}, a checkpoint file, or {RANDOM}"
        raise Unacceptable("CLIP_PRETRAINED", tag, allowed)
    why = "were not fetched at start (CLIP_FETCH_SECONDS)"
    if found["state"] == "missing" and fetch_seconds > 0:
        log.info("Fetching the CLIP weights %s/%s ...", model, tag)
        found = _look_up(model, tag, fetch_seconds, "--fetch") or {"state": "late"}
        why = _why_not_fetched(found, fetch_seconds)
    if found["state"] != "ready":
        raise Unavailable(f"CLIP weights {model}/{tag} are not cached and {why}", mend=FETCH)
    return found


def _why_not_fetched(found: Mapping[str, Any], fetch_seconds: float) -> str:
    reasons = {
        "late": f"could not be fetched within {fetch_seconds:g} s",
        "offline": "HF_HUB_OFFLINE forbids fetching them",
        "unreachable": f"could not be fetched because {found.get('host')} does not answer",
        "failed": f"could not be fetched ({found.get('why')})",
    }
    return reasons.get(found["state"], "")


def _look_up(model: str, tag: str, seconds: float, *options: str) -> dict[str, Any] | None:
    """What `lookup.py` prints; None when it takes longer than `seconds` (and is then ended)."""
    # -P: the folder of a script is no place to import from, nor is the current one
    command = [sys.executable, "-P", str(Path(__file__).with_name("lookup.py"))]
    try:
        done = subprocess.run(  # noqa: S603 -- our own program; the names are arguments, no shell
            [*command, *options, "--", model, tag],
            stdout=subprocess.PIPE,
            timeout=seconds if math.isfinite(seconds) else None,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return None
    except subprocess.CalledProcessError as error:
        why = f"looking for them failed with exit code {error.returncode}"
        raise Unavailable(f"CLIP weights {model}/{tag}: {why}", mend=INSTALL) from error
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _alike(name: str, known: Sequence[str]) -> str:
    """The known names most like this one, worded to follow `a name`."""
    by_lower = {k.lower(): k for k in known}
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=5, cutoff=0.4)
    shown = [by_lower[c] for c in close] or list(known)[:5]
    return f" (such as {', '.join(shown)})" if shown else " (it has none)"


# --- checkpoint files ---


def _looks_like_file(pretrained: str) -> bool:
    return "/" in pretrained or "\\" in pretrained or pretrained.endswith(CHECKPOINT_SUFFIXES)


def _digest(file: Path) -> str:
    """12 hexadecimal digits of a file's sha256: enough to keep two files' vectors apart."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:12]


def _check_checkpoint(file: Path) -> None:
    """Refuse at start what no loader will take: cut-off downloads, pointers, pages of HTML."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        head = stream.read(8)
        length = int.from_bytes(head, "little")
        if file.suffix == ".safetensors":
            header = stream.read(length) if 8 + length <= size else b""
            whole = header.startswith(b"{") and 8 + length + _tensor_bytes(header) == size
        elif head.startswith(b"PK"):
            whole = zipfile.is_zipfile(file)  # its directory is at the end
        else:
            whole = head.startswith((b"\x80", b"\x93NUMPY"))  # an old torch.save, or numpy
    if not whole:
        allowed = "a whole checkpoint: safetensors, or what torch.save writes"
        raise Unacceptable("CLIP_PRETRAINED", str(file), allowed)


def _tensor_bytes(header: bytes) -> int:
    try:
        tensors = json.loads(header)
    except ValueError:
        return -1
    ends = [t["data_offsets"][1] for name, t in tensors.items() if name != "__metadata__"]
    return max(ends, default=0)
