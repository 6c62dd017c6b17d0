"""The keys: made once however many start, private to their owner, followed when renewed."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from domain import Unacceptable, Unavailable
from records.keys import Keys, public_keys

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]
MAKE = """
import sys
from pathlib import Path
from records.keys import Keys
sys.stdin.readline()
print(Keys(Path(sys.argv[1])).signer().public.id)
"""


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "data" / "keys", clock=lambda: NOW)


def folder(tmp_path: Path, name: str = "0001") -> Path:
    return tmp_path / "data" / "keys" / name


def test_key_is_the_same_for_everybody_who_opens_the_folder(keys: Keys, tmp_path: Path) -> None:
    first = keys.signer().public
    assert Keys(tmp_path / "data" / "keys").signer().public.raw == first.raw
    assert [key.id for key in keys.public()] == [first.id]
    assert keys.public()[0].made_at == NOW


def test_private_half_is_its_owners_alone(keys: Keys, tmp_path: Path) -> None:
    keys.signer()
    mode = (folder(tmp_path) / "private.pem").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert b"PRIVATE" not in (folder(tmp_path) / "public.json").read_bytes()


def test_of_processes_that_start_at_once_all_sign_with_one_key(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAKE, str(tmp_path / "keys")]
    starting = [
        subprocess.Popen(
            command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    for process in starting:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ids = {process.communicate()[0].strip() for process in starting}
    assert len(ids) == 1 and ids != {""}
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["0001"]


def test_new_key_signs_from_its_first_moment_in_every_process(keys: Keys, tmp_path: Path) -> None:
    other = Keys(tmp_path / "data" / "keys")
    old = other.signer().public
    new = keys.renew().public
    assert new.raw != old.raw
    assert other.signer().public.raw == new.raw
    assert [key.id for key in other.public()] == [new.id, old.id]


def test_of_an_old_key_only_the_public_half_is_kept(keys: Keys, tmp_path: Path) -> None:
    keys.signer()
    keys.renew()
    assert not (folder(tmp_path) / "private.pem").exists()
    assert (folder(tmp_path) / "public.json").exists()


def test_process_that_died_making_a_key_leaves_nothing_that_counts(tmp_path: Path) -> None:
    abandoned = tmp_path / "keys" / ".partial-abc"
    abandoned.mkdir(parents=True)
    (abandoned / "private.pem").write_bytes(b"half")
    keys = Keys(tmp_path / "keys")
    assert keys.signer().public.id == keys.public()[0].id


def test_damaged_key_is_said_and_never_replaced_silently(keys: Keys, tmp_path: Path) -> None:
    keys.signer()
    (folder(tmp_path) / "private.pem").write_bytes(b"not a key")
    with pytest.raises(Unavailable, match=r"0001/private.pem is no private key"):
        Keys(tmp_path / "data" / "keys").signer()
    assert (folder(tmp_path) / "private.pem").read_bytes() == b"not a key"


def test_key_of_another_kind_is_said(keys: Keys, tmp_path: Path) -> None:
    keys.signer()
    other = generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder(tmp_path) / "private.pem").write_bytes(other)
    with pytest.raises(Unavailable, match="no Ed25519 key"):
        Keys(tmp_path / "data" / "keys").signer()


def test_process_that_has_its_key_goes_on_when_a_newer_one_cannot_be_read(
    keys: Keys, tmp_path: Path
) -> None:
    before = keys.signer().public
    folder(tmp_path, "0002").mkdir()
    assert keys.signer().public.raw == before.raw


def test_latest_key_moved_away_is_followed_by_a_new_one(keys: Keys, tmp_path: Path) -> None:
    first = keys.signer().public
    spoilt = keys.renew().public
    shutil.move(folder(tmp_path, "0002"), tmp_path)
    started = Keys(tmp_path / "data" / "keys")
    new = started.signer().public
    assert new.raw not in (first.raw, spoilt.raw)
    assert [key.id for key in started.public()] == [new.id, first.id]
    # the process that still holds the one moved away follows, though the number is the same
    assert keys.signer().public.raw == new.raw


def test_process_that_has_its_key_makes_no_other_when_the_folder_is_gone(
    keys: Keys, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = keys.signer().public
    shutil.move(tmp_path / "data" / "keys", tmp_path / "away")
    assert keys.signer().public.raw == before.raw
    assert "goes on signing" in caplog.text
    assert not (tmp_path / "data" / "keys").exists()
    shutil.move(tmp_path / "away", tmp_path / "data" / "keys")
    assert Keys(tmp_path / "data" / "keys").signer().public.raw == before.raw


def test_time_of_the_first_key_stays_when_it_is_renewed(keys: Keys, tmp_path: Path) -> None:
    assert keys.since() is None
    keys.signer()
    Keys(tmp_path / "data" / "keys").renew()
    assert keys.since() == NOW


def test_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")
    with pytest.raises(Unavailable, match="cannot be used"):
        Keys(tmp_path / "keys").signer()


def test_readable_private_key_is_warned_of(
    keys: Keys, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys.signer()
    (folder(tmp_path) / "private.pem").chmod(0o644)
    Keys(tmp_path / "data" / "keys").signer()
    assert "chmod 600" in caplog.text


def test_public_keys_are_read_in_each_form_they_are_given_out(keys: Keys) -> None:
    public = keys.signer().public
    for form in (
        public.pem.encode(),
        json.dumps(public.describe()).encode(),
        json.dumps({"keys": [public.describe()]}).encode(),
    ):
        assert [key.raw for key in public_keys(form)] == [public.raw]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b'"a"',
        b"\xff\xfe",
        b'{"keys": []}',
        b'{"keys": 3}',
        b'{"keys": [3]}',
        b'{"alg": "RS256", "public_key": "AAAA"}',
        b'{"alg": "Ed25519", "public_key": "AAAA"}',
        b'{"alg": "Ed25519", "public_key": 3}',
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        b"[" * 100_000,
    ],
)
def test_what_is_no_public_key_is_one_clear_error(data: bytes) -> None:
    with pytest.raises(Unacceptable, match="public key"):
        public_keys(data)
