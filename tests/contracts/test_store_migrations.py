"""The tables: made by migrations, as the schema says, and brought forward without loss."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from config import Settings
from domain import Unavailable
from storage import Store, open_store, schema
from tests.contracts.stores import facts, new, sha, teach

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
