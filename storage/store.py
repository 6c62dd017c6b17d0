"""Connections, transactions, migration: all that SQLite and PostgreSQL do differently."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Connection,
    Engine,
    NullPool,
    Table,
    any_,
    bindparam,
    create_engine,
    event,
    func,
    make_url,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from domain import DatabaseGone, Unavailable
from storage.columns import storable

MIGRATIONS = Path(__file__).parent / "migrations"
PATIENCE_SECONDS = 5
"""How long a transaction waits for another one's lock."""
LOOK_SECONDS = 0.001
"""How often one that waits looks whether SQLite's is free."""
MIGRATION_PATIENCE_SECONDS = 600
"""How long a starting process waits for another one's migration."""
MIGRATION_LOCK = 1165521011
"""Any number that nothing else locks in this database."""

log = logging.getLogger(__name__)


class Database:
    """Transactions on the one database. Safe in threads; after a fork, open another."""

    def __init__(self, url: str, *, patience: float = PATIENCE_SECONDS) -> None:
        self._url = _checked(url)
        self._engine = _engine(self._url, patience)
        self._writer = self._engine.execution_options(begin="IMMEDIATE")
        self._durable_writer = self._engine.execution_options(begin="IMMEDIATE", fsync=True)
        self._patience = patience
        self._turn = threading.Lock()
        self._is_sqlite = self._url.get_backend_name() == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads."""
        with _said_plainly(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[Connection]:
        """Open a transaction that may write; committed at the end, undone by an exception.

        On SQLite it has the write lock from its first moment: a plain BEGIN that reads first and
        writes later loses to any other writer. What is not `durable` survives the process but,
        on SQLite, perhaps not a power cut.
        """
        writer = self._durable_writer if durable else self._writer
        with _said_plainly(), self._in_turn(), writer.begin() as connection:
            yield connection

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Let one thread at a time ask SQLite for its one write lock; PostgreSQL has queues."""
        waited = self._is_sqlite and self._turn.acquire(timeout=self._patience)
        try:
            yield
        finally:
            if waited:
                self._turn.release()

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that knows ON CONFLICT, which both databases write alike."""
        return sqlite.insert(table) if self._is_sqlite else postgresql.insert(table)

    def among(self, column: Column[str], values: Collection[str]) -> ColumnElement[bool]:
        """Whether a column is one of any number of values: one parameter, however many."""
        wanted = [storable(value) for value in values]
        if self._is_sqlite:
            each = func.json_each(json.dumps(wanted)).table_valued("value")
            return column.in_(select(each.c.value))
        array = bindparam(None, wanted, postgresql.ARRAY(postgresql.TEXT))
        return column == any_(array)

    def ping(self) -> None:
        """Ask the database anything.

        Raises
        ------
        Unavailable
            It does not answer.
        """
        with self.reading() as connection:
            connection.execute(select(1))

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def migrate(self) -> None:
        """Bring the tables to what this code needs; any number of processes may do so at once.

        Raises
        ------
        Unavailable
            The database does not answer, or a newer Exposr has been here.
        """
        try:
            with self._engine.connect() as connection:
                if self._is_current(connection):
                    return
            with self._migration() as connection:
                if not self._is_current(connection):  # another process may have been faster
                    command.upgrade(migration_config(connection), "head")
        except DBAPIError as error:
            raise Unavailable(f"{_place(self._url)}: {_first_line(error, self._url)}") from error

    def _is_current(self, connection: Connection) -> bool:
        script = ScriptDirectory.from_config(migration_config(connection))
        found = MigrationContext.configure(connection).get_current_revision()
        if found and found not in {revision.revision for revision in script.walk_revisions()}:
            raise Unavailable(
                f"{_place(self._url)}: it was written by a newer Exposr (revision {found}); "
                "update Exposr, or name another database"
            )
        return found == script.get_current_head()

    @contextmanager
    def _migration(self) -> Iterator[Connection]:
        """One transaction that no other process can have at the same time."""
        # its own engine: foreign keys are off, because ALTER TABLE on SQLite copies tables, and
        # that cannot be switched inside a transaction
        engine = _engine(self._url, MIGRATION_PATIENCE_SECONDS, migrating=True)
        immediate = engine.execution_options(begin="IMMEDIATE", fsync=True)
        try:
            with immediate.begin() as connection:
                if not self._is_sqlite:
                    connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
                yield connection
        finally:
            engine.dispose()


def migration_config(connection: Connection) -> Config:
    """Alembic's configuration, without a file; `migrations/env.py` takes the connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _checked(text: str) -> URL:
    """Read the URL; never quoted in an error, because it may hold a password."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise Unavailable("DATABASE_URL cannot be read as a URL") from None
    if "@" in (url.host or ""):
        raise Unavailable("DATABASE_URL: an @ in a name or password must be written %40")
    if url.get_backend_name() == "sqlite":
        if url.database in (None, "", ":memory:"):
            raise Unavailable("DATABASE_URL: SQLite needs a file, such as sqlite:////srv/exposr.db")
        folder = Path(str(url.database)).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"{folder} cannot be made: {error.strerror}") from error
    return url


def _engine(url: URL, patience: float, *, migrating: bool = False) -> Engine:
    options: dict[str, Any] = {"poolclass": NullPool} if migrating else {"pool_timeout": 10}
    options["hide_parameters"] = True  # labels and notes of people stay out of the log
    if url.get_backend_name() != "sqlite":
        return _postgresql_engine(url, patience, options)
    engine = create_engine(url, **options)

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        raw = cast(sqlite3.Connection, connection)
        raw.isolation_level = None  # BEGIN is ours, not the driver's
        raw.execute(f"PRAGMA busy_timeout = {patience * 1000:.0f}")
        raw.execute("PRAGMA secure_delete = ON")  # what is erased is not left in free pages
        raw.execute(f"PRAGMA foreign_keys = {'OFF' if migrating else 'ON'}")
        if migrating:
            _enter_wal(raw, patience)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("begin") != "IMMEDIATE":
            connection.exec_driver_sql("BEGIN")
            return
        raw = cast(sqlite3.Connection, connection.connection.driver_connection)
        raw.execute(f"PRAGMA synchronous = {'FULL' if options.get('fsync') else 'NORMAL'}")
        if not _locked_for_writing(raw, patience):
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # fails with an error of the right kind

    return engine


def _locked_for_writing(connection: sqlite3.Connection, patience: float) -> bool:
    """Begin a transaction that has the write lock, as soon as nobody else has it.

    SQLite itself looks every 100 ms after a while, and in five seconds may well miss each of the
    moments in which the lock is free while others write without a pause.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    deadline = time.monotonic() + patience
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return True
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    return False
            time.sleep(LOOK_SECONDS)
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience * 1000:.0f}")


