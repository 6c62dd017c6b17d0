"""The parts of a multipart body, in the order they came: files and text together."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from domain import Malformed, Unacceptable
from web.errors import TooLarge

CHUNK = 64 * 1024
IN_MEMORY = 1024 * 1024
"""Bytes of one part kept in memory; what is longer waits in a temporary file."""
LONGEST_BOUNDARY = 200
"""RFC 2046, 5.1.1, allows 70; there are clients that send a few more."""
BOUNDARY_END = 4
"""What may follow a boundary: two hyphens and a line break."""
LONGEST_TEXT = 16 * 1024
"""Bytes of a text field; each has a narrower limit of its own further in."""
HEADERS = 512 * 1024
"""Bytes the decoder may hold back while it looks for the end of a part's headers."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `filename` is None for a text field."""

    name: str
    filename: str | None
    file: IO[bytes]

    def read(self, most: int = -1) -> bytes:
        """The content, or so many bytes of it."""
        self.file.seek(0)
        return self.file.read(most)


@contextmanager
def parts(
    read: Callable[[int], bytes], *, most: int, folder: str | None = None
) -> Iterator[list[Part]]:
    """Read this request's multipart body by `read`; its files are gone when the block ends.

    Parameters
    ----------
    read
        Gives so many more bytes of the body, none at its end.
    most
        Parts that are accepted.
    folder
        Where long parts wait; the system's own folder for such things when left out.

    Raises
    ------
    Malformed
        The body is not what its header says.
    TooLarge
        More than `most` parts.
    RequestEntityTooLarge
        More bytes than the request may have.
    """
    boundary = request.mimetype_params.get("boundary", "").encode("latin-1", "replace")
    if not 1 <= len(boundary) <= LONGEST_BOUNDARY:
        raise Malformed("The Content-Type of a multipart body names its boundary.")
    decoder = MultipartDecoder(boundary, HEADERS, max_parts=most)
    found: list[Part] = []
    try:
        try:
            _fill(found, decoder, _chunks(read, boundary), folder)
        except ValueError as error:
            raise Malformed(f"The multipart body cannot be read: {error}") from None
        except RequestEntityTooLarge:
            if len(found) < most:
                raise
            raise TooLarge(f"More than {most} parts.", allowed=most) from None
        yield found
    finally:
        for part in found:
            part.file.close()


def _fill(
    found: list[Part], decoder: MultipartDecoder, chunks: Iterable[bytes], folder: str | None
) -> None:
    for chunk in chunks:
        decoder.receive_data(chunk or None)
        event = decoder.next_event()
        while not isinstance(event, NeedData | Epilogue):
            if isinstance(event, Field | File):
                found.append(_start(event, folder))
            elif isinstance(event, Data):
                found[-1].file.write(event.data)
            event = decoder.next_event()


def _chunks(read: Callable[[int], bytes], boundary: bytes) -> Iterator[bytes]:
    """The body in pieces, the last one empty; none ends between a boundary and what follows it.

    The decoder takes the line break before such a boundary for a byte of the part.
    """
    reach = len(boundary) + BOUNDARY_END
    while chunk := _exactly(read, CHUNK):
        while boundary in chunk[-reach:] and (more := _exactly(read, reach)):
            chunk += more
        yield chunk
    yield b""


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    """As many bytes, however few come at a time; fewer only at the end."""
    data = b""
    while len(data) < size and (more := read(size - len(data))):
        data += more
    return data


def _start(event: Field | File, folder: str | None) -> Part:
    filename = event.filename if isinstance(event, File) else None
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, dir=folder)
    return Part(event.name or "", filename, file)


def text_fields(found: Iterable[Part]) -> dict[str, str]:
    """What the parts of a form say as text, by name.

    Raises
    ------
    Malformed
        One is a file, is there twice, or is not UTF-8.
    Unacceptable
        One is longer than any text here is.
    """
    texts: dict[str, str] = {}
    for part in found:
        name = part.name
        if part.filename is not None:
            raise Malformed(f"The part {name!r} is a file; send it as text, without a filename.")
        if name in texts:
            raise Malformed(f"There are several parts named {name!r}.")
        data = part.read(LONGEST_TEXT + 1)
        if len(data) > LONGEST_TEXT:
            raise Unacceptable(name, f"over {LONGEST_TEXT} bytes", f"up to {LONGEST_TEXT} bytes")
        try:
            texts[name] = data.decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed(f"The part {name!r} is not UTF-8.") from None
    return texts
