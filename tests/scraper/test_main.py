from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from config import Settings
from scraper.__main__ import main, parse_arguments
from storage import Store
from tests.pictures import encode, photo

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pictures = tmp_path / "pictures"
    for name, seed in (("ai/1.png", 1), ("ai/2.png", 2), ("real/3.png", 3), ("real/4.png", 1)):
        (pictures / name).parent.mkdir(parents=True, exist_ok=True)
        (pictures / name).write_bytes(encode(photo(seed), "PNG"))
    (pictures / "ai/broken.jpg").write_bytes(b"\xff\xd8\xff and no more")
    (pictures / "ai/notes.txt").write_text("by hand")
    return pictures


@pytest.fixture(autouse=True)
def _data_dir(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(settings.data_dir))


def run(*arguments: object) -> int:
    return main(parse_arguments(["folder", *map(str, arguments)]))


def result(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_json_tells_all(folder: Path, capsys: pytest.CaptureFixture[str], store: Store) -> None:
    assert run(folder, "--labels-from-folders", "--source", "s", "--json") == 1
    told = result(capsys)
    assert told["labels"] == {
        "ai": {"kept": 2, "near_duplicate": 0, "duplicate": 0, "contradicted": 0, "unreadable": 1},
        "real": {
            "kept": 1,
            "near_duplicate": 0,
            "duplicate": 0,
            "contradicted": 1,
            "unreadable": 0,
        },
    }
    assert (told["kept"], told["not_pictures"], told["families"]) == (3, 1, 3)
    assert (told["task"], told["source"], told["stopped"]) == ("authenticity", "s", False)
    assert [(aside["name"], aside["reason"]) for aside in told["put_aside"]] == [
        ("ai/broken.jpg", "corrupt"),
        ("real/4.png", "contradiction"),
    ]
    assert len(store.samples.all("authenticity")) == 3


def test_people_get_a_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--labels-from-folders") == 1
    shown = capsys.readouterr().out
    for words in ("contradicted", "ai", "real", "all", "broken.jpg", "1 files that are no pic"):
        assert words in shown


def test_markup_in_names_is_shown_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "[red]x"
    place.mkdir()
    (place / "[bold].png").write_bytes(b"broken")
    assert run(place, "--task", "t", "--label", "[blink]") == 1
    shown = capsys.readouterr().out
    assert "[red]x" in shown and "[bold].png" in shown and "[blink]" in shown


def test_all_taken_is_0_and_again_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ai/broken.jpg").unlink()
    (folder / "real/4.png").unlink()
    assert run(folder, "--labels-from-folders", "--json") == 0
    assert result(capsys)["kept"] == 3
    assert run(folder, "--labels-from-folders", "--json") == 0
    assert result(capsys)["duplicate"] == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere", "--label", "ai"), "nowhere"),
        ((".", "--label", "cat"), "ai or real"),
        ((".", "--label", "ai", "--kind", "drawing"), "kind"),
        ((".", "--label", "x", "--task", "Bad Name"), "name"),
        ((".", "--label", "unsure", "--task", "t"), "label"),
        (("empty", "--label", "ai"), "pictures in it"),
    ],
)
def test_what_cannot_be_is_2_and_says_why(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    (folder / "empty").mkdir()
    assert run(folder / arguments[0], *arguments[1:]) == 2
    told = capsys.readouterr()
    assert words in told.err
    assert told.out == ""


def test_bad_settings_are_2(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_IMAGE_SIDE", "tall")
    assert run(folder, "--label", "ai") == 2


@pytest.mark.parametrize(
    "arguments", [[], ["folder"], ["folder", "x"], ["folder", "x", "--label", "a", "--kind", "y"]]
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(arguments)
    assert caught.value.code == 2


def test_help_is_quick_and_teaches() -> None:
    started = time.perf_counter()
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "scraper", "folder", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert time.perf_counter() - started < 2  # 0.1 s alone; tests may share the machine
    imported = {line.rsplit("|", 1)[-1].strip() for line in shown.stderr.splitlines()}
    heavy = {"numpy", "PIL", "sqlalchemy", "torch", "sklearn", "scipy", "httpx", "rich"}
    assert not heavy & imported
    assert "python -m scraper folder pictures" in shown.stdout
    assert "exit codes" in shown.stdout


def test_nothing_heavy_is_loaded_to_take_pictures(folder: Path) -> None:
    code = (
        "import sys; from scraper.__main__ import *;"
        f"main(parse_arguments(['folder', {str(folder)!r}, '--label', 'ai', '--json']));"
        "print([name for name in ('torch', 'sklearn') if name in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout.splitlines()[-1] == "[]"


MANY = 400


def _hear_interrupts() -> None:
    """Whoever runs the tests in the background has children that ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_goes_on(
    number: signal.Signals, tmp_path: Path, settings: Settings, store: Store
) -> None:
    pictures = tmp_path / "many" / "ai"
    pictures.mkdir(parents=True)
    for seed in range(MANY):
        (pictures / f"{seed:04}.png").write_bytes(encode(photo(seed, 48, 32), "PNG"))
    command = [sys.executable, "-m", "scraper", "folder", str(pictures.parent)]
    command += ["--labels-from-folders", "--json"]
    environment = {**os.environ, "DATA_DIR": str(settings.data_dir)}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_hear_interrupts,
    ) as process:
        _wait_for_samples(store, process)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    stored = len(store.samples.all("authenticity"))
    assert 0 < stored < MANY
    if number is not signal.SIGKILL:
        assert process.returncode == 130
        assert b"goes on from here" in err and b"Traceback" not in err
        told = json.loads(out)
        assert told["stopped"] and told["kept"] == stored
    again = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    told = json.loads(again.stdout)
    assert (told["kept"], told["duplicate"]) == (MANY - stored, stored)
    assert len({sample.sha256 for sample in store.samples.all("authenticity")}) == MANY


def _wait_for_samples(store: Store, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not store.samples.counts("authenticity"):
        assert process.poll() is None, "it ended before it could be stopped"
        assert time.monotonic() < deadline
        time.sleep(0.005)
