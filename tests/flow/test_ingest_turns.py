"""Threads take quick turns while files are read, and usual ones afterwards."""

from __future__ import annotations

import sys

import pytest

from clarion.errors import Invalid
from clarion.flow.reading import quick_turns


def test_turns_are_quick_until_the_last_of_two_imports_has_ended() -> None:
    usual = sys.getswitchinterval()
    first, second = quick_turns(), quick_turns()
    with first:
        quick = sys.getswitchinterval()
        with second:
            assert sys.getswitchinterval() == quick < usual
        assert sys.getswitchinterval() == quick
    assert sys.getswitchinterval() == usual


def test_turns_are_the_usual_ones_after_an_import_that_broke() -> None:
    usual = sys.getswitchinterval()
    with pytest.raises(Invalid), quick_turns():
        raise Invalid("a broken file")
    assert sys.getswitchinterval() == usual
