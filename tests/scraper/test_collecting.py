from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config import Settings
from scraper.__main__ import main, parse_arguments
from scraper.sources import SOURCES
from storage import Store
from tests.scraper.apis import Fault, Site, serving_apis

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def site() -> Iterator[Site]:
    with serving_apis(page_size=20) as served:
        yield served


@pytest.fixture
def environment(site: Site, settings: Settings) -> dict[str, str]:
    found = site.settings
    return {
        "DATA_DIR": str(settings.data_dir),
        "SOURCE_ADDRESSES": json.dumps(found["source_addresses"]),
        "FETCH_ALLOWED_NETWORKS": "127.0.0.0/8",
        "FETCH_PORTS": str(site.port),
        "CRAWL_PER_SECOND": "0",
        "PEXELS_KEY": found["pexels_key"],
    }


@pytest.fixture(autouse=True)
def _settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "200")


def run(*arguments: object) -> int:
    return main(parse_arguments([*map(str, arguments)]))


def result(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_source_by_name(site: Site, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    site.add("openverse", 9)
    assert run("openverse", "--count", 4, "--query", "trees", "--json") == 0
    told = result(capsys)
    assert (told["kept"], told["stopped"], told["skipped"]) == (4, False, {})
    (row,) = told["crawls"]
    assert (row["source"], row["query"], row["counts"]["kept"]) == ("openverse", "trees", 4)
    assert store.samples.counts("authenticity") == [("real", "openverse", 4)]


def test_a_side_is_shared_evenly_and_others_make_up_for_one_that_has_little(
    site: Site, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, there in (("commons-ai", 2), ("civitai", 50), ("lexica", 50)):
        site.add(name, there)
    assert run("ai", "--count", 20, "--json") == 0
    assert result(capsys)["kept"] == 20
    assert store.samples.counts("authenticity") == [
        ("ai", "civitai", 9),
        ("ai", "commons-ai", 2),
        ("ai", "lexica", 9),
    ]


def test_of_a_side_who_cannot_be_asked_is_passed_over_and_named(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("commons", "openverse", "unsplash", "pexels"):
        site.add(name, 10)
    assert run("real", "--count", 12) == 0
    shown = capsys.readouterr().out
    assert "unsplash was not asked" in shown and "UNSPLASH_KEY" in shown
    assert run("ai", "--query", "lighthouse", "--json") == 0
    assert list(result(capsys)["skipped"]) == ["civitai"]


def test_a_page_with_label_and_licence(site: Site, store: Store) -> None:
    site.add("page", 3)
    assert run("page", site.address("page"), "--label", "ai", "--license", "CC0-1.0") == 0
    assert {one.license for one in store.samples.all("authenticity")} == {"CC0-1.0"}


def test_people_get_a_table_with_what_was_refused(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.add("openverse", 2)
    site.add("openverse", 1, noai=True)
    site.add("openverse", 1, facts={"license": "by-nd"})
    assert run("openverse") == 0
    shown = capsys.readouterr().out
    for words in ("kept", "near-duplicates", "1 licence, 1 noai", "no more"):
        assert words in shown


def test_a_source_that_fails_is_1_and_says_how(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.add("openverse", 2)
    site.fail("openverse", Fault(status=500))
    assert run("openverse") == 1
    assert "500" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("civitai", "--query", "cats"), "query"),
        (("unsplash",), "UNSPLASH_KEY"),
        (("openverse", "--task", "smile"), "label"),
        (("openverse", "--label", "ai"), "label"),
        (("real", "--task", "smile"), "label"),
        (("page", "ftp://x.example", "--label", "ai", "--license", "CC0"), "query"),
        (("page", "https://x.example", "--label", "ai", "--license", " "), "license"),
    ],
)
def test_what_cannot_be_is_2_and_says_why(
    site: Site, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert run(*arguments) == 2
    told = capsys.readouterr()
    assert words in told.err and told.out == ""
    assert site.asked == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["elsewhere"],
        ["ai", "--count", "0"],
        ["ai", "--count", "some"],
        ["page"],
        ["page", "https://x.example", "--label", "ai"],
        ["page", "https://x.example", "--license", "CC0"],
        ["--list", "ai"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(arguments)
    assert caught.value.code == 2


def test_the_list_names_every_source_missing_keys_terms_and_today(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.add("civitai", 3)
    run("civitai", "--json")
    capsys.readouterr()
    assert run("--list", "--json") == 0
    sources = {one["name"]: one for one in result(capsys)["sources"]}
    assert list(sources) == list(SOURCES)
    assert [name for name, one in sources.items() if one["key_missing"]] == ["unsplash"]
    assert sources["civitai"]["today"]["kept"] == 3
    assert all(one["terms"] and one["licence_rule"] for one in sources.values())
    assert run("--list") == 0
    shown = capsys.readouterr().out
    assert "UNSPLASH_KEY is missing" in shown
    assert all(name in shown and one.terms in shown for name, one in SOURCES.items())


def test_no_key_is_shown(
    site: Site, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    site.fail("pexels", Fault(status=401))
    for arguments in (("--list",), ("--list", "--json"), ("pexels",), ("pexels", "--json")):
        run(*arguments)
        told = capsys.readouterr()
        assert environment["PEXELS_KEY"] not in told.out + told.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_goes_on(
    number: signal.Signals, site: Site, environment: dict[str, str], store: Store
) -> None:
    site.delay = 0.02
    site.add("civitai", 400)
    command = [sys.executable, "-m", "scraper", "civitai", "--count", "400", "--json"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        _wait_for_samples(store, process)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    kept = len(store.samples.all("authenticity"))
    assert 0 < kept < 400
    (row,) = store.crawls.all("authenticity")
    if number is signal.SIGKILL:
        assert row.ended is None
    else:
        assert process.returncode == 130
        assert b"goes on from here" in err and b"Traceback" not in err
        told = json.loads(out)
        assert told["stopped"] and told["kept"] == kept == row.counts["kept"]
        files = [path for path in site.fetched("civitai") if path.startswith("/pictures/")]
        assert len(files) == kept
    site.delay = 0
    assert run("civitai", "--count", 400) == 0
    assert len(store.samples.all("authenticity")) == 400
    assert [one.ended is None for one in store.crawls.all("authenticity")] == [False, False]


def _wait_for_samples(store: Store, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not store.samples.counts("authenticity"):
        assert process.poll() is None, "it ended before it could be stopped"
        assert time.monotonic() < deadline
        time.sleep(0.005)
