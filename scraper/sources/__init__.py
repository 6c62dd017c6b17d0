"""Where pictures are collected from, one class each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from domain import Unacceptable
from scraper.sources.civitai import Civitai
from scraper.sources.commons import Commons, CommonsAi
from scraper.sources.gallery import Gallery
from scraper.sources.lexica import Lexica
from scraper.sources.listing import UNLESS_CHANGED, Listed, Page, Source
from scraper.sources.openverse import Openverse
from scraper.sources.pexels import Pexels
from scraper.sources.unsplash import Unsplash

__all__ = ["SOURCES", "UNLESS_CHANGED", "Listed", "Page", "Source", "source_named"]

_ALL: tuple[Source, ...] = (
    CommonsAi(),
    Civitai(),
    Lexica(),
    Commons(),
    Openverse(),
    Unsplash(),
    Pexels(),
    Gallery(),
)
SOURCES: Mapping[str, Source] = MappingProxyType({source.name: source for source in _ALL})


def source_named(name: str) -> Source:
    """The source of a name.

    Raises
    ------
    Unacceptable
        There is none.
    """
    if name not in SOURCES:
        raise Unacceptable("source", name, ", ".join(SOURCES))
    return SOURCES[name]
