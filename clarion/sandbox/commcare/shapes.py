"""The two documents that tell of one case: the listed and the forwarded one."""

from __future__ import annotations

from typing import Any

from clarion.sandbox.commcare.project import Case, Indexed
from clarion.sandbox.rapidpro.workspace import spelled


def listed(one: Indexed, domain: str) -> dict[str, Any]:
    """As the Case Data API v2 tells it."""
    case = one.case
    return {
        "domain": domain, "case_id": case.case_id, "case_type": case.case_type, "case_name": case.name,
        "external_id": case.external_id, "owner_id": case.owner_id, "date_opened": spelled(case.opened_on),
        "last_modified": spelled(case.modified_on), "server_last_modified": spelled(case.server_modified_on),
        "indexed_on": spelled(one.on), "closed": case.closed_on is not None,
        "date_closed": _or_none(case.closed_on), "properties": dict(case.properties),
        "indices": _indices(case),
    }  # fmt: skip


def forwarded(case: Case, domain: str) -> dict[str, Any]:
    """As data forwarding posts it: type, name, owner and opening are among the properties, the last to the
    millisecond and without a zone."""
    opened = spelled(case.opened_on)[:-4]
    return {
        "domain": domain, "case_id": case.case_id, "user_id": case.user_id,
        "closed": case.closed_on is not None, "xform_ids": list(case.forms),
        "date_closed": _or_none(case.closed_on), "date_modified": spelled(case.modified_on),
        "server_date_modified": spelled(case.server_modified_on),
        "properties": {
            **case.properties, "external_id": case.external_id, "owner_id": case.owner_id,
            "case_name": case.name, "case_type": case.case_type, "date_opened": opened,
        },
        "indices": _indices(case), "attachments": {},
    }  # fmt: skip


def _indices(case: Case) -> dict[str, dict[str, Any]]:
    return {
        name: {"case_id": one.case_id, "case_type": one.case_type, "relationship": one.relationship}
        for name, one in case.indices.items()
    }


def _or_none(at: int | None) -> str | None:
    return None if at is None else spelled(at)
