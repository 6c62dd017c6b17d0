"""What a file itself says about its origin. Reads headers; never decodes, never goes online."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from domain import Evidence
from provenance.apart import reader
from provenance.containers import find_parts
from provenance.metadata import gather, manifest_address, read_metadata
from provenance.sources import AI as AI
from provenance.sources import REAL as REAL
from provenance.sources import is_captured, is_generated

UNREAD = "unread"
"""The status of credentials that are there but took too long: another time may do."""
KINDS = ("c2pa", "generator", "label", "iptc", "camera", "edited", "delivered", "credit")
"""Of evidence, the strongest first."""
HOLDS = ("valid", "untrusted_issuer", "expired")
"""Nothing was changed since it was signed; only `valid` also tells who signed it."""
STRIPPING = "easy: most sites and programs remove it, and a picture without it looks like any other"
FORGING = {
    "valid": "hard: it takes the key of a signer who is trusted",
    "untrusted_issuer": "easy: anybody can sign with a certificate of their own making",
    "expired": "possible: nothing shows that the certificate was valid when it was used",
}
SIGNED_BY = {
    "valid": "signed by {issuer}, who is trusted",
    "untrusted_issuer": "signed by {issuer}, whose certificate is not on a list of trusted ones",
    "expired": "signed by {issuer}, whose certificate has expired, at a time nobody vouches for",
}
FAILED = {
    "tampered": "The file was changed after its content credentials were signed: they do not hold.",
    "invalid": "The file's content credentials do not hold.",
    "unreadable": "The file has content credentials that cannot be read.",
    UNREAD: "The file has content credentials that were not read.",
}


def collect(
    data: bytes, *, anchors: Path | None = None, wait: float | None = None
) -> tuple[Evidence, ...]:
    """Everything that a file says about its origin.

    Parameters
    ----------
    data
        The file as it came, of any format. Broken and hostile ones yield what is whole.
    anchors
        A file of certificates (PEM) whose C2PA signatures are trusted; without one, whatever
        holds is `untrusted_issuer`.
    wait
        Seconds to wait while the credentials of other files are read; when left out, the few
        that reading this one may take include them.

    Returns
    -------
    tuple[Evidence, ...]
        In the order of `KINDS`. `detail` tells how easily each is forged and stripped (`forging`,
        `stripping`), and which labels it rules out, if any (`contradicts`).
    """
    parts = find_parts(data)
    said = gather(parts)
    found = list(read_metadata(said))
    if parts.credentials:
        found.insert(0, _signed(reader(anchors).ask(data, parts.format, wait=wait)))
    elif address := manifest_address(said):
        claim = "The file says that its content credentials are on the web; they were not fetched."
        found.insert(0, Evidence("c2pa", claim, "elsewhere", None, {"address": address}))
    return tuple(found)


def contradiction(evidence: Iterable[Evidence], label: str) -> Evidence | None:
    """The first piece of evidence that rules a label (`ai`, `real`) out, if any does.

    Only what is not there by chance counts. That a generator was at work does, signed or not:
    nobody gains by writing it into a photograph. That a camera was does only when a trusted
    signer says so: anybody can write a camera's name into any picture.
    """
    for piece in evidence:
        if label in piece.detail.get("contradicts", ()):
            return piece
    return None


def _signed(said: Mapping[str, Any]) -> Evidence:
    status = str(said["status"])
    detail = {key: value for key, value in said.items() if key != "status" and value}
    detail["stripping"] = STRIPPING
    if status not in HOLDS:
        return Evidence("c2pa", FAILED[status], status, None, detail)
    known = status != "expired" or said.get("trusted")
    detail["forging"] = FORGING[status if known else "untrusted_issuer"]
    word, partly = str(said["source_type"]), bool(said["partly"])
    points_to: str | None = None
    if is_generated(word):
        claim, points_to, detail["contradicts"] = "a generative model made the picture", AI, [REAL]
    elif partly:
        claim, detail["contradicts"] = "a generative model made parts of the picture", [REAL]
    elif is_captured(word):
        claim, points_to = "the picture was taken with a camera", REAL
        if status == "valid":
            detail["contradicts"] = [AI]
    else:
        claim = f"its source type is {word}" if word else "nothing of what the picture began as"
    by = SIGNED_BY[status].format(issuer=said["issuer"] or "somebody")
    return Evidence("c2pa", f"Content credentials, {by}, say: {claim}.", status, points_to, detail)
