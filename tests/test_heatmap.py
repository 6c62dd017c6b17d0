"""Heat maps of verdicts: drawn where they hold, refused with the reason where they do not."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image

import heatmap
from classify import classify, main, parse_arguments
from config import Encoder, Settings, load_settings
from domain import Conflict, NotFound, TaskKind, Verdict, VerdictSource
from embeddings.clip import Clip
from embeddings.covering import Grid
from embeddings.images import Picture, decode
from engine import Engine, open_engine
from heatmap import Asked, heat_map, look_for
from tests import tiny_clip
from tests.pictures import encode, photo
from tests.web.service import PUBLIC, answering, bearer, client_of, error_of, file, jpeg, reopened

TASK = "spots"
SPOT = (slice(12, 48), slice(20, 60))
"""Where the pictures of one label have stripes, of 96 x 128 pixels."""


def scene(seed: int, *, spot: bool) -> bytes:
    pixels = photo(seed, 128, 96).copy()
    if spot:
        stripes = np.where(np.indices((36, 40)).sum(axis=0) % 8 < 4, 20, 235)
        pixels[SPOT] = stripes[..., None]
    return encode(pixels, "PNG")


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A service that was taught which pictures have a striped spot."""
    settings = load_settings(
        _env_file=None,
        data_dir=tmp_path_factory.mktemp("spots"),
        encoder=Encoder.BUILTIN,
        starter_lesson=False,
    )
    engine = open_engine(settings)
    client = client_of(engine)
    client.post("/tasks", json={"name": TASK, "kind": "photo", "labels": ["spot", "plain"]})
    for seed in range(6):
        for label in ("spot", "plain"):
            form = {"image": file(scene(seed, spot=label == "spot")), "label": label}
            assert client.post(f"/tasks/{TASK}/train", data=form).status_code == 201
    yield engine
    engine.close()


@pytest.fixture
def client(taught: Engine) -> FlaskClient:
    return client_of(taught)


def asked(client: FlaskClient, picture: bytes, task: str = TASK) -> Any:
    form = {"image": file(picture)}
    return client.post(f"/tasks/{task}/predict?explain=1", data=form).get_json()


def question(engine: Engine, picture: Picture, label: str) -> Asked:
    task = engine.store.tasks.get(TASK)
    head = engine.learned.knowledge(task).head
    assert head is not None
    return Asked(task, head, label, engine.embedders[task.kind], picture)


def given(engine: Engine, task: str, picture: bytes) -> Verdict:
    return classify(engine, task, [decode(picture)], files=[picture])[0]


def test_the_map_lies_where_the_labels_differ(taught: Engine) -> None:
    found = look_for(question(taught, decode(scene(50, spot=True)), "spot"))

    assert found.trial.holds
    place, mask = found.grid.mask(found.heat == found.heat.max())
    hottest = np.zeros((96, 128), np.bool_)
    hottest[place] = mask
    assert hottest[SPOT].sum() > 0.5 * hottest.sum()


def test_a_verdict_names_its_map_and_the_map_says_it_is_a_hint(client: FlaskClient) -> None:
    verdict = asked(client, scene(51, spot=True))
    assert verdict["prediction"] == "spot"

    response = client.get(verdict["explained"]["heatmap"])

    assert (response.status_code, response.mimetype) == (200, "image/png")
    with Image.open(io.BytesIO(response.data)) as drawn:
        drawn.load()
        texts = drawn.text  # type: ignore[attr-defined]
        assert drawn.width >= 256
    assert "A hint, no proof" in texts["Description"]
    assert "a model that knows nothing has such maps as well" in texts["Description"]
    assert "spot" in texts["Title"]
    assert verdict["id"] in texts["Source"]


def test_the_same_verdict_has_the_same_map(client: FlaskClient) -> None:
    verdict = asked(client, scene(52, spot=True))

    first, again = (client.get(f"/tasks/{TASK}{verdict['explained']['heatmap']}") for _ in "ab")

    assert first.status_code == 200
    assert first.data == again.data


def test_no_map_is_drawn_of_what_does_not_look_where(taught: Engine) -> None:
    """A head that says the same of everything rests on no part of a picture."""
    engine = answering(taught)
    verdict = given(engine, "authenticity", jpeg(5))

    with pytest.raises(Conflict, match="better than chance"):
        heat_map(engine, verdict)


