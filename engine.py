"""The wire: everything a door or a verb needs, opened once. Fields and `close()`, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from config import Settings, with_overrides
from domain import TaskKind
from embeddings import Embedder, load_embedders
from models.learned import Learned
from models.registry import Registry
from storage import Store, open_store


@dataclass(frozen=True, slots=True)
class Engine:
    """One process's view of the service. Not to be carried across a fork: open it again."""

    settings: Settings
    store: Store
    embedders: Mapping[TaskKind, Embedder]
    registry: Registry
    learned: Learned

    def close(self) -> None:
        """Give the database's connections back."""
        self.store.close()


def open_engine(settings: Settings) -> Engine:
    """Open the store (migrating it when needed), pick the embedders, find the models.

    Raises
    ------
    Unavailable
        The database does not answer, or ENCODER=clip and CLIP cannot be loaded.
    """
    embedders = load_embedders(settings)
    store = open_store(settings)
    registry = Registry(settings.data_dir / "models")
    return Engine(settings, store, embedders, registry, Learned(store, registry))


def live_settings(engine: Engine) -> Settings:
    """The settings with the changes made while running, of whichever process made them."""
    return with_overrides(engine.settings, engine.store.overrides.read())
