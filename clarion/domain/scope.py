"""What a key to the API may do. A closed set: a new one is a decision."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


class Scope(StrEnum):
    """One right. Writing something includes reading it; `admin` includes everything."""

    CONTACTS_READ = "contacts:read"
    CONTACTS_WRITE = "contacts:write"
    CASES_READ = "cases:read"
    CASES_WRITE = "cases:write"
    ANNOUNCEMENTS_READ = "announcements:read"
    ANNOUNCEMENTS_WRITE = "announcements:write"
    MESSAGES_READ = "messages:read"
    UNKNOWNS_WRITE = "unknowns:write"
    CHANNELS_WRITE = "channels:write"
    SUBSCRIPTIONS_WRITE = "subscriptions:write"
    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    ADMIN = "admin"


_INCLUDED: dict[Scope, frozenset[Scope]] = {
    Scope.CONTACTS_WRITE: frozenset({Scope.CONTACTS_READ}),
    Scope.CASES_WRITE: frozenset({Scope.CASES_READ}),
    Scope.ANNOUNCEMENTS_WRITE: frozenset({Scope.ANNOUNCEMENTS_READ}),
    Scope.UNKNOWNS_WRITE: frozenset({Scope.MESSAGES_READ}),
    Scope.JOBS_WRITE: frozenset({Scope.JOBS_READ}),
    Scope.ADMIN: frozenset(Scope),
}


def covers(held: Collection[Scope], any_of: Collection[Scope]) -> bool:
    """Whether one of the scopes held is, or includes, one of those asked for."""
    return any(asked in {scope, *_INCLUDED.get(scope, ())} for scope in held for asked in any_of)
