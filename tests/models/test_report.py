from __future__ import annotations

import base64
import csv
import io
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from config import PromiseFor
from domain import Task, TaskKind
from models.batch import fit, search
from models.card import Predictions, cross_validated, held_out, make_card, thresholds
from models.report import plot_names, render
from models.unseen import leave_sources_out
from tests.models.made import clusters

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = ("ಅ ಆ", "<script>alert(1)</script>", '$\\frac{1}$ & "more"')

Made = tuple[dict[str, Any], Predictions, Predictions]


def made(labels: tuple[str, ...], kind: TaskKind, *, hold_out: bool = True) -> Made:
    examples = clusters(40, labels, sources=("web", "stock"), apart=1.0)
    rows = (np.arange(len(examples)) % 5 == 0) & hold_out
    found = search(examples.take(~rows), classifier="logistic_regression", jobs=1)
    head = fit(found)
    tested, validated = held_out(head, examples.take(rows)), cross_validated(found)
    task = Task(1, "smile", kind, labels, False, datetime.now(UTC))
    unseen = leave_sources_out(found, seconds=60.0, jobs=1)
    card = make_card(
        task,
        "builtin-photo:2",
        found,
        tested=tested,
        validated=validated,
        unseen=unseen,
    )
    if kind is TaskKind.AUTHENTICITY:
        rates = {"ai": 0.05, "real": 0.05}
        card["thresholds"] = thresholds(found, tested, unseen, rates, PromiseFor.UNSEEN)
    return card, tested, validated


@pytest.fixture(scope="module")
def two() -> Made:
    return made(("ai", "real"), TaskKind.AUTHENTICITY)


@pytest.fixture(scope="module")
def hostile() -> Made:
    return made(HOSTILE, TaskKind.PHOTO)


def test_the_card_is_plain_json_and_says_what_was_trained_on_what(two: Made) -> None:
    card = json.loads(json.dumps(two[0], allow_nan=False))

    assert card["labels"] == ["ai", "real"]
    assert card["classifier"]["family"] == "logistic_regression"
    assert card["n_samples"]["per_label"] == {
        "ai": {"train": 32, "test": 8}, "real": {"train": 32, "test": 8},
    }  # fmt: skip
    assert card["n_samples"]["per_source"] == {
        "stock": {"ai": 20, "real": 20}, "web": {"ai": 20, "real": 20},
    }  # fmt: skip
    assert card["metrics"]["held_out"]["n"] == 16
    assert card["metrics"]["cross_validated"]["n"] == 64
    assert set(card["metrics"]["held_out"]["per_source"]) == {"web", "stock"}
    assert card["leave_one_source_out"]["n"] == 64
    assert card["calibration"]["method"] == "sigmoid"
    tried = card["search"]["tried"]
    assert tried == sorted(tried, key=lambda row: (-row["folds"], row["log_loss"]))


def test_only_authenticity_has_an_accusation_threshold(two: Made, hostile: Made) -> None:
    limits = two[0]["thresholds"]

    assert limits["accuse"] is None or 0.5 <= limits["accuse"] <= 1
    # 32 trained on and 8 held out: too few to promise one in twenty
    assert (limits["budget"], limits["n_real"], limits["promised"]) == (0.05, 40, False)
    assert limits["false_accusations"] == 0
    assert set(limits["labels"]) == {"ai", "real"}
    assert "thresholds" not in hostile[0]


def test_every_form_of_the_report_is_made(two: Made) -> None:
    files = render(*two)

    assert set(files) == {"report.json", "report.csv", "report.txt", "report.html"}
    assert json.loads(files["report.json"]) == json.loads(json.dumps(two[0]))
    text = files["report.txt"].decode()
    assert "held out" in text
    assert "ai is said from" in text
    rows = list(csv.DictReader(io.StringIO(files["report.csv"].decode())))
    accuracy = [
        r
        for r in rows
        if (r["measured"], r["figure"], r["scope"]) == ("held_out", "accuracy", "all")
    ]
    assert float(accuracy[0]["value"]) == two[0]["metrics"]["held_out"]["accuracy"]
    assert {r["name"] for r in rows if r["scope"] == "source"} == {"web", "stock"}


