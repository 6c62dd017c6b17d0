"""Imports point one way, one library has one owner, and nothing hides an import in a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MAY_IMPORT: dict[str, set[str]] = {
    "domain": set(),
    "config": {"domain"},
    "wire": {"domain"},
    "wording": {"domain"},
    "terminal": {"wording"},
    "storage": {"domain", "config"},
    "embeddings": {"domain", "config"},
    "models": {"domain", "config", "storage", "wording"},
    "engine": {"domain", "config", "storage", "embeddings", "models", "records"},
    "embeddings.__main__": {"domain", "config", "terminal", "engine", "embeddings"},
    "notary": {"domain", "config", "wire", "embeddings", "engine", "models", "records"},
    "decision": {"domain", "config", "models", "wording"},
    "stability": {"domain", "embeddings", "models", "decision", "turns", "wording"},
    "classify": {
        "domain",
        "config",
        "terminal",
        "wire",
        "engine",
        "embeddings",
        "models",
        "provenance",
        "decision",
        "explanation",
        "stability",
        "notary",
        "records",
        "heatmap",
        "scraper",
    },
    "explanation": {"domain", "models", "decision"},
    "drawn": set(),
    "turns": {"domain"},
    "heatmap": {"domain", "config", "engine", "embeddings", "models", "drawn", "turns"},
    "history": {"domain", "storage", "models"},
    "train": {"domain", "config", "terminal", "wire", "engine", "models", "history"},
    "provenance": {"domain"},
    "records": {"domain", "config", "wording"},
    "scraper": {"domain", "config", "terminal", "storage", "embeddings", "models", "provenance"},
    "given": {
        "domain",
        "config",
        "storage",
        "engine",
        "embeddings",
        "models",
        "classify",
        "decision",
    },
    "effect": {"domain", "engine", "models", "decision"},
    "feedback": {
        "domain",
        "config",
        "terminal",
        "wire",
        "storage",
        "engine",
        "models",
        "decision",
        "given",
        "effect",
    },
    "exchange": {"domain", "config", "storage", "engine", "embeddings", "models"},
    "lessons": {"domain", "config", "terminal", "engine", "exchange", "feedback"},
    "review": {"domain", "config", "storage", "engine", "models"},
    "starter": {"domain", "config", "engine", "embeddings", "models", "train"},
    "web": {
        "domain",
        "config",
        "wire",
        "engine",
        "decision",
        "notary",
        "classify",
        "stability",
        "heatmap",
        "given",
        "feedback",
        "lessons",
        "promotion",
        "review",
        "embeddings",
        "models",
        "scraper",
        "webhook",
    },
    "rescore": {"domain", "storage", "engine", "models", "decision", "webhook"},
    "webhook": {"domain", "config", "storage", "scraper"},
    "promotion": {"domain", "engine"},
    "nightly": {
        "domain",
        "config",
        "storage",
        "engine",
        "embeddings",
        "models",
        "scraper",
        "train",
        "rescore",
        "webhook",
    },
    "retrain": {"domain", "config", "storage", "engine", "models", "nightly"},
    "scheduler": {"domain", "config", "terminal", "storage", "nightly", "webhook"},
    "app": {"domain", "config", "engine", "web", "starter"},
}
NARROWED: dict[tuple[str, str], str] = {
    ("classify", "records"): "records.command",
    # of the scraper, only its guarded fetch may be reached from a request or a command
    ("classify", "scraper"): "scraper.fetch",
    ("web", "scraper"): "scraper.fetch",
    ("webhook", "scraper"): "scraper.fetch",
    ("web", "models"): "models.decay",
    ("scraper", "models"): "models.families",
    ("starter", "models"): "models.families",
}
LEAVES = ("tests", "benchmarks")

OWNERS: dict[str, set[str]] = {
    "flask": {"web", "app.py"},
    "flask_cors": {"web"},
    "werkzeug": {"web"},
    "sqlalchemy": {"storage"},
    "alembic": {"storage"},
    "psycopg": {"storage"},
    "torch": {"embeddings/clip.py"},
    "torchvision": {"embeddings/clip.py"},
    "open_clip": {"embeddings/clip.py"},
    "huggingface_hub": {"embeddings/lookup.py"},
    "sklearn": {"models", "starter.py"},
    "skops": {"models/registry.py"},
    "joblib": {"models"},
    "matplotlib": {"models/report.py"},
    "skimage": {"embeddings", "starter.py"},
    "PIL": {"embeddings/images.py", "embeddings/overlay.py", "provenance"},
    "apscheduler": {"scheduler.py"},
    "bs4": {"scraper"},
    "protego": {"scraper"},
    "c2pa": {"provenance/credentials.py"},
    "pillow_heif": {"embeddings/images.py"},
    "ssrfguard": {"scraper/fetch.py", "scraper/connections.py"},
    "httpcore": {"scraper/fetch.py"},
    "httpx": {"scraper/fetch.py"},
    "requests": {"scraper/connections.py"},
    "urllib3": {"scraper/connections.py"},
    "urllib.request": {"scraper/fetch.py"},
    "pydantic_settings": {"config.py"},
    "gunicorn": {"web/server.py"},
    "swagger_ui_bundle": {"web/pages.py"},
    "pickle": {"models/registry.py"},
    "cryptography": {"records/keys.py"},
    "rfc8785": {"records/canonical.py"},
}
HEAVY = {"torch", "torchvision", "open_clip", "matplotlib", "sklearn", "skops", "skimage", "scipy"}
"""May be imported late, in their owner only."""


def project_files() -> list[Path]:
    files = [*ROOT.glob("*.py")]
    for room in (*(u for u in MAY_IMPORT if "." not in u), *LEAVES):
        files.extend((ROOT / room).rglob("*.py"))
    return sorted(files)


def unit_of(path: Path) -> str:
    dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return dotted if dotted in MAY_IMPORT else dotted.split(".")[0]


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def violations(path: Path, source: str) -> list[str]:
    """What in this file breaks the rules; `path` is where it stands or would stand."""
    unit, relative = unit_of(path), path.relative_to(ROOT).as_posix()
    tree = ast.parse(source)
    found = [*_wrong_direction(unit, tree), *_hidden_imports(unit, tree)]
    if unit in LEAVES:
        return [f"{relative}:{line}" for line in found]
    found.extend(_wrong_owner(relative, tree))
    found.extend(_environment(relative, tree))
    return [f"{relative}:{line}" for line in found]


def _wrong_direction(unit: str, tree: ast.AST) -> Iterator[str]:
    for name, line in imported(tree):
        target = name.split(".")[0]
        if target in LEAVES and unit not in LEAVES:
            yield f"{line} imports {target}, which nobody may"
        if target not in MAY_IMPORT or target == unit.split(".")[0] or unit in LEAVES:
            continue
        if target not in MAY_IMPORT[unit]:
            yield f"{line} {unit} may not import {target}"
        elif not name.startswith(narrow := NARROWED.get((unit, target), "")):
            yield f"{line} {unit} may import only {narrow} of {target}"


def _hidden_imports(unit: str, tree: ast.AST) -> Iterator[str]:
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and unit not in LEAVES:
            for name, line in imported(function):
                if name.split(".")[0] not in HEAVY:
                    yield f"{line} imports {name} inside a function"


def _wrong_owner(relative: str, tree: ast.AST) -> Iterator[str]:
    for name, line in imported(tree):
        for library, owners in OWNERS.items():
            if name == library or name.startswith(library + "."):
                if not any(relative == o or relative.startswith(o + "/") for o in owners):
                    yield f"{line} {library} belongs to {', '.join(sorted(owners))}"


def _environment(relative: str, tree: ast.AST) -> Iterator[str]:
    if relative == "config.py":
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}:
            yield f"{node.lineno} reads the environment; config.py does"
    for name, line in imported(tree):
        if name in {"os.environ", "os.getenv"}:
            yield f"{line} reads the environment; config.py does"


@pytest.mark.parametrize("path", project_files(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_file_keeps_the_rules(path: Path) -> None:
    assert violations(path, path.read_text(encoding="utf-8")) == []


def test_every_unit_has_rules() -> None:
    units = {unit_of(path) for path in project_files()}
    assert units - set(LEAVES) <= set(MAY_IMPORT)


def test_rules_form_no_cycle() -> None:
    settled: set[str] = set()
    while len(settled) < len(MAY_IMPORT):
        ready = {u for u, may in MAY_IMPORT.items() if u not in settled and may <= settled}
        assert ready, f"a cycle among {set(MAY_IMPORT) - settled}"
        settled |= ready


@pytest.mark.parametrize(
    ("where", "source", "expected"),
    [
        ("domain.py", "import config", "may not import config"),
        ("storage/store.py", "from web import api", "may not import web"),
        ("web/api.py", "import train", "may not import train"),
        ("web/api.py", "from scraper import ingest", "only scraper.fetch"),
        ("models/batch.py", "from PIL import Image", "PIL belongs to"),
        ("classify.py", "import sqlalchemy as sa", "sqlalchemy belongs to"),
        ("embeddings/builtin.py", "import torch", "torch belongs to"),
        ("web/pages.py", "import urllib.request", "urllib.request belongs to"),
        ("engine.py", "import os\nx = os.environ['A']", "reads the environment"),
        ("engine.py", "from os import getenv", "reads the environment"),
        ("train.py", "def f():\n    import classify", "inside a function"),
        ("models/batch.py", "import tests.conftest", "which nobody may"),
    ],
)
def test_sabotage_is_caught(where: str, source: str, expected: str) -> None:
    assert any(expected in line for line in violations(ROOT / where, source))
