"""The tables: made by migrations, as the schema says, and brought forward without loss."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import DBAPIError

from config import Settings
from domain import Conflict, Unavailable
from storage import State, Store, open_store, schema
from storage.store import Database, migration_config
from tests.contracts.stores import NOON, facts, new, sha, teach

ROOT = Path(__file__).resolve().parents[2]
TASK = "authenticity"


def test_migrations_make_exactly_the_schema(empty_settings: Settings) -> None:
    store = open_store(empty_settings)
    with store.database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        difference = compare_metadata(context, schema.metadata)
    store.close()
    assert difference == []


def test_difference_would_be_noticed(any_store: Store) -> None:
    with any_store.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE runs ADD COLUMN surplus TEXT")
        connection.exec_driver_sql("DROP INDEX tasks_live_name")
        found = compare_metadata(MigrationContext.configure(connection), schema.metadata)
    assert {step[0] for step in found} == {"remove_column", "add_index"}


def test_database_of_a_newer_exposr_is_left_alone(any_settings: Settings) -> None:
    store = open_store(any_settings)
    with store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    store.close()
    with pytest.raises(Unavailable, match="newer Exposr"):
        open_store(any_settings)


AT_FIRST = """
INSERT INTO tasks VALUES (1, 'authenticity', 'authenticity', false, '{{}}', '{at}', NULL);
INSERT INTO tasks VALUES (2, 'letters', 'drawing', true, '{{}}', '{at}', NULL);
INSERT INTO labels VALUES (1, 'ai', 0), (1, 'real', 1), (2, 'ka', 0);
INSERT INTO variants VALUES (1, 'fake', 'ai');
INSERT INTO pictures VALUES ('{sha}', 640, 480, 'JPEG', 12345, 7);
INSERT INTO samples VALUES
    (5, 1, '{sha}', 'ai', 'webmix', 'f', 'train', '', '', '', false, false, '{at}');
INSERT INTO model_versions VALUES (1, 'v1', 'e', 'svm', 'x', false, '{at}', '{{}}');
INSERT INTO task_state VALUES (1, 3, 2, 'v1'), (2, 0, 0, NULL);
INSERT INTO corrections VALUES
    ('a', 1, 1, '{sha}', 'real', 'me', NULL, NULL, 'n', NULL, 'k', '{at}'),
    ('b', 1, 2, '{sha}', 'real', 'me', NULL, NULL, '', 'a', NULL, '{at}');
"""
"""Rows as the first tables held them."""


@pytest.fixture
def old_settings(empty_settings: Settings) -> Settings:
    """Settings with a database of the first Exposr, in use."""
    database = Database(empty_settings.resolved_database_url)
    zone = "" if "sqlite" in empty_settings.resolved_database_url else "+00:00"
    with database.writing() as connection:
        command.upgrade(migration_config(connection), "0001")
        script = AT_FIRST.format(sha=sha("a"), at=f"2026-03-01 12:00:00.000000{zone}")
        for statement in filter(str.strip, script.split(";")):
            connection.exec_driver_sql(statement)
        if zone:
            connection.exec_driver_sql(
                "SELECT setval('tasks_id_seq', 2), setval('samples_id_seq', 5)"
            )
    database.close()
    return empty_settings


def test_the_first_tables_are_brought_forward_with_all_that_is_in_them(
    old_settings: Settings,
) -> None:
    store = open_store(old_settings)
    authenticity, letters = store.tasks.all()
    assert (authenticity.labels, authenticity.variants) == (("ai", "real"), {"fake": "ai"})
    assert (letters.labels, letters.open) == (("ka",), True)
    assert authenticity.settings == letters.settings == {}
    (sample,) = store.samples.all(TASK)
    assert (sample.id, sample.label) == (5, "ai")
    assert store.versions.state(TASK) == State(1, counter=3, epoch=0, corrections=2, current="v1")
    first, second = store.corrections.since(TASK, 0)
    assert (first.id, first.note, first.trusted, first.before, first.erased, first.phash) == (
        "a",
        "n",
        True,
        None,
        False,
        7,
    )
    assert second.undoes == "a"
    assert store.corrections.of_person(TASK, "me") == []
    store.close()


def test_what_was_brought_forward_is_worked_with_like_anything_else(
    old_settings: Settings,
) -> None:
    store = open_store(old_settings)
    row = teach(store, "a", "fake")
    assert row.seq == 3
    teach(store, "b", "ga", task="letters")
    store.corrections.undo(TASK, [row.id], "me", True)
    assert store.samples.counts(TASK) == [("ai", "webmix", 1)]
    assert store.tasks.get("letters").labels == ("ka", "ga")
    assert store.tasks.unlink(TASK, "fake").variants == {}
    assert store.erase(sha("a")).corrections == 4
    store.close()


def test_the_log_that_was_brought_forward_is_still_append_only(old_settings: Settings) -> None:
    store = open_store(old_settings)
    before = store.corrections.since(TASK, 0)
    for change in ("UPDATE corrections SET label = 'ai'", "DELETE FROM corrections"):
        with (
            pytest.raises(DBAPIError, match="append-only"),
            store.database.writing() as connection,
        ):
            connection.exec_driver_sql(change)
    assert store.corrections.since(TASK, 0) == before
    store.close()


WHEN_TAUGHT = """
INSERT INTO promotions (task_id, version, at, why) VALUES (1, 'v1', '{at}', 'first');
INSERT INTO runs VALUES
    ('r', 1, 'asked', '{at}', '{at}', '{{"ai": 250}}', '{{}}', 'promoted', 'first', 'v1');
