"""Truth: the database and the picture files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from config import Settings
from domain import Erased, Unavailable
from storage.blobs import Blobs
from storage.clocks import Clocks
from storage.corrections import Corrections
from storage.crawls import Crawls
from storage.deliveries import Deliveries
from storage.erasure import erase
from storage.file_facts import FileFacts
from storage.follow_ups import Changes, Measurements
from storage.jobs import Jobs
from storage.nights import Nights
from storage.overrides import Overrides
from storage.pruning import prune
from storage.quarantine import Quarantined
from storage.receipts import Receipts
from storage.runs import Runs
from storage.samples import Samples
from storage.state import State
from storage.store import Database
from storage.tasks import Tasks
from storage.vectors import Vectors
from storage.verdicts import Verdicts
from storage.versions import Promotion, Versions

__all__ = ["Promotion", "Quarantined", "State", "Store", "open_store"]


@dataclass(frozen=True, slots=True)
class Store:
    """All that is kept, one noun each. Safe in threads; after a fork, open another."""

    database: Database
    tasks: Tasks
    samples: Samples
    vectors: Vectors
    corrections: Corrections
    receipts: Receipts
    versions: Versions
    verdicts: Verdicts
    runs: Runs
    jobs: Jobs
    nights: Nights
    clocks: Clocks
    crawls: Crawls
    file_facts: FileFacts
    changes: Changes
    measurements: Measurements
    deliveries: Deliveries
    overrides: Overrides
    blobs: Blobs

    def erase(self, sha256: str) -> Erased:
        """Erase one picture from everything, archives included.

        Raises
        ------
        NotFound
            That is no sha256.
        """
        return erase(self.database, self.blobs, sha256)

    def prune(self, before: datetime) -> Mapping[str, int]:
        """Forget messages, jobs, nights and refused finds that were over before a moment."""
        return prune(self.database, before)

    def ping(self) -> None:
        """Raise Unavailable when the database does not answer."""
        self.database.ping()

    def close(self) -> None:
        """Close every connection."""
        self.database.close()


def open_store(settings: Settings) -> Store:
    """Open the database of these settings, migrated, with the task that always exists.

    Raises
    ------
    Unavailable
        The database or DATA_DIR cannot be used; says why, without any password.
    """
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"DATA_DIR={settings.data_dir}: {error.strerror}") from error
    database = Database(settings.resolved_database_url)
    try:
        database.migrate()
        tasks = Tasks(database)
        tasks.ensure_default()
    except BaseException:
        database.close()
        raise
    return Store(
        database=database,
        tasks=tasks,
        samples=Samples(database),
        vectors=Vectors(database),
        corrections=Corrections(database),
        receipts=Receipts(database),
        versions=Versions(database),
        verdicts=Verdicts(database),
        runs=Runs(database),
        jobs=Jobs(database),
        nights=Nights(database),
        clocks=Clocks(database),
        crawls=Crawls(database),
        file_facts=FileFacts(database),
        changes=Changes(database),
        measurements=Measurements(database),
        deliveries=Deliveries(database),
        overrides=Overrides(database),
        blobs=Blobs(settings.data_dir / "pictures"),
    )
