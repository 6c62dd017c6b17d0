"""The wire format: what goes in and out, by name. The OpenAPI document is made from these."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Payload(BaseModel):
    """What is on the wire, and nothing beside it."""

    model_config = ConfigDict(extra="forbid")


class ErrorDetail(Payload):
    """What went wrong. `code` is stable; `message` is for people."""

    code: str = Field(examples=["bad_image"])
    message: str = Field(examples=["The file ends before the picture does."])
    detail: dict[str, JsonValue] = Field(examples=[{"reason": "truncated"}])


class ErrorBody(Payload):
    """The one shape of everything that is not 2xx."""

    error: ErrorDetail
