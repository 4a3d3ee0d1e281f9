"""The tables as SQLAlchemy Core sees them. The migrations make them; a test keeps the two equal."""

from __future__ import annotations

from clarion.store.tables import campaign, cases, events, ledger, people, tenancy, traffic
from clarion.store.tables.base import metadata

__all__ = ["campaign", "cases", "events", "ledger", "metadata", "people", "tenancy", "traffic"]
