"""Criteria of a case as SQL over `"case" k`: whether they hold, and the day on which they may turn.

The meaning is `domain.case_matching`'s (`case_matches`, `next_turn`); this must equal it. Whom a case is
linked to is looked up by key: a parent, a host and an owner by external id, contacts by the case's own links.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString, NamedTuple
from uuid import UUID

import psycopg

from clarion.domain import pattern as patterns
from clarion.domain.case_matching import counted
from clarion.domain.case_reading import DATES
from clarion.domain.case_view import TypeView
from clarion.domain.criteria import All, AnyOf, Node, Not
from clarion.domain.field import FieldType
from clarion.domain.leaf import ChangedTo, Comparison, Day, InGroup, Op, Property
from clarion.domain.matching import walk
from clarion.domain.refusal import Refusal
from clarion.kit.db import Connection, rows
from clarion.store import criteria as of_contacts
from clarion.store.case_leaf import Leaves
from clarion.store.criteria import Frame, Values

PATIENCE = 1_000  # milliseconds for trying a pattern


@dataclass(frozen=True, slots=True)
class CaseFrame:
    """What criteria of cases are read in: `people` as contacts' are, and the types that there are."""

    people: Frame
    types: Mapping[UUID, TypeView]


class Compiled(NamedTuple):
    """`holds`: a condition on `"case" k`, true or false and never null. `turn`: a date, null where the
    calendar alone turns nothing."""

    holds: LiteralString
    turn: LiteralString


async def case_frame(connection: Connection, now: datetime) -> CaseFrame:
    """The frame of the transaction's workspace at `now`."""
    return CaseFrame(await of_contacts.frame(connection, now), await types(connection))


async def types(connection: Connection) -> dict[UUID, TypeView]:
    """The workspace's types of cases, as criteria see them."""
    found = await rows(
        connection,
        """SELECT t.id, t.name, t.declared_only, coalesce(p.kinds, '{}') AS kinds
           FROM case_type t LEFT JOIN LATERAL (
             SELECT jsonb_object_agg(key, kind) AS kinds FROM case_property WHERE type_id = t.id) p ON true
           ORDER BY t.id""",
    )
    return {one["id"]: _type(one["name"], one["kinds"], one["declared_only"]) for one in found}


def _type(name: str, kinds: Mapping[str, str], declared_only: bool) -> TypeView:
    return TypeView(
        name,
        {key: _KINDS.get(kind) or FieldType(kind) for key, kind in kinds.items()},
        tuple(sorted(key for key, kind in kinds.items() if kind == "address")),
        declared_only,
    )


_KINDS = {"address": FieldType.TEXT, "contact": FieldType.TEXT}


def compiled(criteria: Node, read_in: CaseFrame, values: Values) -> Compiled:
    """The criteria, with their values beside the statement's own. A closed or deleted case never matches."""
    desk = Compiler(read_in, values)
    holds: LiteralString = f"(k.state = 'open' AND {desk.holds(criteria)})"
    if not _counts_days(criteria):
        return Compiled(holds, "NULL::date")
    return Compiled(holds, f"CASE WHEN k.state = 'open' THEN nullif({desk.turn(criteria)}, {_NEVER}) END")


async def all_of(
    connection: Connection, type_id: UUID, holds: LiteralString, params: Mapping[str, object]
) -> int:
    """How many open cases of a type there are, where criteria (`compiled`) hold of all of these; else 0."""
    cases: LiteralString = """FROM "case" k WHERE k.type_id = %(of_type)s AND k.state = 'open'"""
    found = await rows(
        connection,
        f"""SELECT CASE WHEN EXISTS (SELECT {cases} AND NOT {holds}) THEN 0
              ELSE (SELECT count(*) {cases}) END AS n""",
        {**params, "of_type": type_id},
    )
    return int(found[0]["n"])


async def try_pattern(connection: Connection, pattern: str) -> Refusal | None:
    """Why PostgreSQL does not take this regular expression (`Op.MATCHES`), or is too slow at it; None where
    all is right. Leaves the transaction as it was.

    Refusals: those of `domain.pattern`, `bad_pattern`, `slow_pattern`.
    """
    if (why := patterns.refusal(pattern)) is not None:
        return why
    try:
        async with connection.transaction(force_rollback=True):
            await connection.execute(
                "SELECT set_config('statement_timeout', %s::text, true)", (str(PATIENCE),)
            )
            await connection.execute(
                "SELECT text ~ %(pattern)s::text FROM unnest(%(texts)s::text[]) AS t(text)",
                {"pattern": pattern, "texts": _trials(pattern)},
            )
    except psycopg.errors.InvalidRegularExpression as error:
        what = error.diag.message_primary or "not a regular expression"
        return Refusal("bad_pattern", what, "write it as PostgreSQL reads it, such as ^A[0-9]+$")
    except (psycopg.errors.QueryCanceled, psycopg.errors.InsufficientResources):
        return Refusal("slow_pattern", "it takes too long to try", "write it with fewer repetitions")
    return None


