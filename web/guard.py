"""Who may ask what: hosts, origins, keys, headers. What is not declared is denied."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from hashlib import sha256

from flask import Flask, Response, request
from flask_cors import CORS

from config import Settings
from domain import Person
from web.context import come_from
from web.errors import Forbidden, Unauthorised


class Level(StrEnum):
    """What an endpoint asks of a caller."""

    PUBLIC = "public"
    READ = "read"
    FEEDBACK = "feedback"
    ADMIN = "admin"


SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"


def guard(app: Flask, settings: Settings, levels: Mapping[str, Level]) -> None:
    """Check every request before its view, and put the safe headers on every response.

    Parameters
    ----------
    app
        The app to guard.
    settings
        Keys, origins and host names.
    levels
        Endpoint to level. An endpoint that is not there is denied to everyone.
    """
    if settings.cors_origins:
        _answer_origins(app, settings)

    @app.before_request
    def _check() -> None:
        check_host(settings)
        if request.method not in SAFE_METHODS:
            check_origin(settings)
        if request.endpoint is None or request.method == "OPTIONS":
            return  # no such path, or a browser asking what it may ask: nothing is given away
        if request.endpoint not in levels:
            raise Forbidden("No access level is declared for this path.")
        come_from(check_key(settings, levels[request.endpoint]))

    @app.after_request
    def _harden(response: Response) -> Response:
        page = response.mimetype == "text/html"
        headers = response.headers
        headers.setdefault("Content-Security-Policy", PAGE_POLICY if page else DATA_POLICY)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("X-Frame-Options", "DENY")
        headers.setdefault("Referrer-Policy", "no-referrer")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        if response.mimetype == "application/json":
            headers.setdefault("Cache-Control", "no-store")
        return response


def _answer_origins(app: Flask, settings: Settings) -> None:
    """Let pages of the listed origins read the answers, errors too."""
    CORS(
        app,
        origins=[re.compile(re.escape(o) + r"\Z", re.I) for o in settings.cors_origins],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
        methods=["GET", "POST", "DELETE"],
        expose_headers=["X-Request-ID", "Retry-After", "Location", "Content-Disposition"],
        always_send=False,
        max_age=600,
    )


def check_host(settings: Settings) -> None:
    """Refuse names that other people's pages could point at this machine (DNS rebinding).

    Raises
    ------
    Forbidden
        The Host header names neither this machine nor an allowed host.
    """
    host = request.headers.get("Host", "")
    if not host:
        return  # browsers always send one
    name = _host_name(host)
    if name in _lower(settings.allowed_hosts) or name == settings.api_host.lower():
        return
    if _is_loopback(name):
        return
    if not settings.loopback and not settings.allowed_hosts:
        return  # bound publicly under names unknown here; there the keys decide
    raise Forbidden(f"Host: got {name[:80]!r}, allowed: localhost, or a name of ALLOWED_HOSTS")


def check_origin(settings: Settings) -> None:
    """Refuse changes that another site's page asks for (cross-site request forgery).

    Raises
    ------
    Forbidden
        A browser says that the request comes from elsewhere.
    """
    origin = request.headers.get("Origin")
    if origin is None:
        if request.headers.get("Sec-Fetch-Site", "none") in ("cross-site", "same-site"):
            raise Forbidden("This request comes from another site's page.")
        return
    if origin.lower() in _lower(settings.cors_origins):
        return
    own = origin.partition("://")[2]
    if not own or own.lower() != request.headers.get("Host", "").lower():
        raise Forbidden(f"Origin: got {origin[:80]!r}, allowed: this site, or CORS_ORIGINS")


def check_key(settings: Settings, level: Level) -> Person | None:
    """Ask for a key where the level needs one, and say whose request it is.

    Returns
    -------
    Person or None
        The holder of the key, else this machine's user. None where anybody may ask.

    Raises
    ------
    Unauthorised
        No key, or an unknown one.
    Forbidden
        A known key that may do less than this.
    """
    if level is Level.PUBLIC:
        return None
    # a server of the user's own may listen more widely than API_HOST says
    local = settings.loopback and not settings.allowed_hosts and _is_loopback(_client())
    accepted = accepted_keys(settings, level, local=local)
    above = accepted_keys(settings, Level.ADMIN, local=local)
    key = _key_sent()
    holder = _holder(settings, key)
    if holder is not None:
        person = Person(holder, trusted=above is not None and _is_one_of(key, above))
        if level is Level.ADMIN and not person.trusted:
            raise Forbidden(f"This needs the {level.value} key.", level=level.value)
        return person
    if accepted is None and not (key and level is not Level.READ and _has_keys(settings)):
        return Person("local", trusted=above is None) if local else None
    if key:
        raise Unauthorised("The key is not known.")
    raise Unauthorised("This needs a key: send `Authorization: Bearer KEY`.")


def may(settings: Settings, level: Level) -> bool:
    """Whether whoever asks now may do what this level opens, whatever this path itself asks for."""
    try:
        check_key(settings, level)
    except (Unauthorised, Forbidden):
        return False
    return True


def may_read_names(settings: Settings) -> bool:
    """Whether whoever asks now is told persons' names: nobody who needs no key to read is."""
    return may(settings, Level.FEEDBACK)


def accepted_keys(settings: Settings, level: Level, *, local: bool) -> tuple[str, ...] | None:
    """The keys that open a level; None where it is open to all.

    For `local` requests a level is open until API_KEY or ADMIN_KEY closes it: the keys of persons
    say who speaks. The admin key opens every level.
    """
    read, admin = settings.api_key, settings.admin_key
    if level is Level.PUBLIC or (level is Level.READ and settings.public_classify):
        return None
    if level is Level.ADMIN:
        own = admin or (read if local else "")
        return (own,) if own or not local else None
    named = tuple(secret for _, secret in settings.feedback_keys)
    return (read, admin, *named) if read or not local else None


def _key_sent() -> str:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""


def _keys(settings: Settings) -> Iterator[tuple[str, str]]:
    """Each key and what its holder is called."""
    yield "admin", settings.admin_key
    yield "api", settings.api_key
    yield from settings.feedback_keys


def _has_keys(settings: Settings) -> bool:
    return any(key for _, key in _keys(settings))


def _holder(settings: Settings, given: str) -> str | None:
    """Whose key this is. It takes the same time whichever is given."""
    matches = [name for name, key in _keys(settings) if _is_one_of(given, (key,))]
    return matches[0] if matches else None


def _is_one_of(given: str, keys: Iterable[str]) -> bool:
    """Compare in the same time whatever is given, and with all keys always."""
    digest = sha256(given.encode("latin-1", "replace")).digest()
    matches = [
        hmac.compare_digest(digest, sha256(key.encode("utf-8")).digest()) for key in keys if key
    ]
    return any(matches)


def _client() -> str:
    return request.remote_addr or ""


def _lower(names: Iterable[str]) -> set[str]:
    return {name.lower() for name in names}


def _host_name(host: str) -> str:
    """The name in a Host header, without port, brackets and final dot."""
    name = host.lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0].rstrip(".")


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
