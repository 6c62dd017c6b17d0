"""The race is run with candidates of the tests' own, on a clock that only they move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from models import race as race_module
from models.candidates import Candidate, Setting
from models.closed_form import Scores, Vectors
from models.dealt import Dealt
from models.examples import Examples, Rows
from models.folds import family_folds
from models.race import Race
from tests.models.made import clusters


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Told(Candidate):
    """Scores rows by their first column with as much noise as each setting says."""

    clock: Clock = field(default_factory=Clock)
    seconds: float = 1.0
    title: str = "told"

    family = "svm"
    kind = "told"

    @property
    def name(self) -> str:
        return self.title

    def model(self, setting: Setting) -> Any:
        raise NotImplementedError

    def _scores(self, train: Vectors, codes: Rows, test: Vectors) -> Iterator[Scores]:
        for setting in self.settings:
            self.clock.now += self.seconds
            random = np.random.default_rng([len(test), setting.get("seed", 0)])
            noise = random.normal(0, setting["noise"], len(test))
            yield (test[:, 0] + noise)[:, None]


def signalled(n: int = 200) -> Examples:
    examples = clusters(n // 2)
    vectors = examples.vectors.copy()
    vectors[:, 0] = np.where(examples.labels == "real", 1.0, -1.0)
    return Examples(vectors, examples.labels, examples.sources, examples.families)


def start(clock: Clock, *, deadline: float, n: int = 200) -> Race:
    examples = signalled(n)
    return Race(examples, family_folds(examples), deadline, clock, jobs=1)


def noisy(*levels: float) -> tuple[Setting, ...]:
    return tuple({"noise": level} for level in levels)


def test_the_setting_with_the_least_loss_on_unseen_rows_wins() -> None:
    clock = Clock()
    race = start(clock, deadline=1e9)

    race.run(Told(noisy(3.0, 0.2, 1.0), clock=clock, title="first"))
    race.run(Told(noisy(0.5), clock=clock, title="second"))

    assert race.winner().candidate.name == "first"
    assert race.winner().setting == {"noise": 0.2}
    assert [tried.setting["noise"] for tried in race.tried] == [3.0, 0.2, 1.0, 0.5]
    assert all(0 < tried.log_loss < 1 for tried in race.tried)


def test_the_first_candidate_is_finished_however_late_it_is() -> None:
    clock = Clock()
    race = start(clock, deadline=0.5)

    race.run(Told(noisy(1.0, 0.5), clock=clock))

    assert [tried.folds for tried in race.tried] == [5, 5]
    assert race.winner().setting == {"noise": 0.5}


def test_a_candidate_that_cannot_be_afforded_is_skipped_with_the_reason() -> None:
    clock = Clock()
    race = start(clock, deadline=6.0)
    race.run(Told(noisy(1.0), clock=clock, title="first"))
    race.run(Told(noisy(0.1), clock=clock, title="late", seconds=1.0))
    clock.now = 7.0
    race.run(Told(noisy(0.1), clock=clock, title="later"))

    assert "budget" in race.skipped["late"]
    assert "0 s of the budget are left" in race.skipped["later"]
    assert race.winner().candidate.name == "first"


def test_with_many_rows_a_pilot_foretells_the_time_before_anything_dear_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(race_module, "PILOT_FROM", 100)
    monkeypatch.setattr(race_module, "PILOT_ROWS", 16)
    clock = Clock()
    race = start(clock, deadline=60.0)
    race.run(Told(noisy(1.0), clock=clock, title="first"))

    race.run(Told(noisy(0.1), clock=clock, title="dear", seconds=2.0))

    # 160 training rows are ten times the pilot's, and there are five folds
    assert "would take about 100 s" in race.skipped["dear"]
    assert clock.now == pytest.approx(5 + 2)


def test_a_pilot_on_labels_of_very_different_size_sees_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(race_module, "PILOT_FROM", 100)
    monkeypatch.setattr(race_module, "PILOT_ROWS", 16)
    seen: list[int] = []

    class Counting(Told):
        def _scores(self, train: Vectors, codes: Rows, test: Vectors) -> Iterator[Scores]:
            seen.append(len(np.unique(codes)))
            yield from super()._scores(train, codes, test)

    examples = clusters((300, 10))
    race = Race(examples, family_folds(examples), 1e9, Clock(), jobs=1)
    race.run(Told(noisy(1.0)))
    race.run(Counting(noisy(1.0)))

    assert set(seen) == {2}
    assert len(seen) == 6


def test_a_hopeless_candidate_leaves_after_its_first_folds() -> None:
    clock = Clock()
    race = start(clock, deadline=1e9)
    race.run(Told(noisy(0.1), clock=clock, title="good"))
    before = clock.now

    race.run(Told(noisy(30.0, 20.0), clock=clock, title="hopeless"))

    assert clock.now - before == 4
    assert "left after 2 folds" in race.skipped["hopeless"]
    assert "good" in race.skipped["hopeless"]
    assert [tried.folds for tried in race.tried] == [5, 2, 2]


def test_a_candidate_that_is_hardly_worse_runs_to_the_end() -> None:
    clock = Clock()
    race = start(clock, deadline=1e9)
    race.run(Told(noisy(0.5), clock=clock, title="good"))

    race.run(Told(({"noise": 0.52, "seed": 1},), clock=clock, title="near"))

    assert race.skipped == {}
    assert [tried.folds for tried in race.tried] == [5, 5]


def test_a_candidate_whose_equations_have_no_solution_is_skipped_and_the_rest_go_on() -> None:
    class Singular(Told):
        def _scores(self, train: Vectors, codes: Rows, test: Vectors) -> Iterator[Scores]:
            raise np.linalg.LinAlgError("singular")

    race = start(Clock(), deadline=1e9)
    race.run(Singular(noisy(0.1), title="singular"))
    race.run(Told(noisy(0.5), title="sound"))

    assert "singular" in race.skipped["singular"]
    assert race.winner().candidate.name == "sound"


def test_a_setting_that_ran_on_few_folds_cannot_win() -> None:
    clock = Clock()
    race = start(clock, deadline=13.0)
    race.run(Told(noisy(1.0, 1.0), clock=clock, title="first"))

    race.run(Told(noisy(0.1), clock=clock, title="late", seconds=3.0))

    assert race.tried[-1].folds == 2
    assert race.tried[-1].log_loss < race.winner().log_loss
    assert race.winner().candidate.name == "first"


def test_settings_that_time_does_not_reach_are_said_to_be_missing() -> None:
    clock = Clock()
    examples = signalled()
    race = Race(examples, family_folds(examples), 16.0, clock, jobs=5)
    race.run(Told(noisy(1.0), clock=clock, title="first"))

    # five folds of three settings would take fifteen
    race.run(Told(noisy(0.5, 0.4, 0.3), clock=clock, title="long"))

    assert "the time was used up" in race.skipped["long"]
    assert 0 < sum(tried.name == "long" for tried in race.tried) < 3
    assert race.winner().candidate.name == "long"


@dataclass(frozen=True)
class Together(Told):
    """Scores all folds at once."""

    def shares(self, dealt: Dealt) -> bool:
        return True

    def across(self, dealt: Dealt) -> Iterator[Scores]:
        yield from self._scores(dealt.vectors, dealt.codes, dealt.vectors)


def test_folds_scored_at_once_compete_with_those_scored_in_turn() -> None:
    clock = Clock()
    race = start(clock, deadline=1e9)
    race.run(Told(noisy(1.0), clock=clock, title="first"))

    race.run(Together(noisy(2.0, 0.2), clock=clock, title="together"))

    leader = race.winner()
    assert (leader.candidate.name, leader.setting) == ("together", {"noise": 0.2})
    assert [tried.folds for tried in race.tried[-2:]] == [5, 5]
    assert leader.scores.shape == (200, 1)
    # two seconds for two settings; a model alone is reckoned to take as long as all of it
    assert [tried.seconds for tried in race.tried[-2:]] == [1.0, 1.0]
    assert leader.fold_seconds == 2.0


def test_settings_scored_at_once_end_with_the_time() -> None:
    clock = Clock()
    race = start(clock, deadline=7.5)
    race.run(Told(noisy(1.0), clock=clock, title="first"))

    race.run(Together(noisy(0.5, 0.4, 0.3, 0.2), clock=clock, title="together"))

    assert race.skipped["together"] == "1 of its settings: the time was used up"


def test_what_would_take_all_folds_at_once_too_long_is_foreseen_on_few_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(race_module, "PILOT_AT_ONCE", 20)
    clock = Clock()
    race = start(clock, deadline=60.0)
    race.run(Told(noisy(1.0), clock=clock, title="first"))

    race.run(Together(noisy(0.1), clock=clock, title="slow", seconds=6.0))

    # six seconds for a tenth of the rows
    assert race.skipped["slow"] == "would take about 60 s, 49 s of the budget are left"
    assert race.winner().candidate.name == "first"


def test_copies_that_do_not_fit_are_not_made_and_the_reason_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    race = start(clock, deadline=1e9)
    monkeypatch.setattr(race_module, "MOST_BYTES", race.examples.vectors.size * 8 - 1)

    race.run(Together(noisy(1.0), clock=clock, title="without copies"))
    race.run(Told(noisy(0.1), clock=clock, title="with copies"))

    assert "a fold's copies of its rows would take about" in race.skipped["with copies"]
    assert race.winner().candidate.name == "without copies"


def test_a_lone_candidate_runs_whatever_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race_module, "MOST_BYTES", 1)
    clock = Clock()
    race = start(clock, deadline=1e9)

    race.run(Told(noisy(0.1), clock=clock, title="first"))

    assert race.winner().candidate.name == "first"