def test_what_people_said_has_no_map(client: FlaskClient) -> None:
    verdict = asked(client, scene(0, spot=True))
    assert (verdict["source"], verdict["explained"]["heatmap"]) == ("memory", None)

    response = client.get(f"/verdicts/{verdict['id']}/heatmap")

    assert response.status_code == 409
    assert "what people said" in error_of(response)["message"]


def test_a_picture_that_is_not_kept_has_no_map(taught: Engine) -> None:
    data = scene(53, spot=True)
    (verdict,) = classify(taught, TASK, [decode(data)], files=[data], keep=False)

    with pytest.raises(NotFound, match="not kept"):
        heat_map(taught, verdict)
    assert heat_map(taught, verdict, data).label == "spot"


def test_what_was_learned_since_is_not_drawn_as_if_it_had_answered(client: FlaskClient) -> None:
    verdict = asked(client, scene(54, spot=True))
    receipts = [
        client.post(
            f"/tasks/{TASK}/train",
            data={"image": file(scene(100 + seed, spot=seed % 2 == 0)), "label": label},
        ).get_json()
        for seed in range(14)
        for label in [("plain", "spot")[seed % 2]]  # the other way around
    ]

    response = client.get(f"/verdicts/{verdict['id']}/heatmap")
    for receipt in receipts:
        client.delete(f"/feedback/{receipt['id']}")

    assert response.status_code == 409
    assert "learned since" in error_of(response)["message"]


@pytest.mark.parametrize("verdict_id", ["0" * 32, "nothing", "..%2f..", "0" * 31 + "G"])
def test_unknown_verdicts_have_no_map(client: FlaskClient, verdict_id: str) -> None:
    assert client.get(f"/verdicts/{verdict_id}/heatmap").status_code == 404


def test_a_map_is_asked_for_under_its_own_task_only(client: FlaskClient) -> None:
    verdict = asked(client, scene(55, spot=True))

    response = client.get(f"/tasks/authenticity/verdicts/{verdict['id']}/heatmap")

    assert response.status_code == 404


def test_a_picture_without_parts_is_refused(taught: Engine) -> None:
    thin = decode(encode(np.zeros((1, 40, 3), np.uint8), "PNG"))

    with pytest.raises(Conflict, match="too small"):
        look_for(question(taught, thin, "spot"))


