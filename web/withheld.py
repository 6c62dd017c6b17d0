"""What callers who may do less are not told: persons' names, and what an address may hold."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
NAMED = re.compile(r"(asked|Promoted|Rolled back) by [A-Za-z0-9._-]+?(\.?)")
"""The reasons that name a person; `web.jobs` and `promotion` write them."""
TAUGHT = "feedback"
"""The source of pictures that people brought is this and `:NAME`."""
TAUGHT_BY = re.compile(rf"(?<![^\W_]){TAUGHT}:[^\s\"'<>,;()\[\]]+")
"""Such a source within words."""


def unnamed(why: str) -> str:
    """A reason without the name of the person who gave it."""
    named = NAMED.fullmatch(why)
    return f"{named[1]}{named[2]}" if named else why


def nameless_source(source: str) -> str:
    """A picture's source without the name of the person who brought it."""
    return TAUGHT if source.startswith(f"{TAUGHT}:") else source


def nameless(node: Any) -> Any:
    """A JSON document that says `feedback:1`, `feedback:2`, ... for who brought pictures."""
    return _nameless(node, {})


def _nameless(node: Any, numbers: dict[str, str]) -> Any:
    if isinstance(node, str):
        if node.startswith(f"{TAUGHT}:"):  # a whole source: its name may have blanks in it
            return _numbered(node, numbers)
        return TAUGHT_BY.sub(lambda found: _numbered(found[0], numbers), node)
    if isinstance(node, list):
        return [_nameless(item, numbers) for item in node]
    if isinstance(node, dict):
        return {_nameless(key, numbers): _nameless(item, numbers) for key, item in node.items()}
    return node


def _numbered(source: str, numbers: dict[str, str]) -> str:
    return numbers.setdefault(source, f"{TAUGHT}:{len(numbers) + 1}")


def bare(text: str) -> str:
    """A text whose addresses are without user name, password, query and fragment."""
    return ADDRESS.sub(lambda found: bare_address(found[0]), text)


def bare_everywhere(node: Any) -> Any:
    """A JSON document, each of its texts `bare`."""
    if isinstance(node, str):
        return bare(node)
    if isinstance(node, list):
        return [bare_everywhere(item) for item in node]
    if isinstance(node, dict):
        return {key: bare_everywhere(item) for key, item in node.items()}
    return node


def bare_address(url: str) -> str:
    """An address without user name, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(an address)"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