INSERT INTO jobs VALUES
    ('j', 'embed', 1, 'done', NULL, '{{"n": 1}}', 3, 3, '', '{{}}', NULL, '{at}', '{at}', '{at}'),
    ('k', 'retrain', NULL, 'queued', 'retrain', '{{}}', 0, 0, '', NULL, NULL, '{at}', '{at}', NULL);
"""
"""Rows of the second tables, beside those that were brought forward."""


def test_the_second_tables_are_brought_forward_with_all_that_is_in_them(
    old_settings: Settings,
) -> None:
    database = Database(old_settings.resolved_database_url)
    with database.writing() as connection:
        command.upgrade(migration_config(connection), "0002")
        zone = "" if "sqlite" in old_settings.resolved_database_url else "+00:00"
        script = WHEN_TAUGHT.format(at=f"2026-03-01 12:00:00.000000{zone}")
        for statement in filter(str.strip, script.split(";")):
            connection.exec_driver_sql(statement)
    database.close()

    store = open_store(old_settings)
    (run_,) = store.runs.all(TASK)
    assert (run_.id, run_.counts, run_.job_id, run_.detail) == ("r", {"ai": 250}, None, {})
    assert [p.version for p in store.versions.promotions(TASK)] == ["v1"]
    done = store.jobs.get("j")
    assert (done.status, done.task, done.done, done.beats, done.kept) == ("done", TASK, 3, 0, {})
    with pytest.raises(Conflict):  # the queued one still has its slot
        store.jobs.ask("retrain", request={}, now=NOON)
    claimed = store.jobs.claim("me", "retrain", NOON)
    assert claimed is not None
    assert (claimed.id, claimed.attempts) == ("k", 1)
    with (
        pytest.raises(DBAPIError),
        store.database.writing() as connection,
    ):
        connection.exec_driver_sql("UPDATE jobs SET status = 'lost'")
    assert store.samples.months(TASK) == ["2026-03"]
    assert teach(store, "a", "ai").seq == 3
    store.close()


@pytest.fixture(scope="module")
def next_exposr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code whose schema has one more column, with the migration for it written."""
    tree = tmp_path_factory.mktemp("next")
    shutil.copytree(
        ROOT / "storage", tree / "storage", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("config.py", "domain.py"):
        shutil.copy(ROOT / name, tree)
    with (tree / "storage" / "schema.py").open("a") as file:
        file.write(
            "\nsamples.append_column("
            'Column("camera", FreeText, nullable=False, server_default="unknown"))\n'
        )
    run(tree, "-m", "storage.migrations", "Give samples a camera")
    return tree


def run(tree: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tree, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_next_migration_keeps_what_is_there(any_settings: Settings, next_exposr: Path) -> None:
    store = open_store(any_settings)
    store.samples.add(TASK, facts("a"), new())
    teach(store, "a", "real")
    store.close()

    program = (
        "import sys, pathlib, storage, config\n"
        "settings = config.load_settings(_env_file=None, data_dir=pathlib.Path(sys.argv[1]),\n"
        "                                database_url=sys.argv[2])\n"
        "store = storage.open_store(settings)\n"
        "with store.database.reading() as c:\n"
        "    print(*c.exec_driver_sql('SELECT sha256, camera FROM samples').one())\n"
        "print(store.corrections.since('authenticity', 0)[0].label)\n"
        "store.close()\n"
    )
    (written,) = (next_exposr / "storage/migrations/versions").glob("*_give_samples_a_camera.py")
    output = run(next_exposr, "-c", program, str(any_settings.data_dir), any_settings.database_url)
    assert "add_column" in written.read_text()
    assert output.split() == [sha("a"), "unknown", "real"]
