"""The settings of CommCare's project, below `commcare` in the sandbox's settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


def _http(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("an address begins with http:// or https://")
    return value


class ForwardSettings(BaseModel):
    """Each save is posted to `url`, with `headers`, and `duplicates` times more. With `reorder` above 1, so
    many saves wait for each other, and the last is posted first. What is not answered with 2xx within
    `timeout` seconds is posted again after `backoff`, doubling, `retries` times; what was saved later does
    not wait for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, AfterValidator(_http)] | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    duplicates: int = Field(default=0, ge=0, le=100)
    reorder: int = Field(default=1, ge=1, le=1000)
    retries: int = Field(default=3, ge=0, le=100)
    backoff: Seconds = 0.2
    timeout: Annotated[float, Field(gt=0, le=300)] = 10.0


class CommCareSettings(BaseModel):
    """The project space and the user whose API key is one of the sandbox's tokens. `requests` in any
    `window` seconds are answered; a save is in the list `index_lag` seconds later. Of the next lists `cut`
    break off in their middle, as where a network fails."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    domain: str = Field(default="selam", pattern="^[a-z0-9-]{1,50}$")
    username: str = Field(default="amina@example.org", min_length=1, max_length=100)
    requests: int = Field(default=1000, ge=1)
    window: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    index_lag: Seconds = 0.0
    cut: int = Field(default=0, ge=0, le=1000)
    forward: ForwardSettings = ForwardSettings()
