"""What callers who may do less are not told: persons' names, and what an address may hold."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
NAMED = re.compile(r"(asked|Promoted|Rolled back) by [A-Za-z0-9._-]+?(\.?)")
"""The reasons that name a person; `web.jobs` and `promotion` write them."""


def unnamed(why: str) -> str:
    """A reason without the name of the person who gave it."""
    named = NAMED.fullmatch(why)
    return f"{named[1]}{named[2]}" if named else why


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
