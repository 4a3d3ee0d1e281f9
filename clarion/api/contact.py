"""Contacts: people, where they are reached, and what they agreed to."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query

from clarion.api.announcement_answers import message
from clarion.api.auth import needs
from clarion.api.contact_shapes import (
    AddressConsentBody,
    ConsentAnswer,
    ConsentBody,
    ContactAnswer,
    ContactChange,
    ContactsBody,
    ErasedAnswer,
    FoundAnswer,
    HistoryAnswer,
    MergeBody,
    StoryAnswer,
    UpsertAnswer,
    told,
)
from clarion.api.edge import Edge
from clarion.api.pages import Ask, Page, asked
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.domain.scope import Scope
from clarion.flow import consent, edit, erase, explain, ingest, merge
from clarion.store import consent as consents
from clarion.store import contact as contacts
from clarion.store import workspace

router = new_router("contacts", "People: who they are, where they are reached, what they agreed to.")

Reader = Annotated[Edge, needs(Scope.CONTACTS_READ)]
Writer = Annotated[Edge, needs(Scope.CONTACTS_WRITE)]
MessagesReader = Annotated[Edge, needs(Scope.MESSAGES_READ)]
OfGroup = Annotated[UUID | None, Query(description="only members of this group, not of those below it")]
Text = Annotated[
    str, Query(min_length=1, max_length=200, description="words of a name, an address, an external id")
]
Most = Annotated[int, Query(ge=1, le=100, description="how many at most")]


@router.post("", summary="Add and update people")
async def upsert(body: ContactsBody, edge: Writer) -> UpsertAnswer:
    """Up to 10,000 in one transaction. The external id decides who is who, else address and name. Every
    person has an answer, in order; one who is refused does not stop the others."""
    people = [one.given() for one in body.contacts]
    return told(
        await ingest.upsert_people(
            edge.services.db, edge.services.clock, edge.workspace_id, people, by=edge.caller.name
        )
    )


@router.get("", summary="List people")
async def listed(edge: Reader, ask: Annotated[Ask, asked()], group_id: OfGroup = None) -> Page[ContactAnswer]:
    async with edge.transaction() as connection:
        found = await contacts.page(connection, ask.after, ask.fetch, group_id=group_id)
        return ask.page(ContactAnswer, found)


@router.get("/search", summary="Search for people")
async def search(edge: Reader, q: Text, limit: Most = 20) -> FoundAnswer:
    """By external id, by address, or by words of the name in any order. No pages: say more to see others."""
    async with edge.transaction() as connection:
        home = await workspace.get(connection)
        found = await contacts.search(connection, q, country=home["country"], limit=limit)
        return FoundAnswer(items=[ContactAnswer.model_validate(one) for one in found])


@router.post("/opt-out", summary="Opt an address out")
async def address_out(body: AddressConsentBody, edge: Writer) -> ConsentAnswer:
    """Nothing more goes there, whoever's it is, now or later; what waits for it is skipped."""
    changed = await consent.opt_out(
        edge.services.db, edge.services.clock, edge.workspace_id, body.address, by=edge.caller.name,
        note=body.note,
    )  # fmt: skip
    return ConsentAnswer(changed=changed)


@router.post("/opt-in", summary="Opt an address in")
async def address_in(body: AddressConsentBody, edge: Writer) -> ConsentAnswer:
    changed = await consent.opt_in(
        edge.services.db, edge.services.clock, edge.workspace_id, body.address, by=edge.caller.name,
        note=body.note,
    )  # fmt: skip
    return ConsentAnswer(changed=changed)


@router.get("/{contact_id}", summary="Show a person", responses=responses(404))
async def show(contact_id: UUID, edge: Reader) -> ContactAnswer:
    async with edge.transaction() as connection:
        return ContactAnswer.model_validate(await contacts.get(connection, contact_id))


@router.patch("/{contact_id}", summary="Edit a person", responses=responses(404, 409))
async def change(contact_id: UUID, body: ContactChange, edge: Writer) -> ContactAnswer:
    """All or nothing: what cannot be read is told, each with its place, and nothing is changed."""
    changed = await edit.edit_contact(
        edge.services.db, edge.services.clock, edge.workspace_id, contact_id, body.given(),
        whole=body.addresses is not None,
    )  # fmt: skip
    return ContactAnswer.model_validate(changed)


@router.delete("/{contact_id}", summary="Erase a person", responses=responses(404))
async def forget(contact_id: UUID, edge: Writer) -> ErasedAnswer:
    """Name, addresses and fields are gone for good. What was sent stays counted under a pseudonym, so that
    importing them again cannot send it again. Erasing again changes nothing."""
    skipped = await erase.erase_contact(edge.services.db, edge.services.clock, edge.workspace_id, contact_id)
    return ErasedAnswer(skipped=skipped)


@router.post("/{contact_id}/merge", summary="Merge two people", responses=responses(404, 409))
async def merged(contact_id: UUID, body: MergeBody, edge: Writer) -> ContactAnswer:
    """They turn out to be one. Where both would hear the same, they hear it once."""
    kept = await merge.merge_contacts(
        edge.services.db, edge.services.clock, edge.workspace_id, contact_id, body.contact_id
    )
    return ContactAnswer.model_validate(kept)


@router.post("/{contact_id}/opt-out", summary="Opt a person out", responses=responses(404, 409))
async def opt_out(contact_id: UUID, edge: Writer, body: ConsentBody | None = None) -> ConsentAnswer:
    """Of all their addresses, so that it covers everyone who shares one. What waits is skipped."""
    changed = await consent.person_out(
        edge.services.db, edge.services.clock, edge.workspace_id, contact_id, by=edge.caller.name,
        note=body.note if body else "",
    )  # fmt: skip
    return ConsentAnswer(changed=changed)


@router.post("/{contact_id}/opt-in", summary="Opt a person in", responses=responses(404, 409))
async def opt_in(contact_id: UUID, edge: Writer, body: ConsentBody | None = None) -> ConsentAnswer:
    changed = await consent.person_in(
        edge.services.db, edge.services.clock, edge.workspace_id, contact_id, by=edge.caller.name,
        note=body.note if body else "",
    )  # fmt: skip
    return ConsentAnswer(changed=changed)


@router.get("/{contact_id}/consent", summary="What they agreed to, and when", responses=responses(404))
async def history(contact_id: UUID, edge: Reader) -> HistoryAnswer:
    async with edge.transaction() as connection:
        await contacts.get(connection, contact_id)
        found = await consents.of_contact(connection, contact_id)
        return HistoryAnswer.model_validate({"items": found})


@router.get("/{contact_id}/messages", summary="What they were sent, and why", responses=responses(404))
async def messages(contact_id: UUID, edge: MessagesReader) -> StoryAnswer:
    """Their last 20 messages, and in sentences how they can be reached and what became of these."""
    now = edge.now()
    async with edge.transaction() as connection:
        found = await explain.contact(connection, contact_id, now)
    items = [
        {**message(one, now), "announcement_id": one["campaign_id"], "announcement": one["campaign"]}
        for one in found.facts["messages"]
    ]
    return StoryAnswer.model_validate({"items": items, "story": found.sentences})
