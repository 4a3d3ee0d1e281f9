"""How an alert looks at cases: its criteria and recipients as SQL, read in the workspace as it is now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from clarion.domain.alert import Alert
from clarion.errors import NotFound
from clarion.kit.db import Connection, Row
from clarion.store import case_criteria, recipient
from clarion.store.criteria import Values
from clarion.store.episode import Sight


@dataclass(frozen=True, slots=True)
class Watched:
    """An alert beside its course. `launched_at`: cases that nobody has written since are those that were
    there already."""

    alert: Alert
    sight: Sight
    launched_at: datetime


async def watched(
    connection: Connection, row: Row, keys: Sequence[str], schemes: Sequence[str], now: datetime
) -> Watched:
    """That of a campaign (a `store.campaign` row with `revision`), for people reached by `schemes` of whom
    the fields `keys` matter. Raises Invalid, NotFound where it cannot be worked out."""
    alert, values = Alert.read(row["definition"]), Values()
    read_in = await case_criteria.case_frame(connection, now)
    type_id = next((id for id, one in read_in.types.items() if one.name == alert.case_type), None)
    if type_id is None:
        raise NotFound(f"there is no case type {alert.case_type!r}", where="case_type")
    met = case_criteria.compiled(alert.criteria, read_in, values)
    people = recipient.people(alert.recipients, alert.only, read_in.people, values, keys=keys)
    sight = Sight(
        row["id"], row["revision"], type_id, met.holds, met.turn, people, values.params,
        alert.properties(), alert.restart_on or "", keys, schemes, alert.stops_on_reply is not None,
    )  # fmt: skip
    return Watched(alert, sight, row["launched_at"] or now)
