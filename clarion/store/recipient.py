"""Recipients as SQL: whom an alert speaks to of a case `k`, with what decides when they hear it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import LiteralString

from clarion.domain.alert import Linked, OfGroup, Own, Recipient, Staff
from clarion.domain.criteria import All
from clarion.domain.leaf import Comparison, Op
from clarion.store import reach
from clarion.store.criteria import Frame, Values, below, compiled
from clarion.store.entering import VALUES

# The contact whom a case is about: whom the first of its address properties, by key, names.
_OWN: LiteralString = """JOIN case_contact l ON l.case_id = x.id AND l.role = (
    SELECT r.role FROM case_contact r
    JOIN case_property a ON a.type_id = x.type_id AND a.key = r.role AND a.kind = 'address'
    WHERE r.case_id = x.id ORDER BY r.role COLLATE "C" LIMIT 1)"""
_RELATED: Mapping[str, LiteralString] = {
    "case": "x.id = k.id",
    "parent": "x.workspace_id = clarion_workspace() AND x.external_id = k.parent AND x.state <> 'deleted'",
    "host": "x.workspace_id = clarion_workspace() AND x.external_id = k.host AND x.state <> 'deleted'",
    "children": "x.workspace_id = clarion_workspace() AND x.parent = k.external_id AND x.state = 'open'",
}
_STAFF: Mapping[str, LiteralString] = {"owner": "k.owner", "modified_by": "k.modified_by"}


def people(
    recipients: Sequence[Recipient], only: Mapping[str, Sequence[str]], read_in: Frame, values: Values
) -> LiteralString:
    """The query of one row, `people`: [[contact, zone, whether they opted out, values of the fields that
    matter], …] of case `k`, by contact, each once; null where there is nobody. Its other parameters are
    `keys` and `schemes`."""
    named = " UNION ALL ".join(_named(one, values) for one in recipients)
    return f"""SELECT jsonb_agg(jsonb_build_array(c.id, coalesce(c.timezone, ''),
    {reach.opted_out("a.consent_key")}, to_jsonb({VALUES})) ORDER BY c.id) AS people
  FROM (SELECT DISTINCT coalesce(o.merged_into, o.id) AS id FROM ({named}) n CROSS JOIN LATERAL (
    SELECT id, merged_into FROM contact WHERE contact.id = n.id LIMIT 1) o) d
  CROSS JOIN LATERAL (
    SELECT * FROM contact WHERE contact.id = d.id AND contact.status = 'active' LIMIT 1) c
  LEFT JOIN LATERAL ({reach.address("c.id")}) a ON true
  WHERE {_among(only, read_in, values)}"""


def _named(one: Recipient, values: Values) -> LiteralString:
    match one:
        case Linked():
            return f"""SELECT l.contact_id AS id FROM case_contact l
      WHERE l.case_id = k.id AND l.role = {values.add(one.role)}::text"""
        case Own():
            return f"""SELECT l.contact_id AS id FROM "case" x {_OWN} WHERE {_RELATED[one.to]}"""
        case Staff():
            return f"""SELECT s.id FROM contact s
      WHERE s.workspace_id = clarion_workspace() AND s.external_id = {_STAFF[one.to]}"""
        case OfGroup():
            return f"""SELECT gm.contact_id AS id FROM group_member gm
      WHERE gm.group_id = ANY ({below([one.group_id], values)})"""


def _among(only: Mapping[str, Sequence[str]], read_in: Frame, values: Values) -> LiteralString:
    if not only:
        return "true"
    wanted = tuple(Comparison(field=key, op=Op.IN, value=tuple(some)) for key, some in only.items())
    return compiled(All(all=wanted), read_in, values)
