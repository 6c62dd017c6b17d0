from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from config import Settings, load_settings
from domain import TaskKind, Unacceptable, Unavailable
from embeddings import load_embedders
from embeddings.clip import Clip, import_open_clip
from embeddings.weights import find_weights
from tests import hub, tiny_clip

REPOSITORY = "timm/vit_base_patch32_clip_224.openai"
FILE = "open_clip_model.safetensors"
NOWHERE = "http://127.0.0.1:9"


def chosen(**values: Any) -> Settings:
    return load_settings(_env_file=None, **values)


@pytest.fixture(autouse=True)
def hub_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, and no hub that can be reached."""
    home = tmp_path / "hub-home"
    for name in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(home))
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return home


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = tiny_clip.write_config(tmp_path_factory.mktemp("clip"))
    return tiny_clip.write_checkpoint(config, suffix=".safetensors")


def put_into_cache(home: Path, data: bytes) -> Path:
    """What a download leaves behind."""
    folder = home / "hub" / f"models--{REPOSITORY.replace('/', '--')}"
    file = folder / "snapshots" / hub.COMMIT / FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(data)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(hub.COMMIT)
    return file


def test_builtin_is_what_it_says() -> None:
    embedders = load_embedders(chosen(encoder="builtin"))

    assert {kind: e.id.split(":")[0] for kind, e in embedders.items()} == {
        TaskKind.PHOTO: "builtin-photo",
        TaskKind.DRAWING: "builtin-drawing",
        TaskKind.AUTHENTICITY: "builtin-authenticity",
    }
    assert all("ENCODER=builtin" in e.reason for e in embedders.values())


def test_builtin_leaves_the_other_cores_to_other_requests() -> None:
    code = (
        "from threadpoolctl import threadpool_info\n"
        "from config import load_settings\n"
        "from embeddings import load_embedders\n"
        "load_embedders(load_settings(encoder='builtin'))\n"
        "blas = [lib['num_threads'] for lib in threadpool_info() if lib['user_api'] == 'blas']\n"
        "assert blas and set(blas) == {1}, blas\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_auto_without_a_network_falls_back_at_once_and_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    started = time.monotonic()

    with caplog.at_level(logging.WARNING, logger="embeddings"):
        embedders = load_embedders(chosen(encoder="auto", clip_fetch_seconds=30))

    assert time.monotonic() - started < 15, "huggingface_hub's own retries take longer"
    reason = embedders[TaskKind.PHOTO].reason
    assert embedders[TaskKind.PHOTO].id.startswith("builtin-photo")
    assert "ViT-B-32/openai are not cached" in reason
    assert "does not answer" in reason
    assert "To use CLIP" in reason
    assert reason in caplog.messages


def test_auto_waits_no_longer_than_it_may_for_a_hub_that_hangs() -> None:
    with hub.hanging() as (endpoint, _), pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", endpoint)
        started = time.monotonic()
        embedders = load_embedders(chosen(encoder="auto", clip_fetch_seconds=1))
        took = time.monotonic() - started

    assert embedders[TaskKind.PHOTO].id.startswith("builtin-photo")
    assert "could not be fetched within 1 s" in embedders[TaskKind.PHOTO].reason
    assert 1 <= took < 15


def test_auto_told_not_to_fetch_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with hub.hanging() as (endpoint, listening):
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        embedders = load_embedders(chosen(encoder="auto", clip_fetch_seconds=0))

        listening.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody waits there
            listening.accept()
    assert "not fetched at start" in embedders[TaskKind.PHOTO].reason


def test_auto_takes_cached_weights_without_a_network(hub_home: Path, checkpoint: Path) -> None:
    cached = put_into_cache(hub_home, checkpoint.read_bytes())

    embedders = load_embedders(chosen(encoder="auto", clip_fetch_seconds=0))

    assert {kind: e.id for kind, e in embedders.items()} == {
        TaskKind.PHOTO: "clip:ViT-B-32/openai",
        TaskKind.DRAWING: "clip:ViT-B-32/openai+drawn:1",
        TaskKind.AUTHENTICITY: "clip:ViT-B-32/openai",
    }
    assert embedders[TaskKind.PHOTO].dim == 512
    assert "ENCODER=auto" in embedders[TaskKind.PHOTO].reason
    found = find_weights("ViT-B-32", "openai")
    assert found.file is not None
    assert found.file.samefile(cached)
    assert found.quick_gelu  # as its tag was trained, although the model's own file says not


def test_auto_fetches_weights_in_time(
    monkeypatch: pytest.MonkeyPatch, hub_home: Path, checkpoint: Path
) -> None:
    data = checkpoint.read_bytes()
    with hub.serving({f"{REPOSITORY}/{FILE}": data}) as endpoint:
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        embedders = load_embedders(chosen(encoder="auto", clip_fetch_seconds=60))

    assert embedders[TaskKind.PHOTO].id == "clip:ViT-B-32/openai"
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    again = find_weights("ViT-B-32", "openai")
    assert again.file is not None
    assert again.file.read_bytes() == data


def test_one_weight_file_has_one_id_however_its_tag_is_written(
    hub_home: Path, checkpoint: Path
) -> None:
    put_into_cache(hub_home, checkpoint.read_bytes())

    assert find_weights("ViT-B/32", "OpenAI").id == find_weights("ViT-B-32", "openai").id


def test_clip_that_cannot_be_had_stops_the_start_and_says_what_to_do() -> None:
    with pytest.raises(Unavailable, match="CLIP_PRETRAINED to a checkpoint") as raised:
        load_embedders(chosen(encoder="clip"))

    assert "ENCODER=clip" in raised.value.message


def test_a_hub_forbidden_by_its_own_setting_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    with pytest.raises(Unavailable, match="HF_HUB_OFFLINE"):
        load_embedders(chosen(encoder="clip"))


@pytest.mark.parametrize("encoder", ["auto", "clip"])
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"clip_model_name": "ViT-B32"}, ["CLIP_MODEL_NAME", "'ViT-B32'", "ViT-B-32,"]),
        ({"clip_pretrained": "laion2b"}, ["CLIP_PRETRAINED", "laion2b_s34b_b79k"]),
        ({"clip_pretrained": "weights/mine.pt"}, ["CLIP_PRETRAINED", "weights/mine.pt"]),
        ({"clip_model_name": "none.json"}, ["CLIP_MODEL_NAME", "none.json"]),
    ],
)
def test_names_that_are_wrong_stop_the_start(
    encoder: str, values: dict[str, str], said: list[str]
) -> None:
    with pytest.raises(Unacceptable) as raised:
        load_embedders(chosen(encoder=encoder, **values))

    assert all(part in raised.value.message for part in said), raised.value.message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pointer.safetensors", b"version https://git-lfs.github.com/spec/v1\n" * 3),
        ("page.pt", b"<!DOCTYPE html><html>Not found</html>"),
        ("empty.pt", b""),
    ],
)
def test_a_file_that_is_no_checkpoint_stops_the_start(
    tmp_path: Path, name: str, content: bytes
) -> None:
    file = tmp_path / name
    file.write_bytes(content)

    with pytest.raises(Unacceptable, match="a whole checkpoint"):
        load_embedders(chosen(encoder="clip", clip_pretrained=str(file)))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_checkpoint_cut_off_in_the_middle_stops_the_start(tmp_path: Path, suffix: str) -> None:
    file = tiny_clip.write_checkpoint(tiny_clip.write_config(tmp_path), suffix=suffix)
    load_embedders(chosen(encoder="clip", clip_pretrained=str(file)))
    file.write_bytes(file.read_bytes()[:-1000])

    with pytest.raises(Unacceptable, match="a whole checkpoint"):
        load_embedders(chosen(encoder="clip", clip_pretrained=str(file)))


def test_a_configuration_that_is_none_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text('{"embed_dim": 8}')

    with pytest.raises(Unacceptable, match="vision_cfg"):
        load_embedders(chosen(encoder="clip", clip_model_name=str(file)))


def test_two_configurations_of_one_name_have_two_ids(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first = tiny_clip.write_config(tmp_path)
    second = tiny_clip.write_config(tmp_path / "other")
    second.write_text(second.read_text().replace('"layers": 2', '"layers": 1'))

    assert find_weights(str(first), "random").id != find_weights(str(second), "random").id


def test_settings_reach_the_embedder(tmp_path: Path) -> None:
    config = tiny_clip.write_config(tmp_path)
    settings = chosen(
        encoder="auto", clip_model_name=str(config), clip_pretrained="random", clip_device="cpu"
    )

    clip = load_embedders(settings)[TaskKind.AUTHENTICITY]

    assert isinstance(clip, Clip)
    assert clip.dim == tiny_clip.DIM
    assert clip.device == "cpu"
    assert "untrained" in clip.reason


@pytest.mark.parametrize("library", ["torch", "open_clip"])
def test_without_its_libraries_auto_falls_back_and_clip_stops(
    monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)

    embedders = load_embedders(chosen(encoder="auto"))
    with pytest.raises(Unavailable, match=r"requirements-clip\.txt"):
        load_embedders(chosen(encoder="clip"))

    assert embedders[TaskKind.PHOTO].id.startswith("builtin-photo")
    assert "not installed" in embedders[TaskKind.PHOTO].reason
    assert "requirements-clip.txt" in embedders[TaskKind.PHOTO].reason


def test_falling_back_imports_no_torch() -> None:
    code = (
        "import sys\n"
        "from config import load_settings\n"
        "from embeddings import load_embedders\n"
        "load_embedders(load_settings(encoder='auto'))\n"
        "assert not {'torch', 'open_clip', 'huggingface_hub'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_tables_read_without_torch_are_open_clips_own() -> None:
    code = (
        "import json, sys\n"
        "from embeddings.lookup import open_clip_tables\n"
        "tables = open_clip_tables()\n"
        "assert 'torch' not in sys.modules\n"
        "print(json.dumps({f'{m}:{t}': tables.get_pretrained_cfg(m, t)"
        " for m, t in tables.list_pretrained()}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, timeout=60, text=True
    )
    library = import_open_clip()
    theirs = {f"{m}:{t}": library.get_pretrained_cfg(m, t) for m, t in library.list_pretrained()}
    assert len(theirs) > 100
    assert json.loads(done.stdout) == json.loads(json.dumps(theirs))


def test_both_embedders_serve_authenticity_together(checkpoint: Path) -> None:
    name = str(checkpoint.with_name("tiny.json"))
    embedders = load_embedders(
        chosen(encoder="clip+builtin", clip_model_name=name, clip_pretrained=str(checkpoint))
    )
    both, photo = embedders[TaskKind.AUTHENTICITY], embedders[TaskKind.PHOTO]
    assert both.id.startswith(f"{photo.id}+builtin-authenticity:")
    assert both.dim > photo.dim
    assert both.reason == "ENCODER=clip+builtin asks for it."
    assert "drawn" in embedders[TaskKind.DRAWING].id


def test_both_embedders_need_clip(checkpoint: Path) -> None:
    with pytest.raises(Unavailable, match=r"ENCODER=clip\+builtin"):
        load_embedders(chosen(encoder="clip+builtin"))
