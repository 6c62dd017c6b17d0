"""What a store promises of labels that are taught, and of forms that count as others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from domain import (
    Conflict,
    Correction,
    Limited,
    NewCorrection,
    NotFound,
    Person,
    TaskKind,
    TeachLimits,
    Unacceptable,
)
from storage import Store
from tests.contracts.stores import WRITINGS, facts, new, sha, teach

TASK = "letters"
CLOSED = "authenticity"


@pytest.fixture
def letters(any_store: Store) -> Store:
    """A store with an open task of two labels that were given when it was made."""
    any_store.tasks.create(TASK, TaskKind.DRAWING, ("ka", "kha"), open=True)
    return any_store


def show(store: Store, text: str, label: str, variant_of: str | None = None) -> Correction:
    return teach(store, text, label, task=TASK, variant_of=variant_of)


def undo(store: Store, *rows: Correction, task: str = TASK) -> None:
    store.corrections.undo(task, [row.id for row in rows], "me", True)


def labels(store: Store, task: str = TASK) -> tuple[str, ...]:
    return store.tasks.get(task).labels


def variants(store: Store, task: str = TASK) -> dict[str, str]:
    return dict(store.tasks.get(task).variants)


def moves(store: Store, change: Callable[[], object], task: str = TASK) -> tuple[int, int]:
    """How far a change moves counter and epoch."""
    was = store.versions.state(task)
    change()
    now = store.versions.state(task)
    return now.counter - was.counter, now.epoch - was.epoch


# --- taught labels ---


@pytest.mark.parametrize("label", ["", "  ", "a\nb", "\0", "\ud83d", "x" * 65, "unsure", "(other)"])
def test_what_can_be_no_label_is_not_taught(letters: Store, label: str) -> None:
    for given in ({"label": label}, {"label": "ga", "variant_of": label}):
        with pytest.raises(Unacceptable):
            show(letters, "a", **given)
    assert labels(letters) == ("ka", "kha")


def test_unknown_label_is_added_to_an_open_task(letters: Store) -> None:
    for label in WRITINGS:
        assert show(letters, label, f" {label} ").label == label
    assert labels(letters) == ("ka", "kha", *WRITINGS)


def test_unknown_label_is_refused_by_a_closed_task(any_store: Store) -> None:
    with pytest.raises(Unacceptable, match="one of ai, real"):
        teach(any_store, "a", "edited")
    assert labels(any_store, CLOSED) == ("ai", "real")


def test_taught_label_is_gone_with_its_last_correction(letters: Store) -> None:
    first, second = show(letters, "a", "ga"), show(letters, "b", "ga")
    undo(letters, first)
    assert labels(letters) == ("ka", "kha", "ga")
    undo(letters, second)
    assert labels(letters) == ("ka", "kha")


def test_taught_label_that_comes_back_is_last_as_if_it_had_never_been(letters: Store) -> None:
    undo(letters, show(letters, "a", "ga"))
    show(letters, "b", "gha")
    show(letters, "a", "ga")
    assert labels(letters) == ("ka", "kha", "gha", "ga")
    show(letters, "c", "gha")
    letters.tasks.add_label(TASK, "kha")
    assert labels(letters) == ("ka", "kha", "gha", "ga")


def test_hidden_label_that_is_added_comes_last(letters: Store) -> None:
    undo(letters, show(letters, "a", "ga"))
    letters.tasks.add_label(TASK, "gha")
    assert letters.tasks.add_label(TASK, "ga").labels == ("ka", "kha", "gha", "ga")


def test_label_given_otherwise_stays_without_any_correction(letters: Store) -> None:
    undo(letters, show(letters, "a", "ka"))
    taught = show(letters, "b", "ga")
    letters.tasks.add_label(TASK, "ga")
    undo(letters, taught)
    assert labels(letters) == ("ka", "kha", "ga")


def test_taught_label_stays_while_a_picture_of_a_folder_has_it(letters: Store) -> None:
    taught = show(letters, "a", "ga")
    letters.samples.add(TASK, facts("b"), new("ga"))
    undo(letters, taught)
    assert labels(letters) == ("ka", "kha", "ga")


def test_hidden_label_becomes_one_like_any_other_when_it_is_added(letters: Store) -> None:
    undo(letters, show(letters, "a", "ga"))
    with pytest.raises(Unacceptable):
        letters.samples.add(TASK, facts("b"), new("ga"))
    assert letters.tasks.add_label(TASK, "ga").labels == ("ka", "kha", "ga")
    undo(letters, show(letters, "a", "ga"))
    assert labels(letters) == ("ka", "kha", "ga")


def test_label_after_a_hidden_one_gets_a_place_of_its_own(letters: Store) -> None:
    undo(letters, show(letters, "a", "ga"))
    for label in ("a", "z", "b"):
        letters.tasks.add_label(TASK, label)
    assert labels(letters) == ("ka", "kha", "a", "z", "b")


def test_one_person_brings_a_limited_number_of_new_labels(letters: Store) -> None:
    limits = TeachLimits(new_labels=2)

    def bring(text: str, label: str, person: Person, variant_of: str | None = None) -> Correction:
        said = NewCorrection(sha(text), label, person, variant_of=variant_of)
        return letters.corrections.teach(TASK, said, facts(text), None, limits).correction

    ann = Person("ann", trusted=False)
    undo(letters, bring("a", "one", ann))  # taking back and bringing again would have no end
    bring("b", "two", ann, "ka")
    for variant_of in (None, "ka"):
        with pytest.raises(Limited) as caught:
            bring("c", "three", ann, variant_of)
        assert caught.value.retry_after > 0
    bring("c", "one", ann)
    bring("d", "ka", ann)
    bring("c", "three", Person("bob", trusted=False))
    for i in range(4):
        bring("e", f"more {i}", Person("ann", trusted=True))


# --- what a label may be called ---


@pytest.mark.parametrize(
    "label",
    [
        *("\u200d", "\u200c\u200b", "\ufeff", "\xad", "\u2062", "\u3000\u2003", "\ue000"),
        *("a\u0378", "\uffff", "a\U000e0080", "a\u2028b", "a\u2029b"),
        *(f"cat{turn}tac" for turn in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"),
        *("\u200bunsure", "unsure\ufeff", " \u200b (other)\u200b ", "un\u200bsure", "uns\u200dure"),
    ],
)
def test_label_that_shows_nothing_or_something_else_is_refused(letters: Store, label: str) -> None:
    for given in ({"label": label}, {"label": "ga", "variant_of": label}):
        with pytest.raises(Unacceptable):
            show(letters, "a", **given)
    with pytest.raises(Unacceptable):
        letters.tasks.add_label(TASK, label)
    assert labels(letters) == ("ka", "kha")


@pytest.mark.parametrize(
    "label",
    [
        *(
            "\U0001f469\u200d\U0001f680",
            "\u0c95\u0ccd\u200d\u0cb7",
            "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
        *("\u05d0\u200f!", "\u0e01\u200b\u0e02", "\u2764\ufe0f", "\u0ccd", "a\ue000"),
    ],
)
def test_joiners_and_marks_that_scripts_need_stay(letters: Store, label: str) -> None:
    assert show(letters, "a", label).label == label


def test_blanks_of_no_width_around_a_label_are_taken_off(letters: Store) -> None:
    for text in ("\ufeffka", "ka\u200b", " \u200b ka \ufeff\u200b\n"):
        assert show(letters, text, text).label == "ka"
    assert labels(letters) == ("ka", "kha")


# --- variants ---


def test_linking_is_noticed_by_every_worker(letters: Store) -> None:
    assert moves(letters, lambda: letters.tasks.link(TASK, "ka", "ಕ")) == (1, 1)
    assert moves(letters, lambda: letters.tasks.link(TASK, "ka", "ಕ")) == (0, 0)
    assert moves(letters, lambda: letters.tasks.unlink(TASK, "ಕ")) == (1, 1)
    assert variants(letters) == {}


def test_label_with_pictures_may_become_a_variant_and_stand_alone_again(letters: Store) -> None:
    letters.samples.add(TASK, facts("a"), new("kha"))
    linked = letters.tasks.link(TASK, "ka", "kha")
    assert (linked.labels, linked.variants) == (("ka",), {"kha": "ka"})
    assert letters.samples.all(TASK)[0].label == "kha"
    alone = letters.tasks.unlink(TASK, "kha")
    assert (alone.labels, alone.variants) == (("ka", "kha"), {})


def test_variant_of_a_variant_counts_as_what_that_counts_as(letters: Store) -> None:
    letters.tasks.link(TASK, "kha", "x")
    letters.tasks.link(TASK, "x", "y")
    letters.tasks.link(TASK, "ka", "kha")
    assert variants(letters) == {"kha": "ka", "x": "ka", "y": "ka"}
    letters.tasks.unlink(TASK, "kha")
    assert variants(letters) == {"x": "kha", "y": "kha"}


def test_two_labels_never_stand_for_one_another(letters: Store) -> None:
    letters.tasks.link(TASK, "ka", "kha")
    letters.tasks.link(TASK, "kha", "x")
    for label, variant in (("ka", "ka"), ("kha", "ka"), ("x", "ka"), ("x", "x")):
        with pytest.raises(Conflict):
            letters.tasks.link(TASK, label, variant)
    assert variants(letters) == {"kha": "ka", "x": "ka"}


def test_variant_stands_for_one_label_only(letters: Store) -> None:
    letters.tasks.add_label(TASK, "ga")
    letters.tasks.link(TASK, "ka", "x")
    with pytest.raises(Conflict):
        letters.tasks.link(TASK, "ga", "x")
    with pytest.raises(Conflict):
        show(letters, "a", "x", "ga")
    letters.tasks.link(TASK, "ka", "ga")
    assert variants(letters) == {"ga": "ka", "x": "ka"}
    assert letters.tasks.link(TASK, "ga", "x").variants == {"ga": "ka", "x": "ka"}


def test_only_labels_have_variants(letters: Store) -> None:
    for label in ("ga", "unsure", ""):
        with pytest.raises(Unacceptable):
            letters.tasks.link(TASK, label, "x")
        with pytest.raises(Unacceptable):
            show(letters, "a", "x", label)
    undo(letters, show(letters, "a", "ga"))
    with pytest.raises(Unacceptable):
        letters.tasks.link(TASK, "ga", "x")
    with pytest.raises(Unacceptable):
        letters.tasks.link(TASK, "ka", "unsure")


def test_what_is_no_variant_cannot_be_unlinked(letters: Store) -> None:
    for label in ("ka", "x"):
        with pytest.raises(Conflict):
            letters.tasks.unlink(TASK, label)


def test_closed_task_keeps_two_labels(any_store: Store) -> None:
    with pytest.raises(Conflict):
        any_store.tasks.link(CLOSED, "ai", "real")
    any_store.tasks.create("three", TaskKind.PHOTO, ("a", "b", "c"), open=False)
    assert any_store.tasks.link("three", "a", "c").labels == ("a", "b")
    with pytest.raises(Conflict):
        any_store.tasks.link("three", "a", "b")
    assert any_store.tasks.unlink("three", "c").labels == ("a", "b", "c")


# --- variants that are taught ---


def test_correction_teaches_a_variant_even_in_a_closed_task(any_store: Store) -> None:
    row = teach(any_store, "a", "fake", variant_of="ai")
    task = any_store.tasks.get(CLOSED)
    assert (row.label, row.variant_of) == ("fake", "ai")
    assert (task.labels, task.variants) == (("ai", "real"), {"fake": "ai"})
    assert teach(any_store, "b", "fake").label == "fake"


def test_variant_goes_with_the_last_correction_that_taught_it(any_store: Store) -> None:
    first = teach(any_store, "a", "fake", variant_of="ai")
    second = teach(any_store, "b", "fake", variant_of="ai")
    assert moves(any_store, lambda: undo(any_store, first, task=CLOSED), CLOSED) == (1, 0)
    assert variants(any_store, CLOSED) == {"fake": "ai"}
    assert moves(any_store, lambda: undo(any_store, second, task=CLOSED), CLOSED) == (1, 1)
    assert variants(any_store, CLOSED) == {}
    with pytest.raises(Unacceptable):
        teach(any_store, "a", "fake")


def test_closed_task_keeps_a_taught_variant_as_long_as_it_is_used(any_store: Store) -> None:
    first = teach(any_store, "a", "fake", variant_of="ai")
    second = teach(any_store, "b", "fake")
    undo(any_store, first, task=CLOSED)
    assert (labels(any_store, CLOSED), variants(any_store, CLOSED)) == (
        ("ai", "real"),
        {"fake": "ai"},
    )
    undo(any_store, second, task=CLOSED)
    assert variants(any_store, CLOSED) == {}


def test_variant_that_was_linked_by_itself_outlives_its_corrections(any_store: Store) -> None:
    any_store.tasks.link(CLOSED, "ai", "fake")
    undo(any_store, teach(any_store, "a", "fake", variant_of="ai"), task=CLOSED)
    row = teach(any_store, "a", "photo", variant_of="real")
    any_store.tasks.link(CLOSED, "real", "photo")
    undo(any_store, row, task=CLOSED)
    assert variants(any_store, CLOSED) == {"fake": "ai", "photo": "real"}
    assert teach(any_store, "a", "fake").label == "fake"
    assert labels(any_store, CLOSED) == ("ai", "real")


def test_taking_back_a_taught_variant_parts_what_it_had_joined(letters: Store) -> None:
    show(letters, "a", "ka")
    show(letters, "b", "kha")
    letters.tasks.link(TASK, "kha", "x")
    before = letters.tasks.get(TASK)
    joined = show(letters, "c", "kha", "ka")
    assert variants(letters) == {"kha": "ka", "x": "ka"}
    undo(letters, joined)
    assert letters.tasks.get(TASK) == before


def test_taught_label_stays_while_variants_count_as_it(letters: Store) -> None:
    ga = show(letters, "a", "ga")
    gha = show(letters, "b", "gha", "ga")
    undo(letters, ga)
    assert (labels(letters), variants(letters)) == (("ka", "kha", "ga"), {"gha": "ga"})
    undo(letters, gha)
    assert (labels(letters), variants(letters)) == (("ka", "kha"), {})


def test_whole_chain_goes_when_all_of_it_is_taken_back(letters: Store) -> None:
    rows = [
        show(letters, "a", "ga"),
        show(letters, "b", "gha", "ga"),
        show(letters, "c", "x", "gha"),
    ]
    assert variants(letters) == {"gha": "ga", "x": "ga"}
    undo(letters, *rows)
    assert (labels(letters), variants(letters)) == (("ka", "kha"), {})


def test_somebody_not_trusted_joins_no_two_labels(letters: Store) -> None:
    ann = Person("ann", trusted=False)

    def say(label: str, variant_of: str) -> None:
        said = NewCorrection(sha("a"), label, ann, variant_of=variant_of)
        letters.corrections.teach(TASK, said, facts("a"), None)

    with pytest.raises(Conflict):
        say("kha", "ka")
    say("x", "ka")
    say("x", "ka")
    assert variants(letters) == {"x": "ka"}


def test_closed_task_takes_no_variant_back_as_a_label(any_store: Store) -> None:
    row = teach(any_store, "a", "fake", variant_of="ai")
    any_store.tasks.link(CLOSED, "ai", "fake")
    with pytest.raises(Conflict):
        any_store.tasks.unlink(CLOSED, "fake")
    undo(any_store, row, task=CLOSED)
    assert any_store.tasks.unlink(CLOSED, "fake").labels == ("ai", "real")
    assert variants(any_store, CLOSED) == {}


def test_renewing_a_task_moves_what_readers_compare(any_store: Store) -> None:
    before = any_store.versions.state("authenticity")
    any_store.tasks.renew("authenticity")
    after = any_store.versions.state("authenticity")
    assert (after.counter, after.epoch) == (before.counter + 1, before.epoch + 1)
    with pytest.raises(NotFound):
        any_store.tasks.renew("nothing")


def test_labels_can_be_described_in_other_words(letters: Store) -> None:
    def describe(prompts: dict[str, str | list[str]]) -> dict[str, str]:
        return dict(letters.tasks.describe(TASK, prompts).prompts)

    texts: dict[str, str | list[str]] = {"ka": ["one text ", "another"], "yet to come": "soon"}
    assert moves(letters, lambda: describe(texts)) == (1, 1)
    assert letters.tasks.get(TASK).prompts == {"ka": "one text | another", "yet to come": "soon"}
    same: dict[str, str | list[str]] = {"ka": "one text|another|one text"}
    assert moves(letters, lambda: describe(same)) == (0, 0)
    assert describe({"ka": " | "}) == {"yet to come": "soon"}


@pytest.mark.parametrize("text", ["a\u202eb", "a\0b", "x" * 1001, "|".join(map(str, range(17)))])
def test_what_can_describe_no_label_is_refused(letters: Store, text: str) -> None:
    with pytest.raises(Unacceptable, match=r"prompts\.ka"):
        letters.tasks.describe(TASK, {"ka": text})
    with pytest.raises(Unacceptable, match=r"prompts\.ka"):
        letters.tasks.create("others", TaskKind.PHOTO, ("ka",), open=True, prompts={"ka": text})


def test_a_closed_task_has_texts_for_its_own_labels_only(letters: Store) -> None:
    assert letters.tasks.describe(CLOSED, {"ai": "made up"}).prompts == {"ai": "made up"}
    with pytest.raises(Unacceptable, match=r"prompts\.neither"):
        letters.tasks.describe(CLOSED, {"neither": "nothing"})


@pytest.mark.parametrize("links", [[("real", "ai")], [("drawn", "ai"), ("drawn", "real")]])
def test_ai_never_becomes_a_form_of_real_where_they_are_told_apart(
    any_store: Store, links: list[tuple[str, str]]
) -> None:
    labels = ("ai", "real", "drawn", "other")
    any_store.tasks.create("origins", TaskKind.AUTHENTICITY, labels, open=True)
    any_store.tasks.create("colours", TaskKind.PHOTO, labels, open=True)
    *first, (label, variant) = links
    for name in ("origins", "colours"):
        for earlier in first:
            any_store.tasks.link(name, *earlier)
    with pytest.raises(Conflict, match="tell them apart"):
        any_store.tasks.link("origins", label, variant)
    with pytest.raises(Conflict, match="tell them apart"):
        teach(any_store, "a", variant, task="origins", variant_of=label)
    assert variant in any_store.tasks.get("origins").labels
    assert variant in any_store.tasks.link("colours", label, variant).variants
