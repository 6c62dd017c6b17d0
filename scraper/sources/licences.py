"""Which licences leave a picture to be used and changed by everybody, as sources write them."""

from __future__ import annotations

import re

_JURISDICTIONS = (
    "ar|at|au|az|be|bg|br|ca|ch|cl|cn|co|cr|cz|de|dk|ec|ee|eg|es|fi|fr|ge|gr|gt|hk|hr|hu|ie|igo|"
    "il|in|it|jp|kr|lu|mk|mt|mx|my|ng|nl|no|nz|pe|ph|pl|pr|pt|ro|rs|scotland|se|sg|si|th|tw|ua|"
    "ug|uk|us|ve|vn|za"
)
"""Where Creative Commons adapted its licences to the law; `nc` and `nd` are none of them."""
_FREE = re.compile(
    r"(?:cc0(?: 1\.0)?|public domain(?: mark(?: 1\.0)?)?"
    r"|pd|pd-(?:self|user|author|algorithm|mark|old(?:-\d{2,3})?|usgov(?:-[a-z]+)*)"
    rf"|cc by(?:-sa)? [1-4]\.\d(?:[,-][1-4]\.\d)*(?: (?:{_JURISDICTIONS}))?"
    r"|gfdl(?: 1\.[23])?|fal)"
    r"(?: \((?P<link>[^\s()]+)\))?",
    re.IGNORECASE,
)
_RESTRICTED = re.compile(r"(?:^|[^a-z])n[cd](?:$|[^a-z])", re.IGNORECASE)


def is_free(stated: str) -> bool:
    """Whether it is one of the free licences, by name, version and jurisdiction, and no more.

    A link may follow in parentheses. Whatever else is said could take back what the name gives.
    """
    found = _FREE.fullmatch(stated)
    return found is not None and not _RESTRICTED.search(found["link"] or "")
