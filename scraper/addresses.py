"""Web addresses: made whole, and what of them a robots.txt speaks for."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit


def origin(url: str) -> str:
    """Scheme, host and port, as one robots.txt speaks for."""
    parts = urlsplit(url)
    return f"{parts.scheme.lower()}://{parts.netloc.rpartition('@')[2].lower()}"


def joined(base: str, address: str) -> str:
    """An address as seen from another; empty for what cannot be one."""
    try:
        return urljoin(base, address)
    except ValueError:
        return ""