def _trials(pattern: str) -> list[str]:
    """Long texts, in which a slow pattern has much to look for."""
    return ["", "a" * 10_000, "ab1 " * 2_500, (pattern * 10_000)[:10_000]]


def _counts_days(criteria: Node) -> bool:
    return any(_has_day(node) for _, node, _ in walk(criteria))


def _has_day(node: Node) -> bool:
    if isinstance(node, ChangedTo):
        return isinstance(node.changed_to, Day)
    return isinstance(node, Property | Comparison) and any(isinstance(one, Day) for one in node.values)


_NEVER: LiteralString = "'infinity'::date"  # so that the least and the greatest of days need no null


class Compiler:
    """Writes the nodes of one statement over `"case" k`."""

    def __init__(self, read_in: CaseFrame, values: Values) -> None:
        self._people, self._values = read_in.people, values
        self._leaves = Leaves(read_in.types, read_in.people, values)

    def holds(self, node: Node) -> LiteralString:
        """Whether it holds; never null."""
        match node:
            case All():
                return f"({' AND '.join(map(self.holds, node.all))})"
            case AnyOf():
                return f"({' OR '.join(map(self.holds, node.any))})"
            case Not():
                return f"(NOT {self.holds(node.not_)})"
            case InGroup(of="owner"):
                person = _any(f"{self.contacts(node.of)} AND {self.of_contact(node)}")
                return f"({person} OR {self._by_group(node)})"
            case Comparison() | InGroup():
                return _any(f"{self.contacts(node.of)} AND {self.of_contact(node)}")
            case Property():
                return self._of_case(node)
            case ChangedTo():
                return self._changed(node)

    def verdict(self, node: Node) -> LiteralString:
        """A SELECT of one row: `t`, whether it holds, and `n`, the day on which it may turn."""
        turn = self.turn(node) if _counts_days(node) else _NEVER
        return f"SELECT {self.holds(node)} AS t, {turn} AS n"

    def turn(self, node: Node) -> LiteralString:
        """The day on which it may turn, of what counts days."""
        match node:
            case All():
                return self._together(node.all, every=True)
            case AnyOf():
                return self._together(node.any, every=False)
            case Not():
                return self.turn(node.not_)
            case Comparison():
                return f"""(SELECT {_ANY_TURN} FROM (SELECT {self.of_contact(node)} AS t,
                  coalesce({self._contact_turn(node)}, {_NEVER}) AS n {self.contacts(node.of)}) x)"""
            case Property() | ChangedTo():
                return f"coalesce({self._case_turn(node)}, {_NEVER})"
            case _:
                raise TypeError("a group counts no days")

    def _together(self, several: tuple[Node, ...], *, every: bool) -> LiteralString:
        """Where of all or any of these one that counts no days has decided, the others are not looked at."""
        counting = [one for one in several if _counts_days(one)]
        turn = self.turn(counting[0])
        if len(counting) > 1:
            each = " UNION ALL ".join(map(self.verdict, counting))
            turn = f"(SELECT {_ALL_TURN if every else _ANY_TURN} FROM ({each}) x)"
        no: LiteralString = "NOT " if every else ""
        decided = " OR ".join(no + self.holds(one) for one in several if one not in counting)
        return f"CASE WHEN {decided} THEN {_NEVER} ELSE {turn} END" if decided else turn

    def _of_case(self, leaf: Property) -> LiteralString:
        if leaf.of == "case":
            return self._leaves.holds(leaf, "k")
        if leaf.op is Op.NO_VALUE:  # whoever is not there has none either
            there = _any(f"{LINKED[leaf.of]} AND NOT {self._leaves.holds(leaf, 'p')}")
            return f"NOT {there}"
        return _any(f"{LINKED[leaf.of]} AND {self._leaves.holds(leaf, 'p')}")

    def _changed(self, leaf: ChangedTo) -> LiteralString:
        key = self._values.add(leaf.key)
        if leaf.of == "case":
            return f"(k.changed ? {key}::text AND {self._leaves.holds(leaf.now(), 'k')})"
        now = self._leaves.holds(leaf.now(), "p")
        return _any(f"{LINKED[leaf.of]} AND p.changed ? {key}::text AND {now}")

    def _case_turn(self, leaf: Property | ChangedTo) -> LiteralString:
        row: LiteralString = "k" if leaf.of == "case" else "p"
        if isinstance(leaf, ChangedTo):
            key = self._values.add(leaf.key)
            turn: LiteralString = (
                f"CASE WHEN {row}.changed ? {key}::text THEN {self._leaves.turn(leaf.now(), row)} END"
            )
        else:
            turn = self._leaves.turn(leaf, row)
        return turn if leaf.of == "case" else f"(SELECT {turn} {LINKED[leaf.of]})"

    def contacts(self, of: str | None) -> LiteralString:
        """The contacts meant: FROM and WHERE, each as `c`."""
        if of in ("owner", "modified_by"):
            return _NAMED[of]
        if of is None or of == "contact":
            return f"{_IN_ROLE} AND l.role = {_FIRST_ROLE}"
        return f"{_IN_ROLE} AND l.role = {self._values.add(of.removeprefix('role:'))}::text"

    def _by_group(self, leaf: InGroup) -> LiteralString:
        """Whether the owner is itself one of the groups that are meant."""
        group = of_contacts.group_of(leaf)
        if group is None:
            return "false"
        among = of_contacts.these([group], self._values, nested=leaf.deep)
        return _any(f"{OWNING_GROUP} AND g.id = ANY ({among})")

    def of_contact(self, leaf: Comparison | InGroup) -> LiteralString:
        """Whether it is true of the contact `c`."""
        return of_contacts.compiled(leaf.model_copy(update={"of": None}), self._people, self._values)

    def _contact_turn(self, leaf: Comparison) -> LiteralString:
        """The day on which a comparison of `c` turns; null where it does not."""
        kind = self._people.known.get(leaf.field)
        if kind is None or kind not in DATES:
            return "NULL::date"
        wanted = counted(leaf, kind, self._people.now, self._people.zone)
        if wanted is None:
            return "NULL::date"
        text: LiteralString = f"(c.fields ->> {self._values.add(leaf.field)}::text)"
        line = self._leaves.line
        source = line.of_date(text) if kind is FieldType.DATE else line.of_moment(text)
        return line.ask(line.turn(leaf.op, wanted), source, by_day=False)


