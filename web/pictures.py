"""The pictures the service keeps: shown, erased."""

from __future__ import annotations

from dataclasses import asdict

from flask import Response, request

from domain import NotFound
from feedback import erase
from web.answers import answer
from web.context import current_engine
from web.payloads.archives import ErasedBody
from web.queries import SHA256

MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
)
UNKNOWN = "application/octet-stream"
AVIF_BRANDS = (b"avif", b"avis")


def show_picture(sha256: str) -> Response:
    """A picture's file, as it came."""
    data = current_engine().store.blobs.get(_checked(sha256))
    response = Response(data, mimetype=content_type(data))
    response.headers["Cache-Control"] = "private, no-cache"  # what is erased is gone everywhere
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.set_etag(sha256)
    return response.make_conditional(request)  # type: ignore[return-value] # of ours, ours


def content_type(data: bytes) -> str:
    """The content type of a file that was decoded once, by its first bytes."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        brands = data[8 : int.from_bytes(data[:4], "big")]
        is_avif = any(brands[i : i + 4] in AVIF_BRANDS for i in range(0, len(brands), 4))
        return "image/avif" if is_avif else "image/heic"
    return next((kind for magic, kind in MAGIC if data.startswith(magic)), UNKNOWN)


def erase_picture(sha256: str) -> Response:
    """Erase a picture from everything: file, vectors, samples, what was said of it, verdicts.

    What was learned from it is forgotten at once, in every task and every archive. Model versions
    trained while it was there are named: they are rid of it when they are trained anew.
    """
    return answer(ErasedBody.model_validate(asdict(erase(current_engine(), _checked(sha256)))))


def _checked(sha256: str) -> str:
    if not SHA256.fullmatch(sha256):
        raise NotFound("There is no picture of that sha256.")
    return sha256
