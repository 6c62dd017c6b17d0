"""The keys that verdicts are signed with: made at the first start, never changed, only followed.

`DATA_DIR/keys` has a folder for each key, numbered from `0001` on; the highest number signs. A
folder appears with one rename, so of several processes that start at once exactly one makes the
key, and a process that signs notices a new one at its next verdict.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from errno import ENOENT
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain import Unacceptable, Unavailable

ALGORITHM = "Ed25519"
KEYS = "keys"
"""The folder of DATA_DIR."""
PRIVATE, PUBLIC = "private.pem", "public.json"
PARTIAL = ".partial-"
KEY_BYTES, SIGNATURE_BYTES = 32, 64
ID_DIGITS = 16

Standing = tuple[str, int, int]
"""A key's number and the file of its private half: another key may come under the same number."""

log = logging.getLogger(__name__)


def now_utc() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signatures are checked with. `made_at` is None where nobody says it."""

    raw: bytes
    made_at: datetime | None = None

    @property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the key's sha256."""
        return hashlib.sha256(self.raw).hexdigest()[:ID_DIGITS]

    @property
    def text(self) -> str:
        """The key's 32 bytes in base64."""
        return base64.b64encode(self.raw).decode("ascii")

    @property
    def pem(self) -> str:
        """The key as other programs take it."""
        encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        return Ed25519PublicKey.from_public_bytes(self.raw).public_bytes(encoding, form).decode()

    def signed(self, data: bytes, signature: bytes) -> bool:
        """Whether this key's owner signed exactly these bytes."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except InvalidSignature:
            return False
        return True

    def describe(self) -> dict[str, Any]:
        """The key, JSON-ready."""
        return {
            "id": self.id,
            "alg": ALGORITHM,
            "public_key": self.text,
            "pem": self.pem,
            "made_at": self.made_at.isoformat() if self.made_at else None,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Signer:
    """The private half of a key."""

    private: Ed25519PrivateKey
    public: PublicKey

    def sign(self, data: bytes) -> bytes:
        """The 64 bytes that only this key's owner can make of these."""
        return self.private.sign(data)


