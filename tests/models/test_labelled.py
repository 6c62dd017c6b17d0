"""Nearest examples, and pictures that are like none of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from models.apart import Vectors
from models.labelled import FEWEST, Labelled
from tests.models.made import clusters, unit

LABELS = ("a", "b", "c", "d")


def labelled(
    rows: Vectors,
    labels: Sequence[str],
    families: Sequence[int] | None = None,
    *,
    block: int = 7,
) -> Labelled:
    """Examples as a reader would hand them over, in small blocks."""
    classes = tuple(dict.fromkeys(label for label in labels if label))
    sha256s = [f"{(i * 7919) % 10007:05d}" for i in range(len(labels))]
    return Labelled(
        ids=np.arange(1, len(labels) + 1, dtype=np.int64),
        sha256s=sha256s,
        families=np.asarray(range(len(labels)) if families is None else families, np.intp),
        labels=np.asarray([classes.index(x) if x else -1 for x in labels], np.intp),
        classes=classes,
        blocks=tuple(rows[i : i + block] for i in range(0, len(rows), block)),
        row_of={sha256: row for row, sha256 in enumerate(sha256s)},
    )


def made(per_label: int = 30, seed: int = 0, labels: Sequence[str] = LABELS) -> Labelled:
    examples = clusters(per_label, labels, dim=24, apart=6.0, seed=seed)
    order = np.random.default_rng(seed).permutation(len(examples))
    return labelled(examples.vectors[order], examples.labels[order].tolist())


def test_the_nearest_are_those_an_exhaustive_search_finds() -> None:
    examples = clusters(20, LABELS)
    known = labelled(examples.vectors, examples.labels.tolist())
    (asked,) = clusters(1, ("x",), seed=5).vectors

    found = known.nearest(asked, 5)

    cosines = examples.vectors.astype(np.float64) @ asked
    best = np.argsort(-cosines)[:5]
    assert [one.sample_id for one in found] == (best + 1).tolist()
    assert [one.label for one in found] == examples.labels[best].tolist()
    assert [one.similarity for one in found] == pytest.approx(cosines[best].tolist(), abs=1e-6)


def test_near_duplicates_stand_as_one() -> None:
    rows = unit(np.array([[1, 0.01], [1, 0.02], [1, 0.03], [0, 1.0]]))
    known = labelled(rows, ["a", "a", "b", "b"], [0, 0, 0, 1])

    found = known.nearest(rows[0])

    assert [one.sample_id for one in found] == [1, 4]


def test_examples_that_do_not_count_are_not_named() -> None:
    rows = unit(np.eye(3) + 0.1)
    known = labelled(rows, ["", "a", "b"])

    assert {one.sample_id for one in known.nearest(rows[0])} == {2, 3}
    assert len(known) == 2


def test_a_cosine_is_never_beyond_one() -> None:
    rows = np.full((2, 1200), np.float32(1 / np.sqrt(1200)) * np.float32(1.000001), np.float32)
    known = labelled(rows, ["a", "b"])

    assert all(one.similarity <= 1.0 for one in known.nearest(rows[0]))


def test_nothing_is_near_where_nothing_is_known() -> None:
    known = labelled(np.zeros((0, 4), np.float32), [])

    assert known.nearest(np.ones(4, np.float32)) == []
    assert known.familiarity(np.ones(4, np.float32), "x") is None
    assert len(known.apart) == 0


def test_pictures_with_a_known_label_are_seldom_called_strange() -> None:
    strange = []
    for seed in range(20):
        everything = clusters(40, LABELS, dim=24, apart=6.0, seed=seed)
        fresh = np.arange(len(everything)) % 2 == 0
        known = everything.take(~fresh)
        table = labelled(known.vectors, known.labels.tolist())
        for row in everything.take(fresh).vectors:
            familiarity = table.familiarity(row, "new")
            assert familiarity is not None
            strange.append(familiarity.strange)

    assert np.mean(strange) <= 0.07  # 5 %, and what chance adds over 1,600 pictures


def test_pictures_of_another_label_are_called_strange() -> None:
    caught = []
    for seed in range(10):
        everything = clusters(30, (*LABELS, "new"), dim=24, apart=6.0, seed=seed)
        new = everything.labels == "new"
        known = everything.take(~new)
        table = labelled(known.vectors, known.labels.tolist())
        told = [table.familiarity(row, "new") for row in everything.take(new).vectors]
        caught.append(np.mean([one is not None and one.strange for one in told]))

    assert np.mean(caught) > 0.9


def test_many_are_looked_up_as_each_is() -> None:
    known = made()
    rows = np.concatenate([known.blocks[0][:5], unit(-known.blocks[0][:5].astype(np.float64))])
    asked = [("new", row) for row in rows]
    alone = [known.familiarity(row, "new") for row in rows]

    together = known.familiarities(asked)

    for one, other in zip(alone, together, strict=True):
        assert one is not None and other is not None
        assert other.similarity == pytest.approx(one.similarity, abs=1e-6)
        assert other.strange is (other.similarity < known.line) is one.strange
    assert {one.strange for one in together if one} == {True, False}
    supposed = known.familiarities(asked, [rows[-1]])[-1]
    assert supposed is not None and supposed.similarity == pytest.approx(1.0)
    assert known.familiarities([]) == []


def test_too_few_examples_call_nothing_strange() -> None:
    known = made(per_label=4)
    far = unit(-known.blocks[0][:1].astype(np.float64))[0]

    familiarity = known.familiarity(far, "new")

    assert familiarity is not None
    assert familiarity.examined < FEWEST
    assert not familiarity.strange


def test_an_example_itself_is_no_stranger() -> None:
    known = made()
    farthest = int(np.argmin([known.familiarity(r, "x").similarity for r in known.blocks[0]]))  # type: ignore[union-attr]

    familiarity = known.familiarity(known.blocks[0][farthest], known.sha256s[farthest])

    assert familiarity is not None
    assert familiarity.chance == 1.0


def test_copies_of_an_example_do_not_make_it_look_near_to_others() -> None:
    """Each picture came twice; with copies apart, everything new would look far away."""
    examples = clusters(30, LABELS, dim=24, apart=6.0)
    twice = np.concatenate([examples.vectors, examples.vectors])
    both = [*examples.labels.tolist(), *examples.labels.tolist()]
    known = labelled(twice, both, [*range(120), *range(120)])
    (fresh,) = clusters(1, ("a",), dim=24, apart=6.0).vectors

    assert known.apart.max() < 0.9999
    assert known.familiarity(fresh, "new") is not None


def test_what_is_examined_follows_from_the_examples_alone() -> None:
    one, other = made(), made()

    assert one.apart.tobytes() == other.apart.tobytes()


def test_one_more_picture_moves_nothing_that_was_examined() -> None:
    examples = clusters(40, LABELS, dim=24, apart=6.0)
    fewer = labelled(examples.vectors[:130], examples.labels[:130].tolist())
    more = labelled(examples.vectors[:131], examples.labels[:131].tolist())

    assert fewer.apart.tobytes() == more.apart.tobytes()
