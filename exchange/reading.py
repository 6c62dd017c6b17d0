"""Opening a lesson of strangers: judged by its list of members before anything is unpacked."""

from __future__ import annotations

import hashlib
import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from domain import Unacceptable
from exchange.arrays import Chunks
from exchange.layout import (
    CARD,
    CHUNK_BYTES,
    CORRECTIONS,
    DIRECTORY_BYTES,
    DOCUMENT_BYTES,
    LINE_BYTES,
    MANIFEST,
    NAMES_BYTES,
    PICTURE,
    RATIO,
    ROWS_BYTES,
    SAMPLES,
    VECTORS,
    BadLesson,
    CorrectionRow,
    Manifest,
    Part,
    SampleRow,
)
from exchange.rows import parsed, read_correction, read_manifest, read_names, read_sample

END = struct.Struct("<4s4H2LH")
"""End of the central directory: ... its size, its offset, length of the comment."""
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR = struct.Struct("<4sLQL")
SEALED = 0x1 | 0x40 | 0x2000
"""Flags of members that are encrypted in one way or another."""
SMALL = 1_000_000
"""What unpacks to no more than this may be packed as tightly as it likes."""
BROKEN = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What zipfile raises over files that are damaged, or made to be odd."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a lesson, and a picture in it, may be, in bytes."""

    lesson: int
    picture: int


def open_lesson(file: BinaryIO, sizes: Sizes) -> LessonFile:
    """Open a lesson and read its rows; of pictures and vectors only that they are there.

    Parameters
    ----------
    file
        The zip; must be seekable. It stays open.
    sizes
        What is too large.

    Raises
    ------
    BadLesson
        It is no lesson, damaged, or made to do harm.
    Unacceptable
        It is larger than allowed, or of a later version.
    """
    size = file.seek(0, io.SEEK_END)
    if size > sizes.lesson:
        raise Unacceptable(
            "lesson", f"{size:,} bytes", f"at most {sizes.lesson:,} bytes: MAX_LESSON_BYTES"
        )
    _check_directory(file, size)
    with _said_plainly("The file"):
        archive = zipfile.ZipFile(file)
    try:
        return LessonFile(archive, sizes)
    except BaseException:
        archive.close()
        raise


