"""Labels of a task: what they may be called, how teaching brings them, which stand for others."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from domain import (
    AI,
    OTHER,
    REAL,
    UNSURE,
    Conflict,
    Limited,
    NewCorrection,
    TaskKind,
    TeachLimits,
    Unacceptable,
)
from storage import schema
from storage.live import IS_LIVE, IS_VISIBLE

MAX_LABEL = 64
MAX_SHOWN = 20
RESERVED_LABELS = (UNSURE, OTHER)
"""What a verdict says in the place of a label."""
REFUSED = frozenset({"Cc", "Cs", "Cn", "Zl", "Zp"})
"""Control characters, halves of a broken UTF-16 pair, unassigned ones, line separators.

Joiners and direction marks, which emoji and many scripts need, are of another category.
"""
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Bidirectional embeddings, overrides and isolates: they turn what is written after them."""
UNSEEN = "\u200b\ufeff"
"""Blanks of no width, which copying from a page leaves at the ends."""
ENOUGH_SECONDS = 86_400
"""When to come back with more new labels; by then somebody trusted may have looked."""


def clean_label(text: str, *, field: str = "label") -> str:
    """Bring a label to its one form (NFC, no blanks around it, seen or not).

    Raises
    ------
    Unacceptable
        Empty, too long, nothing to see, with characters that control text or turn it around, or
        a word that verdicts use otherwise.
    """
    label = _trimmed(unicodedata.normalize("NFC", text))
    categories = [unicodedata.category(character) for character in label]
    broken = not REFUSED.isdisjoint(categories) or not TURNING.isdisjoint(label)
    shows = any(category[0] not in "CZ" for category in categories)
    bare = "".join(character for character in label if unicodedata.category(character) != "Cf")
    if broken or not shows or len(label) > MAX_LABEL or bare in RESERVED_LABELS:
        allowed = (
            f"1 to {MAX_LABEL} characters of any script, something to see among them, none that "
            "controls text, turns its direction or is not assigned"
        )
        raise Unacceptable(field, text, f"{allowed}, and not {' or '.join(RESERVED_LABELS)}")
    return label


def _trimmed(text: str) -> str:
    """Without blanks at its ends, in whichever order seen and unseen ones come."""
    while (shorter := text.strip().strip(UNSEEN)) != text:
        text = shorter
    return text


def check_label(labels: Collection[str], label: str, *, field: str = "label") -> None:
    """Refuse what is not one of a task's labels."""
    if label not in labels:
        raise Unacceptable(field, label, one_of(labels))


def one_of(labels: Collection[str]) -> str:
    """Name the labels that would do."""
    shown = sorted(labels)[:MAX_SHOWN]
    more = f" and {len(labels) - MAX_SHOWN} more" if len(labels) > MAX_SHOWN else ""
    return (
        f"one of {', '.join(shown)}{more}" if shown else "no label yet: the task needs some first"
    )


def labels_of(connection: Connection, task_id: int) -> list[str]:
    """What may be written as a label, in the order it came: labels, and variants that were used."""
    labels = schema.labels.c
    found = select(labels.label).where(labels.task_id == task_id, labels.hidden.is_(False))
    return list(connection.execute(found.order_by(labels.position, labels.label)).scalars())


def links_of(connection: Connection, task_id: int) -> dict[str, str]:
    """Each variant of a task and what it was linked to, which may be a variant itself."""
    variants = schema.variants.c
    found = select(variants.variant, variants.label).where(variants.task_id == task_id)
    ordered = connection.execute(found.order_by(variants.variant))
    return {variant: label for variant, label in ordered}


def end_of(links: Mapping[str, str], label: str) -> str:
    """The label that one stands for in the end; itself when it is no variant."""
    while label in links:
        label = links[label]
    return label


