"""The JSON of a lesson: nouns to documents, and documents, checked field by field, to nouns."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any, NoReturn, Self

from domain import Answer, PictureFacts, TaskKind, Unacceptable, VerdictSource
from exchange.layout import (
    FORMAT,
    MOST_LABELS,
    MOST_ROWS,
    VERSION,
    BadLesson,
    CorrectionRow,
    Manifest,
    SampleRow,
    TaskPart,
)
from storage.labels import clean_label
from storage.task_settings import clean_settings

SHA256 = re.compile(r"[0-9a-f]{64}")
ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
TASK_NAME = re.compile(r"[a-z0-9_-]{1,64}")
LONG = 1_000
"""Characters of a source, a licence, an author, a prompt."""
NOTE = 10_000
PERSON = 128
MOST_PIXELS = 100_000


def parsed(data: bytes, where: str) -> Any:
    """Read JSON of strangers.

    Raises
    ------
    BadLesson
        It is none, or nests too deep.
    """
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise BadLesson(f"{where} is not JSON as a lesson has it.") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


class Fields:
    """A document whose fields are taken out one by one; none may be left over."""

    def __init__(self, document: object, where: str) -> None:
        if not isinstance(document, dict):
            raise BadLesson(f"{where}: expected an object.")
        self._left = dict(document)
        self._where = where

    def bad(self, name: str, expected: str) -> BadLesson:
        """The error that says what was expected of a field."""
        return BadLesson(f"{self._where}, {name}: expected {expected}.", field=name)

    def take(self, name: str) -> Any:
        """A field's value, whatever it is."""
        if name not in self._left:
            raise self.bad(name, "the field to be there")
        return self._left.pop(name)

    def has(self, name: str) -> bool:
        """Whether a field that may be left out is there."""
        return name in self._left

    def text(self, name: str, most: int = LONG, *, least: int = 0) -> str:
        """Text of so many characters."""
        value = self.take(name)
        if not _is_text(value) or not least <= len(value) <= most:
            raise self.bad(name, f"text of {least} to {most} characters")
        return str(value)

    def matching(self, name: str, pattern: re.Pattern[str]) -> str:
        """Text of a form."""
        value = self.take(name)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise self.bad(name, f"text like {pattern.pattern}")
        return value

    def label(self, name: str) -> str:
        """A label in its one form."""
        return _label(self.take(name), self.bad(name, "a label"))

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.take(name)
        if not isinstance(value, bool):
            raise self.bad(name, "true or false")
        return value

    def whole(self, name: str, most: int = MOST_ROWS) -> int:
        """A whole number from 0 on."""
        value = self.take(name)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise self.bad(name, f"a whole number from 0 to {most}")
        return value

    def share(self, name: str) -> float:
        """A number from 0 to 1."""
        value = self.take(name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not 0 <= value <= 1:
            raise self.bad(name, "a number from 0 to 1")
        return float(value)

    def items(self, name: str, most: int) -> list[Any]:
        """A list of at most so many."""
        value = self.take(name)
        if not isinstance(value, list) or len(value) > most:
            raise self.bad(name, f"a list of at most {most}")
        return value

    def pairs(self, name: str, most: int) -> dict[str, Any]:
        """An object of at most so many fields."""
        value = self.take(name)
        if not isinstance(value, dict) or len(value) > most:
            raise self.bad(name, f"an object of at most {most} fields")
        return value

    def inside(self, name: str) -> Self:
        """An object, to be taken apart in turn."""
        return type(self)(self.take(name), f"{self._where}, {name}")

    def end(self) -> None:
        """Refuse what is left over."""
        if self._left:
            name = min(self._left)
            raise BadLesson(f"{self._where}: a lesson of version {VERSION} has no {name[:64]!r}.")


def _is_text(value: object) -> bool:
    """Whether both databases hold it as it is: no NUL, no halves of surrogate pairs."""
    return isinstance(value, str) and "\0" not in value and not re.search(r"[\ud800-\udfff]", value)


def _label(value: object, error: BadLesson) -> str:
    try:
        clean = clean_label(value) if isinstance(value, str) else None
    except Unacceptable:
        clean = None
    if clean is None or clean != value:
        raise error
    return clean


def manifest_document(manifest: Manifest) -> dict[str, Any]:
    """The JSON of a manifest."""
    task = manifest.task
    return {
        "format": FORMAT,
        "version": VERSION,
        "task": {
            "name": task.name,
            "kind": task.kind.value,
            "open": task.open,
            "labels": list(task.labels),
            "prompts": dict(task.prompts),
            "variants": dict(task.variants),
            # only where there are some: an Exposr from before them reads the others
            **({"settings": dict(task.settings)} if task.settings else {}),
        },
        "samples": manifest.samples,
        "corrections": manifest.corrections,
        "pictures": manifest.pictures,
        "vectors": dict(manifest.vectors),
        "chunks": manifest.chunks,
        "created_at": manifest.created_at,
        "service": manifest.service,
    }


def read_manifest(data: bytes) -> Manifest:
    """The manifest that these bytes are.

    Raises
    ------
    BadLesson
        They are none.
    Unacceptable
        It is of a later version.
    """
    fields = Fields(parsed(data, "manifest.json"), "manifest.json")
    if fields.take("format") != FORMAT:
        raise fields.bad("format", FORMAT)
    version = fields.whole("version")
    if version != VERSION:
        raise Unacceptable("version", version, f"{VERSION}; a newer Exposr may read this lesson")
    given = fields.pairs("vectors", 16)
    vectors, ids = Fields(given, "manifest.json, vectors"), list(given)
    if not all(_is_text(name) and 1 <= len(name) <= LONG for name in ids):
        raise fields.bad("vectors", "ids of embedders")
    manifest = Manifest(
        task=_task_part(fields.inside("task")),
        samples=fields.whole("samples"),
        corrections=fields.whole("corrections"),
        pictures=fields.whole("pictures", 2 * MOST_ROWS),
        vectors={name: vectors.whole(name, 2 * MOST_ROWS) for name in ids},
        chunks=fields.whole("chunks", 99_999),
        created_at=fields.text("created_at", 64),
        service=fields.text("service", 64),
    )
    fields.end()
    return manifest


def _task_part(fields: Fields) -> TaskPart:
    name = fields.matching("name", TASK_NAME)
    kind = fields.take("kind")
    if kind not in list(TaskKind):
        raise fields.bad("kind", "one of " + ", ".join(TaskKind))
    is_open = fields.flag("open")
    error = fields.bad("labels", "labels, each once")
    labels = tuple(_label(one, error) for one in fields.items("labels", MOST_LABELS))
    if len(set(labels)) < len(labels):
        raise error
    error = fields.bad("prompts", "a text for each label")
    prompts = fields.pairs("prompts", MOST_LABELS)
    if not all(_is_text(text) and len(text) <= LONG for text in prompts.values()):
        raise error
    prompts = {_label(label, error): text for label, text in prompts.items()}
    error = fields.bad("variants", "forms that are no labels, each of one that is")
    given = fields.pairs("variants", MOST_LABELS)
    variants = {_label(one, error): _label(label, error) for one, label in given.items()}
    if not set(variants.values()) <= set(labels) or set(variants) & set(labels):
        raise error
    settings = _settings(fields, {*labels, *variants}, is_open=is_open)
    fields.end()
    return TaskPart(name, TaskKind(kind), is_open, labels, prompts, variants, settings)


def _settings(fields: Fields, labels: Collection[str], *, is_open: bool) -> dict[str, Any]:
    if not fields.has("settings"):
        return {}
    given = fields.pairs("settings", MOST_LABELS)
    try:
        return clean_settings(given, labels, open=is_open)
    except Unacceptable as error:
        raise fields.bad("settings", f"settings of a task; {error.message}") from None


def sample_document(row: SampleRow) -> dict[str, Any]:
    """The JSON of a sample."""
    return asdict(row)


def read_sample(document: object, where: str) -> SampleRow:
    """The sample that a document is.

    Raises
    ------
    BadLesson
        It is none.
    """
    fields = Fields(document, where)
    row = SampleRow(
        sha256=fields.matching("sha256", SHA256),
        label=fields.label("label"),
        source=fields.text("source"),
        family=fields.text("family", 128),
        license=fields.text("license"),
        author=fields.text("author"),
        page_url=fields.text("page_url", 4 * LONG),
    )
    fields.end()
    return row


def correction_document(row: CorrectionRow) -> dict[str, Any]:
    """The JSON of a correction."""
    document = asdict(row)
    facts = document.pop("facts")
    if facts:
        del facts["sha256"]
    return {**document, "picture": facts}


def read_correction(document: object, where: str) -> CorrectionRow:
    """The correction that a document is.

    Raises
    ------
    BadLesson
        It is none.
    """
    fields = Fields(document, where)
    sha256 = fields.matching("sha256", SHA256)
    variant_of, before, facts = (fields.take(n) for n in ("variant_of", "before", "picture"))
    row = CorrectionRow(
        id=fields.matching("id", ID),
        sha256=sha256,
        label=fields.label("label"),
        person=fields.text("person", PERSON, least=1),
        trusted=fields.flag("trusted"),
        note=fields.text("note", NOTE),
        variant_of=_label(variant_of, fields.bad("variant_of", "a label"))
        if variant_of is not None
        else None,
        created_at=fields.text("created_at", 64),
        before=_answer(Fields(before, f"{where}, before")) if before is not None else None,
        family=fields.text("family", 128),
        facts=_facts(Fields(facts, f"{where}, picture"), sha256) if facts is not None else None,
    )
    fields.end()
    return row


def _answer(fields: Fields) -> Answer:
    prediction = fields.text("prediction", 64, least=1)
    source = fields.take("source")
    if source not in list(VerdictSource):
        raise fields.bad("source", "one of " + ", ".join(VerdictSource))
    answer = Answer(prediction, fields.share("confidence"), VerdictSource(source))
    fields.end()
    return answer


def _facts(fields: Fields, sha256: str) -> PictureFacts:
    facts = PictureFacts(
        sha256=sha256,
        width=fields.whole("width", MOST_PIXELS),
        height=fields.whole("height", MOST_PIXELS),
        format=fields.text("format", 16),
        n_bytes=fields.whole("n_bytes", 2**40),
        phash=fields.whole("phash", 2**64 - 1),
    )
    fields.end()
    return facts


def read_names(data: bytes, where: str) -> tuple[str, list[str]]:
    """The embedder whose vectors a file holds, and the sha256 of each row.

    Raises
    ------
    BadLesson
        That is not what the bytes say.
    """
    fields = Fields(parsed(data, where), where)
    embedder = fields.text("embedder", least=1)
    names = fields.items("sha256", MOST_ROWS)
    if not all(isinstance(name, str) and SHA256.fullmatch(name) for name in names):
        raise fields.bad("sha256", "64 hexadecimal digits each")
    if len(set(names)) < len(names):
        raise fields.bad("sha256", "each picture once")
    fields.end()
    return embedder, names


def names_document(embedder: str, sha256s: list[str]) -> Mapping[str, Any]:
    """The JSON beside a file of vectors."""
    return {"embedder": embedder, "sha256": sha256s}
