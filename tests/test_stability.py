"""Whether answers hold when pictures are delivered anew, and what is said where they do not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray
from werkzeug.test import TestResponse

from classify import Extras, classify, main, parse_arguments
from config import Settings
from decision import Decision, Sight, decide_each
from domain import Evidence, ModelVersion, Statistics, TaskKind, Verdict, VerdictSource
from embeddings.images import Picture, decode
from embeddings.redelivery import DELIVERIES
from engine import Engine, wired
from models.knowledge import Knowledge
from stability import MOST_AT_ONCE, MOST_PIXELS, SHRUNK, SPOKEN, WEIGHING, held, weighed
from tests.pictures import encode, photo
from tests.test_classify import AUTHENTICITY, NOW, SMILE
from tests.web.service import (
    FixedHead,
    FixedLearned,
    client_of,
    error_of,
    file,
    jpeg,
    promoted,
    reopened,
    with_learned,
)
from web.payloads.verdicts import VerdictBody

SIGHT = Sight("0" * 64, 0, None, None)
WIDTH, HEIGHT = 800, 600
"""Larger than a thumbnail, so that there is one of it."""


@dataclass(frozen=True)
class Measuring:
    """Two numbers a picture: how wide it is, in thousands of pixels, and nothing."""

    id: str = "measuring:1"
    dim: int = 2
    device: str = "cpu"
    runtime: str = "none"
    reason: str = "A test asks for it."

    def embed(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        wide = [[picture.pixels.shape[1] / 1000, 0] for picture in pictures]
        return np.asarray(wide, np.float32).reshape(len(pictures), 2)


@dataclass(frozen=True)
class WideIsReal(FixedHead):
    """Calls a picture real by its width: 0.8 thousand pixels are 80 % of it."""

    def predict_proba(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        real = vectors[:, 0].astype(np.float64)
        return np.column_stack([1 - real, real])


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    opened = reopened(settings)
    yield judging(opened, WideIsReal(("ai", "real"), ()))
    opened.close()


def judging(engine: Engine, head: FixedHead) -> Engine:
    """The engine with a head over the measuring embedder."""
    engine = wired(engine.settings, engine.store, dict.fromkeys(TaskKind, Measuring()))
    return with_learned(engine, FixedLearned((promoted(engine), head)))


def picture(seed: int = 0, width: int = WIDTH, height: int = HEIGHT) -> Picture:
    return decode(encode(photo(seed, width, height), "PNG"))


def ask(engine: Engine, one: Picture) -> Verdict:
    (verdict,) = classify(engine, "authenticity", [one], extras=Extras(stability=True))
    return verdict


def said(prediction: str, ai: float, source: VerdictSource = VerdictSource.MODEL) -> Decision:
    chances = {"ai": ai, "real": 1 - ai}
    alone = Statistics(prediction, max(chances.values()), chances, VerdictSource.MODEL)
    return Decision(prediction, alone.confidence, chances, source, ("Because.",), alone)


def test_an_answer_that_changes_when_delivered_anew_is_unsure(engine: Engine) -> None:
    verdict = ask(engine, picture())

    assert verdict.prediction == "unsure"
    assert verdict.statistics is not None
    assert verdict.statistics.prediction == "real"
    assert verdict.stability is not None
    assert verdict.stability.flips
    changed = {one.name for one in verdict.stability.deliveries if one.prediction != "real"}
    assert changed == {"half_size", "thumbnail"}
    assert any("at half its size and as a thumbnail they say ai" in why for why in verdict.reasons)


def test_the_span_is_of_the_accusation_and_holds_the_picture_as_sent(engine: Engine) -> None:
    stability = ask(engine, picture()).stability

    assert stability is not None
    assert stability.label == "ai"
    assert stability.low == pytest.approx(1 - WIDTH / 1000)
    assert stability.high == pytest.approx(1 - 320 / 1000)
    chances = {one.name: one.probability for one in stability.deliveries}
    assert set(chances) == {delivery.name for delivery in DELIVERIES}
    assert chances["crop_95"] == pytest.approx(1 - 0.95 * WIDTH / 1000)


def test_an_answer_that_holds_is_kept_and_said_to_hold(settings: Settings) -> None:
    opened = reopened(settings)

    verdict = ask(judging(opened, FixedHead(("ai", "real"), (0.2, 0.8))), picture())

    opened.close()
    assert verdict.prediction == "real"
    assert verdict.stability is not None
    assert not verdict.stability.flips
    assert any("ai 20% each time" in why for why in verdict.reasons)


def test_nothing_of_the_copies_is_kept(engine: Engine) -> None:
    one = picture()

    ask(engine, one)

    assert engine.store.vectors.count("measuring:1") == 1
    assert engine.store.verdicts.count("authenticity") == 1


def test_it_is_kept_with_the_verdict(engine: Engine) -> None:
    verdict = ask(engine, picture())

    assert engine.store.verdicts.get(verdict.id) == verdict


def test_unless_it_is_asked_for_nothing_is_delivered_anew(engine: Engine) -> None:
    (verdict,) = classify(engine, "authenticity", [picture()])

    assert verdict.prediction == "real"
    assert verdict.stability is None
    assert "stability" not in verdict.timing_ms


def test_each_of_a_batch_has_its_own(engine: Engine) -> None:
    pictures = [picture(0), picture(1, 900, 400), picture(2, 200, 100)]

    found = classify(engine, "authenticity", pictures, extras=Extras(stability=True))

    flips = [one.stability.flips for one in found if one.stability]
    assert flips == [True, True, False]
    assert [one.prediction for one in found] == ["unsure", "unsure", "ai"]


def test_a_task_nobody_taught_has_nothing_to_hold(settings: Settings) -> None:
    engine = reopened(settings)
    (verdict,) = classify(engine, "authenticity", [picture()], extras=Extras(stability=True))
    engine.close()

    assert verdict.stability is None
    assert verdict.prediction == "unsure"


@pytest.mark.parametrize(
    "source", [VerdictSource.MEMORY, VerdictSource.SIMILAR, VerdictSource.EVIDENCE]
)
def test_what_people_or_a_signature_decided_stays(source: VerdictSource) -> None:
    sent = said("ai", 0.9, source)
    stability = held(AUTHENTICITY, sent.statistics, {"webp": said("real", 0.3)})

    after = weighed(AUTHENTICITY, SIGHT, sent, stability)

    assert stability.flips
    assert after.prediction == "ai"
    assert "as a WebP they say real" in after.reasons[-1]
    assert "do not decide here" in after.reasons[-1]


def test_becoming_unsure_when_delivered_anew_is_a_flip_too() -> None:
    sent = said("ai", 0.95)
    stability = held(AUTHENTICITY, sent.statistics, {"jpeg_60": said("unsure", 0.7)})

    assert stability.flips
    assert weighed(AUTHENTICITY, SIGHT, sent, stability).prediction == "unsure"


def test_what_spoke_for_an_answer_that_flips_is_said_no_more() -> None:
    lies = Evidence("iptc", "The metadata says ai.", "unsigned", "ai", {"forging": "easy"})
    other = {"promised": False, "n_others": 40, "more": 259, "needed": 299, "budget": 0.01}
    card = {"thresholds": {"labels": {"ai": {**other, "from": 0.9}}}}
    version = ModelVersion("v1", "authenticity", "e:1", "svm", "00", False, NOW, card)
    known = Knowledge(version=version, head=FixedHead(("ai", "real"), (0.95, 0.05)))
    sight = replace(SIGHT, vector=np.zeros(4, np.float32), evidence=(lies,))
    (sent,) = decide_each(AUTHENTICITY, known, [sight])
    assert sent.prediction == "ai"
    assert any("not promised" in reason for reason in sent.reasons)
    assert any("itself agrees" in reason for reason in sent.reasons)

    stability = held(AUTHENTICITY, sent.statistics, {"webp": said("unsure", 0.7)})
    after = weighed(AUTHENTICITY, sight, sent, stability)

    assert after.prediction == "unsure"
    assert after.reasons[0] == (
        "As sent the statistics say ai; as a WebP they are unsure (ai between 70% and 95%), so it "
        "is unsure."
    )
    assert "The model gives ai 95%." in after.reasons
    assert not any("not promised" in reason for reason in after.reasons)
    assert not any("agrees" in reason for reason in after.reasons)
    assert sum("points to ai" in reason for reason in after.reasons) == 1


def test_chances_are_not_rounded_to_certainty() -> None:
    sent = said("ai", 0.9999)

    after = weighed(
        AUTHENTICITY,
        SIGHT,
        sent,
        held(AUTHENTICITY, sent.statistics, {"webp": said("ai", 0.99), "jpeg_40": said("ai", 1.0)}),
    )
    assert "ai between 99% and 100%" in after.reasons[-1]
    after = weighed(
        AUTHENTICITY,
        SIGHT,
        sent,
        held(AUTHENTICITY, sent.statistics, {"webp": said("ai", 0.99)}),
    )
    assert "ai between 99% and over 99%" in after.reasons[-1]


def test_an_answer_without_deliveries_holds() -> None:
    stability = held(AUTHENTICITY, said("ai", 0.9).statistics, {})

    assert (stability.low, stability.high, stability.flips) == (0.9, 0.9, False)


def test_of_other_tasks_the_likeliest_label_is_watched() -> None:
    chances = {"no": 0.3, "yes": 0.7}
    sent = Statistics("yes", 0.7, chances, VerdictSource.MODEL)

    assert held(SMILE, sent, {}).label == "yes"


def test_a_linked_name_of_ai_is_what_is_watched() -> None:
    task = replace(AUTHENTICITY, variants={"ai": "generated"}, labels=("generated", "real"))
    chances = {"generated": 0.3, "real": 0.7}
    sent = Statistics("real", 0.7, chances, VerdictSource.MODEL)

    assert held(task, sent, {}).label == "generated"


def test_every_delivery_has_a_name_for_people() -> None:
    assert set(SPOKEN) == {SHRUNK, *(delivery.name for delivery in DELIVERIES)}


def test_over_http_it_is_a_flag_of_the_query(engine: Engine) -> None:
    data = encode(photo(0, WIDTH, HEIGHT), "PNG")
    client: FlaskClient = client_of(engine)
    paths = ("/classify", "/tasks/authenticity/predict", "/tasks/authenticity/classify")

    for path in paths:
        document = client.post(
            f"{path}?stability=1", data=data, content_type="image/png"
        ).get_json()
        VerdictBody.model_validate(document)
        assert document["prediction"] == "unsure"
        assert document["stability"]["flips"] is True
        assert document["timing_ms"]["stability"] > 0
        kept = client.get(f"/verdicts/{document['id']}").get_json()
        assert kept["stability"] == document["stability"]


def test_a_batch_over_http_has_it_too(engine: Engine) -> None:
    files = [file(jpeg(seed, WIDTH, HEIGHT)) for seed in range(2)]

    response = client_of(engine).post("/batch_classify?stability=1", data={"images": files})

    results = response.get_json()["results"]
    assert [one["stability"]["flips"] for one in results] == [True, True]


def test_a_large_picture_is_made_smaller_first_and_that_is_said(engine: Engine) -> None:
    verdict = ask(engine, picture(0, 2000, 1600))

    assert verdict.stability is not None
    chances = {one.name: one.probability for one in verdict.stability.deliveries}
    width = round(2000 * (MOST_PIXELS / (2000 * 1600)) ** 0.5)
    assert set(chances) == {SHRUNK, *(delivery.name for delivery in DELIVERIES)}
    assert chances[SHRUNK] == chances["jpeg_85"] == pytest.approx(1 - width / 1000)
    assert chances["half_size"] == pytest.approx(1 - round(width / 2) / 1000)
    assert "made smaller to 2 megapixels before" in verdict.reasons[0]


def test_while_one_is_looked_at_others_are_told_to_come_again(engine: Engine) -> None:
    client, body = client_of(engine), {"content_type": "image/png"}
    data = encode(photo(0), "PNG")

    with WEIGHING:
        refused = client.post("/classify?stability=1", data=data, **body)
        files = {"images": [file(jpeg())]}
        batch = client.post("/batch_classify?stability=1", data=files)
        plain = client.post("/classify", data=data, **body)
    after = client.post("/classify?stability=1", data=data, **body)

    assert [one.status_code for one in (refused, batch, plain, after)] == [429, 429, 200, 200]
    assert error_of(refused)["code"] == "limited"
    assert int(refused.headers["Retry-After"]) > 0
    assert engine.store.verdicts.count("authenticity") == 2


def test_a_picture_that_cannot_be_read_leaves_the_turn_to_others(engine: Engine) -> None:
    client = client_of(engine)
    bad = client.post("/classify?stability=1", data=b"GIF89a", content_type="image/gif")
    good = client.post("/classify?stability=1", data=jpeg(), content_type="image/jpeg")

    assert (bad.status_code, good.status_code) == (422, 200)


def test_a_batch_of_more_than_a_few_is_refused_with_it_and_answered_without(
    engine: Engine,
) -> None:
    client, most = client_of(engine), MOST_AT_ONCE

    def ask_for(n: int, query: str) -> TestResponse:
        files = {"images": [file(jpeg(seed, 40, 40)) for seed in range(n)]}
        return client.post(f"/batch_classify{query}", data=files)

    refused = ask_for(most + 1, "?stability=1")
    urls = [f"http://127.0.0.1:9/{i}" for i in range(most + 1)]
    by_url = client.post("/batch_classify?stability=1", json={"urls": urls})

    for response in (refused, by_url):
        assert response.status_code == 422
        assert error_of(response)["detail"]["field"] == "stability"
        assert f"at most {most} pictures" in error_of(response)["message"]
    assert ask_for(most + 1, "").status_code == 200
    assert ask_for(most, "?stability=1").status_code == 200


def test_a_batch_asked_wrongly_is_refused_before_it_is_read(engine: Engine) -> None:
    client = client_of(engine)
    broken = client.post(
        "/batch_classify?stability=perhaps",
        data=b"no part at all",
        content_type="multipart/form-data; boundary=x",
    )
    assert broken.status_code == 422
    assert error_of(broken)["detail"]["field"] == "stability"


def test_a_flag_that_is_no_yes_or_no_is_refused(engine: Engine) -> None:
    response = client_of(engine).post("/classify?stability=perhaps", data=jpeg())

    assert response.status_code == 422
    assert error_of(response)["detail"]["field"] == "stability"


def test_the_command_says_it_too(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("ENCODER", "builtin")
    path = tmp_path / "one.png"
    path.write_bytes(encode(photo(1), "PNG"))

    code = main(parse_arguments(["--image", str(path), "--stability", "--json"]))

    assert code == 0
    assert json.loads(capsys.readouterr().out)["stability"] is None  # nobody taught it anything
