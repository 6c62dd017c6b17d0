"""Picture files: whole or not there, on the disk before anybody is told."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from pathlib import Path

import pytest

from domain import NotFound
from storage.blobs import Blobs

DATA = os.urandom(100_000)
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "pictures"


@pytest.fixture
def blobs(folder: Path) -> Blobs:
    return Blobs(folder)


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_bytes_come_back_under_their_sha256(blobs: Blobs, folder: Path) -> None:
    assert blobs.put(DATA) == SHA256
    assert blobs.get(SHA256) == DATA
    assert blobs.path(SHA256).read_bytes() == DATA
    assert files(folder) == [f"{SHA256[:2]}/{SHA256[2:4]}/{SHA256}"]


def test_no_bytes_at_all_are_bytes_too(blobs: Blobs) -> None:
    assert blobs.get(blobs.put(b"")) == b""


def test_putting_again_writes_nothing(blobs: Blobs, folder: Path) -> None:
    blobs.put(DATA)
    before = blobs.path(SHA256).stat()
    assert blobs.put(DATA) == SHA256
    assert blobs.path(SHA256).stat() == before
    assert len(files(folder)) == 1


def test_putting_again_mends_a_damaged_file(blobs: Blobs) -> None:
    sha256 = blobs.put(b"whole")
    path = blobs.path(sha256)
    path.chmod(0o644)
    path.write_bytes(b"wh")
    assert blobs.put(b"whole") == sha256
    assert blobs.get(sha256) == b"whole"


def test_what_is_not_kept_is_not_found(blobs: Blobs) -> None:
    assert not blobs.exists(SHA256)
    with pytest.raises(NotFound):
        blobs.get(SHA256)
    blobs.put(DATA)
    assert blobs.exists(SHA256)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_what_is_no_sha256_names_no_file(blobs: Blobs, name: str) -> None:
    for ask in (blobs.get, blobs.exists, blobs.path):
        with pytest.raises(NotFound):
            ask(name)


def test_failed_write_leaves_nothing_behind(
    blobs: Blobs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def full(source: str, target: Path) -> None:
        seen.append(files(folder))
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space"):
            blobs.put(DATA)
    assert len(seen[0]) == 1  # the temporary file was there
    assert files(folder) == []
    assert blobs.get(blobs.put(DATA)) == DATA


def test_file_and_folders_are_on_the_disk_before_anybody_is_told(
    blobs: Blobs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file before its rename, and every folder that got a new entry after it."""
    order: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor: int) -> None:
        order.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    def noted_replace(source: str, target: Path) -> None:
        order.append(f"rename {Path(source).name}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    blobs.put(DATA)
    renamed = next(i for i, what in enumerate(order) if what.startswith("rename "))
    assert Path(order[renamed - 1]).name == order[renamed].removeprefix("rename ")
    assert order[renamed + 1] == str(blobs.path(SHA256).parent)
    made = [folder.parent.parent, folder.parent, folder, folder / SHA256[:2]]
    assert set(map(str, made)) <= set(order)


def test_threads_that_put_the_same_bytes_agree(blobs: Blobs, folder: Path) -> None:
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(blobs.put(DATA))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [SHA256] * 8
    assert blobs.get(SHA256) == DATA
    assert len(files(folder)) == 1


def test_others_may_read_a_picture_file_but_not_change_it(blobs: Blobs) -> None:
    blobs.put(DATA)
    assert stat.S_IMODE(blobs.path(SHA256).stat().st_mode) == 0o644


# --- what need not outlive a power cut ---


def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files and folders brought to the disk from now on, in order."""
    order: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        order.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return order


def test_what_need_not_be_durable_waits_for_no_disk(
    blobs: Blobs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = synced(monkeypatch)
    assert blobs.put(DATA, durable=False) == SHA256
    assert blobs.put(DATA, durable=False) == SHA256
    assert order == []
    assert blobs.get(SHA256) == DATA
    assert files(folder) == [f"{SHA256[:2]}/{SHA256[2:4]}/{SHA256}"]


def test_what_becomes_durable_later_is_brought_to_the_disk_then(
    blobs: Blobs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs.put(DATA, durable=False)
    order = synced(monkeypatch)
    blobs.put(DATA)
    file = blobs.path(SHA256)
    assert {file, file.parent, file.parent.parent, folder, folder.parent} <= set(map(Path, order))


def test_folders_that_are_on_the_disk_are_not_brought_there_again(
    blobs: Blobs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs.put(DATA)
    order = synced(monkeypatch)
    other = blobs.path(blobs.put(b"other"))
    assert str(other.parent) in order  # it has a new name in it
    assert str(other.parent.parent.parent) in order  # so has this, other.parent.parent
    assert str(folder.parent) not in order
    order.clear()
    blobs.put(b"other")
    assert order == [str(other), str(other.parent)]


# --- removing ---


def test_removed_bytes_are_gone_and_the_disk_knows(
    blobs: Blobs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = blobs.put(b"other")
    blobs.put(DATA)
    order = synced(monkeypatch)
    assert blobs.remove(SHA256)
    assert order == [str(blobs.path(SHA256).parent)]
    assert not blobs.exists(SHA256)
    assert not blobs.remove(SHA256)
    assert blobs.get(other) == b"other"
    assert blobs.put(DATA) == SHA256


def test_removing_takes_along_what_a_killed_process_left(blobs: Blobs, folder: Path) -> None:
    blobs.put(DATA)
    half = blobs.path(SHA256).with_name(f".{SHA256}.abc123")
    half.write_bytes(DATA[:3])
    blobs.remove(SHA256)
    assert files(folder) == []


def test_a_write_is_named_after_its_bytes(
    blobs: Blobs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that removing them finds what a killed process left."""
    seen: list[list[str]] = []
    replace = os.replace

    def noted(source: str, target: Path) -> None:
        seen.append(files(folder))
        replace(source, target)

    monkeypatch.setattr(os, "replace", noted)
    blobs.put(DATA)
    ((name,),) = seen
    assert Path(name).name.startswith(f".{SHA256}.")


def test_what_is_no_sha256_removes_nothing(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("x")
    with pytest.raises(NotFound):
        blobs.remove("../kept")
