"""Lessons out and in: all that a task knows, as one file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, BinaryIO, cast

from flask import Response, request, send_file
from werkzeug.exceptions import RequestEntityTooLarge

from domain import DEFAULT_TASK, Malformed
from lessons import export_lesson, import_lesson
from web.answers import answer
from web.bodies import ENVELOPE_BYTES, MOST_FIELDS, read_body
from web.context import current_engine, current_person
from web.errors import UnsupportedMedia
from web.multipart import CHUNK, parts, text_fields
from web.payloads.lessons import imported_body
from web.queries import choice, flag
from web.tasks import known_task, task_name

ZIP = "application/zip"
RAW = (ZIP, "application/x-zip-compressed", "application/octet-stream")
ON_CONFLICT = ("keep", "theirs")


def export_data(task: str = DEFAULT_TASK) -> Response:
    """All that a task knows as a zip: pictures, labels, variants, corrections, vectors, card."""
    known_task(task)
    engine = current_engine()
    # beside the pictures, where there is room for pictures; it has no name, so nothing is left
    file = tempfile.TemporaryFile(dir=engine.settings.data_dir)
    try:
        export_lesson(engine, task, cast(BinaryIO, file))
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    name = f"exposr-{task}-{datetime.now(UTC):%Y-%m-%d}.zip"
    response = send_file(file, ZIP, as_attachment=True, download_name=name, conditional=False)
    response.content_length = size
    response.headers["Cache-Control"] = "no-store"
    return response


def import_data(task: str | None = None) -> Response:
    """Take in a lesson: what is new is added, the same again changes nothing.

    It comes as a multipart part `archive` or as a raw body, `application/zip`. Under a task it is
    that task's; at the root it is that of the task the lesson names, which is made where there is
    none. `on_conflict`: whether a picture labelled otherwise here keeps its label or gets theirs.
    With `dry_run` nothing is taken in; the answer shows what would be.
    """
    name = None if task is None else task_name(task)
    with _archive() as (file, fields):
        wanted = choice("on_conflict", fields.get("on_conflict", "keep"), ON_CONFLICT)
        imported = import_lesson(
            current_engine(),
            name,
            cast(BinaryIO, file),
            current_person(),
            dry_run=flag("dry_run", fields.get("dry_run", "")),
            on_conflict="theirs" if wanted == "theirs" else "keep",
        )
    return answer(imported_body(imported))


@contextmanager
def _archive() -> Iterator[tuple[IO[bytes], Mapping[str, str]]]:
    """The file of this request, on the disk, and what is asked beside it."""
    settings = current_engine().settings
    request.max_content_length = settings.max_lesson_bytes + ENVELOPE_BYTES
    asked = {key: request.args[key] for key in ("dry_run", "on_conflict") if key in request.args}
    if request.mimetype == "multipart/form-data":
        with parts(read_body, most=MOST_FIELDS, folder=str(settings.data_dir)) as found:
            archives = [part for part in found if part.name == "archive"]
            if len(archives) != 1 or archives[0].filename is None:
                raise Malformed("Send one part named `archive`, as a file.")
            texts = text_fields(part for part in found if part.name != "archive")
            archives[0].file.seek(0)
            yield archives[0].file, {**texts, **asked}
    elif request.mimetype in RAW:
        with tempfile.TemporaryFile(dir=settings.data_dir) as file:
            _spool(file, settings.max_lesson_bytes)
            yield file, asked
    else:
        raise UnsupportedMedia(
            f"Content-Type: got {request.mimetype or 'none'!r}, allowed: multipart/form-data with "
            f"a part `archive`, or {ZIP}"
        )


def _spool(file: IO[bytes], most: int) -> None:
    """Bring the body to the disk, in pieces."""
    size = 0
    while chunk := read_body(CHUNK):
        size += len(chunk)
        if size > most:  # a chunked body does not say beforehand
            raise RequestEntityTooLarge
        file.write(chunk)
    file.seek(0)
