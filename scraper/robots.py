"""What a site's robots.txt lets us do (RFC 9309), asked once a day."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from protego import Protego

from domain import FetchRefused
from scraper.addresses import origin
from scraper.fetch import Answer
from scraper.pace import Patience

DAY = 86_400.0
UNREACHABLE_FOR = 600.0  # how long a robots.txt that could not be had is not asked for again
MOST_BYTES = 500 * 1024  # as RFC 9309 wants; what follows is not read
MOST_ORIGINS = 1_000
OTHERS = "~"  # stands for every agent that is neither us nor `*`

OPT_OUTS = frozenset({"noai", "noimageai"})
DIRECTIVES = OPT_OUTS | {
    *("max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"),
    *("all", "none", "index", "noindex", "follow", "nofollow", "noarchive", "nosnippet"),
    *("noimageindex", "notranslate", "indexifembedded", "nocache"),
}
"""Words of X-Robots-Tag that are not the name of an agent, also before a colon."""

Ask = Callable[[str], Answer]

_AGENT = re.compile(r"user[- ]?agent\s*(?::|\s)\s*(.*)", re.IGNORECASE)
_ADDRESSED = re.compile(r"\s*([a-z_*-]+)\s*:")
_SEPARATORS = re.compile(r"[,;\s]+")
_SIGNAL = re.compile(r"content-signal\s*:\s*(.*)", re.IGNORECASE)
_NO_TRAINING = re.compile(r"(?:^|[,;\s])ai-train\s*=\s*no\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rules:
    """What one robots.txt says to us."""

    parsed: Protego
    agent: str
    training: bool = True
    """Whether its Content-Signal leaves training to us."""

    def allows(self, url: str) -> bool:
        """Whether we may get this URL."""
        return self.parsed.can_fetch(url, self.agent)

    @property
    def interval(self) -> float:
        """Fewest seconds between two requests."""
        delay = self.parsed.crawl_delay(self.agent) or 0.0
        rate = self.parsed.request_rate(self.agent)
        return max(delay, rate.seconds / rate.requests if rate and rate.requests else 0.0)


class Robots:
    """The rules of every origin met, kept for a day. For many threads.

    Parameters
    ----------
    ask
        Gets a robots.txt, redirects followed; any status is an answer.
    user_agent
        Its product name, up to the first `/` or blank, is who we are.
    clock
        Seconds; only differences count.
    patience
        Lets a wait for another thread's question be stopped.
    """

    def __init__(
        self, ask: Ask, user_agent: str, clock: Callable[[], float], patience: Patience
    ) -> None:
        self._ask = ask
        self._agent = product(user_agent)
        self._clock = clock
        self._patience = patience
        self._lock = threading.Lock()
        self._origins: dict[str, _Origin] = {}

    def check(self, url: str) -> float:
        """Seconds that the site wants between two requests, if it lets us have this URL.

        Raises
        ------
        FetchRefused
            `robots`, or `noai` where a Content-Signal forbids training. Where no robots.txt can
            be had for now, whatever kept it from us.
        """
        rules = self._rules(origin(url))
        if not rules.allows(url):
            raise FetchRefused("robots", "The site's robots.txt asks not to fetch this.")
        if not rules.training:
            raise FetchRefused("noai", "The site's robots.txt asks not to train on what it has.")
        return rules.interval

    def _rules(self, site: str) -> Rules:
        known = self._known(site)
        with self._patience.held(known.lock):
            if self._clock() >= known.until:
                self._renew(site, known)
            if known.rules is None:
                reason, message = known.why
                raise FetchRefused(reason, f"The site's robots.txt cannot be had now: {message}")
            return known.rules

    def _known(self, site: str) -> _Origin:
        with self._lock:
            known = self._origins.pop(site, None) or _Origin(threading.Lock())
            self._origins[site] = known  # the last met stands last
            if len(self._origins) > MOST_ORIGINS:
                del self._origins[next(iter(self._origins))]
            return known

    def _renew(self, site: str, known: _Origin) -> None:
        try:
            found = self._found(site)
        except FetchRefused as refused:  # what was said before still holds, if it was said
            known.why = refused.reason, refused.message
            known.until = self._clock() + UNREACHABLE_FOR
            return
        known.rules = read(found, self._agent)
        known.until = self._clock() + DAY

    def _found(self, site: str) -> bytes:
        """The file; an empty one where there is none."""
        try:
            answer = self._ask(f"{site}/robots.txt")
        except FetchRefused as refused:
            if refused.reason == "redirects":
                return b""
            raise
        if answer.status >= 500:
            raise FetchRefused("status", f"The server answered {answer.status}.")
        return answer.data if 200 <= answer.status < 300 else b""


@dataclass(slots=True)
class _Origin:
    lock: threading.Lock
    until: float = float("-inf")
    rules: Rules | None = None
    why: tuple[str, str] = ("", "")
    """Reason and message, where there are no rules."""


def product(user_agent: str) -> str:
    """The name robots.txt files know an agent by."""
    named = re.match(r"[A-Za-z_-]+", user_agent.strip())
    return named.group().lower() if named else "*"


def read(data: bytes, agent: str) -> Rules:
    """Read a robots.txt; what cannot be understood of it is passed over."""
    text = data[:MOST_BYTES].decode(_encoding(data), errors="replace")
    heard = _Heard(agent)
    parsed = Protego.parse("\n".join(heard.lines(text)))
    return Rules(parsed, agent, training=heard.training)


def _encoding(data: bytes) -> str:
    """UTF-8, as it must be, or the UTF-16 that some editors write, with its mark or without."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    zeros = [byte == 0 for byte in data[:4]]
    if zeros in ([False, True] * 2, [True, False] * 2):
        return "utf-16-be" if zeros[0] else "utf-16-le"
    return "utf-8-sig"


