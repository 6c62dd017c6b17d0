"""What the table of routes is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Response

from web.guard import Level


@dataclass(frozen=True, slots=True)
class Parameter:
    """What may stand in the query, or in a header."""

    name: str
    description: str
    schema: Mapping[str, Any]
    where: str = "query"


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method.

    `gives` is a payload model, a list of one or a schema; None: not in the OpenAPI document.
    `takes` maps content types to a payload model or a schema. `also`: other statuses of what went
    well. `per_task`: the path is also under `/tasks/<task>`, where it acts on that task.
    """

    method: str
    path: str
    view: Callable[..., Response]
    level: Level
    gives: Any = None
    takes: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    refusals: tuple[int, ...] = ()
    per_task: bool = False
    asks: tuple[Parameter, ...] = ()
    also: tuple[int, ...] = ()
    media: str = "application/json"

    @property
    def endpoint(self) -> str:
        """The name the guard and the OpenAPI document know it by."""
        return self.view.__name__


def paths_of(route: Route) -> tuple[str, ...]:
    """The route's paths: at the root, and under a task where it has one."""
    return (route.path, f"/tasks/<task>{route.path}") if route.per_task else (route.path,)
