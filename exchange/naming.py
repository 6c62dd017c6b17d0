"""The task a lesson is for: made where there is none, given the labels and variants it lacks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from domain import Conflict, Task, Unacceptable
from exchange.differing import Here
from exchange.layout import TaskPart
from exchange.report import Tally
from storage import Store


@dataclass(frozen=True, slots=True)
class Naming:
    """What a task lacks for a lesson.

    Attributes
    ----------
    task
        The task as it will be.
    labels
        Those to be added.
    variants
        Those to be linked, each with its label.
    contradicted
        Variants of the lesson that stand for something else here, and how.
    """

    task: Task
    labels: tuple[str, ...]
    variants: Mapping[str, str]
    contradicted: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, part: TaskPart, here: Here, used: Collection[str]) -> Naming:
        """Compare what a lesson says of its task with the task here.

        Parameters
        ----------
        name
            The task's name here.
        part
            What the lesson says of it.
        here
            What it holds.
        used
            The labels, variants among them, that rows of the lesson have.

        Raises
        ------
        Unacceptable
            It is of another kind here, or closed and without a label that the lesson uses.
        """
        task = here.task
        if task is None:
            now = datetime.now(UTC)
            made = Task(0, name, part.kind, part.labels, part.open, now, part.prompts)
            made = replace(made, variants=part.variants, settings=part.settings)
            return cls(made, part.labels, part.variants)
        if task.kind is not part.kind:
            raise Unacceptable("kind", part.kind.value, f"{task.kind}, as the task {name} is")
        labels = _missing(part, task, used)
        variants, contradicted = _unlinked(part, here, {*task.labels, *labels, *task.variants})
        ends = {one: task.variants.get(label, label) for one, label in variants.items()}
        own = [one for one in (*task.labels, *labels) if one not in variants]
        later = replace(task, labels=tuple(own), variants={**task.variants, **ends})
        return cls(later, labels, variants, contradicted)


def _missing(part: TaskPart, task: Task, used: Collection[str]) -> tuple[str, ...]:
    known = {*task.labels, *task.variants}
    new = tuple(label for label in part.labels if label not in known)
    if task.open:
        return new
    meant = {part.variants.get(label, label) for label in used}
    foreign = [label for label in new if label in meant]
    if foreign:
        raise Unacceptable("labels", ", ".join(foreign), " or ".join(task.labels))
    return ()


def _unlinked(
    part: TaskPart, here: Here, known: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Variants to be linked, and those that contradict what is here."""
    task = here.task
    if task is None:
        raise AssertionError("a task that is not there yet has nothing to compare")
    new, contradicted = {}, {}
    for variant, label in part.variants.items():
        if variant in task.variants:
            ours = task.variants[variant]
            if ours != task.variants.get(label, label):
                contradicted[variant] = f"{variant} is a variant of {ours} here, not of {label}."
        elif variant in task.labels and variant in here.labels_with_examples:
            contradicted[variant] = f"{variant} is a label of its own here, with examples."
        elif label in known:  # else nothing in the lesson uses it
            new[variant] = label
    return new, contradicted


def prepare(
    store: Store, naming: Naming, here: Here, sampled: Collection[str], tally: Tally
) -> Naming:
    """Make the task, or give it what it lacks; again and again does no harm.

    Parameters
    ----------
    store
        Where the task is.
    naming
        What it lacks.
    here
        What it holds.
    sampled
        The labels of the lesson's samples: of these, variants must have been labels once.
    tally
        Told of links that are refused after all.

    Returns
    -------
    Naming
        With the task as it is now.
    """
    task = naming.task
    as_labels = sorted(naming.variants.keys() & set(sampled))
    if here.task is None:
        labels = [*naming.labels, *as_labels]
        store.tasks.create(task.name, task.kind, labels, open=task.open, prompts=task.prompts)
    else:
        for label in (*naming.labels, *(as_labels if task.open else ())):
            store.tasks.add_label(task.name, label)
    contradicted = dict(naming.contradicted)
    for variant, label in naming.variants.items():
        try:
            store.tasks.link(task.name, label, variant)
        except Conflict as error:  # a closed task would have too few labels left
            contradicted[variant] = error.message
            tally.refuse(f"variant {variant}", "contradiction", error.message)
    if here.task is None and task.settings:
        store.tasks.settle(task.name, task.settings)  # they may name what was linked just now
    return replace(naming, task=store.tasks.get(task.name), contradicted=contradicted)
