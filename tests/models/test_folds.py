from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from domain import NotEnoughData
from models import folds
from models.examples import Examples
from models.folds import family_folds, source_folds, too_large
from tests.models.made import clusters


def in_families_of(examples: Examples, size: int) -> Examples:
    """Rows of one label, `size` in a row, become near-duplicates."""
    names = np.asarray([f"{label}-{i // size}" for i, label in enumerate(examples.labels)])
    return dataclasses.replace(examples, families=names)


@pytest.mark.parametrize("grouped_up_to", [folds.MAX_GROUPED, 0])
def test_no_family_is_on_both_sides_and_every_row_is_scored_once(
    grouped_up_to: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folds, "MAX_GROUPED", grouped_up_to)
    examples = in_families_of(clusters(60), 4)

    parted = family_folds(examples)

    assert len(parted) == 5
    for train, test in parted:
        assert not set(examples.families[train]) & set(examples.families[test])
    assert sorted(np.concatenate([test for _, test in parted])) == list(range(120))


@pytest.mark.parametrize("grouped_up_to", [folds.MAX_GROUPED, 0])
def test_each_fold_holds_its_share_of_each_label_and_source(
    grouped_up_to: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folds, "MAX_GROUPED", grouped_up_to)
    random = np.random.default_rng(1)
    examples = clusters((100, 50))
    sources = np.where(random.random(150) < 0.3, "rare", "common")
    examples = dataclasses.replace(examples, sources=sources)

    for _, test in family_folds(examples):
        part = examples.take(test)
        assert (part.labels == "ai").sum() == pytest.approx(20, abs=1)
        expected = ((examples.sources == "rare") & (examples.labels == "ai")).sum() / 5
        rare = (part.sources == "rare") & (part.labels == "ai")
        assert rare.sum() == pytest.approx(expected, abs=1.5)


def test_a_source_too_small_for_the_folds_does_not_break_them() -> None:
    examples = clusters(50)
    sources = examples.sources.copy()
    sources[:2] = "two pictures"
    examples = dataclasses.replace(examples, sources=sources.astype(str))

    assert len(family_folds(examples)) == 5


def test_there_are_no_more_folds_than_families_of_the_rarest_label() -> None:
    examples = in_families_of(clusters((60, 12)), 4)

    assert len(family_folds(examples)) == 3


def test_a_label_of_near_duplicates_alone_is_refused_by_name() -> None:
    examples = in_families_of(clusters((40, 8)), 48)

    with pytest.raises(NotEnoughData, match="real are near-duplicates"):
        family_folds(
            dataclasses.replace(
                examples,
                families=np.where(examples.labels == "real", "all-one", np.arange(48).astype(str)),
            )
        )


def test_the_same_rows_are_parted_the_same_way_each_time() -> None:
    examples = clusters(40)

    first, second = family_folds(examples), family_folds(examples)

    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, second, strict=True))


def test_each_source_is_left_out_whole_and_its_near_duplicates_elsewhere_with_it() -> None:
    examples = clusters(30, sources=("web", "stock", "camera"))
    families = examples.families.copy()
    families[0] = families[1]  # of web and of stock
    examples = dataclasses.replace(examples, families=families)

    parted = source_folds(examples)

    assert set(parted) == {"web", "stock", "camera"}
    for name, (train, test) in parted.items():
        assert set(examples.sources[test]) == {name}
        assert (examples.sources == name).sum() == len(test)
        assert not set(examples.families[train]) & set(examples.families[test])


def test_sources_of_one_label_are_trained_on_but_not_left_out() -> None:
    examples = clusters(30, sources=("web", "stock"))
    sources = examples.sources.astype("<U12")
    sources[examples.labels == "real"][:5] = "web"
    sources[:6] = "only ai"
    examples = dataclasses.replace(examples, sources=sources)

    parted = source_folds(examples)

    assert set(parted) == {"web", "stock"}
    assert all("only ai" in examples.sources[train] for train, _ in parted.values())


def test_one_source_with_two_labels_is_not_enough() -> None:
    assert source_folds(clusters(30)) == {}


def of_sizes(**sizes: int) -> Examples:
    """Sources with so many pictures of each label."""
    one = [source for source, size in sizes.items() for _ in range(size)]
    examples = clusters(len(one))
    return dataclasses.replace(examples, sources=np.asarray(one * 2))


def test_a_source_without_which_a_handful_is_left_to_train_on_is_not_left_out() -> None:
    examples = of_sizes(web=100, stock=3)

    assert set(source_folds(examples)) == {"stock"}
    assert too_large(examples) == {"web": "without it 3 of 103 different pictures of ai are left"}


def test_of_two_sources_of_like_size_both_are_left_out() -> None:
    examples = of_sizes(web=55, stock=45)

    assert set(source_folds(examples)) == {"web", "stock"}
    assert too_large(examples) == {}


def test_a_source_may_be_too_large_a_part_of_one_label_alone() -> None:
    examples = of_sizes(web=50, stock=50, camera=50)
    sources = examples.sources.copy()
    sources[(examples.labels == "real") & (sources == "stock")] = "web"

    parted = source_folds(dataclasses.replace(examples, sources=sources))

    assert set(parted) == {"camera"}