def _any(such: LiteralString) -> LiteralString:
    """Whether there is any: looked up for each case by key. EXISTS could be made one hash of everybody."""
    return f"coalesce((SELECT true {such} LIMIT 1), false)"


# While all are true the first to turn turns it; else all the false ones must have turned first.
_ALL_TURN: LiteralString = "CASE WHEN bool_and(x.t) THEN min(x.n) ELSE max(x.n) FILTER (WHERE NOT x.t) END"
_ANY_TURN: LiteralString = f"""coalesce(
  CASE WHEN bool_or(x.t) THEN max(x.n) FILTER (WHERE x.t) ELSE min(x.n) END, {_NEVER})"""

LINKED: Mapping[str, LiteralString] = {
    "parent": """FROM "case" p WHERE p.workspace_id = (SELECT clarion_workspace())
      AND p.external_id = k.parent""",
    "host": """FROM "case" p WHERE p.workspace_id = (SELECT clarion_workspace())
      AND p.external_id = k.host""",
}
_NAMED: Mapping[str, LiteralString] = {
    "owner": """FROM contact c WHERE c.workspace_id = (SELECT clarion_workspace())
      AND c.external_id = k.owner AND c.status = 'active'""",
    "modified_by": """FROM contact c WHERE c.workspace_id = (SELECT clarion_workspace())
      AND c.external_id = k.modified_by AND c.status = 'active'""",
}
# The group that owns case `k`: its external id names a contact first. Both are look-ups by key.
OWNING_GROUP: LiteralString = """FROM contact_group g WHERE g.workspace_id = (SELECT clarion_workspace())
      AND g.external_id = k.owner AND coalesce((SELECT false FROM contact o
        WHERE o.workspace_id = (SELECT clarion_workspace()) AND o.external_id = k.owner LIMIT 1), true)"""
# One look-up by id for each, whatever is believed of the table's size.
_IN_ROLE: LiteralString = """FROM case_contact l CROSS JOIN LATERAL (
    SELECT * FROM contact o WHERE o.id = l.contact_id AND o.status = 'active' LIMIT 1) c
  WHERE l.case_id = k.id"""
# The first address property, by key, that names anybody.
_FIRST_ROLE: LiteralString = """(SELECT r.role FROM case_contact r CROSS JOIN LATERAL (
    SELECT FROM case_property a WHERE a.type_id = k.type_id AND a.key = r.role AND a.kind = 'address'
    LIMIT 1) a CROSS JOIN LATERAL (
    SELECT FROM contact o WHERE o.id = r.contact_id AND o.status = 'active' LIMIT 1) d
  WHERE r.case_id = k.id ORDER BY r.role COLLATE "C" LIMIT 1)"""