def _postgresql_engine(url: URL, patience: float, options: dict[str, Any]) -> Engine:
    # pre-ping: connections that a restart of the server cut are replaced without anybody noticing
    engine = create_engine(
        url, pool_pre_ping=True, connect_args={"connect_timeout": PATIENCE_SECONDS}, **options
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        connection.cursor().execute(f"SET lock_timeout = {patience * 1000:.0f}")
        connection.commit()

    return engine


def _enter_wal(connection: sqlite3.Connection, patience: float) -> None:
    """Switch the file to WAL, for good. SQLite does not wait here when others do it as well."""
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@contextmanager
def _said_plainly() -> Iterator[None]:
    """Turn the silence of a database into the domain's word; the details go to the log only."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        log.exception("The database does not answer")
        raise DatabaseGone("The database does not answer now; the log says why") from error
    except StatementError as error:
        if isinstance(error, DBAPIError) or error.orig is None:
            raise
        raise error.orig from None  # a value that our own column types refused


def _place(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f"The database {url.database}"
    host = url.host or url.query.get("host", "the local socket")
    return f"The PostgreSQL database {url.database} at {host}"


def _first_line(error: DBAPIError, url: URL) -> str:
    line = str(error.orig).strip().partition("\n")[0]
    return line.replace(str(url.password), "***") if url.password else line
