"""Nights from an empty data directory on: collected, trained, refused, gone back from.

The sources are a real server on loopback; every night is `python scheduler.py --run-once`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from config import Settings, load_settings
from engine import Engine, open_engine
from tests.scraper.apis import Site, picture, serving_apis
from tests.web.service import client_of

ROOT = Path(__file__).resolve().parent.parent
TASK = "authenticity"
AI, REAL = "commons-ai", "openverse"


@pytest.fixture
def site() -> Iterator[Site]:
    with serving_apis() as serving:
        yield serving


@pytest.fixture
def night_settings(settings: Settings, site: Site) -> Settings:
    collect = [{"source": AI, "count": 80}, {"source": REAL, "count": 80, "query": "city"}]
    return load_settings(
        _env_file=None,
        **{
            **settings.model_dump(include={"data_dir", "encoder", "starter_lesson"}),
            **site.settings,
            "collect": collect,
            "classifier_type": "logistic_regression",
            "training_time_budget": 30.0,
        },
    )


@pytest.fixture
def engine(night_settings: Settings) -> Iterator[Engine]:
    opened = open_engine(night_settings)
    yield opened
    opened.close()


def night(settings: Settings, *options: str) -> tuple[Mapping[str, Any], str]:
    """One night in processes of its own; what it says, and what it logs."""
    set_here = settings.model_dump(mode="json", exclude_defaults=True)
    environment = {**os.environ, **{key.upper(): _text(value) for key, value in set_here.items()}}
    done = subprocess.run(
        [sys.executable, "scheduler.py", "--run-once", "--json", *options],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said: Mapping[str, Any] = json.loads(done.stdout)
    return said["result"], done.stderr


def _text(value: object) -> str:
    if isinstance(value, list) and all(isinstance(one, str | int) for one in value):
        return ",".join(str(one) for one in value)
    return value if isinstance(value, str) else json.dumps(value)


def brought(result: Mapping[str, Any]) -> dict[str, int]:
    return {one["source"]: one["counts"].get("kept", 0) for one in result["collected"]}


def looks(look: str, seeds: range) -> list[bytes]:
    return [picture(look, seed) for seed in seeds]


def test_nights_collect_learn_refuse_and_are_gone_back_from(
    engine: Engine, night_settings: Settings, site: Site
) -> None:
    site.add(AI, looks("ai", range(1000, 1060)))
    site.add(REAL, looks("real", range(2000, 2060)))

    # the first night: from nothing to a model
    first, log = night(night_settings)
    assert brought(first) == {AI: 60, REAL: 60}, log
    outcome = first["tasks"][TASK]
    assert outcome["gate"] == "promoted", outcome
    assert {(label, n) for label, _, n in engine.store.samples.counts(TASK)} == {
        ("ai", 60),
        ("real", 60),
    }
    asked = (
        client_of(engine)
        .post("/classify", data=picture("ai", 5), content_type="image/png")
        .get_json()
    )
    assert asked["model"]["version"] == outcome["version"]

    # nothing new: nothing is fetched again, and the run says why it was skipped
    fetched = len(site.fetched(AI))
    again, _ = night(night_settings)
    assert brought(again) == {AI: 0, REAL: 0}
    assert again["tasks"][TASK]["gate"] == "skipped"
    assert len(site.fetched(AI)) == fetched

    # new pictures on the sources: the second model has seen them
    site.add(AI, looks("ai", range(1060, 1100)))
    site.add(REAL, looks("real", range(2060, 2100)))
    second, _ = night(night_settings)
    assert brought(second) == {AI: 40, REAL: 40}
    outcome = second["tasks"][TASK]
    assert outcome["gate"] == "promoted", outcome
    card = engine.store.versions.get(TASK, outcome["version"]).card
    assert card["n_samples"]["total"] == 200
    good = outcome["version"]

    # a source goes bad: what it calls ai is real and the other way round
    site.add(AI, looks("real", range(3000, 3080)))
    site.add(REAL, looks("ai", range(4000, 4080)))
    bad, _ = night(night_settings)
    assert brought(bad) == {AI: 80, REAL: 80}
    outcome = bad["tasks"][TASK]
    assert outcome["gate"] == "kept", outcome
    current = engine.store.versions.current(TASK)
    assert current is not None
    assert current.id == good

    # back to the first one, and who was live when
    client = client_of(engine)
    back = client.post("/models/rollback").get_json()
    assert (back["before"], back["version"]) == (good, first["tasks"][TASK]["version"])
    history = client.get("/training_history").get_json()
    assert [run["gate"] for run in history] == ["kept", "promoted", "skipped", "promoted"]
    assert history[0]["reason"]
    crawls = client.get("/crawls").get_json()["crawls"]
    assert {one["source"] for one in crawls} == {AI, REAL}
    assert all(one["finished_at"] for one in crawls)


def test_a_source_that_is_down_does_not_stop_the_night(
    night_settings: Settings, site: Site
) -> None:
    site.add(AI, looks("ai", range(1000, 1030)))
    site.add(REAL, looks("real", range(2000, 2030)))
    down = {"source": "page", "url": f"{site.host}/nowhere.html", "label": "ai", "license": "CC0"}
    collect = [down, *night_settings.model_dump(mode="json")["collect"]]
    result, _ = night(
        load_settings(_env_file=None, **{**night_settings.model_dump(), "collect": collect})
    )
    assert [one["counts"].get("kept", 0) for one in result["collected"]] == [0, 30, 30]
    assert result["collected"][0]["ended"]
    assert result["tasks"][TASK]["gate"] == "promoted"
