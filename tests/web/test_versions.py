"""The current model, all models, and the runs that made them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from domain import ModelVersion, Run
from engine import Engine
from tests.web.service import client_of, error_of, promoted
from web.payloads.versions import ModelBody, RunBody, VersionsBody

CARD: dict[str, Any] = {
    "n_samples": {"total": 4, "per_label": {"ai": {"train": 2, "test": 0}}, "per_source": {}},
    "metrics": {"held_out": {"accuracy": 0.9, "roc_auc": float("nan")}},
    "thresholds": {"accuse": 0.8},
    "calibration": {"method": "sigmoid"},
    "leave_one_source_out": {"balanced_accuracy": 0.6},
    "promise": "ai is said from 80% on.",
}


def test_untaught_task_has_no_model(client: FlaskClient) -> None:
    document = client.get("/model_info").get_json()
    ModelBody.model_validate(document)
    assert (document["trained"], document["version"], document["metrics"]) == (False, None, {})


def test_model_info_shows_the_card(engine: Engine) -> None:
    version = ModelVersion(
        "v1", "authenticity", "builtin-authenticity:2", "logistic_regression", "0" * 64, False,
        datetime(2026, 11, 21, tzinfo=UTC), CARD,
    )  # fmt: skip
    engine.store.versions.add(version)
    engine.store.versions.promote("authenticity", "v1", "first")
    document = client_of(engine).get("/model_info").get_json()
    ModelBody.model_validate(document)
    assert document["version"] == "v1"
    assert document["classifier"] == "logistic_regression"
    assert document["trained_at"].startswith("2026-11-21")
    assert document["unseen_sources"] == CARD["leave_one_source_out"]
    assert (document["promise"], document["promise_broken"]) == (CARD["promise"], {})
    keys = list(document)
    assert keys.index("unseen_sources") < keys.index("metrics")
    for key in ("n_samples", "thresholds", "calibration"):
        assert document[key] == CARD[key]
    assert document["metrics"]["held_out"] == {"accuracy": 0.9, "roc_auc": None}


def test_model_info_is_not_bloated_by_what_the_version_is_held_to(engine: Engine) -> None:
    support = {"anchors": {"0" * 64: "ai"}, "golden": {"1" * 64: "real"}}
    version = ModelVersion(
        "v1", "authenticity", "builtin-authenticity:2", "logistic_regression", "0" * 64, False,
        datetime(2026, 11, 21, tzinfo=UTC), {**CARD, "support": support},
    )  # fmt: skip
    engine.store.versions.add(version)
    engine.store.versions.promote("authenticity", "v1", "first")

    card = client_of(engine).get("/model_info").get_json()["card"]

    assert set(card) == set(CARD)


def test_versions_tell_which_was_live_when(engine: Engine) -> None:
    promoted(engine)
    document = client_of(engine).get("/models").get_json()
    VersionsBody.model_validate(document)
    assert document["current"] == "20261121T000000-abcdef"
    assert [v["current"] for v in document["versions"]] == [True]
    assert [p["why"] for p in document["promotions"]] == ["a test asks for it"]


def test_history_is_a_list_of_runs(engine: Engine) -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    run = Run("r1", "authenticity", "asked", at, at, {"ai": 3}, {}, "refused", "too few", None)
    engine.store.runs.add(run)
    (document,) = client_of(engine).get("/training_history").get_json()
    RunBody.model_validate(document)
    assert (document["gate"], document["reason"], document["version"]) == (
        "refused",
        "too few",
        None,
    )
    assert document["counts"] == {"ai": 3}


def test_history_tells_as_many_as_are_asked_for_the_newest_first(engine: Engine) -> None:
    version = promoted(engine)
    for n in range(120):
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n)
        run = Run(f"r{n}", "authenticity", "night", at, at, {}, {}, "skipped", "", None)
        engine.store.runs.add(run)
        engine.store.versions.promote("authenticity", version.id, f"for the time {n}", now=at)
    client = client_of(engine)
    for asked, n in (("", 100), ("?n=3", 3), ("?n=1000", 121)):
        runs = client.get(f"/training_history{asked}").get_json()
        assert [run["id"] for run in runs[:2]] == ["r119", "r118"]
        assert len(runs) == min(n, 120)
        promotions = client.get(f"/models{asked}").get_json()["promotions"]
        assert promotions[0]["why"] == "for the time 119"
        assert len(promotions) == n
    for bad in ("0", "1001", "-1", "x", ""):
        for path in ("/training_history", "/models"):
            refused = client.get(f"{path}?n={bad}")
            assert (refused.status_code, error_of(refused)["detail"]["field"]) == (422, "n")


@pytest.mark.parametrize("path", ["/model_info", "/models", "/training_history"])
def test_other_tasks_have_their_own(engine: Engine, path: str) -> None:
    promoted(engine)
    client = client_of(engine)
    client.post("/tasks", json={"name": "letters"})
    document = client.get(f"/tasks/letters{path}").get_json()
    assert "20261121T000000-abcdef" not in str(document)
