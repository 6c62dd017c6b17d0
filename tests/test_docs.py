"""What the README tells a newcomer to type exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from config import Settings
from domain import TaskKind
from engine import open_engine
from tests.web.service import client_of

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> list[str]:
    """Every `python ...` command line of the README's code, without comments."""
    found = []
    for block in re.findall(r"```(?:sh|console)\n(.*?)```", README, re.DOTALL):
        for line in block.splitlines():
            for part in re.split(r"&&|;", line.removeprefix("$ ").split("   #")[0]):
                if part.strip().startswith("python "):
                    found.append(part.strip())
    return sorted(set(found))


def test_readme_has_commands() -> None:
    assert len(commands()) >= 5


@pytest.mark.parametrize("command", commands())
def test_command_and_its_options_exist(command: str) -> None:
    _, *words = shlex.split(command.split(">")[0])
    script = words[:2] if words[0] == "-m" else words[:1]
    sub = [word for word in words[len(script) :][:1] if not word.startswith("-")]
    done = subprocess.run(
        [sys.executable, *script, *sub, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for option in (word for word in words if word.startswith("--")):
        assert option in done.stdout, f"{command}: no {option}"


def test_every_path_asked_in_the_readme_is_served(settings: Settings) -> None:
    engine = open_engine(settings)
    client = client_of(engine)
    for task in ("smile", "letters"):
        engine.store.tasks.create(task, TaskKind.PHOTO, open=True)
    paths = set(re.findall(r"http://127\.0\.0\.1:5000(/[a-z0-9_/]*)", README))
    assert {"/classify", "/feedback", "/tasks/letters/train", "/health"} <= paths
    for path in sorted(paths):
        assert client.options(path).status_code == 200, path
    engine.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
