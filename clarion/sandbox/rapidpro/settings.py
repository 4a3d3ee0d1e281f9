"""The settings of RapidPro's people and campaigns, below `rapidpro` in the sandbox's settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class RapidProSettings(BaseModel):
    """`requests` in any `window` seconds are answered, of each scope; reads tell what was there `read_lag`
    seconds ago; for `scheduling_for` seconds after it was written an event cannot be changed; a list has
    `page` rows; there may be so many fields, and as many groups, as `most`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests: int = Field(default=3600, ge=1)
    window: Annotated[float, Field(gt=0, le=86_400)] = 3600.0
    read_lag: Seconds = 0.0
    scheduling_for: Seconds = 0.0
    page: int = Field(default=250, ge=1, le=250)
    most: int = Field(default=250, ge=1)
