"""Looks a pretrained tag up in open_clip's own tables; prints one line of JSON.

A program of its own, started by `weights.py`. What it does to open_clip's modules must not leak
into a serving process, and a download that hangs can be ended only from outside.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys
import types
from typing import Any

import huggingface_hub
from huggingface_hub import constants

PREPROCESSING = ("mean", "std", "interpolation", "resize_mode", "fill_color")
KNOCK_SECONDS = 5.0


def open_clip_tables() -> Any:
    """open_clip's module of pretrained tags without the rest of open_clip, which imports torch."""
    spec = importlib.util.find_spec("open_clip")
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError("open_clip is not installed")
    package = types.ModuleType("open_clip")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["open_clip"] = package
    # the tables only ask whether this can be imported; it would bring torch
    sys.modules["safetensors.torch"] = types.ModuleType("safetensors.torch")
    return importlib.import_module("open_clip.pretrained")


def look_up(tables: Any, model: str, tag: str, *, fetch: bool) -> dict[str, Any]:
    """Where the weights of a tag are.

    Parameters
    ----------
    tables
        What `open_clip_tables` gives.
    model, tag
        Names as open_clip knows them.
    fetch
        Whether to download what is not cached.

    Returns
    -------
    dict
        `state`: `unknown` (with the model's `tags`), `missing`, `offline`, `unreachable` (with the
        `host`), `failed` (with `why`) or `ready` (with `file` and how the model is built for it).
    """
    entry = tables.get_pretrained_cfg(model, tag)
    if not entry:
        return {"state": "unknown", "tags": tables.list_pretrained_tags_by_model(model)}
    if fetch and entry.get("hf_hub"):
        if constants.HF_HUB_OFFLINE:
            return {"state": "offline"}
        if not _host_answers():
            return {"state": "unreachable", "host": constants.ENDPOINT}
    if not fetch:
        _cut_off(tables)
    try:
        file = tables.download_pretrained(entry)
    except (OSError, RuntimeError, AttributeError) as error:
        return {"state": "failed" if fetch else "missing", "why": type(error).__name__}
    return {
        "state": "ready",
        "file": file,
        "tag": tag.lower().replace("-", "_"),
        "quick_gelu": bool(entry.get("quick_gelu", False)),
        "preprocess": {key: entry[key] for key in PREPROCESSING if key in entry},
    }


def _cut_off(tables: Any) -> None:
    """Leave open_clip's way of finding weights the caches alone."""
    tables.hf_hub_download = _cached
    tables.urllib = None  # a tag that is only a URL then fails with an AttributeError


def _cached(
    repo_id: str, filename: str, revision: str | None = None, cache_dir: str | None = None
) -> str:
    """`hf_hub_download(local_files_only=True)`, which all the same asks the hub about itself."""
    found = huggingface_hub.try_to_load_from_cache(repo_id, filename, cache_dir, revision)
    if not isinstance(found, str):
        raise FileNotFoundError(f"{repo_id}/{filename} is not cached")
    return found


def _host_answers() -> bool:
    """Knock once: huggingface_hub itself tries for 20 s and more while offline."""
    try:
        huggingface_hub.get_session().head(constants.ENDPOINT, timeout=KNOCK_SECONDS)
    except Exception:  # noqa: BLE001 -- which HTTP library it is, and so the error, has changed twice
        return False
    return True


def main() -> None:
    """Read the command line, print what was found."""
    parser = argparse.ArgumentParser(description="Find the weights of an open_clip tag.")
    parser.add_argument("model")
    parser.add_argument("tag")
    parser.add_argument("--fetch", action="store_true", help="download what is not cached")
    arguments = parser.parse_args()
    found = look_up(open_clip_tables(), arguments.model, arguments.tag, fetch=arguments.fetch)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
