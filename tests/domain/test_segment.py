"""SMS segments, at their edges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.domain.segment import Segments, segments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Segments("gsm", 0, 0)),
        ("a" * 160, Segments("gsm", 160, 1)),
        ("a" * 161, Segments("gsm", 161, 2)),
        ("a" * 306, Segments("gsm", 306, 2)),
        ("a" * 307, Segments("gsm", 307, 3)),
        ("€" * 80, Segments("gsm", 160, 1)),
        ("€" * 81, Segments("gsm", 162, 2)),
        ("a" * 152 + "€" + "a" * 152, Segments("gsm", 306, 3)),  # the pair does not fit, and moves on
        ("a" * 151 + "€" + "a" * 153, Segments("gsm", 306, 2)),
        ("ሰላም", Segments("ucs2", 3, 1)),
        ("ሰ" * 70, Segments("ucs2", 70, 1)),
        ("ሰ" * 71, Segments("ucs2", 71, 2)),
        ("ሰ" * 134, Segments("ucs2", 134, 2)),
        ("ሰ" * 135, Segments("ucs2", 135, 3)),
        ("👋" * 35, Segments("ucs2", 70, 1)),
        ("ሰ" * 66 + "👋" + "ሰ" * 66, Segments("ucs2", 134, 3)),
        ("a" * 69 + "ç", Segments("ucs2", 70, 1)),  # only the capital is in the alphabet
        ("[]{}^~|\\", Segments("gsm", 16, 1)),
        ("àÇ\n\r", Segments("gsm", 4, 1)),
        ("`", Segments("ucs2", 1, 1)),
    ],
)
def test_segments_are_counted_as_they_are_billed(text: str, expected: Segments) -> None:
    assert segments(text) == expected


@given(st.text(max_size=500), st.text(max_size=100))
def test_more_text_never_takes_fewer_segments(text: str, more: str) -> None:
    assert segments(text + more).count >= segments(text).count


@given(st.text("abc €ሰ👋", min_size=1, max_size=500))
def test_as_many_segments_as_the_units_need_and_at_most_one_unit_lost_in_each(text: str) -> None:
    found = segments(text)
    alone, room = (160, 153) if found.encoding == "gsm" else (70, 67)
    if found.units <= alone:
        assert found.count == 1
    else:
        assert -(-found.units // room) <= found.count <= -(-found.units // (room - 1))
