"""What a message costs: a channel's price table, so that an announcement's cost is known before it is sent.

Pure. A price is for what the provider counts: a segment of an SMS, else a message. It is an estimate for
whoever decides, and no invoice: what a provider charges, and for whom, is told by the provider.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from clarion.domain.pool import Prefix

MOST = 300  # prefixes of a table: each is looked at for every person of a preview
Price = Annotated[Decimal, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class Prices(BaseModel):
    """`by_prefix` are numbers' beginnings, of which the longest that fits counts; `otherwise` is for all
    others and for addresses that are no numbers. Who has neither has no price, and is counted apart."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217", examples=["KES"])
    by_prefix: dict[Prefix, Price] = Field(
        default_factory=dict, max_length=MOST, examples=[{"+254": "0.80", "+1": "0.0079"}]
    )
    otherwise: Price | None = None

    def price(self, prefix: str) -> Decimal | None:
        """Of one of its prefixes; of any other its price for all others, None where there is none."""
        return self.by_prefix.get(prefix, self.otherwise)
