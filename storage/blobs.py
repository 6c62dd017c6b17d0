"""The bytes of pictures, in files named after their sha256."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from domain import NotFound


class Blobs:
    """Bytes by sha256 under one folder. A file is whole or it is not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lasting: set[Path] = set()
        """Folders that are known to be named on the disk."""

    def put(self, data: bytes, *, durable: bool = True) -> str:
        """Keep bytes; on return they are on the disk, if they are to be `durable`.

        What is not outlives the process, but perhaps not a power cut.

        Returns
        -------
        str
            Their sha256, 64 hexadecimal digits.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        if not _holds(path, data):
            self._make(path.parent, durable=durable)
            _write(path, data, durable=durable)
        elif durable:
            _sync(path)  # whoever put it there may have left that out
        if durable:
            _sync(path.parent)
            for folder in (path.parent, path.parent.parent, self._folder):
                if folder not in self._lasting:  # who made it may have left that out
                    _sync(folder.parent)
                    self._lasting.add(folder)
        return sha256

    def _make(self, folder: Path, *, durable: bool) -> None:
        missing = []
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        for new in reversed(missing):
            new.mkdir(exist_ok=True)
            if durable:
                _sync(new.parent)
                self._lasting.add(new)

    def remove(self, sha256: str) -> bool:
        """Remove bytes, and what a killed process left of them; on return the disk knows.

        Returns
        -------
        bool
            Whether they were kept here.

        Raises
        ------
        NotFound
            That is no sha256.
        """
        path = self.path(sha256)
        kept = path.exists()
        for file in (path, *path.parent.glob(f".{sha256}.*")):
            file.unlink(missing_ok=True)
        if path.parent.exists():
            _sync(path.parent)
        return kept

    def get(self, sha256: str) -> bytes:
        """The bytes of a sha256.

        Raises
        ------
        NotFound
            They are not kept here.
        """
        try:
            return self.path(sha256).read_bytes()
        except FileNotFoundError:
            raise _unknown(sha256) from None

    def exists(self, sha256: str) -> bool:
        """Whether bytes are kept here."""
        return self.path(sha256).exists()

    def path(self, sha256: str) -> Path:
        """Where bytes are kept, or would be.

        Raises
        ------
        NotFound
            That is no sha256, so nothing can be kept under it.
        """
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise _unknown(sha256)
        return self._folder / sha256[:2] / sha256[2:4] / sha256


def _unknown(sha256: str) -> NotFound:
    return NotFound(f"there are no bytes of sha256 {sha256}", sha256=sha256)


def _write(path: Path, data: bytes, *, durable: bool) -> None:
    """Write under a temporary name, then rename: nobody ever sees half a file."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would hide it from backups of other users
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk: a rename is there when its folder is."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _holds(path: Path, data: bytes) -> bool:
    """Whether the file is there and whole; a damaged one is written again."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except FileNotFoundError:
        return False
