"""One listed picture: fetched and read, or why not."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from http import HTTPStatus

from config import Settings
from domain import BadImage, ExposrError, FetchRefused, PictureFacts, Seen
from scraper import ledger
from scraper.intake import Intake
from scraper.manners import Stopped, Visitor
from scraper.sources import Listed, Source
from scraper.sources.listing import FOR_GOOD

log = logging.getLogger(__name__)

REFUSALS = {
    **dict.fromkeys(FOR_GOOD, ledger.REFUSED_OTHER),
    "robots": ledger.REFUSED_ROBOTS,
    "noai": ledger.REFUSED_NOAI,
}
"""What becomes of a picture that is not fetched, by the word for the reason; else it failed."""
GONE = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.GONE,
        HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS,
    }
)


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a listed picture. `fate` is empty for one that was read but not yet taken."""

    listed: Listed
    page: int
    fate: str = ""
    fetched: bool = False
    read: PictureFacts | str | None = None
    reason: str = ""
    message: str = ""
    etag: str | None = None
    last_modified: str | None = None
    known: Seen | None = None

    @property
    def sha256(self) -> str | None:
        """The picture's, where it could be read."""
        return self.read.sha256 if isinstance(self.read, PictureFacts) else self.read


@dataclass(frozen=True, slots=True)
class Visits:
    """Fetches and reads pictures of one source, from any thread."""

    settings: Settings
    source: Source
    visitor: Visitor
    intake: Intake
    label: str
    """What the pictures are offered as."""

    def look(self, listed: Listed, page: int, known: Seen | None) -> Settled | None:
        """What can be said of a picture without a request; None when it is to be fetched."""
        allowed = self.source.allows(listed)
        if known is not None and not _again(listed, known, allowed=allowed):
            return Settled(listed, page, ledger.UNCHANGED, known=known)
        if listed.unwanted:
            return Settled(listed, page, ledger.REFUSED_OTHER, message=listed.unwanted)
        if not allowed:
            stated = f"its licence is {listed.license!r}" if listed.license else "no licence stated"
            return Settled(listed, page, ledger.REFUSED_LICENCE, message=stated)
        return None

    def visit(self, listed: Listed, page: int, known: Seen | None) -> Settled | None:
        """Fetch and read a picture; None when a stop kept that from being begun."""
        settled = Settled(listed, page, known=known)
        try:
            return self._visit(settled)
        except Stopped:
            return None
        except FetchRefused as error:
            gone = error.detail.get("status") in GONE
            fate = ledger.REFUSED_OTHER if gone else REFUSALS.get(error.reason, ledger.FAILED)
            return replace(settled, fate=fate, reason=error.reason, message=error.message)
        except ExposrError as error:
            return replace(settled, fate=ledger.FAILED, reason=error.code, message=error.message)
        except Exception as error:  # one URL's trouble is not to end the others
            log.exception("%s of %s failed", listed.url, self.source.name)
            message = f"{type(error).__name__}: {error}"
            return replace(settled, fate=ledger.FAILED, reason="error", message=message)

    def _visit(self, settled: Settled) -> Settled:
        listed, known = settled.listed, settled.known
        self.source.announce(self.visitor, self.settings, listed)
        # only where the same address was looked at before
        same = known if known is not None and known.url == listed.url else None
        answer = self.visitor.get(
            listed.url,
            per_second=self.source.pictures_per_second,
            etag=same.etag if same else None,
            last_modified=same.last_modified if same else None,
        )
        if answer.status == HTTPStatus.NOT_MODIFIED:
            return replace(settled, fate=ledger.UNCHANGED)
        settled = replace(
            settled,
            fetched=True,
            etag=answer.headers.get("etag"),
            last_modified=answer.headers.get("last-modified"),
        )
        try:
            return replace(settled, read=self.intake.read(answer.data, self.label))
        except BadImage as error:
            reason, message = error.reason.value, error.message
            settled = replace(settled, fate=ledger.UNREADABLE, reason=reason, message=message)
        if same is not None and (settled.etag or settled.last_modified) == (
            same.etag or same.last_modified
        ):
            # sent again although it was only wanted if changed: it is not asked for any more
            settled = replace(settled, etag=None, last_modified=None)
        return settled


def _again(listed: Listed, known: Seen, *, allowed: bool) -> bool:
    """Whether a picture that was looked at before may come out otherwise now."""
    if known.outcome == ledger.REFUSED_LICENCE:
        return allowed
    if known.outcome == ledger.UNREADABLE:
        # who says which version a file is tells whether there is another
        return known.url != listed.url or bool(known.etag or known.last_modified)
    return known.outcome in ledger.TRIED_AGAIN