def opts_out(words: str) -> bool:
    """Whether a list of words for robots has one that keeps pictures from AI."""
    return not OPT_OUTS.isdisjoint(_SEPARATORS.split(words.lower()))


def opted_out(headers: Mapping[str, list[str]], agent: str) -> bool:
    """Whether an answer says that machines must not learn from it.

    `noai` and `noimageai` in X-Robots-Tag say so, for everybody or for our agent, and so does
    TDM-Reservation. What search engines are told, as `noindex` or `none`, is no such word: we
    publish no index.

    Parameters
    ----------
    headers
        Each lower-case name's lines: an agent's name holds to the end of its line.
    agent
        Our product name, lower-case.
    """
    if any(line.strip() == "1" for line in headers.get("tdm-reservation", ())):
        return True
    return any(opts_out(_said_to(line, agent)) for line in headers.get("x-robots-tag", ()))


def _said_to(line: str, agent: str) -> str:
    """What of a line is for us: where in doubt it is, as a word too many costs nothing."""
    said, listens = [], True
    for part in re.split(r"[,;]", line.lower()):
        named = _ADDRESSED.match(part)
        if named is not None and named[1] not in DIRECTIVES:
            listens = named[1] in ("*", agent)
            part = part[named.end() :]
        if listens:
            said.append(part.replace(":", " "))
    return " ".join(said)


class _Heard:
    """Walks the groups: agents by their exact names, and who must not train.

    Every agent but ours and `*` becomes one: thousands of names in front of thousands of rules
    would otherwise cost their product.
    """

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._met: set[str] = set()
        self._not_for: set[str] = set()
        self._for_nobody = False

    @property
    def training(self) -> bool:
        if self._for_nobody:
            return False
        group = self._agent if self._agent in self._met else "*"
        return group not in self._not_for

    def lines(self, text: str) -> Iterator[str]:
        group: set[str] = set()
        naming = False
        for line in text.splitlines():
            stripped = line.partition("#")[0].strip()
            if not stripped:
                continue
            if agent := _AGENT.match(stripped):
                name = self._called(agent.group(1))
                group = {*group, name} if naming else {name}
                self._met.add(name)
                naming = True
                yield f"User-agent: {name}"
                continue
            naming = False
            if (signal := _SIGNAL.match(stripped)) and _NO_TRAINING.search(signal.group(1)):
                self._not_for |= group
                self._for_nobody = self._for_nobody or not group  # before the first: for all
            yield stripped

    def _called(self, value: str) -> str:
        name = re.split(r"[/\s]", value.strip().lower(), maxsplit=1)[0]
        return name if name in (self._agent, "*") else OTHERS
