"""A lesson made to do harm, or damaged on its way, does none: one clear error, nothing taken in."""

from __future__ import annotations

import io
import json
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from domain import ExposrError, Unacceptable
from engine import Engine
from exchange import layout, reading
from exchange.layout import BadLesson
from lessons import import_lesson
from tests.exchange.made import (
    ME,
    TASK,
    as_lines,
    exported,
    installation,
    members,
    rows_of,
    teach_everything,
    zipped,
)

Parts = dict[str, bytes]
Change = Callable[[Parts], Parts | list[tuple[str | zipfile.ZipInfo, bytes]] | bytes]


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    with installation(tmp_path_factory.mktemp("taught")) as engine:
        teach_everything(engine)
        return exported(engine)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An installation that stays empty, because nothing is ever taken in."""
    with installation(tmp_path_factory.mktemp("other")) as engine:
        yield engine


def refused(engine: Engine, data: bytes) -> ExposrError:
    """Why a lesson is refused, after making sure that nothing of it is here."""
    with pytest.raises((BadLesson, Unacceptable)) as caught:
        import_lesson(engine, None, io.BytesIO(data), ME)
    assert [task.name for task in engine.store.tasks.all()] == ["authenticity"]
    assert not list((engine.settings.data_dir / "pictures").rglob("*"))
    message = caught.value.message
    assert 0 < len(message) < 600
    assert str(engine.settings.data_dir) not in message
    return caught.value


# --- what the rows and documents say ---


def manifest(**changes: Any) -> Change:
    def change(parts: Parts) -> Parts:
        document = {**json.loads(parts["manifest.json"]), **changes}
        return {**parts, "manifest.json": json.dumps(document).encode()}

    return change


def told_task(**changes: Any) -> Change:
    def change(parts: Parts) -> Parts:
        document = json.loads(parts["manifest.json"])
        document["task"].update(changes)
        return {**parts, "manifest.json": json.dumps(document).encode()}

    return change


def first(name: str, **changes: Any) -> Change:
    """Change fields of the first row of a member."""

    def change(parts: Parts) -> Parts:
        rows = rows_of(parts, name)
        rows[0].update(changes)
        return {**parts, name: as_lines(rows)}

    return change


def rows(name: str, change_rows: Callable[[list[Any]], list[Any]]) -> Change:
    return lambda parts: {**parts, name: as_lines(change_rows(rows_of(parts, name)))}


def text(name: str, data: bytes) -> Change:
    return lambda parts: {**parts, name: data}


def without(name: str) -> Change:
    return lambda parts: {key: data for key, data in parts.items() if key != name}


def one_more(name: str, data: bytes = b"") -> Change:
    return lambda parts: {**parts, name: data}


def no_field(name: str, field: str) -> Change:
    def change(parts: Parts) -> Parts:
        found = rows_of(parts, name)
        del found[0][field]
        return {**parts, name: as_lines(found)}

    return change


S, C = "samples.jsonl", "corrections.jsonl"
FACTS = {"width": 1, "height": 1, "format": "PNG", "n_bytes": 1, "phash": 1}
BEFORE = {"prediction": "a", "confidence": 0.5, "source": "model"}

SAYING = {
    "no manifest": without("manifest.json"),
    "no samples": without(S),
    "no corrections": without(C),
    "manifest is no JSON": text("manifest.json", b"{"),
    "manifest is a list": text("manifest.json", b"[]"),
    "manifest is no UTF-8": text("manifest.json", b'{"format": "\xff"}'),
    "manifest nests too deep": text("manifest.json", b"[" * 100_000),
    "manifest has a number without end": text("manifest.json", b"9" * 100_000),
    "another format": manifest(format="exposr"),
    "a later version": manifest(version=2),
    "version is text": manifest(version="1"),
    "version is true": manifest(version=True),
    "an unknown field": manifest(pickle="x"),
    "a name that is a path": told_task(name="../../etc"),
    "a name too long": told_task(name="a" * 65),
    "an unknown kind": told_task(kind="text"),
    "kind is a list": told_task(kind=["drawing"]),
    "open is a number": told_task(open=1),
    "labels are no list": told_task(labels="ab"),
    "a label with a control character": told_task(labels=["a", "ಕ್ಷ", "b", "🅱️", "\x1b[31m"]),
    "a label that is reserved": told_task(labels=["a", "ಕ್ಷ", "b", "🅱️", "unsure"]),
    "a label too long": told_task(labels=["a", "ಕ್ಷ", "b", "🅱️", "x" * 65]),
    "a label that is a number": told_task(labels=["a", "ಕ್ಷ", "b", "🅱️", 5]),
    "a label in another form": told_task(labels=["a", "ಕ್ಷ", "b", "🅱️", "u\u0308"]),
    "a label twice": told_task(labels=["a", "ಕ್ಷ", "b", "🅱️", "a"]),
    "too many labels": told_task(labels=[f"l{i}" for i in range(20_001)]),
    "a label of a row is missing": told_task(labels=["a", "ಕ್ಷ", "🅱️"]),
    "a variant of nothing": told_task(variants={"á": "z", "ɑ": "a"}),
    "a variant that is a label": told_task(variants={"á": "a", "ɑ": "a", "b": "a"}),
    "variants in a ring": told_task(variants={"á": "ɑ", "ɑ": "á"}),
    "variants are a list": told_task(variants=[]),
    "prompts too long": told_task(prompts={"a": "x" * 1001}),
    "a prompt that is no text": told_task(prompts={"a": 1}),
    "a share that is none": told_task(settings={"unsure_below": 7}),
    "a setting there is none of": told_task(settings={"trusted": True}),
    "settings are a list": told_task(settings=[0.5]),
    "a count beyond limits": manifest(samples=10**9),
    "a count below nothing": manifest(samples=-1),
    "more rows than promised": manifest(samples=2),
    "fewer rows than promised": manifest(corrections=9),
    "fewer pictures than promised": manifest(pictures=9),
    "fewer vectors than promised": manifest(vectors={"builtin-drawing:2": 9}),
    "files of vectors that nobody promised": manifest(chunks=0),
    "files of vectors that are missing": manifest(chunks=4),
    "files of vectors without end": manifest(chunks=10**8),
    "vectors are a list": manifest(vectors=[]),
    "embedders without end": manifest(vectors={str(i): 0 for i in range(17)}),
    "a row is no JSON": text(S, b"nonsense\n"),
    "a row is a number": text(S, b"5\n5\n5\n"),
    "a row with NaN": first(C, before={**BEFORE, "confidence": float("nan")}),
    "a row too long": first(C, note="x" * 200_000),
    "a row lacks a field": no_field(S, "license"),
    "a row has a field more": first(S, id=5),
    "a sha256 that is a path": first(S, sha256="../../../../etc/passwd"),
    "a sha256 in capitals": first(S, sha256="A" * 64),
    "a sha256 of no picture": first(S, sha256="a" * 64),
    "a sample twice": rows(S, lambda found: [found[0], found[0], found[2]]),
    "a correction twice": rows(C, lambda found: [found[0], *found[:-1]]),
    "a label nobody promised": first(S, label="new"),
    "variant_of nobody promised": first(C, variant_of="new"),
    "variant_of is a number": first(C, variant_of=7),
    "a person without a name": first(C, person=""),
    "a person with NUL": first(C, person="a\0b"),
    "half of a surrogate pair": first(C, note="\ud800"),
    "trusted is text": first(C, trusted="yes"),
    "an id that is a path": first(C, id="../x"),
    "an id too long": first(C, id="a" * 65),
    "confidence beyond 1": first(C, before={**BEFORE, "confidence": 1.5}),
    "confidence is true": first(C, before={**BEFORE, "confidence": True}),
    "a source nobody knows": first(C, before={**BEFORE, "source": "oracle"}),
    "before is text": first(C, before="a"),
    "facts beside a file": first(C, picture=FACTS),
    "a hash beyond 64 bits": rows(
        C, lambda found: [*found[:-1], {**found[-1], "picture": {**FACTS, "phash": 2**64}}]
    ),
    "a picture of no size": rows(
        C, lambda found: [*found[:-1], {**found[-1], "picture": {**FACTS, "width": -1}}]
    ),
    "a card that is no JSON": one_more("card.json", b"\x80\x04pickle"),
}


@pytest.mark.parametrize("change", SAYING.values(), ids=SAYING)
def test_what_it_says_must_make_sense(lesson: bytes, other: Engine, change: Change) -> None:
    changed = change(members(lesson))
    assert isinstance(changed, dict)
    refused(other, zipped(changed))


# --- what the zip is ---


def member(name: str, data: bytes = b"", **fields: Any) -> Change:
    """One more member, made as one likes."""

    def change(parts: Parts) -> list[tuple[str | zipfile.ZipInfo, bytes]]:
        info = zipfile.ZipInfo(name)
        for field, value in fields.items():
            setattr(info, field, value)
        others: list[tuple[str | zipfile.ZipInfo, bytes]] = [
            (key, value) for key, value in parts.items() if key != name
        ]
        return [*others, (info, data)]

    return change


def flagged(bit: int) -> Callable[[bytes], bytes]:
    """Set a flag of the last member, in the list of members and before its bytes."""

    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        place = data.rindex(b"PK\1\2")
        (local,) = struct.unpack_from("<L", data, place + 42)
        for at in (place + 8, local + 6):
            struct.pack_into("<H", changed, at, struct.unpack_from("<H", data, at)[0] | bit)
        return bytes(changed)

    return change


def twice(parts: Parts) -> list[tuple[str | zipfile.ZipInfo, bytes]]:
    return [*parts.items(), ("manifest.json", parts["manifest.json"])]


LINK = (stat.S_IFLNK | 0o777) << 16
PIPE = (stat.S_IFIFO | 0o644) << 16
BOMB = b"\0" * 3_000_000
BEING = {
    "a path upwards": member("../evil.py", b"x"),
    "a path from the root": member("/etc/passwd", b"x"),
    "a path of Windows": member("pictures\\" + "a" * 64, b"x"),
    "a path upwards in a picture's place": member("pictures/../../" + "a" * 64, b"x"),
    "a folder": member("pictures/"),
    "a pickle": member("model.pkl", b"\x80\x04."),
    "a picture nobody speaks of": member("pictures/" + "a" * 64, b"x"),
    "a picture in capitals": member("pictures/" + "A" * 64, b"x"),
    "vectors beyond the last": member("vectors/99.npy", b"x"),
    "vectors under an odd number": member("vectors/00.npy", b"x"),
    "a name with NUL": member("manifest.json\0.png", b"x"),
    "a name in another script": member("mаnifest.json", b"x"),
    "a symbolic link": member("card.json", b"/etc/passwd", external_attr=LINK),
    "a pipe": member("card.json", b"{}", external_attr=PIPE),
    "packed by bzip2": member("card.json", b"{}", compress_type=zipfile.ZIP_BZIP2),
    "packed by LZMA": member("card.json", b"{}", compress_type=zipfile.ZIP_LZMA),
    "a bomb for a card": member("card.json", BOMB, compress_type=zipfile.ZIP_DEFLATED),
    "a bomb for samples": member(S, BOMB, compress_type=zipfile.ZIP_DEFLATED),
    "a bomb for vectors": member("vectors/0.npy", BOMB, compress_type=zipfile.ZIP_DEFLATED),
    "a manifest too large": member("manifest.json", b" " * 8_000_001),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("change", [*BEING.values(), twice], ids=[*BEING, "a member twice"])
def test_its_members_must_be_those_of_a_lesson(
    lesson: bytes, other: Engine, change: Change
) -> None:
    changed = change(members(lesson))
    assert not isinstance(changed, bytes)
    refused(other, zipped(changed))


@pytest.mark.parametrize("bit", [0x1, 0x40, 0x2000], ids=["plainly", "strongly", "its names"])
def test_an_encrypted_one_is_refused(lesson: bytes, other: Engine, bit: int) -> None:
    error = refused(other, flagged(bit)(lesson))
    assert "encrypted" in error.message


def test_more_than_allowed_unpacked_is_refused_before_it_is(
    lesson: bytes, other: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ROWS_BYTES", -other.settings.max_lesson_bytes)
    assert "Unpacked" in refused(other, lesson).message


def test_a_list_of_members_without_end_is_refused_before_it_is_read(
    lesson: bytes, other: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "DIRECTORY_BYTES", 500)
    assert "list of members" in refused(other, lesson).message


@pytest.mark.parametrize(
    "end",
    [
        struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 2**32 - 2, 0, 0),
        struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 2**40, 0)
        + struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
        + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 2**32 - 1, 0, 0),
        struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
        + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 2**32 - 1, 0, 0),
    ],
    ids=["in 32 bits", "in 64 bits", "in 64 bits, elsewhere"],
)
def test_a_list_of_members_larger_than_the_file_is_refused(other: Engine, end: bytes) -> None:
    refused(other, end)
    refused(other, b"\0" * 1000 + end)


def test_a_file_larger_than_allowed_is_refused(
    lesson: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("small")
    with installation(folder, max_lesson_bytes=len(lesson) - 1) as engine:
        assert "MAX_LESSON_BYTES" in refused(engine, lesson).message


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"no zip at all", b"\x1f\x8b\x08\x00", b"PK\x05\x06" + b"\0" * 18, b"\0" * 4096],
    ids=["empty", "two bytes", "text", "gzip", "an empty zip", "zeros"],
)
def test_what_is_no_zip_is_refused(other: Engine, data: bytes) -> None:
    refused(other, data)


def test_one_that_was_cut_off_is_refused(lesson: bytes, other: Engine) -> None:
    rng = np.random.default_rng(11)
    for length in (1, 22, len(lesson) - 1, *rng.integers(23, len(lesson) - 1, 40)):
        refused(other, lesson[: int(length)])


def test_one_with_something_behind_it_is_refused(lesson: bytes, other: Engine) -> None:
    refused(other, lesson + b"x")


# --- vectors ---


def array(rows_: NDArray[Any], **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, rows_, **options)
    return file.getvalue()


def header(text_: str, data: bytes = b"") -> bytes:
    body = text_.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(body)) + body + data


def held(change: Callable[[NDArray[Any]], bytes]) -> Change:
    """Change the first file of vectors."""

    def changed(parts: Parts) -> Parts:
        found = np.load(io.BytesIO(parts["vectors/0.npy"]))
        return {**parts, "vectors/0.npy": change(found)}

    return changed


def spoilt(value: float) -> Callable[[NDArray[Any]], bytes]:
    def change(found: NDArray[Any]) -> bytes:
        found[0, 3] = value
        return array(found)

    return change


def names(**changes: Any) -> Change:
    def change(parts: Parts) -> Parts:
        document = {**json.loads(parts["vectors/0.json"]), **changes}
        return {**parts, "vectors/0.json": json.dumps(document).encode()}

    return change


VECTORS = {
    "objects": held(lambda found: array(found.astype(object), allow_pickle=True)),
    "float64": held(lambda found: array(found.astype(np.float64))),
    "big-endian": held(lambda found: array(found.astype(">f4"))),
    "whole numbers": held(lambda found: array(np.ones(found.shape, np.int8))),
    "by columns": held(lambda found: array(np.asfortranarray(found))),
    "three dimensions": held(lambda found: array(found[None])),
    "one dimension": held(lambda found: array(found[0])),
    "no rows": held(lambda found: array(found[:0])),
    "no columns": held(lambda found: array(found[:, :0])),
    "a row less": held(lambda found: array(found[1:])),
    "another length": held(lambda found: array(found[:, :-1])),
    "not of length 1": held(lambda found: array(found * 2)),
    "zeros": held(lambda found: array(found * 0)),
    "NaN": held(spoilt(float("nan"))),
    "without end": held(spoilt(float("inf"))),
    "rows without end": held(
        lambda found: header("{'descr': '<f4', 'fortran_order': False, 'shape': (10**9, 512)}")
    ),
    "rows beyond 64 bits": held(
        lambda found: header(
            "{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551617, 1)}"
        )
    ),
    "rows below nothing": held(
        lambda found: header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4)}")
    ),
    "a header that calls": held(lambda found: header("__import__('os').system('true')")),
    "a header that nests": held(lambda found: header("(" * 100)),
    "a structured type": held(
        lambda found: header(
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 1)}", b"\0" * 4
        )
    ),
    "cut off": held(lambda found: array(found)[:-1]),
    "more behind": held(lambda found: array(found) + b"x"),
    "a pickle": held(lambda found: b"\x80\x04\x95\x00."),
    "empty": held(lambda found: b""),
    "the names are no list": names(sha256="a"),
    "a name that is no sha256": names(sha256=["a"]),
    "a name nobody speaks of": names(sha256=["a" * 64] * 1),
    "the embedder is a number": names(embedder=1),
    "an embedder nobody promised": names(embedder="other:1"),
    "a field more": names(more=1),
}


@pytest.mark.parametrize("change", VECTORS.values(), ids=VECTORS)
def test_vectors_must_be_unit_vectors_of_its_pictures(
    lesson: bytes, other: Engine, change: Change
) -> None:
    changed = change(members(lesson))
    assert isinstance(changed, dict)
    refused(other, zipped(changed))


# --- anything at all ---


@pytest.mark.parametrize("where", ["anywhere", "in its pictures", "in the list of members"])
def test_changed_bytes_bring_an_error_or_the_lesson_and_nothing_else(
    lesson: bytes, other: Engine, where: str
) -> None:
    rng = np.random.default_rng(2)
    begin = lesson.index(b"PK\1\2") if where == "in the list of members" else 0
    end = lesson.index(b"samples.jsonl") if where == "in its pictures" else len(lesson)
    outcomes = set()
    for _ in range(120):
        changed = bytearray(lesson)
        for place in rng.integers(begin, end, rng.integers(1, 4)):
            changed[place] ^= int(rng.integers(1, 256))
        outcomes.add(_outcome(other, bytes(changed)))
    assert "refused" in outcomes
    if where == "in its pictures":
        assert "foreseen" in outcomes  # without those pictures


def _outcome(engine: Engine, data: bytes) -> str:
    try:
        made = import_lesson(engine, None, io.BytesIO(data), ME, dry_run=True)
    except (BadLesson, Unacceptable):
        return "refused"
    assert made.task == TASK
    return "foreseen"


def test_limits_leave_room_for_what_is_exported() -> None:
    assert layout.MOST_ROWS * (46 + 2 * 73 + 32) <= layout.DIRECTORY_BYTES