def test_slices_are_shown_in_every_form_of_the_report(two: Made) -> None:
    card, tested, validated = two
    plain: dict[str, Any] = {
        "n": 40, "right": 38, "error": 0.05, "low": 0.01, "high": 0.17, "rest": 0.39, "p": 1.0,
        "weak": False, "unseen": None, "labels": {},
    }  # fmt: skip
    weak = {**plain, "n": 23, "right": 14, "error": 9 / 23, "low": 0.2, "high": 0.61,
            "rest": 0.05, "p": 0.001, "weak": True, "unseen": {"n": 20, "right": 9}}  # fmt: skip
    real = {**weak, "n": 12, "right": 4, "unseen": {"n": 11, "right": 3}, "taken_for": {"ai": 8}}
    mixed = {**plain, "labels": {"real": real, "ai": plain}}
    parts = {
        "manner": {"drawn": weak, "photo": plain, "screen": mixed},
        "source": {"<b>$\\frac": plain},
    }

    files = render({**card, "slices": {"on": "unseen", "parts": parts}}, tested, validated)

    page = files["report.html"].decode()
    assert page.count("<img ") == render(card, tested, validated)["report.html"].count(b"<img ") + 1
    assert "&lt;b&gt;$" in page
    assert "<td>9 of 20 right</td><td>weak</td>" in page
    assert re.search(r"manner +drawn +23 +14 +0\.391 .* weak\n", files["report.txt"].decode())
    rows = list(csv.reader(io.StringIO(files["report.csv"].decode())))
    assert ["slices", "manner", "drawn", "right", "14"] in rows
    assert "<td>weak on real: 4 of 12 right; 3 of 11 with sources left out</td>" in page
    assert ["slices", "manner", "screen", "right on real", "4"] in rows


def test_the_page_carries_everything_in_itself_and_runs_nothing(hostile: Made) -> None:
    page = render(*hostile)["report.html"].decode()

    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "ಅ ಆ" in page
    assert not re.findall(r"(?:src|href)=\"(?!data:image/svg)", page)
    assert page.count("<img ") == 4


def test_its_plots_are_sound_drawings_without_a_word_of_the_labels(hostile: Made) -> None:
    page = render(*hostile)["report.html"].decode()
    for source in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page):
        drawing = base64.b64decode(source).decode()
        assert ElementTree.fromstring(drawing).tag.endswith("svg")  # noqa: S314 -- our own
        assert "alert" not in drawing
        assert "nan" not in drawing.lower()


def test_labels_that_no_font_can_be_trusted_with_are_numbered_and_explained(
    hostile: Made,
) -> None:
    assert plot_names(["ai", "no_smile"]) == ["ai", "no_smile"]
    assert plot_names(["ai", "ಅ"]) == ["1", "2"]
    assert plot_names([f"letter {i}" for i in range(30)]) == [str(i) for i in range(1, 31)]
    assert "Labels by number" in render(*hostile)["report.html"].decode()


def test_a_run_without_held_out_pictures_has_a_report_too() -> None:
    card, tested, validated = made(("ai", "real"), TaskKind.AUTHENTICITY, hold_out=False)

    files = render(card, tested, validated)

    assert card["metrics"]["held_out"]["accuracy"] is None
    assert "–" in files["report.txt"].decode()
    assert files["report.html"].decode().count("<img ") == 3


def test_reports_may_be_made_in_several_threads(two: Made) -> None:
    with ThreadPoolExecutor(3) as pool:
        pages = list(pool.map(lambda _: render(*two)["report.html"], range(6)))

    assert all(page.count(b"<img ") == 4 for page in pages)


def test_matplotlib_is_loaded_only_to_draw() -> None:
    program = "import sys, models.report, train; assert 'matplotlib' not in sys.modules"

    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
