"""What a store promises, on SQLite and on PostgreSQL alike."""

from storage import Store


def test_smoke(any_store: Store) -> None:
    print(any_store.tasks.all())
    any_store.ping()
    print(any_store.versions.state("authenticity"))