def add_label(
    connection: Connection, task_id: int, label: str, *, taught_by: str | None = None
) -> None:
    """Give a task a label it does not have; a hidden one comes last, as if it were new."""
    labels = schema.labels
    here = labels.c.task_id == task_id
    last = connection.execute(select(func.max(labels.c.position)).where(here)).scalar()
    end = 0 if last is None else last + 1
    row = _row(connection, task_id, label)
    if row is None:
        new = {"task_id": task_id, "label": label, "position": end, "taught_by": taught_by}
        connection.execute(insert(labels), new)
        return
    values: dict[str, Any] = {"hidden": False}
    if row.hidden:
        values["position"] = end
    if taught_by is None:
        values["taught_by"] = None
    connection.execute(update(labels).where(here, labels.c.label == label).values(values))


def taught_label(
    connection: Connection, task_id: int, new: NewCorrection, limits: TeachLimits
) -> tuple[str, bool]:
    """The label that a correction gives, after making it one of the task's where that may be.

    Returns
    -------
    tuple[str, bool]
        The label, and whether it has become a variant by this correction.

    Raises
    ------
    Unacceptable
        A bad label, or one that a closed task does not have; `variant_of` is no label.
    Conflict
        It cannot become a variant of that.
    Limited
        This person has brought as many new labels as one who is not trusted may.
    """
    label = clean_label(new.label)
    links = links_of(connection, task_id)
    row = _row(connection, task_id, label)
    linked = False
    if new.variant_of is not None:
        stands_for = clean_label(new.variant_of, field="variant_of")
        check_label(_known(connection, task_id, links), stands_for, field="variant_of")
        in_use = row is not None and not row.hidden and label not in links
        if in_use and label != end_of(links, stands_for) and not new.person.trusted:
            raise Conflict(
                f"{label} is a label of its own; somebody who may do more has to link it to "
                f"{stands_for}",
                label=label,
            )
        linked = link(connection, task_id, links, stands_for, label, taught=True)
        links[label] = stands_for
    if row is not None and not row.hidden:
        return label, linked
    if label not in links and not _is_open(connection, task_id):
        check_label(set(labels_of(connection, task_id)) - links.keys(), label)
    if row is None and not new.person.trusted:
        _check_new_labels(connection, task_id, new.person.name, limits)
    add_label(connection, task_id, label, taught_by=new.person.name)
    return label, linked


def link(
    connection: Connection,
    task_id: int,
    links: Mapping[str, str],
    label: str,
    variant: str,
    *,
    taught: bool = False,
) -> bool:
    """Let a variant count as a label from now on.

    Returns
    -------
    bool
        False when it did already.

    Raises
    ------
    Conflict
        They would stand for one another, the variant stands for something else, or a closed
        task would have less than two labels left.
    """
    if variant in (label, end_of(links, label)):
        raise Conflict(f"{label} is {variant} itself or a variant of it", variant=variant)
    rows = schema.variants
    if variant in links:
        if end_of(links, variant) != end_of(links, label):
            raise Conflict(f"{variant} is a variant of {links[variant]}", variant=variant)
        if not taught:  # what was asked for by itself outlives the corrections that said it
            known = update(rows).where(rows.c.task_id == task_id, rows.c.variant == variant)
            connection.execute(known.values(taught=False))
        return False
    own = set(labels_of(connection, task_id)) - links.keys()
    if variant in own and len(own) <= 2 and not _is_open(connection, task_id):
        raise Conflict(f"without {variant} the task has less than two labels", variant=variant)
    _keep_apart(connection, task_id, {**links, variant: label})
    known_label = label if _row(connection, task_id, label) is not None else links[label]
    row = {"task_id": task_id, "variant": variant, "label": known_label, "taught": taught}
    connection.execute(insert(rows), row)
    return True


def _keep_apart(connection: Connection, task_id: int, links: Mapping[str, str]) -> None:
    """Refuse links by which ai and real would be the same where they are what is asked."""
    if (
        end_of(links, AI) == end_of(links, REAL)
        and _kind(connection, task_id) == TaskKind.AUTHENTICITY
    ):
        raise Conflict(
            f"{AI} and {REAL} would be one label, and this task is there to tell them apart",
            label=end_of(links, AI),
        )


