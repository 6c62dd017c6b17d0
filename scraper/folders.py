"""What lies in a folder: which files are pictures, and which label their place gives them."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from domain import Unacceptable
from embeddings.images import looks_like_picture

PICTURE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .apng .webp .gif .bmp .dib .avif .avifs .heic .heif .hif .mpo"
    " .tif .tiff .jp2 .jxl .ico .psd .tga .svg".split()
)
"""A file so named was meant as a picture, also where its format is not accepted."""
SNIFFED_BYTES = 32


@dataclass(frozen=True, slots=True)
class Found:
    """One picture file; `name` is its path inside the folder, fit to be shown."""

    path: Path
    name: str
    label: str


@dataclass(slots=True)
class Survey:
    """What a folder holds: pictures to take, files that are none, pictures without a label.

    `closed` are folders that may not be entered.
    """

    pictures: list[Found] = field(default_factory=list)
    others: int = 0
    unlabelled: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    @property
    def labels(self) -> list[str]:
        """Every label that occurs, sorted."""
        return sorted({found.label for found in self.pictures})


def survey(
    folder: Path,
    *,
    label: str | None,
    known: Collection[str] = (),
    variants: Mapping[str, str] | None = None,
) -> Survey:
    """Look through a folder, in one fixed order; no picture is decoded.

    Parameters
    ----------
    folder
        Where to look, also in its subfolders. Links are followed, each folder is entered once.
    label
        What every picture is; None: the folder it lies in says so. A folder further up decides
        where that one is called by a known label and those below are not.
    known
        The labels that the task has.
    variants
        Other forms of labels: variant -> label.

    Raises
    ------
    Unacceptable
        `folder` is no folder.
    """
    if not folder.is_dir():
        raise Unacceptable("folder", str(folder), "a folder that exists")
    meanings = {**{name: name for name in known}, **(variants or {})}
    seen = Survey()
    for path in _files(folder, seen.closed):
        if not _is_picture(path):
            seen.others += 1
            continue
        inside = path.relative_to(folder)
        given = meanings.get(label, label) if label else _label_of(inside, meanings)
        if given is None:
            seen.unlabelled.append(shown(inside))
        else:
            seen.pictures.append(Found(path, shown(inside), given))
    return seen


def shown(path: PurePath) -> str:
    """A path as text that can be printed and stored, whatever bytes it is made of."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def normal(label: str) -> str:
    """A label in the one form labels have: macOS takes accents in folder names apart."""
    return unicodedata.normalize("NFC", label).strip()


def _label_of(inside: PurePath, meanings: Mapping[str, str]) -> str | None:
    folders = [normal(part) for part in inside.parts[:-1]]
    for name in reversed(folders):
        if name in meanings:
            return meanings[name]
    return folders[-1] if folders else None


def _files(folder: Path, closed: list[str]) -> Iterator[Path]:
    """Every file below, sorted folder by folder; a folder met again by a link is passed over."""

    def note(error: OSError) -> None:
        closed.append(shown(Path(error.filename)))

    entered: set[tuple[int, int]] = set()
    for where, folders, files in os.walk(folder, onerror=note, followlinks=True):
        status = os.stat(where)
        if (status.st_dev, status.st_ino) in entered:
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(where, name) for name in sorted(files))


def _is_picture(path: Path) -> bool:
    """By its name, or else by its first bytes. Never opens what might wait: pipes, devices."""
    if path.name.startswith("."):
        return False
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        if path.suffix.lower() in PICTURE_SUFFIXES:
            return True
        with path.open("rb") as file:
            return looks_like_picture(file.read(SNIFFED_BYTES))
    except OSError:
        return path.suffix.lower() in PICTURE_SUFFIXES  # taking it will say what is wrong