class LessonFile:
    """A lesson that was opened. Safe in threads, but for `vectors`."""

    manifest: Manifest
    samples: list[SampleRow]
    corrections: list[CorrectionRow]

    def __init__(self, archive: zipfile.ZipFile, sizes: Sizes) -> None:
        self._archive = archive
        self._picture_bytes = sizes.picture
        self._members = _members(archive.infolist(), sizes.lesson)
        self.manifest = read_manifest(self._read(MANIFEST, DOCUMENT_BYTES))
        self.samples = list(self._rows(SAMPLES, self.manifest.samples, read_sample))
        self.corrections = list(self._rows(CORRECTIONS, self.manifest.corrections, read_correction))
        if CARD in self._members:
            parsed(self._read(CARD, DOCUMENT_BYTES), CARD)
        self._check_rows()
        self._check_pictures()
        self._chunks = Chunks(self._named_chunks(), self._chunk_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._archive.close()

    @property
    def pictures(self) -> set[str]:
        """The sha256 of every picture whose file is in it."""
        found = (PICTURE.fullmatch(name) for name in self._members)
        return {match[1] for match in found if match}

    def picture(self, sha256: str) -> bytes:
        """The file of a picture.

        Raises
        ------
        BadLesson
            Its bytes are damaged, or not those of that sha256.
        Unacceptable
            It is larger than a picture may be.
        """
        size = self._members[f"pictures/{sha256}"].file_size
        if size > self._picture_bytes:
            raise Unacceptable("picture", f"{size:,} bytes", f"at most {self._picture_bytes:,}")
        data = self._read(f"pictures/{sha256}", self._picture_bytes)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise BadLesson("The bytes of the picture are not those of its sha256.", sha256=sha256)
        return data

    def check_vectors(self, parts: Mapping[str, Part]) -> None:
        """Look through the vectors of some embedders.

        Raises
        ------
        BadLesson
            Not (n, length) of float16 or float32, or not made of finite unit vectors.
        """
        self._chunks.check(parts)

    def vectors(
        self, embedder: str, sha256s: Sequence[str]
    ) -> tuple[list[str], NDArray[np.float32]]:
        """The vectors there are of some pictures, as `storage.Vectors.get` gives them."""
        return self._chunks.get(embedder, sha256s)

    def _rows(self, name: str, expected: int, read: Callable[[object, str], Row]) -> Iterator[Row]:
        n = 0
        for n, line in enumerate(self._lines(name), 1):
            if n > expected:
                break
            yield read(parsed(line, f"{name}, line {n}"), f"{name}, line {n}")
        if n != expected:
            raise BadLesson(f"{name}: the manifest promises {expected} rows.")

    def _lines(self, name: str) -> Iterator[bytes]:
        with self._opened(name, ROWS_BYTES) as file:
            while line := file.readline(LINE_BYTES + 1):
                if len(line) > LINE_BYTES:
                    raise BadLesson(f"{name}: a line is longer than {LINE_BYTES:,} bytes.")
                yield line

    def _check_rows(self) -> None:
        task = self.manifest.task
        known = {*task.labels, *task.variants}
        rows: list[SampleRow | CorrectionRow] = [*self.samples, *self.corrections]
        for row in rows:
            variant_of = getattr(row, "variant_of", None)
            if not {row.label, variant_of or row.label} <= known:
                raise BadLesson("A label of a row is not in the manifest.", sha256=row.sha256)
        for name, ids in (
            (SAMPLES, [one.sha256 for one in self.samples]),
            (CORRECTIONS, [one.id for one in self.corrections]),
        ):
            if len(set(ids)) < len(ids):
                raise BadLesson(f"{name}: something is there twice.")

    def _check_pictures(self) -> None:
        wanted = {row.sha256 for row in self.samples}
        wanted |= {row.sha256 for row in self.corrections if row.facts is None}
        without = {row.sha256 for row in self.corrections if row.facts is not None}
        if self.pictures != wanted or wanted & without:
            raise BadLesson("The pictures are not those that the rows speak of.")
        if len(wanted) != self.manifest.pictures:
            raise BadLesson(f"The manifest promises {self.manifest.pictures} pictures.")

    def _named_chunks(self) -> Iterator[tuple[str, list[str]]]:
        """Of each file of vectors, its embedder and pictures; they must be as promised."""
        chunks = range(self.manifest.chunks)
        expected = {f"vectors/{k}.{end}" for k in chunks for end in ("npy", "json")}
        if {name for name in self._members if VECTORS.fullmatch(name)} != expected:
            raise BadLesson(f"The manifest promises {len(chunks)} files of vectors.")
        known = {row.sha256 for row in self.samples} | {row.sha256 for row in self.corrections}
        left = dict(self.manifest.vectors)
        for k in chunks:
            where = f"vectors/{k}.json"
            embedder, names = read_names(self._read(where, NAMES_BYTES), where)
            if not known.issuperset(names):
                raise BadLesson(f"{where}: vectors of pictures that no row speaks of.")
            left[embedder] = left.get(embedder, 0) - len(names)
            yield embedder, names
        if any(left.values()):
            raise BadLesson("The manifest promises other numbers of vectors.")

    def _chunk_bytes(self, k: int) -> bytes:
        return self._read(f"vectors/{k}.npy", CHUNK_BYTES)

    def _read(self, name: str, most: int) -> bytes:
        with self._opened(name, most) as file:
            return file.read()

    @contextmanager
    def _opened(self, name: str, most: int) -> Iterator[io.BufferedReader]:
        info = self._members.get(name)
        if info is None:
            raise BadLesson(f"It holds no {name}.")
        if info.file_size > most:
            raise BadLesson(f"{name} has {info.file_size:,} bytes, allowed: {most:,}.")
        with _said_plainly(name), self._archive.open(info) as file:
            yield io.BufferedReader(file)  # type: ignore[arg-type] # it reads into as raw ones do


@contextmanager
def _said_plainly(what: str) -> Iterator[None]:
    try:
        yield
    except BROKEN as error:
        raise BadLesson(f"{what} is damaged, or no zip at all: {_first_line(error)}.") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__


def _check_directory(file: BinaryIO, size: int) -> None:
    """Judge the list of members by its own account of its size, before zipfile reads it whole."""
    tail_bytes = END.size + LOCATOR.size + END64.size
    file.seek(max(0, size - tail_bytes))
    tail = file.read(tail_bytes).rjust(tail_bytes, b"\0")
    file.seek(0)
    end64, locator = tail[: END64.size], tail[END64.size : -END.size]
    signature, _, _, _, _, listed, _, comment = END.unpack(tail[-END.size :])
    if signature != b"PK\5\6" or comment:
        raise BadLesson("The file is no zip, or it was cut off.")
    if locator.startswith(b"PK\6\7"):
        _, _, at, _ = LOCATOR.unpack(locator)
        if not end64.startswith(b"PK\6\6") or at != size - tail_bytes:
            raise BadLesson("The file ends as no zip does.")
        listed = END64.unpack(end64)[8]
    if listed > min(size, DIRECTORY_BYTES):
        raise BadLesson(f"The list of members has {listed:,} bytes, allowed: {DIRECTORY_BYTES:,}.")


def _members(infos: Collection[zipfile.ZipInfo], most_bytes: int) -> dict[str, zipfile.ZipInfo]:
    """By name, members that look as those of a lesson do."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        _check_member(info)
        if info.filename in members:
            raise BadLesson(f"It holds {_shown(info)} twice.")
        members[info.filename] = info
    total = sum(info.file_size for info in members.values())
    if total > most_bytes + ROWS_BYTES:
        raise BadLesson(f"Unpacked it would have {total:,} bytes, allowed: {most_bytes:,}.")
    return members


def _check_member(info: zipfile.ZipInfo) -> None:
    name = info.orig_filename
    known = name in (MANIFEST, SAMPLES, CORRECTIONS, CARD)
    if not (known or PICTURE.fullmatch(name) or VECTORS.fullmatch(name)) or name != info.filename:
        raise BadLesson(f"It holds {_shown(info)}, which no lesson does.")
    if info.flag_bits & SEALED:
        raise BadLesson(f"{name} is encrypted.")
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
        raise BadLesson(f"{name} is a link or something else that is no file.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadLesson(f"{name} is packed in a way that no lesson is.")
    if info.file_size > max(SMALL, RATIO * info.compress_size):
        raise BadLesson(f"{name} is packed more tightly than any lesson would be.")


def _shown(info: zipfile.ZipInfo) -> str:
    return ascii(info.orig_filename[:100])
