"""Finding providers: every module of this package that has a `provider` is one."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

from clarion import providers
from clarion.domain.content import Form
from clarion.domain.refusal import Refusal
from clarion.errors import Invalid
from clarion.providers.abilities import Heard, Optioned, Particular
from clarion.providers.contract import Provider

_OURS = {
    "abilities", "binds", "bounces", "calling", "cloud_messages", "cloud_templates", "cloud_webhooks",
    "contract", "described", "devices", "letters", "line", "meta", "pdus", "registry", "replies",
    "rereading", "searching", "service_accounts", "threads", "transactions",
}  # fmt: skip


@lru_cache(maxsize=1)
def known() -> dict[str, Provider]:
    """All providers by name."""
    found: dict[str, Provider] = {}
    for module in pkgutil.iter_modules(providers.__path__):
        if module.name not in _OURS:
            made: Provider = import_module(f"{providers.__name__}.{module.name}").provider
            found[made.name] = made
    return found


@lru_cache(maxsize=1)
def heard() -> tuple[str, ...]:
    """The names of those that are heard over their own connections."""
    return tuple(sorted(name for name, provider in known().items() if isinstance(provider, Heard)))


def get(name: str) -> Provider:
    """The provider of that name. Raises Invalid that lists those there are."""
    try:
        return known()[name]
    except KeyError:
        raise Invalid(
            f"there is no provider {name!r}", where="provider", hint="Known: " + ", ".join(sorted(known()))
        ) from None


def of(row: Mapping[str, Any]) -> Provider:
    """The provider of a channel's row, or of a pool member's, as the options have it. Raises Invalid."""
    provider = get(row["provider"])
    if not isinstance(provider, Optioned):
        return provider
    config = row.get("config") or row
    return provider.by_options(config.get("options") or {})


def byte_limit(provider: Provider) -> int | None:
    """`Weighed.byte_limit`; None where the provider counts characters only."""
    found: int | None = getattr(provider, "byte_limit", None)  # an isinstance here is dear, and this is hot
    return found


def objection(provider: Provider, form: Form) -> Refusal | None:
    """`Particular.objection`; None of a provider that carries all of its kinds."""
    return provider.objection(form) if isinstance(provider, Particular) else None
