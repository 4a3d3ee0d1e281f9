"""Whether what a campaign says goes with what it declares of whom it finds outside the service window."""

from __future__ import annotations

from collections.abc import Iterable

from clarion.domain import outside
from clarion.domain.content import Content
from clarion.domain.outside import Outside
from clarion.errors import Problem
from clarion.providers.contract import Provider


def problems(content: Content, declared: Outside | None, providers: Iterable[Provider]) -> list[Problem]:
    """Each place in the content that does not, over any of these providers, once."""
    found: dict[str, Problem] = {}
    for one in providers:
        if not one.has_window:
            continue
        for problem in outside.problems(content, declared, one.name, templates="template" in one.kinds):
            found.setdefault(problem.where, problem)
    return list(found.values())
