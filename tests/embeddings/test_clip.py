from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from domain import Unavailable
from embeddings.clip import Clip, _middle, import_open_clip
from embeddings.images import Picture, decode
from embeddings.weights import find_weights
from tests import tiny_clip
from tests.pictures import encode, photo


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clip.write_config(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def checkpoint(config: Path) -> Path:
    return tiny_clip.write_checkpoint(config)


def jpeg(seed: int, width: int = 160, height: int = 120) -> bytes:
    return encode(photo(seed, width, height), "JPEG")


def expected(config: Path, data: bytes, **options: Any) -> NDArray[np.float32]:
    """What open_clip's own model and transform make of the file, as a unit row."""
    open_clip = import_open_clip()
    open_clip.add_model_config(config)
    model, _, transform = open_clip.create_model_and_transforms(config.stem, **options)
    with Image.open(io.BytesIO(data)) as image, torch.inference_mode():
        row = model.eval().encode_image(transform(image)[None], normalize=True)
    return row.numpy()  # type: ignore[no-any-return]


@pytest.mark.parametrize(("width", "height"), [(160, 120), (50, 400), (31, 32), (400, 50)])
def test_vectors_are_those_open_clip_gives(
    config: Path, checkpoint: Path, width: int, height: int
) -> None:
    clip = Clip(find_weights(str(config), str(checkpoint)))
    data = jpeg(3, width, height)

    row = clip.embed([decode(data)])

    theirs = expected(config, data, pretrained=str(checkpoint))
    assert np.abs(row - theirs).max() < 1e-6


@pytest.mark.parametrize(
    "preprocess",
    [
        {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "resize_mode": "squash"},
        {"interpolation": "bilinear", "resize_mode": "longest", "fill_color": 255},
    ],
)
def test_inputs_are_exactly_those_of_open_clips_transform(
    config: Path, preprocess: dict[str, Any]
) -> None:
    data = jpeg(4)
    tower = Clip(tiny_clip.plain_weights(config, preprocess=preprocess))._load_image()
    transform = import_open_clip().image_transform(32, is_train=False, **preprocess)

    ours = tower.transform(Image.fromarray(decode(data).pixels))

    with Image.open(io.BytesIO(data)) as image:
        assert (ours - transform(image)).abs().max().item() == 0


def test_two_checkpoint_files_have_two_ids_and_two_vectors(config: Path, checkpoint: Path) -> None:
    other = tiny_clip.write_checkpoint(config, seed=2, suffix=".safetensors")
    pictures = [decode(jpeg(1))]

    first = Clip(find_weights(str(config), str(checkpoint)))
    second = Clip(find_weights(str(config), str(other)))

    assert first.id != second.id
    assert np.abs(first.embed(pictures) - second.embed(pictures)).max() > 0.01


def test_the_same_file_elsewhere_has_the_same_id(
    config: Path, checkpoint: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "renamed.pt"
    copy.write_bytes(checkpoint.read_bytes())

    assert find_weights(str(config), str(copy)).id == find_weights(str(config), str(checkpoint)).id


def test_random_weights_are_the_same_in_every_process(config: Path) -> None:
    torch.manual_seed(5)
    first = Clip(find_weights(str(config), "random")).embed([decode(jpeg(1))])
    torch.manual_seed(6)
    second = Clip(find_weights(str(config), "random")).embed([decode(jpeg(1))])

    np.testing.assert_array_equal(first, second)


def test_loading_leaves_the_callers_random_numbers_alone(config: Path) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()

    Clip(find_weights(str(config), "random")).embed([decode(jpeg(1))])

    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_tag_trained_with_quick_gelu_gets_it(config: Path, checkpoint: Path) -> None:
    data = jpeg(5)
    clip = Clip(tiny_clip.plain_weights(config, file=checkpoint, quick_gelu=True))

    row = clip.embed([decode(data)])

    theirs = expected(config, data, pretrained=str(checkpoint), force_quick_gelu=True)
    plain = expected(config, data, pretrained=str(checkpoint))
    assert np.abs(row - theirs).max() < 1e-6
    assert np.abs(row - plain).max() > 1e-4


def test_many_pictures_go_through_in_batches(config: Path) -> None:
    largest = []

    class Watched(Clip):
        def _embed_batch(self, tower: Any, batch: Any) -> NDArray[np.float32]:
            largest.append(len(batch))
            return super()._embed_batch(tower, batch)

    clip = Watched(tiny_clip.plain_weights(config), batch_size=4)
    rows = clip.embed([decode(jpeg(seed)) for seed in range(10)])

    assert largest == [4, 4, 2]
    assert rows.shape == (10, tiny_clip.DIM)


def test_threads_that_come_first_together_load_once(config: Path) -> None:
    builds = []

    class Counted(Clip):
        def _build_image(self) -> Any:
            builds.append(threading.get_ident())
            return super()._build_image()

    clip = Counted(tiny_clip.plain_weights(config))
    picture, start = decode(jpeg(1)), threading.Barrier(4)
    rows: list[NDArray[np.float32]] = []

    def ask() -> None:
        start.wait(10)
        rows.append(clip.embed([picture]))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(builds) == 1
    assert len(rows) == 4


def test_texts_share_the_space_of_pictures(config: Path, checkpoint: Path) -> None:
    prompts = ["a photo of a cat", "ಅ", "long " * 100]
    clip = Clip(find_weights(str(config), str(checkpoint)), batch_size=2)

    rows = clip.embed_text(prompts)

    open_clip = import_open_clip()
    model = tiny_clip.build(config, pretrained=str(checkpoint))
    with torch.inference_mode():
        theirs = model.encode_text(open_clip.get_tokenizer(config.stem)(prompts), normalize=True)
    assert rows.dtype == np.float32
    assert np.abs(rows - theirs.numpy()).max() < 1e-6


def test_no_texts_are_no_rows(config: Path) -> None:
    assert Clip(tiny_clip.plain_weights(config)).embed_text([]).shape == (0, tiny_clip.DIM)


def test_a_checkpoint_of_another_model_says_so_and_is_not_loaded_again(
    checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clip = Clip(find_weights("ViT-S-32-alt", str(checkpoint)))
    picture = decode(jpeg(1))

    with pytest.raises(Unavailable, match="CLIP_PRETRAINED") as first:
        clip.embed([picture])
    logged = len(caplog.records)
    with pytest.raises(Unavailable) as second:
        clip.embed([picture])

    assert clip.id in first.value.message
    assert second.value.message == first.value.message
    assert len(caplog.records) == logged


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said(config: Path) -> None:
    clip = Clip(tiny_clip.plain_weights(config), device="cuda")

    with pytest.raises(Unavailable, match="CLIP_DEVICE=cuda"):
        clip.embed([decode(jpeg(1))])


def test_a_very_long_picture_is_cut_to_what_is_looked_at(config: Path) -> None:
    clip = Clip(tiny_clip.plain_weights(config))
    strip = photo(7, width=400, height=8)
    data = encode(strip, "PNG")

    row = clip.embed([decode(data)])
    longest = clip.embed([decode(encode(photo(8, width=16_384, height=1), "PNG"))])

    # 400 x 8 is cut to 64 x 8; open_clip's own way scales it whole and looks at the middle
    tower = clip._load_image()
    with torch.inference_mode():
        whole = tower.module(tower.transform(Image.fromarray(strip))[None]).numpy()
    assert np.abs(row - whole / np.linalg.norm(whole)).max() < 1e-5
    assert np.isfinite(longest).all()


@pytest.mark.parametrize(
    ("shape", "kept"),
    [
        ((10, 80), (10, 80)),
        ((10, 81), (10, 81)),
        ((10, 83), (10, 81)),
        ((1, 16_384), (1, 8)),
        ((500, 1), (8, 1)),
        ((1, 1), (1, 1)),
    ],
)
def test_the_middle_of_a_picture(shape: tuple[int, int], kept: tuple[int, int]) -> None:
    pixels = np.zeros((*shape, 3), np.uint8)
    pixels[shape[0] // 2, shape[1] // 2] = 9

    middle = _middle(pixels)

    assert middle.shape[:2] == kept
    assert middle.max() == 9


def test_a_normal_torchvision_keeps_its_own_operators() -> None:
    """Where the extension has declared `nms` and `qnms`, declaring them again would fail."""
    code = (
        "import torch\n"
        "schema = '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor'\n"
        "torch.library.define('torchvision::nms', schema)\n"
        "from embeddings.clip import import_open_clip\n"
        "import_open_clip()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_torch_is_imported_with_the_first_picture_not_before(config: Path) -> None:
    code = (
        "import sys, numpy as np\n"
        "from config import load_settings\n"
        "from domain import TaskKind\n"
        "from embeddings import load_embedders\n"
        "from embeddings.images import decode, encode_png\n"
        f"settings = load_settings(encoder='clip', clip_model_name={str(config)!r},"
        " clip_pretrained='random')\n"
        "clip = load_embedders(settings)[TaskKind.PHOTO]\n"
        "assert clip.id and clip.dim and clip.device and clip.reason\n"
        "heavy = {'torch', 'torchvision', 'open_clip'}\n"
        "assert not heavy & set(sys.modules), 'imported too early'\n"
        "clip.embed([decode(encode_png(np.zeros((9, 9, 3), np.uint8)))])\n"
        "assert heavy <= set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_pictures_come_out_in_the_order_they_went_in(config: Path) -> None:
    clip = Clip(tiny_clip.plain_weights(config), batch_size=3)
    pictures: list[Picture] = [decode(jpeg(seed)) for seed in range(7)]

    together = clip.embed(pictures)

    alone = np.concatenate([clip.embed([picture]) for picture in pictures])
    assert np.abs(together - alone).max() < 1e-5


@pytest.mark.parametrize(("width", "height"), [(160, 120), (50, 400), (64, 64)])
def test_parts_are_the_tokens_that_open_clip_gives(
    config: Path, checkpoint: Path, width: int, height: int
) -> None:
    clip = Clip(find_weights(str(config), str(checkpoint)))
    picture = decode(jpeg(3, width, height))

    parts = clip.patches(picture)

    assert parts is not None
    tower = clip._load_image()
    model = tiny_clip.build(config, pretrained=str(checkpoint))
    model.visual.output_tokens = True
    with torch.inference_mode():
        _, tokens = model.visual(tower.prepared(picture)[None])
        theirs = torch.nn.functional.normalize(tokens[0] @ model.visual.proj, dim=-1).numpy()
    assert parts.vectors.shape == (4, 4, clip.dim)
    assert np.abs(parts.vectors.reshape(16, -1) - theirs).max() < 1e-5
    side = min(width, height)
    middle = ((height - side) // 2, (width - side) // 2, side, side)
    assert (parts.top, parts.left, parts.height, parts.width) == middle


def test_a_convolutional_model_has_no_vectors_of_its_parts(tmp_path: Path) -> None:
    described = json.loads(tiny_clip.write_config(tmp_path).read_text(encoding="utf-8"))
    described["vision_cfg"] = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8}
    described["vision_cfg"]["head_width"] = 8
    config = tmp_path / "tiny-rn.json"
    config.write_text(json.dumps(described), encoding="utf-8")
    clip = Clip(tiny_clip.plain_weights(config))

    assert clip.patches(decode(jpeg(3))) is None
    assert clip.embed([decode(jpeg(3))]).shape == (1, clip.dim)
