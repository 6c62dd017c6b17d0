"""The decision rule, the cached vectors, and the command."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import classify as classify_module
from classify import classify, main, parse_arguments
from config import Settings
from decision import DEMO_REASON, Decision, Sight, decide_each
from domain import ModelVersion, NotFound, Task, TaskKind, VerdictSource
from embeddings.images import decode
from engine import Engine, open_engine, wired
from models.knowledge import Knowledge
from tests.pictures import encode, photo
from tests.web.service import CountingEmbedder, FixedHead, FixedLearned, answering, with_learned

NOW = datetime(2026, 11, 21, tzinfo=UTC)
AUTHENTICITY = Task(1, "authenticity", TaskKind.AUTHENTICITY, ("ai", "real"), False, NOW)
SMILE = Task(2, "smile", TaskKind.PHOTO, ("no", "yes"), False, NOW)


def version(card: dict[str, Any] | None = None, **changes: Any) -> ModelVersion:
    plain = ModelVersion("v1", "authenticity", "e:1", "svm", "00", False, NOW, card or {})
    return replace(plain, **changes)


def thresholds(accuse: float | None) -> dict[str, Any]:
    return {"thresholds": {"accuse": accuse, "budget": 0.01, "n_real": 400}}


def answered(
    task: Task, version: ModelVersion | None, scores: Sequence[float], **known: Any
) -> Decision:
    """What is decided on a picture nobody spoke of, when the head gives these scores."""
    labels = task.labels if version else ()
    head = FixedHead(labels, tuple(scores)) if version else None
    sight = Sight("0" * 64, 0, np.zeros(4, np.float32), None)
    return decide_each(task, Knowledge(version=version, head=head, **known), [sight])[0]


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    opened = open_engine(settings)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("p_ai", "accuse", "expected"),
    [
        (0.95, 0.9, "ai"),
        (0.90, 0.9, "ai"),
        (0.89, 0.9, "unsure"),
        (0.51, 0.9, "unsure"),
        (0.49, 0.9, "real"),
        (0.99, None, "unsure"),
    ],
)
def test_ai_is_said_only_from_the_threshold_on(
    p_ai: float, accuse: float | None, expected: str
) -> None:
    decision = answered(AUTHENTICITY, version(thresholds(accuse)), [p_ai, 1 - p_ai])
    assert decision.prediction == expected
    assert decision.source is VerdictSource.MODEL
    assert decision.confidence == pytest.approx(max(p_ai, 1 - p_ai))


def test_held_back_accusation_says_the_limit_and_its_data() -> None:
    decision = answered(AUTHENTICITY, version(thresholds(0.9)), [0.7, 0.3])
    assert any("90%" in reason and "400" in reason for reason in decision.reasons)


@pytest.mark.parametrize(
    ("p_real", "said"), [(1.0, "100%"), (0.9999, "over 99%"), (0.991, "99%"), (0.8, "80%")]
)
def test_rounding_calls_nothing_certain(p_real: float, said: str) -> None:
    decision = answered(AUTHENTICITY, version(thresholds(0.9)), [1 - p_real, p_real])
    assert decision.reasons[0].endswith(f"real {said}.")


def test_other_tasks_answer_their_best_label() -> None:
    decision = answered(SMILE, version(), [0.4, 0.6])
    assert (decision.prediction, decision.confidence) == ("yes", 0.6)


def test_untaught_task_is_unsure_and_says_what_to_do() -> None:
    decision = answered(SMILE, None, [])
    assert (decision.prediction, decision.source) == ("unsure", VerdictSource.NONE)
    assert decision.probabilities == {"no": 0.5, "yes": 0.5}
    assert "python train.py --task smile" in decision.reasons[0]


def test_demonstration_says_so_in_every_decision() -> None:
    decision = answered(AUTHENTICITY, version(thresholds(0.5), demo=True), [0.1, 0.9])
    assert DEMO_REASON in decision.reasons


def test_figure_on_unseen_sources_is_said() -> None:
    card = {**thresholds(0.5), "leave_one_source_out": {"balanced_accuracy": 0.61}}
    decision = answered(AUTHENTICITY, version(card), [0.1, 0.9])
    assert any("61%" in reason for reason in decision.reasons)


def test_single_source_is_said() -> None:
    card = {**thresholds(0.5), "leave_one_source_out": {"skipped": "it needs two sources"}}
    decision = answered(AUTHENTICITY, version(card), [0.1, 0.9])
    assert any("Too few sources" in reason for reason in decision.reasons)


def test_lack_of_time_is_not_called_lack_of_sources() -> None:
    skipped = {"skipped": "8 sources would take about 2 s, 0.5 s are left", "cause": "time"}
    card = {**thresholds(0.5), "leave_one_source_out": skipped}
    decision = answered(AUTHENTICITY, version(card), [0.1, 0.9])
    assert any("no time" in reason for reason in decision.reasons)
    assert not any("Too few sources" in reason for reason in decision.reasons)


def test_older_version_standing_in_is_said() -> None:
    broken = "The version v2 is damaged."
    decision = answered(AUTHENTICITY, version(thresholds(0.5)), [0.1, 0.9], problem=broken)
    assert broken in decision.reasons


def test_vector_is_computed_once_for_a_picture(engine: Engine) -> None:
    embedder = CountingEmbedder()
    engine = wired(engine.settings, engine.store, dict.fromkeys(TaskKind, embedder))
    pictures = [decode(encode(photo(seed), "PNG")) for seed in (0, 1, 0)]
    first = classify(engine, "authenticity", pictures)
    again = classify(engine, "authenticity", pictures[:1])
    assert embedder.batches == [2]
    assert [v.picture.sha256 for v in first] == [p.facts.sha256 for p in pictures]
    assert again[0].picture.sha256 == first[0].picture.sha256


def test_verdict_is_kept(engine: Engine) -> None:
    engine = answering(engine)
    verdict = classify(engine, "authenticity", [decode(encode(photo(1), "PNG"))])[0]
    assert engine.store.verdicts.get(verdict.id) == verdict
    assert verdict.prediction == "real"


def test_head_of_another_embedder_does_not_answer(engine: Engine) -> None:
    other = version(thresholds(0.5), embedder="clip:ViT-B-32/openai")
    head = FixedHead(("ai", "real"), (0.1, 0.9))
    engine = with_learned(engine, FixedLearned((other, head)))
    verdict = classify(engine, "authenticity", [decode(encode(photo(1), "PNG"))])[0]
    assert (verdict.prediction, verdict.model_version) == ("unsure", None)
    assert "clip:ViT-B-32/openai" in verdict.reasons[0]


def test_no_pictures_no_verdicts(engine: Engine) -> None:
    assert classify(engine, "authenticity", []) == []


def test_unknown_task_is_not_found(engine: Engine) -> None:
    with pytest.raises(NotFound):
        classify(engine, "nothing", [])


# --- the command ---


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> Path:
    """A folder of two pictures and one text, and a command that opens an engine with a head."""
    monkeypatch.setattr(classify_module, "load_settings", lambda: settings)
    monkeypatch.setattr(classify_module, "open_engine", lambda s: answering(open_engine(s)))
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.png").write_bytes(encode(photo(0), "PNG"))
    (folder / "b[red].jpg").write_bytes(encode(photo(1), "JPEG"))
    (folder / "c.jpg").write_bytes(b"no picture")
    return folder


def test_batch_answers_each_file_in_order(
    command: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(parse_arguments(["--batch", str(command), "--json"])) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["total_images"] == 3
    names = [Path(result["file"]).name for result in document["results"]]
    assert names == ["a.png", "b[red].jpg", "c.jpg"]
    assert [r.get("prediction") for r in document["results"]] == ["real", "real", None]
    assert document["results"][2]["error"]["code"] == "bad_image"


def test_table_shows_names_as_they_are(
    command: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert main(parse_arguments(["--batch", str(command)])) == 1
    out = capsys.readouterr().out
    assert "b[red].jpg" in out
    assert "real: 2" in out


def test_one_image_answers_zero(command: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(parse_arguments(["--image", str(command / "a.png"), "--json"])) == 0
    assert json.loads(capsys.readouterr().out)["prediction"] == "real"


@pytest.mark.parametrize(
    "arguments", [["--batch", "nowhere"], ["--image", "a.png", "--task", "unknown"]]
)
def test_what_cannot_begin_is_said_in_a_line(
    command: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(parse_arguments(arguments)) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--image", "nowhere.png"], "not_found"),
        (["--url", "http://127.0.0.1/x.png"], "fetch_refused"),
    ],
)
def test_picture_that_cannot_be_had_is_an_error_result(
    command: Path, arguments: list[str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(parse_arguments([*arguments, "--json"])) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == code
