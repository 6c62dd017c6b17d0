"""`python -m embeddings`, as a process that can be killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest

from config import Settings
from domain import (
    EQUALISED,
    FILE_FACTS,
    NewCorrection,
    NewSample,
    Person,
    Split,
    TaskKind,
)
from embeddings.__main__ import main, parse_arguments
from embeddings.images import decode
from models.reading import AT_ONCE, RECIPE
from storage import Store
from tests import tiny_clip
from tests.pictures import encode, photo

ROOT = Path(__file__).resolve().parents[2]
EMBEDDER = "builtin-authenticity:2"
LIMIT = 60.0


def environment(settings: Settings, **changes: str) -> dict[str, str]:
    own = {"DATA_DIR": str(settings.data_dir), "ENCODER": "builtin", "COLUMNS": "120"}
    return {**os.environ, **own, **changes}


def run(settings: Settings, *options: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "embeddings", *options],
        cwd=ROOT,
        env=environment(settings, **changes),
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )


@contextmanager
def started(settings: Settings, *options: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "embeddings", *options],
        cwd=ROOT,
        env=environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=LIMIT)


class Done(NamedTuple):
    code: int
    out: str
    err: str


class Call(Protocol):
    def __call__(self, *options: str, **changes: str) -> Done: ...


@pytest.fixture
def call(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Call:
    """Run the command inside this process, which is quicker: nothing is to be killed."""
    monkeypatch.chdir(tmp_path)  # where there is no .env

    def run_here(*options: str, **changes: str) -> Done:
        for key, value in environment(settings, **changes).items():
            monkeypatch.setenv(key, value)
        try:
            code = main(parse_arguments(options))
        except SystemExit as ended:
            code = int(str(ended.code))
        return Done(code, *capsys.readouterr())

    return run_here


def fill(store: Store, task: str, n: int, *, side: int = 200, seed: int = 0) -> list[str]:
    names = []
    for number in range(n):
        data = encode(photo(seed + number, side, side), "JPEG")
        picture = decode(data)
        store.blobs.put(data)
        new = NewSample("ai", "tests", picture.facts.sha256, Split.TRAIN)
        assert store.samples.add(task, picture.facts, new)
        names.append(picture.facts.sha256)
    return names


def wait_for_vectors(store: Store, n: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + LIMIT
    while store.vectors.count(EMBEDDER) < n:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)  # between looks into the database


def only_task(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    (task,) = json.loads(done.stdout)["tasks"]
    return dict(task)


def test_killed_half_way_it_goes_on_with_nothing_lost_and_nothing_embedded_twice(
    settings: Settings, store: Store
) -> None:
    names = fill(store, "authenticity", 90)

    with started(settings, "--batch", "5") as process:
        wait_for_vectors(store, 20, process)
        process.send_signal(signal.SIGKILL)
        process.wait(LIMIT)
    kept = store.vectors.count(EMBEDDER)
    before, rows_before = store.vectors.get(EMBEDDER, names)
    resumed = run(settings, "--json")

    assert 20 <= kept < len(names), "it was to be killed half way"
    assert kept % 5 == 0, "a batch is committed whole or not at all"
    assert resumed.returncode == 0, resumed.stderr
    assert only_task(resumed)["embedded"] == len(names) - kept
    assert store.vectors.count(EMBEDDER) == len(names)
    assert (store.vectors.get(EMBEDDER, before)[1] == rows_before).all()
    assert only_task(run(settings, "--json"))["wanted"] == 0


def test_interrupted_it_finishes_its_batch_and_says_how_to_go_on(
    settings: Settings, store: Store
) -> None:
    names = fill(store, "authenticity", 90)

    with started(settings, "--batch", "5") as process:
        wait_for_vectors(store, 10, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT)

    kept = store.vectors.count(EMBEDDER)
    assert process.returncode == 130
    assert kept % 5 == 0
    assert 10 <= kept < len(names)
    assert "the same command goes on" in err
    assert "Traceback" not in err
    assert re.search(rf"{kept} .* {len(names) - kept} ", out), out
    assert only_task(run(settings, "--json"))["embedded"] == len(names) - kept


def test_two_at_once_end_well_and_every_picture_has_its_vector(
    settings: Settings, store: Store
) -> None:
    names = fill(store, "authenticity", 40)

    with started(settings, "--json", "--batch", "4") as one:
        with started(settings, "--json", "--batch", "4") as two:
            results = [process.communicate(timeout=LIMIT) for process in (one, two)]

    assert (one.returncode, two.returncode) == (0, 0), results
    assert store.vectors.get(EMBEDDER, names)[0] == names
    settled = [json.loads(out)["tasks"][0] for out, _ in results]
    assert all(task["embedded"] + task["done_elsewhere"] == task["wanted"] for task in settled)


def test_all_tasks_or_one_and_the_table_tells(call: Call, store: Store) -> None:
    store.tasks.create("letters", TaskKind.DRAWING, ["ai"], open=True)
    fill(store, "authenticity", 3)
    fill(store, "letters", 4, seed=50)

    one, rest, nothing = call("--task", "letters"), call(), call()

    assert one.code == rest.code == nothing.code == 0
    assert "builtin-drawing:" in one.out
    assert "authenticity" not in one.out
    assert re.search(r"authenticity .*builtin-authenticity:2 .* 3 ", rest.out)
    assert "Nothing to embed" in nothing.out


def test_facts_of_files_are_noted_for_the_check_before_training(call: Call, store: Store) -> None:
    names = fill(store, "authenticity", 3)

    assert call().code == 0

    assert set(store.file_facts.get(FILE_FACTS, names)) == set(names)


def test_pictures_are_made_alike_in_form_only_where_that_is_asked_for(
    settings: Settings, store: Store
) -> None:
    names = fill(store, "authenticity", 3)

    plain = only_task(run(settings, "--json"))
    asked = only_task(run(settings, "--json", SHORTCUTS="equalise"))

    assert (plain["equalised"]["wanted"], asked["equalised"]["embedded"]) == (0, 3)
    assert store.vectors.get(EMBEDDER + EQUALISED, names)[0] == names


def test_copies_to_teach_with_are_made_and_told_apart(call: Call, store: Store) -> None:
    store.tasks.create("letters", TaskKind.DRAWING, ["ai"], open=True)
    names = fill(store, "letters", 3)
    facts = decode(store.blobs.get(names[0])).facts
    new = NewCorrection(sha256=names[0], label="ai", person=Person("sam", trusted=True))
    store.corrections.teach("letters", new, facts, None)

    first, table, nothing = call("--json"), call(), call("--json")

    (done,) = [t for t in json.loads(first.out)["tasks"] if t["task"] == "letters"]
    assert (done["embedded"], done["teaching"]["embedded"]) == (3, 1)
    assert "Nothing to embed" in table.out
    assert [t["teaching"]["wanted"] for t in json.loads(nothing.out)["tasks"]] == [0, 0]


def test_the_table_tells_copies_apart(call: Call, store: Store) -> None:
    (name,) = fill(store, "authenticity", 1)
    new = NewCorrection(sha256=name, label="ai", person=Person("sam", trusted=True))
    store.corrections.teach("authenticity", new, decode(store.blobs.get(name)).facts, None)

    assert re.search(r"copies to teach it .* 1 ", call().out)


def test_bad_pictures_are_named_and_change_the_exit_code(call: Call, store: Store) -> None:
    names = fill(store, "authenticity", 6)
    store.blobs.path(names[1]).write_bytes(b"\xff\xd8\xff broken")
    store.blobs.path(names[4]).write_bytes(b"")

    first, second = call("--json"), call()

    (task,) = json.loads(first.out)["tasks"]
    assert first.code == 1
    assert {(a["sha256"], a["reason"]) for a in task["quarantined"]} == {
        (names[1], "corrupt"),
        (names[4], "empty"),
    }
    assert (task["embedded"], task["left"]) == (4, 0)
    assert second.code == 0, "what was put aside once is not looked at again"


def test_the_table_names_what_was_put_aside(call: Call, store: Store) -> None:
    names = fill(store, "authenticity", 2)
    store.blobs.path(names[0]).write_bytes(b"")

    done = call()

    assert names[0][:12] in done.out
    assert "put aside (empty)" in done.out


@pytest.mark.parametrize(
    ("options", "changes", "said"),
    [
        (["--task", "nope"], {}, "nope"),
        (["--batch", "0"], {}, "--batch"),
        ([], {"ENCODER": "bultin"}, "ENCODER=bultin"),
        ([], {"ENCODER": "clip", "CLIP_PRETRAINED": "no/such.pt"}, "CLIP_PRETRAINED"),
    ],
)
def test_wrong_usage_is_said_plainly(
    call: Call, options: list[str], changes: dict[str, str], said: str
) -> None:
    done = call(*options, **changes)

    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err


def test_a_tiny_clip_goes_the_whole_way(settings: Settings, store: Store, tmp_path: Path) -> None:
    names = fill(store, "authenticity", 5)
    config = tiny_clip.write_config(tmp_path)
    clip = {"ENCODER": "clip", "CLIP_MODEL_NAME": str(config), "CLIP_PRETRAINED": "random"}

    done = run(settings, "--json", **clip)

    task = only_task(done)
    assert (done.returncode, task["embedded"]) == (0, 5)
    assert store.vectors.get(task["embedder"], names)[1].shape == (5, tiny_clip.DIM)


def test_texts_that_no_request_waits_for_are_read(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    labels = [f"label {n}" for n in range(AT_ONCE + 1)]
    store.tasks.create("many", TaskKind.PHOTO, labels, open=True)
    clip = {"ENCODER": "clip", "CLIP_MODEL_NAME": str(tiny_clip.write_config(tmp_path))}

    done = run(settings, "--json", "--task", "many", **clip, CLIP_PRETRAINED="random")

    assert done.returncode == 0, done.stderr
    name = f"{only_task(done)['embedder']}/text:{RECIPE}"
    assert store.vectors.count(name) == len(labels)


def test_help_teaches_without_loading_what_it_does_not_need() -> None:
    code = (
        "import runpy, sys\n"
        "sys.argv = ['embeddings', '--help']\n"
        "try:\n"
        "    runpy.run_module('embeddings', run_name='__main__')\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'torch', 'open_clip', 'sqlalchemy', 'sklearn', 'engine'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT
    )

    assert done.returncode == 0, done.stderr
    assert "examples:" in done.stdout
    assert "exit codes:" in done.stdout
