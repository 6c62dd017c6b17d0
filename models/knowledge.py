"""What is known of a task: its version and its live corrections, folded into what answers."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from types import MappingProxyType
from typing import Any

from domain import Correction, Golden, ModelVersion, Task, TaskKind
from models import Head
from models.adjusted import Adjusted, adjust, golden_right
from models.admission import Admission, Teaching
from models.beyond import Beyond, beyond_examples
from models.current import Answer
from models.held import held_to
from models.memory import Match, Memory
from models.near import NearRule, fit_rule
from models.products import MOST, Products
from models.promise import BEFORE_CORRECTIONS, forms_of, limits_of
from models.shelf import NOTHING, Fresh, Rows, Shelf
from models.standing import Canonical, Opinion, Standing, heard
from models.support import Support
from models.taught import Shown, Statistics

REPLACES_DEMO = 5
"""Examples of each of two labels from which on what was taught answers instead of the demo."""
RULE_PICTURES = 512
GROUP = 256
"""Pictures whose vectors and copies' vectors are in memory together."""

Rates = Mapping[str, float | None]
NO_RATES: Rates = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Knowledge:
    """All that decides an answer of one task at one moment; never changes.

    Attributes
    ----------
    version
        The version that answers; None when only what was taught does, or nothing can.
    head
        What answers: the version's head, that head adjusted, or the taught one.
    problem
        Why the current version does not answer.
    standing
        The corrections that count.
    opinions
        By sha256, what people say of a picture; without votes that golden pictures overrule.
    memory, rule
        The corrected pictures by what they look like, and how alike is alike enough.
    taught
        How many pictures of each label `head` learned from beside its version.
    words, wordless
        The share of the labels' words in what answers, in [0, 1]; why they have none though
        the embedder reads texts.
    canonical
        Labels that stand for others.
    rates
        By label, the share of pictures of others that may be given it where no version answers;
        None: none of those that taught it.
    """

    version: ModelVersion | None = None
    head: Head | None = None
    problem: str | None = None
    standing: Standing = field(default_factory=Standing)
    opinions: Mapping[str, Opinion] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    rule: NearRule = field(default_factory=NearRule)
    taught: Mapping[str, int] = field(default_factory=dict)
    support: Support | None = None
    words: float = 0.0
    wordless: str | None = None
    canonical: Canonical = field(default_factory=dict)
    rates: Rates = field(default_factory=dict)

    @cached_property
    def golden(self) -> Golden | None:
        """How the head does on its version's frozen held-out pictures."""
        if self.version is None or self.head is None or self.support is None:
            return None
        return Golden(*golden_right(self.head, self.support))

    @cached_property
    def corrections_sha256(self) -> str:
        """Of the corrections that count: the sha256 of their ids, in order, one a line."""
        return hashlib.sha256("\n".join(self.standing.live).encode()).hexdigest()

    @cached_property
    def held(self) -> Mapping[str, float | None]:
        """By label whose promise corrections broke, the score that it is said from instead."""
        if self.version is None or self.support is None or not isinstance(self.head, Adjusted):
            return {}
        return held_to(self.version.card, self.head, self.support.golden_labels)

    @cached_property
    def beyond(self) -> Mapping[str, Beyond]:
        """By canonical label, what the examples of others were given of it, not shown."""
        return beyond_examples(self.head, self.canonical)

    @property
    def generalises(self) -> bool:
        """Whether what answers is a version and corrections that reach beyond their pictures."""
        return isinstance(self.head, Adjusted) and self.head.generalises

    def promised(self, card: Mapping[str, Any]) -> str | None:
        """What a card promises, and whether that was of the version without its corrections."""
        told: str | None = card.get("promise")
        return f"{told} {BEFORE_CORRECTIONS}" if told and self.generalises else told

    def broken(self, task: Task) -> dict[str, float | None]:
        """By label what is promised no more: `held`, and sums of classes, which are not said."""
        several = forms_of(task, self.version.card.get("labels", ())) if self.version else {}
        limited = limits_of(task, self.version.card) if self.version and several else {}
        return {**self.held, **dict.fromkeys(label for label in several if label in limited)}

    def near(self, phash: int, likeness: Rows | None) -> list[Match]:
        """The remembered pictures that a picture is a copy of, best first."""
        return self.memory.near(phash, likeness, rule=self.rule)


