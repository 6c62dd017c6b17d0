"""The container files: no engine is needed to see that what they start starts."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.test_architecture import LEAVES, MAY_IMPORT

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 60.0


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions: word and the rest, lines joined, comments left out."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    pairs = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(word, rest) for word, rest in pairs]


def last(word: str) -> str:
    return [rest for found, rest in instructions() if found == word][-1]


def image_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in last("ENV").split())


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """The project as COPY brings it into the image: what .dockerignore lets through."""
    folder = tmp_path / "app"
    folder.mkdir()
    patterns = (ROOT / ".dockerignore").read_text().splitlines()
    for pattern in (line[1:] for line in patterns if line.startswith("!")):
        for path in (p for p in ROOT.iterdir() if fnmatch.fnmatch(p.name, pattern)):
            if path.is_dir():
                shutil.copytree(
                    path, folder / path.name, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy(path, folder)
    return folder


def test_the_image_starts_is_healthy_and_stops_when_told(
    image_folder: Path, tmp_path: Path
) -> None:
    python = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    changes = {
        "PATH": python,
        "API_PORT": str(free_port()),
        "DATA_DIR": str(tmp_path / "data"),
        "ADMIN_KEY": "for-tests",
        "ENCODER": "builtin",
        "STARTER_LESSON": "0",
    }
    environment = {**os.environ, **image_environment(), **changes}
    health = last("HEALTHCHECK").partition(" CMD ")[2]

    service = subprocess.Popen(
        json.loads(last("CMD")),
        cwd=image_folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        deadline = time.monotonic() + LIMIT
        while subprocess.run(["sh", "-c", health], env=environment, capture_output=True).returncode:
            assert service.poll() is None, service.communicate()
            assert time.monotonic() < deadline
        service.send_signal(signal.SIGTERM)
        out, _ = service.communicate(timeout=LIMIT)
    finally:
        service.kill()
        service.wait(LIMIT)

    assert service.returncode == 0, out
    unhealthy = subprocess.run(["sh", "-c", health], env=environment, capture_output=True)
    assert unhealthy.returncode != 0


def test_the_image_does_not_start_open(image_folder: Path, tmp_path: Path) -> None:
    changes = {"DATA_DIR": str(tmp_path / "data"), "STARTER_LESSON": "0"}
    done = subprocess.run(
        [sys.executable, *json.loads(last("CMD"))[1:]],
        cwd=image_folder,
        env={**os.environ, **image_environment(), **changes, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )

    assert done.returncode != 0
    assert "ADMIN_KEY" in done.stderr


def test_the_image_gets_all_rooms_and_no_secrets(image_folder: Path) -> None:
    names = {path.name for path in image_folder.iterdir()}

    units = {unit.split(".")[0] for unit in MAY_IMPORT if unit not in LEAVES}
    assert units <= {name.removesuffix(".py") for name in names}
    assert not names & {".env", ".git", "data", "tests", ".venv"}


def test_the_image_runs_as_nobody_special_and_keeps_its_data() -> None:
    assert last("USER").isdigit()
    assert int(last("USER")) > 0
    assert last("VOLUME") == image_environment()["DATA_DIR"]


def test_compose_starts_that_image_with_its_data_and_only_with_a_key() -> None:
    web = compose()["services"]["web"]

    assert web["build"]["context"] == "."
    assert f"data:{image_environment()['DATA_DIR']}" in web["volumes"]
    assert "data" in compose()["volumes"]
    assert web["environment"]["ADMIN_KEY"].startswith("${ADMIN_KEY:?")
    assert web["ports"] == [f"${{API_PORT:-5000}}:{web['environment']['API_PORT']}"]
    assert int(last("EXPOSE")) == int(web["environment"]["API_PORT"])


def test_compose_runs_the_nights_apart_from_the_service(image_folder: Path, tmp_path: Path) -> None:
    services = compose()["services"]
    assert services["web"]["environment"]["SCHEDULER"] == "0"
    assert services["scheduler"]["volumes"] == services["web"]["volumes"]

    changes = {
        **{"API_HOST": "127.0.0.1", "ENCODER": "builtin", "DATA_DIR": str(tmp_path / "data")},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    nights = subprocess.Popen(
        services["scheduler"]["command"],
        cwd=image_folder,
        env={**os.environ, **image_environment(), **changes},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert nights.stderr is not None
        assert any("Retrains daily at 03:00 UTC" in line for line in nights.stderr)
        nights.send_signal(signal.SIGTERM)
        nights.communicate(timeout=LIMIT)
    finally:
        nights.kill()
        nights.wait(LIMIT)
    assert nights.returncode == 0


def test_compose_brings_postgresql_only_when_asked() -> None:
    services = compose()["services"]

    assert services["database"]["profiles"] == ["postgres"]
    assert "depends_on" not in services["web"]
