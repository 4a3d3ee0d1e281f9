"""Cases that other systems post, in a shape of their own: taken as the source's mapping reads them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from clarion.domain.case import CaseType, type_name
from clarion.domain.case_values import CaseCustoms
from clarion.domain.case_word import read_case
from clarion.domain.mapped import Record, records
from clarion.domain.person import Finding
from clarion.domain.source import INBOUND, Inbound, Mapped, Signed
from clarion.errors import Invalid, NotFound, Problem, Unauthorized
from clarion.flow.cases import customs_of, upsert_within
from clarion.flow.services import Services
from clarion.flow.source import secret_of
from clarion.kit.db import Connection
from clarion.kit.ids import uuid7
from clarion.kit.log import logger
from clarion.kit.secrets import same
from clarion.store import case_type, workspace
from clarion.store import source as sources
from clarion.store.case_intake import Outcome, Taken

HOME = "/inbound"  # where other systems post, of our own address; workspace and source follow
_SIGNATURE = re.compile(r"(?:sha256=)?([0-9a-fA-F]{64})")
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Would:
    """What a record would become: the document that its mapping makes, whether that would be taken, and what
    is wrong with it."""

    document: dict[str, Any] | None
    taken: bool
    findings: list[Finding]


async def take(
    services: Services, workspace_id: UUID, name: str, headers: Mapping[str, str], body: bytes
) -> list[Taken]:
    """Take what a system posts to its source; it is durable when this returns. One answer for each record,
    in order.

    Raises NotFound, Unauthorized (it did not prove who it is) and Invalid (no JSON, no records, or not one
    of them can be taken; then nothing is kept).
    """
    async with services.db.tenant(workspace_id) as connection:
        found = await sources.with_secret(connection, name, INBOUND)
    if found is None:
        raise NotFound("there is no such source", where="source")
    settings = Inbound.model_validate(found["settings"])
    if not proven(settings.proof, secret_of(services, workspace_id, found), headers, body):
        log.warning("what was posted to a source did not prove who posts", kind=settings.proof.by)
        raise _unproven(settings.proof)
    read = records(settings.mapping, json_of(body))
    async with services.db.tenant(workspace_id) as connection:
        if settings.make_types:
            await case_type.ensure(connection, _types(read), services.clock.now())
        documents = [one.document for one in read if one.document is not None]
        taken = iter(await upsert_within(connection, services.clock, documents, "inbound", f"source {name}"))
        became = [_refused(one) if one.document is None else _told(one, next(taken)) for one in read]
        if became and all(one.outcome is Outcome.REFUSED for one in became):
            raise _none_taken(became)
    services.nudge("cases")
    return became


async def foresee(connection: Connection, services: Services, settings: Inbound, body: Any) -> list[Would]:
    """What each record of a body would become; nothing is kept. Raises Invalid."""
    read = records(settings.mapping, body)
    customs = await customs_of(connection, await workspace.get(connection), services.clock)
    if settings.make_types:
        customs = _with_types(customs, _types(read), services)
    return [_would(one, customs) for one in read]


async def foresee_of(
    connection: Connection, services: Services, name: str | None, mapping: Mapped | None, body: Any
) -> list[Would]:
    """The same by a source, by a mapping that is in no source yet, or by that in place of the source's.
    Raises NotFound, Invalid."""
    if name is None:
        if mapping is None:
            raise Invalid("a mapping is missing", where="mapping", hint="Give one, or name a source.")
        return await foresee(connection, services, Inbound(mapping=mapping), body)
    found = await sources.named(connection, name, INBOUND)
    settings = Inbound.model_validate(found["settings"])
    if mapping is not None:
        settings = settings.model_copy(update={"mapping": mapping})
    return await foresee(connection, services, settings, body)


# --- who posts


def proven(proof: Signed, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether who posts has the secret; it takes the same time wherever what they say is wrong."""
    if proof.by == "signature":
        match = _SIGNATURE.fullmatch(headers.get(proof.header or "", "").strip())
        ours = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return same((match[1].lower() if match else "").encode(), ours.encode())
    said = headers.get(proof.header or "Authorization", "").strip()
    if proof.header is None:
        said = _token(said)
    return same(said.encode("utf-8", "replace"), secret.encode())


def _token(authorization: str) -> str:
    """A bearer's token, or the password of whatever user."""
    kind, _, rest = authorization.partition(" ")
    if kind.lower() != "basic":
        return rest.strip() if kind.lower() == "bearer" else ""
    try:
        return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _unproven(proof: Signed) -> Unauthorized:
    if proof.by == "signature":
        hint = f"{proof.header} is the HMAC-SHA256 of the body with the source's secret, in hexadecimal."
        return Unauthorized("the signature is not that of this source", where=proof.header or "", hint=hint)
    hint = f"In the header {proof.header}." if proof.header else "As `Authorization: Bearer <secret>`."
    return Unauthorized("this is not the token of this source", where=proof.header or "", hint=hint)


# --- what is posted


def json_of(body: bytes) -> Any:
    """A body as JSON. Raises Invalid."""
    try:
        return orjson.loads(body)
    except ValueError as error:
        raise Invalid(f"this is no JSON: {error}", where="body", hint="Post JSON.") from None


def _types(read: Sequence[Record]) -> list[str]:
    """Those that can be made; a case of another is refused by itself."""
    found = []
    for name in {str(one.document["type"]) for one in read if one.document is not None}:
        try:
            found.append(type_name(name))
        except Invalid:
            continue
    return found


def _refused(record: Record) -> Taken:
    return Taken(Outcome.REFUSED, None, None, tuple(record.findings))


def _told(record: Record, taken: Taken) -> Taken:
    return taken._replace(findings=(*record.findings, *taken.findings)) if record.findings else taken


def _none_taken(became: Sequence[Taken]) -> Invalid:
    problems = tuple(
        Problem(f"[{number}].{found.field}", found.reason)
        for number, one in enumerate(became[:20])
        for found in one.findings
        if found.severity == "refused"
    )
    hint = "The place is the record's number and what of a case it is. `clarion source try` shows the rest."
    return Invalid("not one of the records can be taken", problems=problems[:50], hint=hint)


def _with_types(customs: CaseCustoms, names: Sequence[str], services: Services) -> CaseCustoms:
    new = {name: CaseType(uuid7(services.clock.now()), name) for name in names if name not in customs.types}
    return CaseCustoms({**customs.types, **new}, customs.now, customs.country, customs.zone)


def _would(record: Record, customs: CaseCustoms) -> Would:
    if record.document is None:
        return Would(None, False, record.findings)
    case, found = read_case(record.document, customs)
    return Would(record.document, case is not None, [*record.findings, *found])
