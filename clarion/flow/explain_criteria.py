"""Why a case meets an alert's criteria or does not: each condition of the tree, with what it saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from clarion.domain.case_matching import Verdict, all_hold, any_holds, negated
from clarion.domain.criteria import CRITERIA, All, AnyOf, Node, Not
from clarion.kit.db import Connection
from clarion.store import case_verdict
from clarion.store.case_criteria import CaseFrame
from clarion.store.case_verdict import Found, Leaf, Looked


@dataclass(frozen=True, slots=True)
class Judged:
    """A node of the tree. `kind`: `all`, `any` and `not` are of other nodes, a `condition` is one thing that
    is asked, as its author wrote it, with what it `saw`. `turns_on`: the local day on which the calendar
    alone may turn it; None where it cannot."""

    kind: str
    holds: bool
    turns_on: date | None
    of: Sequence[Judged] = ()
    condition: dict[str, Any] | None = None
    saw: Sequence[Looked] = ()


async def judged(
    connection: Connection, criteria: Node, read_in: CaseFrame, case_id: UUID
) -> tuple[Found, Judged]:
    """Whether the case meets them, and when that may turn, as the run sees it; and the tree. The two differ
    where the case is closed: then it meets none."""
    leaves = list(_leaves(criteria))
    whole, found = await case_verdict.judge(connection, criteria, leaves, read_in, case_id)
    return whole, _tree(criteria, iter(found))


def _leaves(node: Node) -> Iterator[Leaf]:
    """From left to right, as `_tree` takes them."""
    match node:
        case All():
            for child in node.all:
                yield from _leaves(child)
        case AnyOf():
            for child in node.any:
                yield from _leaves(child)
        case Not():
            yield from _leaves(node.not_)
        case _:
            yield node


def _tree(node: Node, found: Iterator[Found]) -> Judged:
    match node:
        case All():
            return _branch("all", [_tree(child, found) for child in node.all])
        case AnyOf():
            return _branch("any", [_tree(child, found) for child in node.any])
        case Not():
            return _branch("not", [_tree(node.not_, found)])
        case _:
            one = next(found)
            written = CRITERIA.dump_python(node, mode="json", by_alias=True, exclude_defaults=True)
            return Judged("condition", one.holds, one.turns_on, condition=written, saw=one.looked)


def _branch(kind: str, of: list[Judged]) -> Judged:
    several = [Verdict(one.holds, one.turns_on) for one in of]
    whole = {"all": all_hold, "any": any_holds}[kind](several) if kind != "not" else negated(several[0])
    return Judged(kind, whole.true, whole.turn, of)
