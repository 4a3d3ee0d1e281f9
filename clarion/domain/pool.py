"""A pool: channels that stand for one another, so that each person hears what goes over it from one of them.

Pure: which channels there are is judged by `flow.pooling`, whose turn it is chosen in `store.routes`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MOST = 100  # channels of a pool
MOST_PREFIXES = 1_000  # of all its channels: each is looked at for every person
LONGEST_NAME = 100
NUMBERED = ("tel", "whatsapp")  # schemes whose addresses begin with an E.164 number
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}")


def _prefix(given: str) -> str:
    """Spelled as people do ("+1 (876)"), kept as numbers begin."""
    bare = re.sub(r"[\s().-]", "", given)
    if not _PREFIX.fullmatch(bare):
        raise ValueError("a prefix is how international numbers begin, as +254 or +1876")
    return bare


Prefix = Annotated[str, AfterValidator(_prefix)]


class PoolMember(BaseModel):
    """A channel of a pool. With `prefixes` it takes numbers that begin so, without any address; `weight` is
    its share beside others that fit a person as well."""

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)

    channel_id: UUID
    prefixes: tuple[Prefix, ...] = Field(
        default=(), max_length=MOST_PREFIXES, description="of numbers, as +254; none: any address"
    )
    weight: int = Field(default=1, ge=1, le=100, description="its share beside others that fit as well")


def common(schemes: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The schemes that all of these reach, in the order in which the first prefers them."""
    first, *others = schemes
    return tuple(scheme for scheme in first if all(scheme in other for other in others))
