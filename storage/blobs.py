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

    def put(self, data: bytes) -> str:
        """Keep bytes; on return they are on the disk.

        Returns
        -------
        str
            Their sha256, 64 hexadecimal digits.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        if not _holds(path, data):
            _make_folders(path.parent)
            _write(path, data)
        _sync_folder(path.parent)  # also when another process put it there a moment ago
        return sha256

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


def _write(path: Path, data: bytes) -> None:
    """Write under a temporary name, then rename: nobody ever sees half a file."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would hide it from backups of other users
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _make_folders(folder: Path) -> None:
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        _sync_folder(new.parent)


def _sync_folder(folder: Path) -> None:
    """A rename is on the disk when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
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
