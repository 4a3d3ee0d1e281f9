"""Identifiers: UUID version 7 (RFC 9562), so that newer sorts after older and indexes stay warm."""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from uuid import UUID

_VERSION = 0x7 << 76
_VARIANT = 0x2 << 62
_RAND_B = (1 << 62) - 1


def uuid7(now: datetime) -> UUID:
    """A new identifier whose first 48 bits are `now` in Unix milliseconds."""
    milliseconds = int(now.timestamp() * 1000)
    noise = int.from_bytes(os.urandom(10), "big")
    return UUID(
        int=(milliseconds << 80) | _VERSION | (((noise >> 62) & 0xFFF) << 64) | _VARIANT | (noise & _RAND_B)
    )


def ascending7(now: datetime) -> Iterator[UUID]:
    """Identifiers as `uuid7` makes them, each greater than the one before: what is made together sorts
    in the order in which it was made. The gaps are random, so that one does not give away the next."""
    return (UUID(int=number) for number in ascending7_numbers(now))


def ascending7_numbers(now: datetime) -> Iterator[int]:
    """The same as numbers (`UUID(int=…)`), for who makes thousands and needs few as UUIDs."""
    head = int(now.timestamp() * 1000) << 80
    tail = int.from_bytes(os.urandom(9), "big")  # 72 of 74 bits: room for 2^40 more
    seed = os.urandom(32)
    for block in itertools.count():
        # not the system's randomness for each: asking for it lets another thread take the interpreter
        for (gap,) in struct.iter_unpack("I", blake2b(block.to_bytes(8, "big"), key=seed).digest()):
            yield head | _VERSION | ((tail >> 62) << 64) | _VARIANT | (tail & _RAND_B)
            tail += 1 + gap


def floor7(moment: datetime) -> UUID:
    """The least identifier of `moment`: everything made from then on sorts at or after it."""
    return UUID(int=(int(moment.timestamp() * 1000) << 80) | _VERSION | _VARIANT)


def made_at(identifier: UUID) -> datetime:
    """When the identifier was made (UTC, to the millisecond)."""
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)
