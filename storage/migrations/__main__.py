"""Write the migration that brings the database from the last one to `storage/schema.py`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from storage.store import migration_config


def main() -> None:
    """Compare an empty database at the last migration with the schema, and write the difference."""
    parser = argparse.ArgumentParser(prog="python -m storage.migrations", description=__doc__)
    parser.add_argument("message", help='what it does, such as "give samples a photographer"')
    message = parser.parse_args().message
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{Path(folder) / 'empty.db'}")
        with engine.begin() as connection:
            config = migration_config(connection)
            known = list(ScriptDirectory.from_config(config).walk_revisions())
            command.upgrade(config, "head")
            command.revision(config, message, autogenerate=True, rev_id=f"{len(known) + 1:04d}")
        engine.dispose()


if __name__ == "__main__":
    main()
