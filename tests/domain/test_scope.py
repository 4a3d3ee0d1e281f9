"""What a scope includes."""

from __future__ import annotations

import pytest

from clarion.domain.scope import Scope, covers


@pytest.mark.parametrize("noun", ["contacts", "announcements", "jobs"])
def test_writing_includes_reading_and_not_the_other_way(noun: str) -> None:
    read, write = Scope(f"{noun}:read"), Scope(f"{noun}:write")
    assert covers({write}, {read})
    assert not covers({read}, {write})


def test_admin_includes_everything_and_nothing_includes_admin() -> None:
    assert all(covers({Scope.ADMIN}, {scope}) for scope in Scope)
    assert not covers(set(Scope) - {Scope.ADMIN}, {Scope.ADMIN})


def test_one_of_those_asked_for_is_enough() -> None:
    assert covers({Scope.JOBS_READ}, {Scope.CONTACTS_READ, Scope.JOBS_READ})
    assert not covers({Scope.JOBS_READ}, {Scope.CONTACTS_READ, Scope.JOBS_WRITE})
    assert not covers(set(), {Scope.JOBS_READ})
