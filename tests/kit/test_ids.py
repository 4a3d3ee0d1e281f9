"""Identifiers sort by when they were made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

from hypothesis import given
from hypothesis import strategies as st

from clarion.kit.ids import ascending7, floor7, made_at, uuid7

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 2, 6, 30, 0, 123000, tzinfo=UTC)
MOMENTS = st.integers(0, 180 * 365 * 86_400_000).map(lambda n: _EPOCH + timedelta(milliseconds=n))


@given(moment=MOMENTS)
def test_an_identifier_tells_when_it_was_made(moment: datetime) -> None:
    for identifier in (uuid7(moment), next(ascending7(moment)), floor7(moment)):
        assert (identifier.version, identifier.variant) == (7, "specified in RFC 4122")
        assert timedelta(0) <= moment - made_at(identifier) < timedelta(milliseconds=2)


@given(earlier=MOMENTS, later=MOMENTS)
def test_what_is_made_later_sorts_after(earlier: datetime, later: datetime) -> None:
    if later - earlier > timedelta(milliseconds=2):
        assert uuid7(earlier) < floor7(later) <= uuid7(later)


def test_what_is_made_together_sorts_in_its_order_and_never_meets_another() -> None:
    one, other = (list(islice(ascending7(NOW), 10_000)) for _ in range(2))
    assert one == sorted(one)
    assert len({*one, *other}) == 20_000
    assert all(made_at(identifier) == NOW for identifier in (one[0], one[-1]))
    gaps = {later.int - earlier.int for earlier, later in pairwise(one)}
    assert len(gaps) > 9_000
