"""What a version promises of a label: how few pictures of other labels are given it wrongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from config import PromiseFor, Settings
from domain import AI, REAL, UNSURE, Task, TaskKind
from models.answered import Answered
from models.beyond import FEWEST_OTHERS, Beyond
from models.elsewhere import Rule, reached
from models.tolerance import (
    CONFIDENCE,
    Bound,
    fewest,
    least_share,
    stricter_of,
    upper_bound,
)

ACCUSED, CLEARED = AI, REAL
EVEN = 0.5
"""Of two labels one is said from here on at the least."""

NEARLY_EVEN = 0.55
"""Of two labels, by corrections alone, one is said from here on.

Below it about half of the answers were right (smiles and cifake, 1 to 30 examples a label; 5 to 17
of 100 answers). Of many labels the likelier of two is worth more than nothing, and is said.
"""

NOT_TRIED: Mapping[str, Beyond] = MappingProxyType({})
NOT_LIMITED: Mapping[str, float | None] = MappingProxyType({})
BEFORE_CORRECTIONS = (
    "That was promised of the version before corrections, which reach other pictures too: with "
    "them no more of the pictures held out reach the score, but that is no proof."
)

Limit = Mapping[str, Any]
"""What holds for one label: an item of `labels` in the thresholds of a card."""


def rates_of(
    task: Task, settings: Settings, classes: Sequence[str], *, demo: bool = False
) -> dict[str, float]:
    """By label, the share of pictures of other labels that may be given it.

    What the task's own settings say comes first; of `authenticity`, the service's are for `ai`
    and `real`. Labels without a share are said as soon as they are the likeliest. So is `real`
    by the demonstration, whose few pictures prove nothing: it is to show answers, and accuses
    nobody lightly all the same.
    """
    usual: dict[str, float] = {}
    if task.kind is TaskKind.AUTHENTICITY:
        usual[ACCUSED] = settings.max_false_accusation
    if task.kind is TaskKind.AUTHENTICITY and not demo:
        clearance = settings.max_false_clearance
        usual[CLEARED] = settings.max_false_accusation if clearance is None else clearance
    own = task.settings.get("max_false", {})
    rates = {**_canonical(task, usual), **_canonical(task, own)}
    return {label: rates[label] for label in classes if label in rates}


def _canonical(task: Task, rates: Mapping[str, float]) -> dict[str, float]:
    """Shares by the labels that count now; where several became one, the strictest."""
    found: dict[str, float] = {}
    for name, rate in rates.items():
        label = task.variants.get(name, name)
        found[label] = min(rate, found.get(label, rate))
    return found


def make_promise(
    classes: Sequence[str],
    known: Answered,
    rates: Mapping[str, float],
    *,
    left_out: Answered | None = None,
    promise_for: PromiseFor = PromiseFor.UNSEEN,
    unmeasured: str | None = None,
) -> dict[str, Any]:
    """From which score on each label is said, and what that promises; for the card.

    Parameters
    ----------
    classes
        The k labels of the head, in the order of its columns.
    known
        Pictures of the sources that it was trained on, not seen themselves.
    rates
        By label, the share of pictures of other labels that may be given it.
    left_out
        Pictures of sources that were left out whole, one after the other; None: not measured.
    promise_for
        Whether a score has to keep the share on sources left out, too.
    unmeasured
        Why no sources were left out, where they were not.

    Returns
    -------
    dict[str, Any]
        `labels` has for each label `from`, the score, None where no score will do; `promised`,
        whether it is proven for pictures like the known ones with `confidence`; what it rests
        on and what it buys. Its `unseen_sources` are measured at scores that each source had no
        part in. What holds for `ai` is beside it under the names `accuse`,
        `budget`, `n_real`, `n_ai`, `false_accusations`, `upper_95` and `recall`.
    """
    least = EVEN if len(classes) == 2 else 0.0
    labels = {}
    for label, budget in rates.items():
        column = list(classes).index(label)
        rule = Rule(label, column, budget, least, promise_for is PromiseFor.UNSEEN)
        found = rule.bound(known)
        at = rule.score(found.at, left_out)
        labels[label] = {
            **_limit(label, column, budget, found, at, known),
            "unseen_sources": rule.elsewhere(found, known, left_out),
        }
    made: dict[str, Any] = {
        "confidence": CONFIDENCE,
        "promise_for": promise_for.value,
        "labels": labels,
    }
    if unmeasured and promise_for is PromiseFor.UNSEEN:
        made["unmeasured"] = unmeasured
    if ACCUSED in labels:
        made.update(_flat(labels[ACCUSED]))
    return made


def _limit(
    label: str, column: int, budget: float, found: Bound, at: float | None, known: Answered
) -> dict[str, Any]:
    others, own = known.others(label, column), known.own(label, column)
    likeliest = known.chances[known.labels == label].argmax(axis=1) == column
    wrongly = reached(others, at)
    return {
        "from": at,
        "from_known": found.at,
        "budget": budget,
        "promised": found.promised,
        "n_others": found.n,
        "wrongly": wrongly,
        "upper_95": upper_bound(wrongly, found.n),
        "n": len(own),
        "recall": reached(own[likeliest], at) / len(own) if len(own) else None,
        "can_promise": least_share(found.n),
        "needed": fewest(budget),
        "more": max(0, fewest(budget) - found.n),
    }


def _flat(limit: Limit) -> dict[str, Any]:
    names = {"accuse": "from", "n_real": "n_others", "false_accusations": "wrongly", "n_ai": "n"}
    same = ("budget", "upper_95", "recall", "promised")
    return {**{to: limit[of] for to, of in names.items()}, **{name: limit[name] for name in same}}


def judged(
    task: Task,
    card: Mapping[str, Any],
    chances: Mapping[str, float],
    held: Mapping[str, float | None] | None = None,
    *,
    classes: Sequence[str] | None = None,
    corrected: bool = False,
) -> tuple[str, list[str]]:
    """What is answered to probabilities, and the reasons. Pure.

    Parameters
    ----------
    task
        The task asked.
    card
        Of the version that answers; empty where only what was taught does.
    chances
        By canonical label.
    held
        By label whose promise corrections broke, the score that it is said from instead, as of
        `held_to`; None: nothing was corrected.
    classes
        Of the head that was asked; None: those of the card.
    corrected
        Whether corrections reach pictures that nobody corrected.
    """
    best = max(chances, key=lambda label: chances[label])
    limit = limits_of(task, card).get(best)
    reasons: list[str] = []

    def canonical(label: str) -> str:
        return task.variants.get(label, label)

    if limit is not None:
        if (forms := forms_of(task, classes or card.get("labels", ())).get(best)) is not None:
            return UNSURE, [_grown(best, forms)]
        at = limit["from"]
        moved = [score for label, score in (held or {}).items() if canonical(label) == best]
        for score in moved:
            at = stricter_of(at, score)
        if moved:
            reasons.append(_loosened(best, at))
        elif corrected and limit["promised"]:
            reasons.append(BEFORE_CORRECTIONS)
        if at is None or chances[best] < at:
            return UNSURE, [_held_back(task, best, limit, at), *reasons]
        reasons[:0] = _rests_on(task, best, limit)
    least = task.settings.get("unsure_below")
    if least is not None and chances[best] < least:
        return UNSURE, [f"Below {least:.0%} this task stays unsure."]
    return best, reasons


def rates_as_taught(settings: Settings) -> dict[str, float | None]:
    """As `rates_of` of authenticity, where only examples answer; None: beyond those is enough.

    `real` has no share unless one was set for it: it accuses nobody, and by few examples hardly
    any picture would be called so.
    """
    return {ACCUSED: settings.max_false_accusation, CLEARED: settings.max_false_clearance}


def judged_as_taught(
    task: Task,
    chances: Mapping[str, float],
    beyond: Mapping[str, Beyond] = NOT_TRIED,
    rates: Mapping[str, float | None] = NOT_LIMITED,
) -> tuple[str, list[str]]:
    """What is answered where only corrections taught, and the reasons: nothing is promised.

    Parameters
    ----------
    task
        The task asked.
    chances
        By canonical label.
    beyond
        By canonical label, what the examples of other labels were given of it.
    rates
        By label, the share of pictures of others that it may be said of, as of
        `rates_as_taught`; the task's own come first. Labels without one are said as soon as
        they are the likeliest.
    """
    prediction, reasons = judged(task, {}, chances)
    best = max(chances, key=lambda label: chances[label])
    if len(chances) == 2 and chances[best] < NEARLY_EVEN:
        prediction = UNSURE
        reasons.append(f"{' and '.join(chances)} are nearly even, so it stays unsure.")
    limits: dict[str, float | None] = {}
    for label, rate in {**rates, **task.settings.get("max_false", {})}.items():
        limits[task.variants.get(label, label)] = rate
    if best in limits:
        others = beyond.get(best, Beyond())
        if not others.enough or chances[best] <= others.at(limits[best]):
            prediction = UNSURE
            reasons.append(_not_beyond(task, best, others, limits[best]))
    if task.kind is TaskKind.AUTHENTICITY or task.settings.get("max_false"):
        reasons.append("How rarely it is wrong is promised only by a version: train one.")
    return prediction, reasons


def _not_beyond(task: Task, label: str, beyond: Beyond, budget: float | None) -> str:
    """Why a label is not said that only examples stand for."""
    others = others_of(task.labels, label)
    if not beyond.enough:
        return (
            f"Before {label} is said of a picture, it takes {FEWEST_OTHERS} or more {others}: "
            f"send them with their `label` to /tasks/{task.name}/train. It stays unsure."
        )
    aimed = "" if budget is None else f", and so far that about {share(budget)} of them would be"
    return (
        f"{label} is said only beyond {percent(beyond.at(budget))}: beyond what each of "
        f"{len(beyond.others)} taught {others} got as if it had not been shown{aimed}. "
        "It stays unsure; more examples move that."
    )


def limits_of(task: Task, card: Mapping[str, Any]) -> dict[str, Limit]:
    """What holds for each label of a version, by canonical label."""
    found: dict[str, Limit] = {}
    for label, limit in limits_on(card).items():
        canonical = task.variants.get(label, label)
        rival = found.get(canonical)
        if rival is None or stricter_of(rival["from"], limit["from"]) == limit["from"]:
            found[canonical] = limit
    return found


def limits_on(card: Mapping[str, Any]) -> Mapping[str, Limit]:
    """What holds for each label of a version, by its own names."""
    thresholds = card.get("thresholds") or {}
    labels: Mapping[str, Limit] = thresholds.get("labels") or _of_old_card(thresholds)
    return labels


def forms_of(task: Task, classes: Sequence[str]) -> dict[str, list[str]]:
    """The labels that several classes of a head count as by now, with these.

    Limits were found for each class by itself, and say nothing of sums.
    """
    found: dict[str, list[str]] = {}
    for name in classes:
        found.setdefault(task.variants.get(name, name), []).append(name)
    return {label: forms for label, forms in found.items() if len(forms) > 1}


def _of_old_card(thresholds: Mapping[str, Any]) -> dict[str, Limit]:
    """Of cards from before labels had promises, which kept the budget on their own pictures."""
    if "accuse" not in thresholds:
        return {}
    n, needed = thresholds["n_real"], fewest(thresholds["budget"])
    return {
        ACCUSED: {
            "from": thresholds["accuse"],
            "budget": thresholds["budget"],
            "promised": n >= needed,
            "n_others": n,
            "more": max(0, needed - n),
            "needed": needed,
        }
    }


def others_of(labels: Sequence[str], label: str) -> str:
    """How pictures without a label are called: by the other label where there is one."""
    rest = [one for one in labels if one != label]
    return f"{rest[0]} pictures" if len(rest) == 1 else "pictures of other labels"


def _held_back(task: Task, label: str, limit: Limit, at: float | None) -> str:
    """Why a label is not said."""
    n, others = limit["n_others"], others_of(task.labels, label)
    kept = f"at most {share(limit['budget'])} of {others} are called {label}"
    if at is None:
        return f"No score makes sure that {kept}, so it stays unsure."
    raised = raised_by(limit)
    if limit["promised"] and raised:
        return (
            f"{label} is said only from {percent(at)} on. From {percent(limit['from_known'])} on "
            f"{kept} (with 95 % confidence, by {n} that were not trained on); {raised}: it "
            "stays unsure."
        )
    if limit["promised"]:
        return (
            f"{label} is said only from {percent(at)} on, so that {kept} (with 95 % confidence, "
            f"by {n} that were not trained on): it stays unsure."
        )
    return (
        f"{n} {others} are too few to promise that {kept}: {limit['needed']} are needed. So "
        f"{label} is said only from {percent(at)} on, beyond all of them"
        f"{f'; {raised}' if raised else ''}: it stays unsure."
    )


def raised_by(limit: Limit) -> str:
    """Whose sake a score is higher for than known pictures ask; empty where it is not."""
    known, at = limit.get("from_known"), limit["from"]
    elsewhere = limit.get("unseen_sources")
    if not elsewhere or known is None or at is None or at <= known:
        return ""
    return (
        f"the higher score is what pictures of sources left out ask for, {elsewhere['n_others']} "
        f"without the label from {elsewhere['sources']} sources"
    )


def _grown(label: str, forms: Sequence[str]) -> str:
    """Why a label that several became is not said."""
    return (
        f"{' and '.join(forms)} count as {label} since this version was trained, and nothing was "
        f"promised of them together: {label} stays unsure until the next training."
    )


def _rests_on(task: Task, label: str, limit: Limit) -> list[str]:
    """What a label that is said rests on, where it is less than a promise."""
    others, said = others_of(task.labels, label), []
    if not limit["promised"]:
        said.append(
            f"That at most {share(limit['budget'])} of {others} are called {label} is not "
            f"promised: it takes {limit['more']} more of them than the {limit['n_others']} known."
        )
    elsewhere = limit.get("unseen_sources")
    if elsewhere and elsewhere["wrongly"]:
        said.append(
            f"On sources left out, {elsewhere['wrongly']} of {elsewhere['n_others']} {others} "
            f"were called {label}."
        )
    return said


def _loosened(label: str, at: float | None) -> str:
    beyond = "never" if at is None else f"only from {percent(at)} on"
    return (
        f"Corrections since have moved what {label} rests on, so that what was promised of it is "
        f"kept no more: it is said {beyond} until the next training."
    )


def share(value: float) -> str:
    """Such as 1%, 0.5%."""
    return f"{100 * value:.3g}%"


def percent(score: float) -> str:
    """A score that is not rounded down to less than it is, nor up to certainty."""
    digits = 0 if score <= 0.99 else 2 if score <= 0.9999 else 4
    return f"{np.ceil(round(100 * score * 10**digits, 6)) / 10**digits:.{digits}f}%"