class Keys:
    """The keys of one installation, in a folder that all of its processes share. Threads may."""

    def __init__(self, folder: Path, *, clock: Callable[[], datetime] = now_utc) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._held: tuple[Standing, Signer] | None = None

    def signer(self) -> Signer:
        """The key that signs now; one is made when there is none with a private half.

        A process that has its key makes none: where the folder is gone, it comes back.

        Raises
        ------
        Unavailable
            The folder cannot be written, or its latest key cannot be used.
        """
        with self._lock:
            held = self._held
            try:
                standing = self._standing()
                if standing is None and held is None:
                    self._make(self._next())
                    standing = self._standing()
                if standing is None:
                    raise FileNotFoundError(ENOENT, "there is no key with a private half")
                if held is None or standing != held[0]:
                    self._held = held = (standing, self._read(standing[0]))
            except OSError as error:
                if held is None:
                    raise self._unusable(error.strerror or str(error)) from error
                why = error.strerror
                log.warning("%s: %s. The key held goes on signing.", self._folder, why)
            except Unavailable as error:
                if held is None:
                    raise
                log.warning("%s The key before it goes on signing.", error.message)
            return held[1]

    def renew(self) -> Signer:
        """Make a new key, which signs from now on; of the one before only the public half stays.

        Raises
        ------
        Unavailable
            The folder cannot be written.
        """
        with self._lock:
            try:
                name = self._make(self._next())
                signer = self._read(name)
                for old in self._names():
                    if old < name:
                        (self._folder / old / PRIVATE).unlink(missing_ok=True)
            except OSError as error:
                raise self._unusable(error.strerror or str(error)) from error
            self._held = None  # looked for anew by whoever signs next
            return signer

    def public(self) -> list[PublicKey]:
        """The public keys there are, the one that signs now first; makes none."""
        found = []
        for name in reversed(self._names()):
            try:
                (key,) = public_keys((self._folder / name / PUBLIC).read_bytes())
            except (OSError, Unacceptable) as error:
                log.warning("%s cannot be read: %s", self._folder / name / PUBLIC, error)
            else:
                found.append(key)
        return found

    def since(self) -> datetime | None:
        """When the first of the keys was made; None where none of them says."""
        return min((key.made_at for key in self.public() if key.made_at), default=None)

    def describe(self) -> dict[str, Any]:
        """The public keys, JSON-ready: all there are, and which of them signs now."""
        found = self.public()
        return {
            "current": found[0].id if found else None,
            "keys": [key.describe() for key in found],
        }

    def _names(self) -> list[str]:
        try:
            return sorted(n for n in os.listdir(self._folder) if re.fullmatch(r"\d{4,9}", n))
        except FileNotFoundError:
            return []

    def _next(self) -> str:
        return f"{int(max(self._names(), default='0')) + 1:04d}"

    def _standing(self) -> Standing | None:
        """The latest key, if it has its private half: one moved away leaves older public halves."""
        latest = max(self._names(), default=None)
        if latest is None:
            return None
        try:
            found = (self._folder / latest / PRIVATE).stat()
        except FileNotFoundError:
            if (self._folder / latest / PUBLIC).exists():
                return None
            raise
        return latest, found.st_ino, found.st_mtime_ns

    def _make(self, name: str) -> str:
        """Make the key of a number, unless another process does; returns the number."""
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=self._folder, prefix=PARTIAL))
        try:
            private = Ed25519PrivateKey.generate()
            public = PublicKey(private.public_key().public_bytes_raw(), self._clock())
            _write(partial / PRIVATE, _private_pem(private), 0o600)
            told = json.dumps(public.describe(), indent=1).encode() + b"\n"
            _write(partial / PUBLIC, told, 0o644)
            partial.chmod(0o755)
            _sync(partial)
            partial.rename(self._folder / name)
            _sync(self._folder)
            _sync(self._folder.parent)
        except OSError:
            shutil.rmtree(partial, ignore_errors=True)
            if not (self._folder / name / PRIVATE).exists():
                raise
        return name  # where it was there, another process was faster

    def _read(self, name: str) -> Signer:
        path = self._folder / name / PRIVATE
        try:
            private = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise self._unusable(f"{name}/{PRIVATE} is no private key") from error
        except OSError as error:
            raise self._unusable(f"{name}/{PRIVATE}: {error.strerror}") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise self._unusable(f"{name}/{PRIVATE} is no {ALGORITHM} key")
        if path.stat().st_mode & 0o077:
            log.warning("%s can be read by others; only its owner should: chmod 600.", path)
        return Signer(private, PublicKey(private.public_key().public_bytes_raw()))

    def _unusable(self, why: str) -> Unavailable:
        return Unavailable(
            f"The keys that verdicts are signed with, in {self._folder.name} of DATA_DIR, cannot "
            f"be used: {why}. Put them back from a backup, or move that key's folder away, and "
            "start again."
        )


def public_keys(data: bytes) -> list[PublicKey]:
    """Public keys from a file: PEM, a key's `public.json`, or what `GET /keys` gives.

    Raises
    ------
    Unacceptable
        It is none of these, or a key in it is no Ed25519 key.
    """
    if not data.lstrip().startswith(b"{") and b"-----BEGIN" in data:
        return [_from_pem(data)]
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise _no_keys() from None
    listed = document.get("keys", [document]) if isinstance(document, Mapping) else []
    if not isinstance(listed, list) or not listed:
        raise _no_keys()
    return [_from_document(one) for one in listed]


def _from_pem(data: bytes) -> PublicKey:
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _no_keys() from None
    if not isinstance(key, Ed25519PublicKey):
        raise _no_keys()
    return PublicKey(key.public_bytes_raw())


def _from_document(one: object) -> PublicKey:
    if not isinstance(one, Mapping) or one.get("alg") != ALGORITHM:
        raise _no_keys()
    raw = from_base64(one.get("public_key"), KEY_BYTES)
    if raw is None:
        raise _no_keys()
    try:
        made_at = datetime.fromisoformat(str(one.get("made_at")))
    except ValueError:
        made_at = None
    return PublicKey(raw, made_at)


def from_base64(text: object, length: int) -> bytes | None:
    """So many bytes from base64; None for anything but their one spelling."""
    if not isinstance(text, str):
        return None
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        return None
    exact = len(data) == length and base64.b64encode(data).decode("ascii") == text
    return data if exact else None


def _no_keys() -> Unacceptable:
    allowed = "an Ed25519 public key in PEM, or what GET /keys gives"
    return Unacceptable("key", "something else", allowed)


def _private_pem(private: Ed25519PrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a new file that nobody else could read for a moment either, down to the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
