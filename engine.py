"""The wire: everything a door or a verb needs, opened once. Fields and `close()`, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from config import Settings, with_kept_overrides
from domain import TaskKind, Unavailable
from embeddings import Embedder, load_embedders
from embeddings.likeness import LIKENESS
from embeddings.teaching import load_copies
from models.current import Current
from models.learned import Learned
from models.neighbours import Neighbours
from models.promise import rates_as_taught
from models.reading import Reader, ReadsTexts
from models.registry import Registry
from models.samplebook import SampleBook
from models.shelf import Shelf
from models.watched import Watched
from records.keys import KEYS, Keys
from storage import Store, open_store


@dataclass(frozen=True, slots=True)
class Engine:
    """One process's view of the service. Not to be carried across a fork: open it again."""

    settings: Settings
    store: Store
    embedders: Mapping[TaskKind, Embedder]
    registry: Registry
    learned: Learned
    samplebook: SampleBook
    watched: Watched
    neighbours: Neighbours
    keys: Keys

    def close(self) -> None:
        """Give the database's connections back."""
        self.store.close()


def open_engine(settings: Settings) -> Engine:
    """Open the store (migrating it when needed), pick the embedders, find the models.

    Raises
    ------
    Unavailable
        The database does not answer, ENCODER=clip and CLIP cannot be loaded, or the keys that
        verdicts are signed with cannot be used.
    """
    embedders = load_embedders(settings)
    engine = wired(settings, open_store(settings), embedders)
    try:
        engine.keys.signer()  # the first start makes the key: no request waits for it
    except Unavailable:
        engine.close()
        raise
    return engine


def wired(settings: Settings, store: Store, embedders: Mapping[TaskKind, Embedder]) -> Engine:
    """An engine over an open store, with these embedders."""
    registry = Registry(settings.data_dir / "models")
    shelves = {kind: shelf_of(store, embedder, kind) for kind, embedder in embedders.items()}
    readers = {
        kind: Reader(store, embedder)
        for kind, embedder in embedders.items()
        if isinstance(embedder, ReadsTexts)
    }
    learned = Learned(store, Current(store, registry), shelves, readers, rates_as_taught(settings))
    return Engine(
        settings=settings,
        store=store,
        embedders=embedders,
        registry=registry,
        learned=learned,
        samplebook=SampleBook(store),
        watched=Watched(shelves),
        neighbours=Neighbours(store, shelves),
        keys=Keys(settings.data_dir / KEYS),
    )


def shelf_of(store: Store, embedder: Embedder, kind: TaskKind) -> Shelf:
    """Where tasks of a kind take the vectors that they learn from."""
    return Shelf(store, embedder.id, LIKENESS, partial(load_copies, store, embedder, kind))


def live_settings(engine: Engine) -> Settings:
    """The settings with the changes made while running, of whichever process made them."""
    return with_kept_overrides(engine.settings, engine.store.overrides.read())
