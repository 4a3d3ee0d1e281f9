"""Who listens to what, as a process's hot paths know it: where nobody does, nothing is noted and nothing
is asked of the database.

The teller looks every half a second (`CLARION_POLL`; every two while nobody listens) and passes on what it
saw, so what happens in the first moments of a subscription may not be told to it. A process that has not
looked yet lets the database decide each time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from uuid import UUID

_NOTHING: frozenset[str] = frozenset()


@dataclass(slots=True)
class Listening:
    """One a process."""

    _types: dict[UUID, frozenset[str]] = field(default_factory=dict)
    _looked: bool = False

    def learn(self, active: Iterable[tuple[UUID, Iterable[str]]]) -> None:
        """(workspace, types) of every subscription that is active now."""
        types: dict[UUID, set[str]] = defaultdict(set)
        for workspace_id, some in active:
            types[workspace_id].update(some)
        self._types = {workspace_id: frozenset(some) for workspace_id, some in types.items()}
        self._looked = True

    def wants(self, workspace_id: UUID, types: Set[str]) -> bool:
        """Whether somebody in this workspace may want one of these types."""
        return not self._looked or not types.isdisjoint(self._types.get(workspace_id, _NOTHING))
