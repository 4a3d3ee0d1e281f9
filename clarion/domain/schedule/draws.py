"""What is random, from a hash: the same seed, person and occurrence always draw the same.

Nothing that is drawn depends on what else was drawn, so another step, another person or a restart moves
nobody's time. BLAKE2b (RFC 7693), since Python's own generators may change from version to version.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from math import gcd

_GOLDEN = 0.618_033_988_749_895  # steps of this share of a circle fall evenly for any number of them


def draw(key: bytes, purpose: str, *numbers: int) -> int:
    """64 random bits for this purpose and these numbers (an iteration, a step). `key` is a person's in a
    campaign (`person_key`)."""
    said = _said(purpose, *numbers)
    return int.from_bytes(blake2b(said, digest_size=8, key=key).digest(), "big")


@lru_cache(maxsize=4_096)
def _said(purpose: str, *numbers: int) -> bytes:
    return f"{purpose}:{':'.join(map(str, numbers))}".encode()


def person_key(seed: str, subject: str) -> bytes:
    """What a subject's draws in a campaign are keyed by."""
    return blake2b(subject.encode(), digest_size=16, key=_campaign_key(seed)).digest()


@lru_cache(maxsize=1_024)
def _campaign_key(seed: str) -> bytes:
    return blake2b(seed.encode(), digest_size=32).digest()


def below(drawn: int, count: int) -> int:
    """One of `count` numbers from 0; each as likely as another, to one in 2^40 for counts below 2^24."""
    return drawn * count >> 64


def shuffled(drawn: int, items: Sequence[int]) -> Iterator[int]:
    """The items in a random order (Fisher and Yates), from one draw of 64 bits that seeds the steps; one step
    for each that is asked for."""
    left, state = list(items), drawn
    for many in range(len(left), 0, -1):
        state = (state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) & 0xFFFF_FFFF_FFFF_FFFF
        mixed = (state ^ state >> 33) * 0xFF51_AFD7_ED55_8CCD & 0xFFFF_FFFF_FFFF_FFFF
        other = (mixed ^ mixed >> 33) * many >> 64
        chosen, left[other] = left[other], left[many - 1]
        yield chosen


def even(place: int, width: int, shift: int) -> int:
    """Which of `width` minutes the person at `place` of an audience has: of any number of people, one after
    the other, no minute has more than one more than another, and few are spread out too."""
    return (place * _step(width) + shift) % width


_steps: dict[int, int] = {}


def _step(width: int) -> int:
    found = _steps.get(width)
    if found is None:
        found = max(1, round(width * _GOLDEN))
        while gcd(found, width) > 1:
            found += 1
        _steps[width] = found
    return found