def unlink(connection: Connection, task_id: int, variant: str) -> None:
    """Let a variant stand for itself again.

    Raises
    ------
    Conflict
        It is no variant, or it would be a new label of a closed task.
    """
    rows = schema.variants
    gone = delete(rows).where(rows.c.task_id == task_id, rows.c.variant == variant)
    label = connection.execute(gone.returning(rows.c.label)).scalar()
    if label is None:
        raise Conflict(f"{variant} is no variant of anything", variant=variant)
    settle(connection, task_id, [variant, label])
    row = _row(connection, task_id, variant)
    alone = row is not None and row.taught_by is not None and not row.hidden
    if alone and not _is_open(connection, task_id):
        raise Conflict(
            f"pictures were labelled {variant}, which this task takes only as a variant",
            variant=variant,
        )


def settle(connection: Connection, task_id: int, labels: Iterable[str]) -> bool:
    """After rows of the log were taken back: hide labels, and undo links, that rested on them.

    Returns
    -------
    bool
        Whether a link is gone.
    """
    waiting = list(labels)
    unlinked = False
    while waiting:
        label = waiting.pop()
        stood_for = _undo_link(connection, task_id, label)
        if stood_for is not None:
            waiting.append(stood_for)
            unlinked = True
        _hide_or_show(connection, task_id, label)
    return unlinked


def _undo_link(connection: Connection, task_id: int, variant: str) -> str | None:
    rows, log = schema.variants, schema.corrections
    labels, tasks = schema.labels.c, schema.tasks.c
    said = exists().where(
        log.c.task_id == task_id, log.c.label == variant, log.c.variant_of.is_not(None), IS_LIVE
    )
    # somebody used it without saying again what it is a variant of, and alone it cannot be
    needed = _in_use(task_id, variant) & exists().where(
        tasks.id == task_id,
        tasks.open.is_(False),
        labels.task_id == tasks.id,
        labels.label == variant,
        labels.taught_by.is_not(None),
    )
    gone = delete(rows).where(
        rows.c.task_id == task_id,
        rows.c.variant == variant,
        rows.c.taught.is_(True),
        ~(said | needed),
    )
    label: str | None = connection.execute(gone.returning(rows.c.label)).scalar()
    return label


def _hide_or_show(connection: Connection, task_id: int, label: str) -> None:
    labels, variants = schema.labels, schema.variants.c
    in_use = _in_use(task_id, label) | exists().where(
        variants.task_id == task_id, variants.label == label
    )
    taught = update(labels).where(
        labels.c.task_id == task_id, labels.c.label == label, labels.c.taught_by.is_not(None)
    )
    connection.execute(taught.values(hidden=~in_use))


def _in_use(task_id: int, label: str) -> ColumnElement[bool]:
    """Whether a live correction or a sample has a label."""
    samples, log = schema.samples.c, schema.corrections.c
    return or_(
        exists().where(log.task_id == task_id, log.label == label, IS_LIVE),
        exists().where(samples.task_id == task_id, samples.label == label, IS_VISIBLE),
    )


def _row(connection: Connection, task_id: int, label: str) -> Row[str | None, bool] | None:
    labels = schema.labels.c
    found = select(labels.taught_by, labels.hidden)
    return connection.execute(
        found.where(labels.task_id == task_id, labels.label == label)
    ).one_or_none()


def _known(connection: Connection, task_id: int, links: Mapping[str, str]) -> set[str]:
    return {*labels_of(connection, task_id), *links}


def _kind(connection: Connection, task_id: int) -> str:
    found = select(schema.tasks.c.kind).where(schema.tasks.c.id == task_id)
    return str(connection.execute(found).scalar_one())


def _is_open(connection: Connection, task_id: int) -> bool:
    found = select(schema.tasks.c.open).where(schema.tasks.c.id == task_id)
    return bool(connection.execute(found).scalar_one())


def _check_new_labels(
    connection: Connection, task_id: int, person: str, limits: TeachLimits
) -> None:
    labels = schema.labels.c
    # hidden ones as well: else teaching and taking back would bring any number
    brought = select(func.count()).where(labels.task_id == task_id, labels.taught_by == person)
    n = connection.execute(brought).scalar_one()
    if n >= limits.new_labels:
        raise Limited(
            f"{person} has brought {n} new labels; more need somebody who may do more",
            retry_after=ENOUGH_SECONDS,
            new_labels=n,
        )
