"""What a picture's own file says against the label that it is offered under."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from config import ConfigError, Settings, load_settings
from domain import TaskKind, Unavailable
from provenance.apart import _READERS, Apart
from scraper.crawl import CrawlRequest, crawl
from scraper.ingest import Request, ingest_folder
from scraper.intake import Intake, Offer, Outcome
from storage import Store
from tests.provenance.files import A1111, certificates, jpeg, png, signed
from tests.scraper.apis import serving_apis
from tests.scraper.taking import take_one


@dataclass(frozen=True)
class Opened:
    settings: Settings
    store: Store


@pytest.fixture
def opened(settings: Settings, store: Store) -> Opened:
    return Opened(settings, store)


@pytest.mark.parametrize(
    "generated", [png({"parameters": A1111}), signed("trainedAlgorithmicMedia")]
)
def test_a_generated_picture_is_not_taken_as_real(opened: Opened, generated: bytes) -> None:
    as_real = take_one(opened, generated, "authenticity", Offer("real", "web"))
    assert as_real == (Outcome.CONTRADICTED, None)
    outcome, sample = take_one(opened, generated, "authenticity", Offer("ai", "web"))
    assert outcome is Outcome.KEPT and sample is not None


def test_a_folder_tells_what_the_file_says(opened: Opened, tmp_path: Path) -> None:
    folder = tmp_path / "set" / "real"
    folder.mkdir(parents=True)
    (folder / "1.png").write_bytes(png({"parameters": A1111}))
    (folder / "2.jpg").write_bytes(jpeg(seed=2))
    summary = ingest_folder(opened, Request(tmp_path / "set"))
    assert (summary.kept, summary.contradicted) == (1, 1)
    (aside,) = opened.store.samples.quarantined("authenticity")
    assert (aside.reason, aside.name, aside.source) == ("evidence", "real/1.png", "set")
    assert "AUTOMATIC1111" in aside.message and "real" in aside.message
    assert [refused.reason for refused in summary.refused] == ["evidence"]


def test_what_is_put_aside_founds_no_family_and_holds_no_label(opened: Opened) -> None:
    intake = Intake(opened, opened.store.tasks.get("authenticity"))
    read = intake.read(png({"parameters": A1111}), "ai")
    first = intake.take([(read, Offer("real", "web")), (read, Offer("ai", "web"))])
    assert [outcome for outcome, _ in first] == [Outcome.CONTRADICTED, Outcome.KEPT]
    assert intake.objection(read, "real")[0] == "contradiction"  # it is stored as ai by now


def test_the_bytes_of_what_is_put_aside_are_not_kept(opened: Opened) -> None:
    take_one(opened, png({"parameters": A1111}), "authenticity", Offer("real", "web"))
    assert [*(opened.settings.data_dir / "pictures").rglob("*/*/*")] == []
    _, sample = take_one(opened, jpeg(seed=2), "authenticity", Offer("real", "web"))
    assert sample is not None and opened.store.blobs.exists(sample.sha256)


HANGS = (sys.executable, "-c", "import time; time.sleep(600)")


@pytest.fixture
def hanging(opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """A desk whose reader of content credentials never answers."""
    anchors = tmp_path / "trusted.pem"
    reader = Apart(HANGS, seconds=0.1)
    monkeypatch.setitem(_READERS, anchors, reader)
    yield Opened(opened.settings.model_copy(update={"trust_list": anchors}), opened.store)
    reader.close()


def test_what_cannot_be_looked_into_is_not_taken_for_what_it_may_not_be(
    hanging: Opened, tmp_path: Path
) -> None:
    data = signed("trainedAlgorithmicMedia")
    with pytest.raises(Unavailable):
        take_one(hanging, data, "authenticity", Offer("real", "web"))
    folder = tmp_path / "real"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(data)
    (folder / "2.jpg").write_bytes(jpeg(seed=2))
    summary = ingest_folder(hanging, Request(folder, label="real"))
    assert (summary.kept, [one.reason for one in summary.refused]) == (1, ["unread"])


def test_a_picture_that_is_not_looked_into_now_is_collected_later(hanging: Opened) -> None:
    data = signed("trainedAlgorithmicMedia")
    with serving_apis() as site:
        site.add("pexels", [data])
        settings = hanging.settings.model_copy(update=site.settings)
        request = CrawlRequest("pexels")
        first = crawl(Opened(settings, hanging.store), request)
        assert (first.counts["failed"], first.counts["kept"]) == (1, 0)
        sound = settings.model_copy(update={"trust_list": None})
        second = crawl(Opened(sound, hanging.store), request)
        assert (second.counts["contradicted"], second.counts["kept"]) == (1, 0)


def test_a_task_may_call_it_otherwise(opened: Opened) -> None:
    opened.store.tasks.create("fakes", TaskKind.AUTHENTICITY, ("fake", "photo"), open=True)
    opened.store.tasks.link("fakes", "photo", "real")
    data = png({"parameters": A1111})
    assert take_one(opened, data, "fakes", Offer("photo", "web"))[0] is Outcome.CONTRADICTED
    assert take_one(opened, data, "fakes", Offer("fake", "web"))[0] is Outcome.KEPT


def test_other_tasks_do_not_ask_where_a_picture_is_from(opened: Opened) -> None:
    opened.store.tasks.create("pets", TaskKind.PHOTO, ("cat", "real"), open=True)
    data = png({"parameters": A1111})
    assert take_one(opened, data, "pets", Offer("real", "web"))[0] is Outcome.KEPT


def test_a_camera_that_the_operator_trusts_is_no_generator(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    anchors = tmp_path / "trusted.pem"
    anchors.write_bytes(certificates()[0])
    photograph, offer = signed("digitalCapture"), Offer("ai", "web")
    trusting = Opened(settings.model_copy(update={"trust_list": anchors}), store)
    assert take_one(trusting, photograph, "authenticity", offer)[0] is Outcome.CONTRADICTED
    strange = Opened(settings, store)
    assert take_one(strange, photograph, "authenticity", offer)[0] is Outcome.KEPT


def test_a_trust_list_that_is_none_is_refused_at_start(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("no certificate")
    for path in (tmp_path / "x.pem", tmp_path / "missing.pem"):
        with pytest.raises(ConfigError, match=r"TRUST_LIST.*certificates in PEM"):
            load_settings(trust_list=path)