@pytest.fixture
def command(taught: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A picture for the command line, which works on the same data."""
    monkeypatch.setenv("DATA_DIR", str(taught.settings.data_dir))
    monkeypatch.setenv("ENCODER", "builtin")
    picture = tmp_path / "asked.png"
    picture.write_bytes(scene(56, spot=True))
    return picture


def test_the_command_writes_a_map(command: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = command.with_name("where.png")
    asking = ["--image", str(command), "--task", TASK, "--explain", "--json"]

    code = main(parse_arguments([*asking, "--heatmap", str(out)]))

    document = json.loads(capsys.readouterr().out)
    assert (code, document["heatmap_file"]) == (0, str(out))
    assert out.read_bytes().startswith(b"\x89PNG")
    assert len(document["nearest"]) == 5


def test_the_command_tells_an_answer_without_a_map(
    command: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = command.with_name("where.png")

    code = main(parse_arguments(["--image", str(command), "--heatmap", str(out)]))

    assert (code, out.exists()) == (3, False)
    assert "nothing to draw" in capsys.readouterr().err


def test_a_map_that_cannot_be_written_is_said(
    command: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = command.with_name("nowhere") / "where.png"

    code = main(parse_arguments(["--image", str(command), "--task", TASK, "--heatmap", str(out)]))

    assert code == 2
    assert "No such file" in capsys.readouterr().err


def test_many_pictures_have_no_one_map(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--batch", "pictures", "--heatmap", "where.png"])
    assert "--image" in capsys.readouterr().err


def test_a_map_asked_for_again_takes_no_work_and_no_turn(client: FlaskClient) -> None:
    url = asked(client, scene(57, spot=True))["explained"]["heatmap"]
    first = client.get(url)

    with heatmap.MAKING:
        again = client.get(url)

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.data == again.data


def test_that_there_is_none_is_remembered_too(taught: Engine) -> None:
    engine = answering(taught, version_id="20261121T000001-abcdef")
    verdict = given(engine, "authenticity", jpeg(6))
    with pytest.raises(Conflict, match="better than chance") as first:
        heat_map(engine, verdict)

    with heatmap.MAKING, pytest.raises(Conflict) as again:
        heat_map(engine, verdict)

    assert (again.value.message, again.value.detail) == (first.value.message, first.value.detail)


def test_what_is_learned_leaves_no_older_map(client: FlaskClient) -> None:
    url = asked(client, scene(58, spot=True))["explained"]["heatmap"]
    assert client.get(url).status_code == 200
    form = {"image": file(scene(59, spot=True)), "label": "spot"}
    receipt = client.post(f"/tasks/{TASK}/train", data=form).get_json()

    with heatmap.MAKING:
        after = client.get(url)
    client.delete(f"/feedback/{receipt['id']}")

    assert after.status_code == 429


def test_while_one_is_made_others_are_told_to_come_again(client: FlaskClient) -> None:
    url = asked(client, scene(60, spot=True))["explained"]["heatmap"]

    with heatmap.MAKING:
        refused = client.get(url)

    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert client.get(url).status_code == 200


def test_a_map_of_an_erased_picture_is_not_given_from_memory(taught: Engine) -> None:
    data = scene(61, spot=True)
    verdict = given(taught, TASK, data)
    heat_map(taught, verdict)
    taught.store.blobs.remove(verdict.picture.sha256)

    with pytest.raises(NotFound, match="not kept"):
        heat_map(taught, verdict)


def test_a_large_picture_is_looked_at_made_smaller(taught: Engine) -> None:
    pixels = decode(scene(62, spot=True)).pixels
    large = encode(np.kron(pixels, np.ones((14, 14, 1), np.uint8)), "PNG")  # 1344 x 1792
    verdict = given(taught, TASK, large)
    assert verdict.prediction == "spot"

    drawn = heat_map(taught, verdict)

    with Image.open(io.BytesIO(drawn.png)) as shown:
        shown.load()
        told = shown.text["Description"]  # type: ignore[attr-defined]
    assert "made smaller, to 1633 x 1225" in told


def test_nobody_without_a_key_asks_for_maps_of_a_public_service(settings: Settings) -> None:
    engine = reopened(settings, public_classify=True, **PUBLIC)
    client = client_of(engine)

    without = client.get(f"/verdicts/{'0' * 32}/heatmap")
    with_key = client.get(f"/verdicts/{'0' * 32}/heatmap", headers=bearer("admin-key"))
    engine.close()

    assert (without.status_code, with_key.status_code) == (401, 404)


def test_a_verdict_of_a_task_that_was_reset_is_not_drawn_by_its_successor(
    settings: Settings,
) -> None:
    engine = reopened(settings)
    client = client_of(engine)
    client.post("/tasks", json={"name": TASK, "kind": "photo", "labels": ["spot", "plain"]})

    def teach() -> None:
        for seed in range(4):
            for label in ("spot", "plain"):
                form = {"image": file(scene(seed, spot=label == "spot")), "label": label}
                assert client.post(f"/tasks/{TASK}/train", data=form).status_code == 201

    teach()
    verdict = given(engine, TASK, scene(63, spot=True))
    assert verdict.source is VerdictSource.MODEL
    assert client.post(f"/tasks/{TASK}/reset", json={"confirm": TASK}).status_code == 200
    teach()

    with pytest.raises(NotFound, match="reset"):
        heat_map(engine, verdict)
    engine.close()


class Corner:
    """A head that says `bright` the more, the more a vector is along the first axis."""

    classes = ("bright", "dark")

    def predict_proba(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        p = 1 / (1 + np.exp(-4 * vectors[:, 0].astype(np.float64)))
        return np.stack([p, 1 - p], axis=1)


def test_a_transformers_own_parts_are_looked_at(tmp_path: Path, settings: Settings) -> None:
    clip = Clip(tiny_clip.plain_weights(tiny_clip.write_config(tmp_path)))
    engine = open_engine(settings)
    task = engine.store.tasks.create("corners", TaskKind.PHOTO, ["bright", "dark"], open=False)
    engine.close()
    picture = decode(encode(photo(3, 96, 64), "PNG"))

    found = look_for(Asked(task, Corner(), "bright", clip, picture))

    assert found.heat.shape == (4, 4)  # 32 pixels in patches of 8
    assert abs(found.heat.mean()) < 1e-9
    assert found.grid == Grid(4, 4, 0, 16, 64, 64)
    assert "each of its parts" in found.how
