"""The texts that picture generators leave in their files, and what can be made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from provenance.programs import NAMING, generator_named

UNNAMED = "a picture generator"
EXCERPT = 160
NEAR_AN_END = 20_000
"""Characters at either end of a text that are searched; a hostile one may be long."""
STEPS = re.compile(r"\bSteps: ?\d{1,6},(.{0,400})", re.S)
HOW = re.compile(r"\b(Sampler|CFG scale|Schedule type|Seed|Size|Model hash|Model): ?[\w-]")
DRAWING = frozenset({"Sampler", "CFG scale", "Schedule type"})
"""Of those, what only drawing by a model has; stairs have steps, and lotteries seeds."""
MODEL = re.compile(r"\bModel: ?([^,\n]{1,80})")
JOB_ID = re.compile(r"\bJob ID: ?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\s*$", re.I)
MIDJOURNEYS = frozenset({"Description", "dc:description"})
"""Where it writes prompt and job; elsewhere others count their jobs."""
DREAM = re.compile(r"^\s*\"[^\"]{1,2000}\" .*-s ?\d+.*-S ?-?\d+", re.S)
WORKFLOW_NAME = re.compile(r"^\s*(?:prompt|workflow)\s*:\s*", re.I)
SIGNATURE = re.compile(r"Signature: [A-Za-z0-9+/=]{64,}")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
MAX_PIECES = 50_000
"""Objects, lists and values of JSON that are parsed for one file; a hostile one has millions."""
MANY_NODES = 300_000
"""Characters of a workflow that is too large to parse which are searched for nodes."""
TYPE = re.compile(r"\"type\" ?: ?\"([^\"]{1,80})\"")
CLASS_TYPE = re.compile(r"\"class_type\" ?: ?\"([^\"]{1,80})\"")
_HOW = {"steps", "sampler", "num_inference_steps", "guidance_scale", "cfg_scale", "scale"}
INVOKE = frozenset({"invokeai_metadata", "invokeai_graph", "sd-metadata"})


@dataclass(frozen=True, slots=True)
class Generated:
    """A generator's text. Not `made`: the program only handled the picture, as far as it says."""

    program: str
    where: str
    excerpt: str
    made: bool = True
    model: str = ""


def find_generators(texts: Mapping[str, str]) -> list[Generated]:
    """Which generators speak in the texts of a file, each once, the surest of its texts first."""
    found: dict[str, Generated] = {}
    if _is_grok(texts):
        found["Grok"] = Generated("Grok", "ImageDescription", texts["ImageDescription"][:EXCERPT])
    if {"prompt", "seed"} <= texts.keys() and texts.keys() & _HOW:
        found[UNNAMED] = Generated(UNNAMED, "prompt", texts["prompt"][:EXCERPT])
    left = MAX_PIECES
    for where, text in texts.items():
        said, left = _json(text, left)
        for one in (*_in_text(where, text), *_in_json(where, text, said)):
            known = found.get(one.program)
            if known is None or (one.made and not known.made):
                found[one.program] = one
    return list(found.values())


def _is_grok(texts: Mapping[str, str]) -> bool:
    """The two tags in which it keeps a signature and the picture's number, and no others."""
    signed = SIGNATURE.fullmatch(texts.get("ImageDescription", "").strip())
    return bool(signed and UUID.fullmatch(texts.get("Artist", "").strip()))


def _in_text(where: str, text: str) -> Iterator[Generated]:
    excerpt = _excerpt(text)
    if where in NAMING and (named := generator_named(text)):
        yield Generated(named, where, excerpt)
    told = text if len(text) <= 2 * NEAR_AN_END else text[:NEAR_AN_END] + text[-NEAR_AN_END:]
    if _tells_how(told):
        model = MODEL.search(told)
        name = "Stable Diffusion web UI (AUTOMATIC1111)"
        yield Generated(name, where, excerpt, model=model[1].strip() if model else "")
    if where in INVOKE or (where == "Dream" and DREAM.match(text[:2000])):
        yield Generated("InvokeAI", where, excerpt)
    if where == "Title" and text.strip() == "AI generated image":
        yield Generated("NovelAI", where, excerpt)
    if where in MIDJOURNEYS and JOB_ID.search(told.rstrip("\x00 \n")):
        yield Generated("Midjourney", where, excerpt)


def _tells_how(text: str) -> bool:
    """Whether there is a line of settings as web UIs write it: steps, and more of that kind."""
    if "Steps:" not in text:
        return False
    for steps in STEPS.finditer(text):
        named = set(HOW.findall(steps[1]))
        if len(named) >= 2 and named & DRAWING:
            return True
    return False


def _excerpt(text: str) -> str:
    return " ".join(text[: 4 * EXCERPT].split())[:EXCERPT]


def _json(text: str, left: int) -> tuple[dict[str, Any], int]:
    """A text as JSON, if it is an object; how many more pieces may be parsed."""
    start = WORKFLOW_NAME.match(text[:EXCERPT])
    if text[start.end() if start else 0 :][:EXCERPT].lstrip()[:1] != "{":
        return {}, left
    pieces = sum(map(text.count, ",[{"))
    if pieces > left:
        return _too_large(text), left
    try:
        said = json.loads(text[start.end() if start else 0 :].rstrip("\x00 \n"))
    except (ValueError, RecursionError):
        return {}, left - pieces
    return (said if isinstance(said, dict) else {}), left - pieces


def _too_large(text: str) -> dict[str, Any]:
    """What can be told of a workflow without parsing it: the kinds of its first nodes."""
    head = text[:MANY_NODES]
    kinds = CLASS_TYPE.findall(head)
    if not kinds and '"nodes"' in text and '"links"' in text:
        kinds = TYPE.findall(head)
    return {str(at): {"class_type": kind} for at, kind in enumerate(kinds)}


def _in_json(where: str, text: str, said: Mapping[str, Any]) -> Iterator[Generated]:
    """Settings that are written as JSON: whole workflows, or one flat table."""
    excerpt = _excerpt(text)
    if nodes := list(_nodes(said)):
        made = any("sampler" in node.lower() for node in nodes)
        yield Generated("ComfyUI", where, excerpt, made=made)
    elif isinstance(said.get("sui_image_params"), dict):
        yield Generated("SwarmUI", where, excerpt)
    elif "prompt" in said and "seed" in said and said.keys() & _HOW:
        yield Generated(UNNAMED, where, excerpt, model=str(said.get("model", ""))[:80])


def _nodes(said: Mapping[str, Any]) -> Iterator[str]:
    """The kinds of a ComfyUI workflow's nodes, in either of the two forms it is written in."""
    nodes = said.get("nodes")
    if isinstance(nodes, list):
        for node in nodes:
            if isinstance(node, dict) and isinstance(node.get("type"), str) and "inputs" in node:
                yield node["type"]
        return
    for node in said.values():
        if isinstance(node, dict) and isinstance(node.get("class_type"), str):
            yield node["class_type"]
