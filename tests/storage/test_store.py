"""The database door: what it sets, and what it says when there is no database behind it."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from config import Settings
from domain import Unavailable
from storage import Store, open_store
from storage.store import Database
from tests.contracts.stores import teach
from tests.postgres import Server

ROOT = Path(__file__).resolve().parents[2]
TASK = "authenticity"


def pragma(store: Store, name: str, *, durable: bool = True) -> object:
    with store.database.writing(durable=durable) as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


# --- SQLite ---


def test_sqlite_is_set_up_for_many_writers_and_power_cuts(store: Store) -> None:
    assert pragma(store, "journal_mode") == "wal"
    assert pragma(store, "busy_timeout") == 5000
    assert pragma(store, "foreign_keys") == 1
    assert pragma(store, "synchronous") == 2  # FULL
    assert pragma(store, "synchronous", durable=False) == 1  # NORMAL
    assert pragma(store, "synchronous") == 2


def test_writer_has_the_lock_before_it_reads(store: Store, settings: Settings) -> None:
    impatient = Database(settings.resolved_database_url, patience=0.05)
    with store.database.writing():
        with impatient.reading() as connection:  # readers are not in the way
            assert connection.execute(text("SELECT count(*) FROM tasks")).scalar() == 1
        with pytest.raises(Unavailable), impatient.writing():
            pass
    impatient.close()


def test_switch_to_wal_waits_for_whoever_has_the_file(
    bare_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite itself gives up at once here, whatever its busy timeout."""
    bare_settings.data_dir.mkdir()
    holder = sqlite3.connect(bare_settings.data_dir / "exposr.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    waits: list[float] = []

    def let_go(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            holder.execute("ROLLBACK")

    monkeypatch.setattr(time, "sleep", let_go)
    store = open_store(bare_settings)
    holder.close()
    assert len(waits) >= 3
    assert pragma(store, "journal_mode") == "wal"
    store.close()


def test_foreign_keys_hold(any_store: Store) -> None:
    with pytest.raises(Exception, match=r"(?i)foreign key"), any_store.database.writing() as c:
        c.execute(text("INSERT INTO labels (task_id, label, position) VALUES (999, 'x', 0)"))


@pytest.mark.parametrize("name", ["plain", "with space", "per%20cent %s", "ಕ", "quo'te?#"])
def test_folder_of_any_name_holds_the_data(settings: Settings, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name / "deep"
    store = open_store(settings.model_copy(update={"data_dir": folder}))
    store.ping()
    store.close()
    assert (folder / "exposr.db").exists()


def test_database_file_elsewhere_is_made_there(bare_settings: Settings, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'else' / 'where.db'}"
    open_store(bare_settings.model_copy(update={"database_url": url})).close()
    assert (tmp_path / "else" / "where.db").exists()
    assert not (bare_settings.data_dir / "exposr.db").exists()


# --- a transaction ---


def test_exception_undoes_the_transaction(any_store: Store) -> None:
    with pytest.raises(KeyError), any_store.database.writing() as connection:
        connection.execute(text("UPDATE task_state SET counter = 5"))
        raise KeyError
    assert any_store.versions.state(TASK).counter == 0


def test_writers_wait_their_turn_but_not_for_ever(any_store: Store, any_settings: Settings) -> None:
    impatient = Database(any_settings.resolved_database_url, patience=0.05)
    change = text("UPDATE task_state SET counter = counter + 1")
    with any_store.database.writing() as connection:
        connection.execute(change)
        with pytest.raises(Unavailable), impatient.writing() as other:
            other.execute(change)
    with impatient.writing() as other:
        other.execute(change)
    impatient.close()
    assert any_store.versions.state(TASK).counter == 2


# --- no database there ---


def unavailable(settings: Settings, **changes: object) -> str:
    with pytest.raises(Unavailable) as caught:
        open_store(settings.model_copy(update=changes))
    return caught.value.message


def test_postgresql_that_is_not_there_is_named_without_its_password(settings: Settings) -> None:
    message = unavailable(
        settings, database_url="postgresql+psycopg://exposr:s3cret@127.0.0.1:1/pictures"
    )
    assert "pictures at 127.0.0.1" in message
    assert "refused" in message
    assert "s3cret" not in message


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://exposr:s3cret@[::1/pictures",
        "postgresql+psycopg://exposr:x@s3cret@127.0.0.1/pictures",
        "postgresql+psycopg://exposr:p:s3cret@host:s3cret/pictures",
        "postgresql+psycopg://exposr@127.0.0.1:1/x?password=s3cret",
        "postgresql+psycopg://exposr@127.0.0.1:1/x?s3cret=1",
    ],
)
def test_no_part_of_a_strange_url_is_quoted(settings: Settings, url: str) -> None:
    assert "s3cret" not in unavailable(settings, database_url=url).replace('"s3cret"', "")


def test_wrong_database_name_is_said(settings: Settings, postgres_server: Server) -> None:
    message = unavailable(settings, database_url=postgres_server.url("no_such"))
    assert 'database "no_such" does not exist' in message


def test_sqlite_in_memory_is_refused(settings: Settings) -> None:
    for url in ("sqlite:///", "sqlite:///:memory:"):
        assert "needs a file" in unavailable(settings, database_url=url)


def test_data_dir_that_is_a_file_is_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    message = unavailable(settings, data_dir=tmp_path / "taken")
    assert message.startswith(f"DATA_DIR={tmp_path / 'taken'}")


def test_file_that_is_no_database_is_left_alone(bare_settings: Settings) -> None:
    bare_settings.data_dir.mkdir()
    file = bare_settings.data_dir / "exposr.db"
    file.write_bytes(b"not a database at all" * 1000)
    assert "file is not a database" in unavailable(bare_settings)
    assert file.read_bytes() == b"not a database at all" * 1000


def test_database_lost_at_work_is_unavailable_and_logged(
    settings: Settings, postgres_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    name = postgres_server.make_database()
    store = open_store(settings.model_copy(update={"database_url": postgres_server.url(name)}))
    postgres_server.drop_database(name)
    with pytest.raises(Unavailable) as caught, caplog.at_level(logging.ERROR):
        store.ping()
    store.close()
    assert caught.value.message == "The database does not answer now; the log says why"
    assert "does not exist" in caplog.text


def test_cut_connections_are_replaced_without_anybody_noticing(
    settings: Settings, postgres_server: Server
) -> None:
    with postgres_server.database() as url:
        store = open_store(settings.model_copy(update={"database_url": url}))
        assert store.versions.state(TASK).counter == 0
        with postgres_server.connect() as connection:
            cut = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                (url.split("/")[3].split("?")[0],),
            ).fetchall()
        assert cut
        assert store.versions.state(TASK).counter == 0
        store.close()


def test_values_of_people_stay_out_of_the_log(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with store.database.writing() as connection:
        connection.execute(text("ALTER TABLE corrections RENAME TO elsewhere"))
    with pytest.raises(Unavailable), caplog.at_level(logging.ERROR):
        teach(store, "a", person="Ann Example", note="my secret")
    assert "no such table" in caplog.text
    assert "Ann Example" not in caplog.text
    assert "my secret" not in caplog.text


# --- imports ---


def test_importing_storage_does_nothing_and_loads_nothing_heavy() -> None:
    program = (
        "import sys, storage\n"
        "heavy = {'torch', 'sklearn', 'scipy', 'matplotlib', 'PIL', 'flask', 'psycopg'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