class Fold:
    """The live corrections of a task over one version. One owner: not safe in threads.

    What it gives is a function of the version, its support and the live corrections alone,
    byte for byte, whatever was added and taken back in between: sums are exact.
    """

    def __init__(
        self,
        kind: TaskKind,
        canonical: Canonical,
        shelf: Shelf,
        answer: Answer | None,
        support: Support | None,
        rates: Rates = NO_RATES,
    ) -> None:
        self._kind = kind
        self._rates = rates
        self._canonical = canonical
        self._shelf = shelf
        self._answer = answer
        self._alone = answer is None or answer[0].demo  # the taught head may answer by itself
        self._support = support
        held_to = support is not None and len(support.vectors) > 0
        self._products = Products(answer[1], support) if answer and support and held_to else None
        self._golden = support.golden_pictures if support else {}
        self._golden_memory = _remembered(shelf, list(self._golden))
        self._standing = Standing()
        self._opinions: Mapping[str, Opinion] = {}
        self._admission = Admission(canonical, first_is_free=self._alone)
        self._statistics = Statistics()
        self._used: dict[str, int] = {}  # how many vectors were learned from, by picture
        self._counts: Counter[str] = Counter()
        self._shown: dict[str, Rows] = {}  # of a version's adjustment: (1, dim) by picture
        self._memory = Memory()
        self._rule_of: tuple[str, ...] = ()
        self._near = NearRule.of(kind)

    @property
    def standing(self) -> Standing:
        """The live corrections."""
        return self._standing

    def advance(self, rows: Sequence[Correction]) -> None:
        """Learn more rows of the log."""
        self._move(self._standing.after(rows), self._touched(rows))

    def suppose(
        self,
        rows: Sequence[Correction],
        fresh: Mapping[str, Fresh] = NOTHING,
        problem: str | None = None,
    ) -> Knowledge:
        """What would be known with these rows as well; nothing is learned."""
        before, touched, shelf = self._standing, self._touched(rows), self._shelf
        self._shelf = replace(shelf, fresh=fresh)
        self._move(before.after(rows), touched)
        supposed = self.knowledge(problem)
        self._move(before, touched)
        self._shelf = shelf
        return supposed

    def knowledge(self, problem: str | None = None) -> Knowledge:
        """What is known now."""
        known = Knowledge(
            problem=problem,
            standing=self._standing,
            opinions=self._opinions,
            memory=self._memory,
            rule=self._rule(),
            support=self._support,
            canonical=self._canonical,
            rates=self._rates,
        )
        counts = Counter[str]()
        for label, n in self._counts.items():
            counts[self._canonical.get(label, label)] += n
        if self._taught_answers(counts):
            return replace(known, head=self._statistics.solve(), taught=counts)
        if self._answer is None:
            return replace(known, taught=counts)
        version, head = self._answer
        shown = self._latest()
        if shown and self._products is not None:
            head = adjust(head, self._products.support, shown, self._products)
        return replace(known, version=version, head=head, taught=counts)

    def _taught_answers(self, counts: Mapping[str, int]) -> bool:
        """Whether what was taught answers by itself: there is no version, or only the demo's."""
        if self._answer is None:
            return len(counts) >= 2
        return self._answer[0].demo and sum(n >= REPLACES_DEMO for n in counts.values()) >= 2

    def _touched(self, rows: Iterable[Correction]) -> set[str]:
        """The pictures that rows speak of."""
        live = self._standing.live
        undone = {live[r.undoes].sha256 for r in rows if r.undoes is not None and r.undoes in live}
        return undone | {row.sha256 for row in rows if row.undoes is None and not row.erased}

    def _move(self, standing: Standing, touched: set[str]) -> None:
        """Make it what it would be if these were the live corrections and always had been."""
        opinions = dict(self._opinions)
        for sha256 in touched:
            golden = self._golden_of(sha256, standing.votes(sha256))
            opinion = heard(standing, sha256, golden, self._canonical)
            if opinion is not None:
                opinions[sha256] = opinion
            else:
                opinions.pop(sha256, None)
        self._remember(opinions, touched)
        gone, new = self._admission.move(self._opinions, opinions, touched)
        self._standing, self._opinions = standing, opinions
        self._sum_up(gone, new)
        if self._answer is not None:
            self._look_at_latest()

    def _golden_of(self, sha256: str, votes: Sequence[Correction]) -> Mapping[str, str]:
        """The label that strangers may not contradict here: a golden picture's or its copy's."""
        if sha256 in self._golden or all(vote.trusted for vote in votes):
            return self._golden
        (likeness,) = self._shelf.likenesses([sha256])
        rule = NearRule.of(self._kind)
        found = self._golden_memory.near(votes[-1].phash, likeness, rule=rule, most=1)
        return {sha256: self._golden[found[0].sha256]} if found else {}

    def _remember(self, opinions: Mapping[str, Opinion], touched: set[str]) -> None:
        gone = [sha256 for sha256 in touched if sha256 in self._opinions and sha256 not in opinions]
        new = sorted(s for s in touched if s in opinions and s not in self._opinions)
        memory = self._memory.removed(gone) if gone else self._memory
        if new:
            phashes = [opinions[sha256].vote.phash for sha256 in new]
            memory = memory.added(new, phashes, self._shelf.likenesses(new))
        self._memory = memory

    def _sum_up(self, gone: Sequence[Teaching], new: Sequence[Teaching]) -> None:
        """Keep the sums of the taught head; where a version answers, only count."""
        alone = self._alone
        for one, rows in self._vectors_of([one for one in gone if one.vote.sha256 in self._used]):
            used = self._used.pop(one.vote.sha256)
            self._counts[one.label] -= 1
            if alone:
                self._statistics.remove(_shown(one, rows[:used]))
        for one, rows in self._vectors_of(new):
            self._used[one.vote.sha256] = len(rows)
            self._counts[one.label] += 1
            if alone:
                self._statistics.add(_shown(one, rows))
        self._counts = +self._counts

    def _look_at_latest(self) -> None:
        """Have the vectors of what the version's head is adjusted by."""
        teachings = self._admission.teachings
        latest = list(islice(teachings, max(0, len(teachings) - MOST), None))
        missing = [sha256 for sha256 in latest if sha256 not in self._shown]
        found = self._shown
        if missing:
            own = self._shelf.vectors(missing)
            found = {**found, **{sha256: vector[None] for sha256, vector in own.items()}}
        self._shown = {sha256: found[sha256] for sha256 in latest if sha256 in found}

    def _vectors_of(self, teachings: Sequence[Teaching]) -> Iterator[tuple[Teaching, Rows]]:
        """Those that have vectors, with them."""
        for start in range(0, len(teachings), GROUP):
            group = {one.vote.sha256: one for one in teachings[start : start + GROUP]}
            if self._alone:
                found = self._shelf.shown(list(group))
            else:
                found = {s: one[None] for s, one in self._shelf.vectors(list(group)).items()}
            for sha256, rows in found.items():
                yield group[sha256], rows

    def _latest(self) -> list[Shown]:
        """What the version's head is adjusted by, oldest first."""
        teachings = self._admission.teachings
        return [_shown(teachings[s], vectors) for s, vectors in self._shown.items()]

    def _rule(self) -> NearRule:
        """How alike is alike enough, by the first pictures up to a power of two."""
        teachings = self._admission.teachings
        power = 1 << (len(teachings).bit_length() - 1) if teachings else 0
        pictures = tuple(islice(teachings, min(RULE_PICTURES, power)))
        if pictures != self._rule_of:
            phashes = [teachings[sha256].vote.phash for sha256 in pictures]
            self._near = fit_rule(self._kind, self._shelf.likenesses(pictures), phashes)
            self._rule_of = pictures
        return self._near


def _remembered(shelf: Shelf, sha256s: list[str]) -> Memory:
    """A memory of pictures of the store."""
    if not sha256s:
        return Memory()
    facts = shelf.store.samples.facts(sha256s)
    known = [sha256 for sha256 in sha256s if sha256 in facts]
    return Memory().added(known, [facts[s].phash for s in known], shelf.likenesses(known))


def _shown(one: Teaching, vectors: Rows) -> Shown:
    return Shown(one.vote.id, one.label, one.weight, vectors)
