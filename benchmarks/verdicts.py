r"""Ten verdicts in full, each by a real run, written as docs/verdicts.md.

    python -m benchmarks.verdicts ../shared/data/authenticity --data /tmp/verdicts \
        --sources webmix stockmix ganmix smallmix1 smallmix2 smallmix3 smallmix4 imagenet_sample

The first folder has `<source>/<ai or real>/` folders of pictures. Seven of eight pictures of the
sources named are taken in, embedded and trained on; verdicts are about the others, which were
never shown. Then requests go to the service itself, and what `/verdicts/<id>` gives is written
down as it comes. With `--data` of an earlier run its trained version is used again.

Content credentials are signed with a certificate that this run makes up and trusts. The text
start is shown with a CLIP of a few hundred kilobytes that nobody trained: its form is right and
its answer means nothing.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from app import create_app
from config import Settings, load_settings
from domain import DEFAULT_TASK, UNSURE
from embeddings.images import decode, encode_jpeg
from embeddings.job import embed_missing
from engine import Engine, open_engine
from records.checking import Result, check, read_record
from records.keys import public_keys
from scraper.ingest import Request, ingest_folder
from tests.provenance.files import A1111, certificates, exif, segment, signed
from tests.tiny_clip import write_config
from train import train

PAGE = Path(__file__).resolve().parent.parent / "docs" / "verdicts.md"
HELD_BACK = 8
"""One picture of so many is not taken in, to be asked about."""
USER_COMMENT = 0x9286
WIDTH = 120


@dataclass(frozen=True, slots=True)
class Shown:
    """One verdict of the page."""

    title: str
    document: Mapping[str, Any]


class Service:
    """A service on an engine of its own, asked as anybody asks it."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client

    def ask(self, picture: bytes, query: str = "", task: str = "") -> dict[str, Any]:
        """The record of the verdict on a picture."""
        given = self.post(f"{task}/classify{query}", {"image": (io.BytesIO(picture), "p.jpg")})
        return read_record(self._client.get(f"/verdicts/{given['id']}").data)

    def post(self, path: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """What a form is answered with."""
        return self._found(self._client.post(path, data=dict(data)))

    def make_task(self, **described: Any) -> None:
        """Make a task."""
        self._found(self._client.post("/tasks", json=described))

    def keys(self) -> bytes:
        """What `/keys` gives."""
        shown: bytes = self._client.get("/keys").data
        return shown

    def _found(self, response: Any) -> dict[str, Any]:
        if response.status_code >= 400:
            raise SystemExit(f"{response.status_code}: {response.get_data(as_text=True)}")
        found: dict[str, Any] = response.get_json()
        return found


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.verdicts", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("pictures", type=Path, help="a folder of <source>/<ai or real>/ folders")
    parser.add_argument("--sources", nargs="+", required=True, help="which of its folders")
    parser.add_argument("--data", type=Path, help="where the service's data is, or will be")
    parser.add_argument("--time-budget", type=float, default=60.0, help="seconds of training")
    parser.add_argument("--out", type=Path, default=PAGE, help="default: docs/verdicts.md")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Train, ask, write."""
    arguments = parse_arguments(argv)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "trusted.pem").write_bytes(certificates()[0])
        taught = _settings(arguments.data or folder / "data", folder)
        with _opened(taught) as engine:
            _teach(engine, arguments, folder)
        # what is asked leaves its traces in a copy: a later run begins as this one did
        shutil.copytree(taught.data_dir, folder / "asked")
        asked = list(_held_back(arguments))
        with _opened(_settings(folder / "asked", folder)) as engine:
            service = Service(create_app(engine).test_client())
            shown = [*_cases(service, asked)]
            _check(service, [one.document for one in shown])
            keys = [service.keys()]
        with _opened(_with_tiny_clip(folder)) as engine:
            service = Service(create_app(engine).test_client())
            shown.append(_text_start(service, asked[0][1].read_bytes()))
            _check(service, [shown[-1].document])
            keys.append(service.keys())
    arguments.out.write_text(_page(shown, _joined(keys), arguments), encoding="utf-8")
    print(arguments.out)
    return 0


class _opened:
    """An engine that is closed at the end."""

    def __init__(self, settings: Settings) -> None:
        self._engine = open_engine(settings)

    def __enter__(self) -> Engine:
        return self._engine

    def __exit__(self, *_: object) -> None:
        self._engine.close()


# --- what it is taught ---


def _files(arguments: argparse.Namespace) -> Iterator[tuple[str, str, int, Path]]:
    """Source, label, place in its folder, and file of every picture."""
    for source in arguments.sources:
        for label in ("ai", "real"):
            files = (arguments.pictures / source / label).glob("*")
            for i, path in enumerate(sorted(path for path in files if path.is_file())):
                yield source, label, i, path


def _held_back(arguments: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Label and file of the pictures that are not shown before they are asked about."""
    for _, label, i, path in _files(arguments):
        if i % HELD_BACK == 0:
            yield label, path


def _teach(engine: Engine, arguments: argparse.Namespace, folder: Path) -> None:
    """Take the pictures in and train, unless that was done before."""
    current = engine.store.versions.current(DEFAULT_TASK)
    if current is not None and not current.demo:
        return
    for source, label, i, path in _files(arguments):
        if i % HELD_BACK:
            target = folder / "taken" / source / label / f"{i}{path.suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    for source in arguments.sources:
        ingest_folder(engine, Request(folder / "taken" / source, license="not stated"))
    kind = engine.store.tasks.get(DEFAULT_TASK).kind
    embed_missing(engine.store, engine.embedders[kind], DEFAULT_TASK, settings=engine.settings)
    train(engine, DEFAULT_TASK, time_budget=arguments.time_budget)


def _settings(data: Path, folder: Path) -> Settings:
    return load_settings(
        _env_file=None, data_dir=data, encoder="builtin", trust_list=folder / "trusted.pem"
    )


def _with_tiny_clip(folder: Path) -> Settings:
    return load_settings(
        _env_file=None,
        data_dir=folder / "clip",
        encoder="clip",
        clip_model_name=str(write_config(folder)),
        clip_pretrained="random",
        starter_lesson=False,
    )


# --- what it is asked ---


def _cases(service: Service, asked: Sequence[tuple[str, Path]]) -> Iterator[Shown]:
    """Nine of the ten, in the order of the page."""
    real, ai = (
        [path.read_bytes() for label, path in asked if label == which] for which in ("real", "ai")
    )
    plain_real, _ = _first(service, real, {"prediction": "real", "evidence": []})
    yield Shown("Real", service.ask(plain_real, "?explain=1"))
    generated = signed("trainedAlgorithmicMedia", picture=ai[0])
    yield Shown("AI with a manifest", service.ask(generated))
    stripped = encode_jpeg(decode(generated).pixels, quality=90)
    yield Shown("AI, manifest stripped", service.ask(stripped))
    yield Shown("Tampered", service.ask(_touched(generated)))
    comment = b"UNICODE\0" + A1111.encode("utf-16-be")
    claims = segment(0xE1, exif(taking={USER_COMMENT: comment}).tobytes(), plain_real)
    yield Shown("Disagreement", service.ask(claims))
    _, unsure = _first(service, [*ai, *real], {"prediction": UNSURE})
    yield Shown("Unsure", unsure)
    decided = [one for one in [*ai, *real] if service.ask(one)["prediction"] != UNSURE]
    _, flips = _first(service, [*decided, *real], {"flips": True}, "?stability=1")
    yield Shown("Flips", flips)
    wrong = next(one for one in ai if one != ai[0])
    service.post("/feedback", {"image": (io.BytesIO(wrong), "p.jpg"), "label": "ai"})
    yield Shown("Corrected", service.ask(wrong))
    service.make_task(name="smile", kind="photo", labels=["smile", "no_smile"])
    yield Shown("Untaught task", service.ask(real[0], task="/tasks/smile"))


def _first(
    service: Service, pictures: Sequence[bytes], wanted: Mapping[str, Any], query: str = ""
) -> tuple[bytes, dict[str, Any]]:
    """The first picture whose verdict is as wanted, and that verdict."""
    for picture in pictures:
        said = service.ask(picture, query)
        told = {**said, **(said["stability"] or {}), "prediction": said["prediction"]}
        if all(told.get(name) == value for name, value in wanted.items()):
            return picture, said
    raise SystemExit(f"None of {len(pictures)} pictures is answered with {dict(wanted)}.")


def _touched(data: bytes) -> bytes:
    """A JPEG with one byte of its pixels changed."""
    at = data.index(b"\xff\xda") + 200
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _text_start(service: Service, picture: bytes) -> Shown:
    prompts = {"dog": ["a photo of a dog"], "cat": ["a photo of a cat", "a kitten"]}
    service.make_task(name="pets", kind="photo", labels=["dog", "cat"], prompts=prompts)
    return Shown("Text start", service.ask(picture, task="/tasks/pets"))


def _check(service: Service, documents: Sequence[Mapping[str, Any]]) -> None:
    trusted = public_keys(service.keys())
    for document in documents:
        found = check(document, trusted)
        if found.result is not Result.VALID:
            raise SystemExit(f"The record {document['id']} is not valid: {found.reason}.")


def _joined(shown: Sequence[bytes]) -> str:
    return json.dumps({"keys": [key for one in shown for key in json.loads(one)["keys"]]}, indent=1)


# --- the page ---

WORDS: Mapping[str, str] = {
    "Real": "A held-back photograph, asked with `explain=1`. The file says nothing of its origin, "
    "which points to nothing; the statistics decide, and the reasons say what their word is worth.",
    "AI with a manifest": "A held-back AI picture, signed for this run by a certificate that is on "
    "the trust list, with the source type `trainedAlgorithmicMedia`. The evidence decides "
    "(`EVIDENCE_DECIDES`); what the statistics alone would have said stands beside it.",
    "AI, manifest stripped": "The same picture, saved anew as any website does: the manifest is "
    "gone. No evidence is no evidence for `real`; the statistics are left, and say what they can.",
    "Tampered": "The signed file with one byte of its pixels changed. Its signature no longer "
    "fits, so it is never valid and decides nothing; that it was changed is said.",
    "Disagreement": "The photograph of the first verdict, with a generator's settings written into "
    "its EXIF. Anybody can write those: that file and statistics disagree is said, and the file "
    "decides nothing.",
    "Unsure": "A held-back picture between what may be called `ai` and what may be called `real` "
    "under the promise ([promise.md](promise.md)).",
    "Flips": "Asked with `stability=1`: for some likely re-delivery of the same picture the answer "
    "would be another one, so it is `unsure`.",
    "Corrected": "A picture that somebody labelled a moment before: what people said of this very "
    "picture decides, and the statistics stand beside it.",
    "Untaught task": "A task without a single example, and no CLIP embedder: no answer, and what "
    "to do.",
    "Text start": "A task without a single example, answered by the words of its labels. The CLIP "
    "here is a tiny one with random weights, as no trained ones were at hand: the form is the real "
    "one, the answer means nothing.",
}
"""What each verdict shows, by its title, in the order of the page."""


def _page(shown: Sequence[Shown], keys: str, arguments: argparse.Namespace) -> str:
    command = f"{arguments.pictures} --sources {' '.join(arguments.sources)}"
    opening = (
        "Each is what `/verdicts/<id>` gave in a real run, in full: the answer, what the file, the "
        "statistics and people say each by itself, what it rests on, and a signature. Save one as "
        "a file and check it with `python classify.py --verify FILE --key KEYS`, the keys being "
        "those at the end; [records.md](records.md) says what that proves."
    )
    made = (
        f"Made by `python -m benchmarks.verdicts {command}` on a busy machine of two cores, so "
        "that its times are long. The pictures are not part of the project."
    )
    parts = ["# Ten verdicts\n", *(textwrap.fill(one, WIDTH) + "\n" for one in (opening, made))]
    for i, one in enumerate(shown, start=1):
        written = json.dumps(one.document, ensure_ascii=False, indent=1)
        words = textwrap.fill(WORDS[one.title], WIDTH)
        parts.append(f"## {i}. {one.title}\n\n{words}\n\n```json\n{written}\n```\n")
    parts.append(f"## The keys\n\n```json\n{keys}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
