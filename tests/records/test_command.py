"""Checking on the command line: words, exit codes, and nothing but the file and a key needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from records.command import verify
from records.keys import Keys
from records.sealing import Basis, seal

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)
BASIS = Basis("ab" * 32, "cd" * 32, "ef" * 32, "It is at hand.", None, 4, "0.1.0")
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"  # of b"test"

Make = Callable[..., Path]


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    made = Keys(tmp_path / "data" / "keys")
    made.signer()
    return made


@pytest.fixture
def make(keys: Keys, tmp_path: Path) -> Make:
    """A signed verdict in a file, with changes made to it afterwards."""

    def make(changes: Mapping[str, Any] | None = None, *, signer: Keys = keys) -> Path:
        document = {
            "id": "0" * 32,
            "task": "authenticity",
            "prediction": "real",
            "confidence": 0.87,
            "source": "model",
            "evidence": [],
            "model": {"version": "v1", "embedder": "e:1", "corrections": 3},
            "image": {"sha256": SHA256},
            "created_at": NOW.isoformat(),
        }
        signed = seal(document, BASIS, signer.signer(), NOW)
        path = tmp_path / "verdict.json"
        path.write_text(json.dumps({**signed, **(changes or {})}, indent=2))
        return path

    return make


def test_valid_record_says_what_it_proves_and_what_not(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(make(), None, None, as_json=False) == 0
    said = capsys.readouterr().out
    assert said.startswith("VALID: ")
    for words in ("real (87%)", SHA256, "It proves that", "It does not prove that"):
        assert words in said


def test_altered_record_is_1(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(make({"prediction": "ai"}), None, None, as_json=False) == 1
    assert capsys.readouterr().out.startswith("ALTERED: ")


def test_record_by_a_strangers_key_is_2(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stranger = Keys(tmp_path / "stranger")
    assert verify(make(signer=stranger), None, None, as_json=False) == 2
    said = capsys.readouterr().out
    assert said.startswith("SIGNED BY ANOTHER KEY: ") and "GET /keys" in said


def test_key_given_is_the_only_one_trusted(make: Make, keys: Keys, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.pem", tmp_path / "theirs.json"
    ours.write_text(keys.signer().public.pem)
    theirs.write_text(json.dumps(Keys(tmp_path / "stranger").signer().public.describe()))
    assert verify(make(), ours, None, as_json=False) == 0
    assert verify(make(), theirs, None, as_json=False) == 2


def test_verdict_signed_before_the_key_was_renewed_stays_valid(make: Make, keys: Keys) -> None:
    file = make()
    keys.renew()
    assert verify(file, None, None, as_json=False) == 0


def test_picture_given_must_be_the_one_it_is_about(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (same := tmp_path / "same.jpg").write_bytes(b"test")
    (other := tmp_path / "other.jpg").write_bytes(b"another")
    assert verify(make(), None, same, as_json=False) == 0
    assert "The picture given is the one" in capsys.readouterr().out
    assert verify(make(), None, other, as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["result"] == "another_picture"


@pytest.mark.parametrize("content", [None, b"", b"{}", b"no json", b"\x00" * 9])
def test_what_cannot_be_checked_is_3_and_one_line(
    content: bytes | None, keys: Keys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.json"
    if content is not None:
        file.write_bytes(content)
    assert verify(file, None, None, as_json=False) == 3
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)


def test_where_there_is_no_key_one_is_asked_for_and_none_is_made(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = make()
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "elsewhere"))
    assert verify(file, None, None, as_json=False) == 3
    assert "--key" in capsys.readouterr().err
    assert not (tmp_path / "elsewhere").exists()


def test_keys_are_shown_and_renewed_by_their_command(tmp_path: Path) -> None:
    def run(*options: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "records", *options],
            cwd=ROOT,
            env={**os.environ, "DATA_DIR": str(tmp_path), "API_HOST": "0.0.0.0"},  # noqa: S104
            capture_output=True,
            check=True,
        )
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown

    first = run()
    renewed = run("--renew")
    assert len(first["keys"]) == 1
    assert [key["id"] for key in renewed["keys"]] == [renewed["current"], first["current"]]
