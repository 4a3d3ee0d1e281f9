"""The bodies of requests: what each event tells, put together from what is there now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from clarion.domain.event import FACTS, LONGEST_TEXT, Event, EventType, Facts
from clarion.kit.db import Connection, Row
from clarion.store import event_facts
from clarion.store.telling import Taken

_FAILURES = frozenset({EventType.MESSAGE_FAILED, EventType.MESSAGE_UNDELIVERED, EventType.MESSAGE_UNKNOWN})


async def bodies(connection: Connection, workspace_id: UUID, taken: Sequence[Taken]) -> dict[UUID, bytes]:
    """The body of each event by its identifier; none for one of which there is nothing left to tell."""
    families: dict[str, list[Taken]] = defaultdict(list)
    for one in taken:
        families[EventType(one.type).family].append(one)
    found: dict[UUID, bytes] = {}
    for family, some in families.items():
        facts = await _facts(connection, family, some)
        for one in some:
            if one.subject_id in facts:
                found[one.id] = _body(workspace_id, one, facts[one.subject_id])
    return found


async def _facts(connection: Connection, family: str, some: Sequence[Taken]) -> Mapping[UUID, Row]:
    ids = [one.subject_id for one in some]
    match family:
        case "message":
            wanted = [(one.subject_id, one.cohort) for one in some if one.cohort is not None]
            return await event_facts.messages(connection, list(dict.fromkeys(wanted)))
        case "inbound":
            return await event_facts.inbound(connection, ids)
        case "consent":
            return await event_facts.consents(connection, ids)
        case "campaign":
            return await event_facts.campaigns(connection, ids)
        case "channel":
            return await event_facts.channels(connection, ids)
    return await event_facts.subscriptions(connection, ids)


def _body(workspace_id: UUID, one: Taken, row: Row) -> bytes:
    kind = EventType(one.type)
    told: dict[str, Any] = dict(row)
    if kind.family in ("message", "campaign", "channel"):
        told |= {"state": kind.value.partition(".")[2], "reason": one.reason}
    if kind.family == "message" and kind not in _FAILURES:
        told["code"] = None
    if kind.family == "inbound":
        told |= {"text": row["text"][:LONGEST_TEXT], "cut": len(row["text"]) > LONGEST_TEXT}
    data = FACTS[kind.family].model_validate(told)
    event = Event[Facts](type=kind, timestamp=one.at, workspace_id=workspace_id, data=data)
    return event.model_dump_json(serialize_as_any=True).encode()
