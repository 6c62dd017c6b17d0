"""What a candidate is held against when the current version sees pictures in another way."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import numpy as np
import pytest
from numpy.typing import NDArray

from config import Encoder, Settings
from domain import EQUALISED, Split, TaskKind, Unavailable
from embeddings.builtin import Builtin
from engine import Engine, wired
from models.registry import ANSWERS
from storage import Store
from tests.models.made import clusters, unit
from tests.trained import EMBEDDER, TASK, quickly, teach
from train import candidate, judge

CLIP = "clip:ViT-B-32/openai"

Reopen = Callable[[str, Encoder], Engine]


class Named(Builtin):
    """An embedder that is only its id; nothing here embeds."""

    def __init__(self, kind: TaskKind, name: str) -> None:
        super().__init__(kind)
        self._name = name

    @property
    def id(self) -> str:
        """Under which its vectors are kept."""
        return self._name


@pytest.fixture
def opened(settings: Settings, store: Store) -> Reopen:
    """An engine on one store, with another embedder each time, chosen or not."""
    store.tasks.create(TASK, TaskKind.PHOTO, ("no_smile", "smile"), open=False)

    def open_it(embedder: str, encoder: Encoder) -> Engine:
        embedders = {kind: Named(kind, embedder) for kind in TaskKind}
        return wired(settings.model_copy(update={"encoder": encoder}), store,
                     MappingProxyType(embedders))  # fmt: skip

    return open_it


def see(store: Store, embedder: str, *, apart: float) -> None:
    """Give every picture of the task a vector of an embedder; the labels lie so far apart."""
    samples = sorted(store.samples.all(TASK), key=lambda one: (one.label, one.sha256))
    sizes = [sum(one.label == label for one in samples) for label in ("no_smile", "smile")]
    rows = clusters(sizes, apart=apart, seed=1).vectors
    store.vectors.put(embedder, [one.sha256 for one in samples], rows)


def current_id(engine: Engine) -> str | None:
    current = engine.store.versions.current(TASK)
    return current.id if current else None


# --- another embedder ---


def test_a_night_without_clips_weights_does_not_replace_the_version_made_with_them(
    opened: Reopen,
) -> None:
    as_usual, for_once = opened(CLIP, Encoder.AUTO), opened(EMBEDDER, Encoder.AUTO)
    teach(as_usual.store, 100, embedder=CLIP, apart=3.0)
    see(as_usual.store, EMBEDDER, apart=0.3)
    with_clip = quickly(as_usual)

    without = quickly(for_once)

    assert not without.promoted
    assert current_id(for_once) == with_clip.version.id
    for said in ("Clearly worse", CLIP, "On what each held out", "ENCODER=auto",
                 f"POST /models/{without.version.id}/promote"):  # fmt: skip
        assert said in without.reason
    assert without.run.detail["gate"]["compared"]["n"] == 200


def test_what_no_setting_chose_has_to_be_shown_to_be_no_worse(opened: Reopen) -> None:
    as_usual, for_once = opened(CLIP, Encoder.AUTO), opened(EMBEDDER, Encoder.AUTO)
    teach(as_usual.store, 30, embedder=CLIP)
    see(as_usual.store, EMBEDDER, apart=2.0)
    quickly(as_usual)

    without = quickly(for_once)

    assert not without.promoted  # too few pictures to show it
    assert "not shown to be no worse" in without.reason


def test_a_better_version_of_another_embedder_is_promoted_though_no_setting_chose_it(
    opened: Reopen,
) -> None:
    before, after = opened(EMBEDDER, Encoder.AUTO), opened(CLIP, Encoder.AUTO)
    teach(before.store, 100, apart=0.5)
    see(before.store, CLIP, apart=4.0)
    quickly(before)

    better = quickly(after)

    assert better.promoted
    assert "No worse: balanced accuracy on the 200 pictures that both know" in better.reason
    assert current_id(after) == better.version.id


def test_a_version_of_the_embedder_that_was_chosen_is_promoted_though_it_is_worse(
    opened: Reopen,
) -> None:
    before, after = opened(CLIP, Encoder.CLIP), opened(EMBEDDER, Encoder.BUILTIN)
    teach(before.store, 100, embedder=CLIP, apart=3.0)
    see(before.store, EMBEDDER, apart=0.3)
    quickly(before)

    chosen = quickly(after)

    assert chosen.promoted
    assert f"on vectors of {CLIP} and does not answer any more" in chosen.reason
    assert "Clearly worse" in chosen.reason
    assert chosen.run.detail["gate"]["against"]


def test_a_new_release_of_the_same_embedder_is_no_choice_of_one_machine(opened: Reopen) -> None:
    before, after = opened("builtin-photo:1", Encoder.AUTO), opened(EMBEDDER, Encoder.AUTO)
    teach(before.store, 30, embedder="builtin-photo:1")
    see(before.store, EMBEDDER, apart=1.0)
    quickly(before)

    assert quickly(after).promoted


def test_with_nothing_to_compare_two_embedders_on_the_current_version_stays(
    opened: Reopen,
) -> None:
    as_usual, for_once = opened(CLIP, Encoder.AUTO), opened(EMBEDDER, Encoder.AUTO)
    teach(as_usual.store, 40, embedder=CLIP)
    kept = quickly(as_usual)
    (as_usual.registry.folder(kept.version) / ANSWERS).unlink()
    teach(as_usual.store, 40, name="other")

    without = quickly(for_once)

    assert not without.promoted
    assert "nothing to compare it on" in without.reason
    assert "ENCODER=auto" in without.reason


def test_a_candidate_is_not_judged_where_its_embedder_is_not_in_use(opened: Reopen) -> None:
    trained, elsewhere = opened(CLIP, Encoder.AUTO), opened(EMBEDDER, Encoder.AUTO)
    teach(trained.store, 40, embedder=CLIP)
    version = candidate(trained, TASK, classifier="logistic_regression")

    with pytest.raises(Unavailable, match="cannot be judged"):
        judge(elsewhere, version)

    assert judge(trained, version).promoted


# --- another form ---


def lean_on_form(store: Store) -> None:
    """Give pictures a form that tells their labels apart; made alike, they have one for all."""
    samples = sorted(store.samples.all(TASK), key=lambda one: (one.label, one.sha256))
    sizes = [sum(one.label == label for one in samples) for label in ("no_smile", "smile")]
    content = clusters(sizes, apart=0.8, seed=2).vectors
    names = [one.sha256 for one in samples]
    form = np.asarray([3.0 if one.label == "smile" else -3.0 for one in samples])
    store.vectors.put(EMBEDDER, names, _with(content, form))
    store.vectors.put(EMBEDDER + EQUALISED, names, _with(content, np.zeros(len(names))))


def _with(content: NDArray[np.float32], form: NDArray[np.float64]) -> NDArray[np.float32]:
    return unit(np.column_stack([content, form]))


def test_a_candidate_that_does_without_a_shortcut_replaces_the_version_that_takes_it(
    opened: Reopen,
) -> None:
    engine = opened(EMBEDDER, Encoder.BUILTIN)
    teach(engine.store, 150, with_vectors=False)
    lean_on_form(engine.store)
    leaning = quickly(engine)
    engine.store.overrides.write({"shortcuts": "equalise"})

    upright = quickly(engine)

    figures = [one.version.card["metrics"]["cross_validated"] for one in (leaning, upright)]
    assert figures[0]["accuracy"] > figures[1]["accuracy"] + 0.05  # it looks better, and is not
    assert upright.promoted
    assert current_id(engine) == upright.version.id
    held_out = sum(one.split is Split.TEST for one in engine.store.samples.all(TASK))
    assert f"on the {held_out} held-out pictures made alike in form" in upright.reason
    assert "so both were asked anew" in upright.reason
    assert upright.run.detail["gate"]["compared"]["n"] == held_out


def test_a_version_made_without_a_shortcut_is_replaced_when_the_setting_is_taken_back(
    opened: Reopen,
) -> None:
    engine = opened(EMBEDDER, Encoder.BUILTIN)
    teach(engine.store, 150, with_vectors=False)
    lean_on_form(engine.store)
    engine.store.overrides.write({"shortcuts": "equalise"})
    quickly(engine)
    engine.store.overrides.write({"shortcuts": "warn"})

    leaning = quickly(engine)

    assert leaning.promoted
    assert "held-out pictures as they were delivered" in leaning.reason


def test_a_candidate_made_alike_that_is_worse_at_that_is_kept(opened: Reopen) -> None:
    engine = opened(EMBEDDER, Encoder.BUILTIN)
    teach(engine.store, 150, apart=3.0)
    samples = engine.store.samples.all(TASK)
    names = [one.sha256 for one in samples]
    told = engine.store.vectors.get(EMBEDDER, names)[1]
    training = np.asarray([one.split is Split.TRAIN for one in samples])
    mixed = told.copy()  # what is trained on says nothing, what is held out does
    mixed[training] = np.random.default_rng(0).permutation(told[training])
    engine.store.vectors.put(EMBEDDER + EQUALISED, names, mixed)
    good = quickly(engine)
    engine.store.overrides.write({"shortcuts": "equalise"})

    bad = quickly(engine)

    assert not bad.promoted
    assert "Clearly worse" in bad.reason
    assert "made alike in form" in bad.reason
    assert current_id(engine) == good.version.id
