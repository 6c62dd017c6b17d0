"""The service itself: its health and its settings."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, create_model

from config import RUNTIME_SETTINGS, Settings
from domain import TaskKind
from web.payloads import ErrorDetail, Payload


class EmbedderBody(Payload):
    """What turns pictures into vectors, and why this one."""

    id: str = Field(examples=["builtin-authenticity:2"])
    dim: int
    device: str
    runtime: str
    reason: str


class TaskHealth(Payload):
    """Whether a task can be answered, and by what."""

    kind: TaskKind
    trained: bool
    demo: bool
    version: str | None
    samples: int
    corrections: int
    problem: str | None


class Canary(Payload):
    """A known picture that was really decoded, embedded and decided."""

    ok: bool
    ms: float


class SchedulerHealth(Payload):
    """When the nightly work ran and runs next; null where no scheduler runs."""

    last_run: datetime | None
    next_run: datetime | None
    running: int = Field(description="Scheduler processes that showed themselves lately.")


class HealthBody(Payload):
    """Whether the service answers, with what, and what is wrong."""

    status: Literal["ok", "degraded", "unavailable"]
    embedder: EmbedderBody | None = Field(description="Of the default task.")
    embedders: dict[str, EmbedderBody] = Field(description="By kind of task.")
    tasks: dict[str, TaskHealth]
    canary: Canary
    scheduler: SchedulerHealth
    version: str
    problems: list[str] = Field(description="What is wrong, in sentences.")
    notes: list[str] = Field(description="What to know, such as that the model is a demonstration.")
    error: ErrorDetail | None = Field(default=None, description="Present only with status 503.")


def _setting(name: str, *, asked: bool) -> tuple[Any, Any]:
    """A setting's type, limits and description, as `config.py` has them."""
    field = Settings.model_fields[name]
    shown = Field(description=field.description, examples=[field.default])
    kind: Any = Annotated[field.annotation, *field.metadata, shown]
    return kind, Field(default_factory=lambda: field.default) if asked else ...


def _settings(*, asked: bool) -> dict[str, Any]:
    return {name: _setting(name, asked=asked) for name in RUNTIME_SETTINGS}


ConfigBody: type[BaseModel] = create_model(
    "ConfigBody",
    __base__=Payload,
    __doc__="The settings that may be changed while the service runs.",
    **_settings(asked=False),
)
ConfigChange: type[BaseModel] = create_model(
    "ConfigChange",
    __base__=Payload,
    __doc__="Some of the settings; those left out stay as they are.",
    **_settings(asked=True),
)


def config_document(settings: Settings) -> dict[str, Any]:
    """The JSON of a `ConfigBody`."""
    return settings.model_dump(mode="json", include=set(RUNTIME_SETTINGS))
